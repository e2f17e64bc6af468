/* Each rule of docs/bundle.md, broken, and the message that names it. */
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/cu.h"
#include "../lib/domain_host.h"
#include "../lib/fake_vm.h"

#define ROOT "/"
#define G0   "/domains/guest0"
#define DEV  "/domains/guest0/devices"

static void expect(const void *fdt, const char *message)
{
    char err[256];
    enum abi_status st = bundle_try(fdt, fdt_totalsize(fdt), err);

    CU_ASSERT_EQUAL(st, ABI_BAD_FORMAT);
    cu_says(err, message);
}

/* The good bundle with one property set to these bytes must be refused with that message. */
static void refuse(const char *node, const char *prop, const void *value, int len,
                   const char *message)
{
    void *fdt = bundle_good();

    CU_ASSERT_EQUAL(fdt_setprop(fdt, bundle_node(fdt, node), prop, value, len), 0);
    expect(fdt, message);
    free(fdt);
}

static void refuse_text(const char *node, const char *prop, const char *value, const char *message)
{
    refuse(node, prop, value, (int)strlen(value) + 1, message);
}

static void refuse_u32(const char *node, const char *prop, uint32_t value, const char *message)
{
    uint32_t be = cpu_to_fdt32(value);

    refuse(node, prop, &be, 4, message);
}

static void refuse_u64(const char *node, const char *prop, uint64_t value, const char *message)
{
    uint64_t be = cpu_to_fdt64(value);

    refuse(node, prop, &be, 8, message);
}

static void refuse_without(const char *node, const char *prop, const char *message)
{
    void *fdt = bundle_good();

    CU_ASSERT_EQUAL(fdt_delprop(fdt, bundle_node(fdt, node), prop), 0);
    expect(fdt, message);
    free(fdt);
}

static void refuse_with_node(const char *parent, const char *name, const char *message)
{
    void *fdt = bundle_good();

    CU_ASSERT_TRUE(fdt_add_subnode(fdt, bundle_node(fdt, parent), name) > 0);
    expect(fdt, message);
    free(fdt);
}

static void refuse_renamed(const char *node, const char *name, const char *message)
{
    void *fdt = bundle_good();

    CU_ASSERT_EQUAL(fdt_set_name(fdt, bundle_node(fdt, node), name), 0);
    expect(fdt, message);
    free(fdt);
}

static void a_good_bundle_opens_and_says_what_it_holds(void)
{
    void *fdt = bundle_good();
    struct domain_config d;
    struct bundle b;
    char err[64];

    CU_ASSERT_EQUAL_FATAL(bundle_open(&b, fdt, BUNDLE_ROOM, err, sizeof(err)), ABI_OK);
    CU_ASSERT_EQUAL(b.domains, 1);
    bundle_domain(&b, 0, &d);
    CU_ASSERT_STRING_EQUAL(d.name, "guest0");
    CU_ASSERT_EQUAL(d.cc, CC_SEV_SNP);
    CU_ASSERT_EQUAL(d.memory, GiB(1));
    CU_ASSERT_EQUAL(d.vcpus, 4);
    CU_ASSERT_EQUAL(d.weight, 250);
    CU_ASSERT_EQUAL(d.affinity, 3);
    CU_ASSERT_EQUAL(d.kernel.len, 64);
    CU_ASSERT_EQUAL(d.kernel.data[0], 1);
    CU_ASSERT_EQUAL(d.ramdisk.len, 64);
    CU_ASSERT_STRING_EQUAL(d.cmdline, "console=hvc0 quiet");
    CU_ASSERT_TRUE(d.prefault);
    CU_ASSERT_FALSE(d.restart_on_reboot);
    free(fdt);
}

static void devices_come_in_the_order_of_their_nodes(void)
{
    void *fdt = bundle_good();
    struct domain_config d;
    struct bundle b;
    char err[64];

    CU_ASSERT_EQUAL_FATAL(bundle_open(&b, fdt, BUNDLE_ROOM, err, sizeof(err)), ABI_OK);
    bundle_domain(&b, 0, &d);
    CU_ASSERT_EQUAL_FATAL(d.devices, 5);
    CU_ASSERT_STRING_EQUAL(d.device[0].name, "console");
    CU_ASSERT_EQUAL(d.device[0].type, DEV_VIRTIO_CONSOLE);
    CU_ASSERT_EQUAL(d.device[1].type, DEV_VIRTIO_BLK);
    CU_ASSERT_EQUAL(d.device[1].size, 1024);
    CU_ASSERT_PTR_NOT_NULL(d.device[1].image);
    CU_ASSERT_TRUE(d.device[1].writable);
    CU_ASSERT_EQUAL(d.device[2].size, 4096);
    CU_ASSERT_PTR_NULL(d.device[2].image);
    CU_ASSERT_TRUE(d.device[2].writable);
    CU_ASSERT_EQUAL(d.device[3].type, DEV_VIRTIO_RNG);
    CU_ASSERT_STRING_EQUAL(d.device[4].network, "lan");
    CU_ASSERT_TRUE(d.device[4].has_mac);
    CU_ASSERT_EQUAL(d.device[4].mac[5], 1);
    free(fdt);
}

static void what_is_optional_has_its_default(void)
{
    size_t len;
    void *fdt = bundle_simple("none", "k", 1, NULL, 0, &len);
    struct domain_config d;
    struct bundle b;
    char err[64];

    CU_ASSERT_EQUAL(fdt_delprop(fdt, bundle_node(fdt, "/domains/g"), "cc"), 0);
    CU_ASSERT_EQUAL_FATAL(bundle_open(&b, fdt, len, err, sizeof(err)), ABI_OK);
    bundle_domain(&b, 0, &d);
    CU_ASSERT_EQUAL(d.cc, CC_NONE);
    CU_ASSERT_EQUAL(d.vcpus, 1);
    CU_ASSERT_EQUAL(d.weight, 100);
    CU_ASSERT_EQUAL(d.affinity, UINT64_MAX);
    CU_ASSERT_EQUAL(d.ramdisk.len, 0);
    CU_ASSERT_STRING_EQUAL(d.cmdline, "");
    CU_ASSERT_FALSE(d.prefault);
    CU_ASSERT_TRUE(d.restart_on_reboot);
    CU_ASSERT_EQUAL(d.devices, 0);
    free(fdt);
}

static void a_domain_beyond_the_last_is_a_callers_error(void)
{
    void *fdt = bundle_good();
    struct domain_config d;
    struct bundle b;
    char err[64];

    CU_ASSERT_EQUAL_FATAL(bundle_open(&b, fdt, BUNDLE_ROOM, err, sizeof(err)), ABI_OK);
    ASSERT_PANICS(bundle_domain(&b, 1, &d));
    free(fdt);
}

static void unknown_nodes_are_refused_everywhere(void)
{
    refuse_with_node(ROOT, "chosen", "/: unknown node 'chosen'");
    refuse_with_node("/images/vmlinuz", "hash", "images/vmlinuz: unknown node 'hash'");
    refuse_with_node(G0, "memory", "domains/guest0: unknown node 'memory'");
    refuse_with_node(DEV "/rng", "x", "domains/guest0/devices/rng: unknown node 'x'");
}

static void unknown_properties_are_refused_everywhere(void)
{
    refuse_text(ROOT, "model", "x", "/: unknown property 'model'");
    refuse_text("/images", "count", "x", "images: unknown property 'count'");
    refuse_text("/images/initrd", "type", "x", "images/initrd: unknown property 'type'");
    refuse_text("/domains", "count", "x", "domains: unknown property 'count'");
    refuse_text(G0, "cpus", "x", "domains/guest0: unknown property 'cpus'");
    refuse_text(DEV, "bus", "x", "domains/guest0/devices: unknown property 'bus'");
    refuse_text(DEV "/disk", "serial", "x",
                "domains/guest0/devices/disk: unknown property 'serial'");
}

static void what_is_mandatory_is_missed(void)
{
    static const char *const needed[] = {"compatible", "abi", "memory", "kernel"};
    char message[64];

    refuse_without(ROOT, "compatible", "/: compatible: is missing");
    refuse_without("/images/rootfs", "data", "images/rootfs: data: is missing");
    refuse_without(DEV "/rng", "type", "domains/guest0/devices/rng: type: is missing");
    refuse_without(DEV "/net", "network", "domains/guest0/devices/net: network: is missing");
    for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
        snprintf(message, sizeof(message), "domains/guest0: %s: is missing", needed[i]);
        refuse_without(G0, needed[i], message);
    }
}

static void missing_top_nodes_are_refused(void)
{
    refuse_renamed("/images", "imagez", "/: unknown node 'imagez'");
    for (int i = 0; i < 2; i++) {
        void *fdt = bundle_good();

        CU_ASSERT_EQUAL(fdt_del_node(fdt, bundle_node(fdt, i == 0 ? "/images" : "/domains")), 0);
        expect(fdt, i == 0 ? "/: node 'images': is missing" : "/: node 'domains': is missing");
        free(fdt);
    }
}

static void a_bundle_without_a_domain_is_refused(void)
{
    void *fdt = bundle_good();

    CU_ASSERT_EQUAL(fdt_del_node(fdt, bundle_node(fdt, G0)), 0);
    expect(fdt, "domains: there is none");
    free(fdt);
}

static void versions_are_compared_whole(void)
{
    refuse_text(ROOT, "compatible", "cloister,bundle-v2",
                "/: compatible: 'cloister,bundle-v2' is not 'cloister,bundle-v1'");
    refuse_text(G0, "compatible", "cloister,domain",
                "domains/guest0: compatible: 'cloister,domain' is not 'cloister,domain-v1'");
    refuse_text(G0, "abi", "1.00",
                "domains/guest0: abi: '1.00': this hypervisor has 1.0, 1.1, 1.2 and xen");
    refuse_text(G0, "abi", "xen", "domains/guest0: abi: 'xen' is not for a confidential domain");
}

static void names_keep_to_their_alphabet_and_length(void)
{
    refuse_renamed("/images/initrd", "Initrd",
                   "images: node 'Initrd': a name is 1 to 31 of [a-z0-9._-]");
    refuse_renamed(G0, "a b", "domains: node 'a b': a name is 1 to 31 of [a-z0-9._-]");
    refuse_renamed(G0, "a\033b", "domains: node 'a?b': a name is 1 to 31 of [a-z0-9._-]");
    refuse_renamed(G0, "a\x7f", "domains: node 'a?': a name is 1 to 31 of [a-z0-9._-]");
    refuse_renamed(DEV "/disk", "disk@1",
                   "domains/guest0/devices: node 'disk@1': a name is 1 to 31 of [a-z0-9._-]");
    refuse_renamed(G0, "", "domains: node '': a name is 1 to 31 of [a-z0-9._-]");
    refuse_renamed(G0, "a23456789-123456789-123456789-12",
                   "bundle: a node's name is longer than 31 characters");
    refuse_text(DEV "/net", "network", "LAN",
                "domains/guest0/devices/net: network: 'LAN': a name is 1 to 31 of [a-z0-9._-]");
}

static void a_name_of_31_characters_is_fine(void)
{
    void *fdt = bundle_good();
    char err[256];

    CU_ASSERT_EQUAL(fdt_set_name(fdt, bundle_node(fdt, G0), "a2345678_-1234.6789-123456789-1"), 0);
    CU_ASSERT_EQUAL(bundle_try(fdt, fdt_totalsize(fdt), err), ABI_OK);
    free(fdt);
}

static void names_are_unique_among_their_siblings(void)
{
    refuse_renamed("/images/initrd", "vmlinuz", "images: node 'vmlinuz': given twice");
    refuse_renamed(DEV "/rng", "disk", "domains/guest0/devices: node 'disk': given twice");
    refuse_renamed("/images", "domains", "/: node 'domains': given twice");
}

static void two_domains_of_one_name_are_refused(void)
{
    void *fdt = bundle_good();

    CU_ASSERT_TRUE(fdt_add_subnode(fdt, bundle_node(fdt, "/domains"), "guest1") > 0);
    CU_ASSERT_EQUAL(fdt_set_name(fdt, bundle_node(fdt, "/domains/guest1"), "guest0"), 0);
    expect(fdt, "domains: node 'guest0': given twice");
    free(fdt);
}

static void a_property_given_twice_is_refused(void)
{
    void *fdt = bundle_good();
    int node = bundle_node(fdt, G0);
    const struct fdt_property *vcpus = fdt_get_property(fdt, node, "vcpus", NULL);
    struct fdt_property *weight = fdt_get_property_w(fdt, node, "weight", NULL);

    weight->nameoff = vcpus->nameoff;
    expect(fdt, "domains/guest0: vcpus: given twice");
    free(fdt);
}

static void an_empty_image_is_refused(void)
{
    refuse("/images/initrd", "data", "", 0, "images/initrd: data: is empty");
}

static void dangling_image_names_are_refused(void)
{
    refuse_text(G0, "kernel", "vmlinux", "domains/guest0: kernel: there is no image 'vmlinux'");
    refuse_text(G0, "ramdisk", "initrd2", "domains/guest0: ramdisk: there is no image 'initrd2'");
    refuse_text(DEV "/disk", "image", "root",
                "domains/guest0/devices/disk: image: there is no image 'root'");
}

static void strings_end_once_and_at_their_end(void)
{
    refuse(G0, "kernel", "vmlinuz", 7, "domains/guest0: kernel: not an ended string");
    refuse(G0, "kernel", "", 0, "domains/guest0: kernel: not an ended string");
    refuse(G0, "kernel", "a\0b", 4, "domains/guest0: kernel: more than one string");
    refuse_text(G0, "kernel", "a23456789-123456789-123456789-12",
                "domains/guest0: kernel: longer than 31 characters");
}

static void a_command_line_is_at_most_2047_characters(void)
{
    char line[2049];
    void *fdt = bundle_good();
    char err[256];

    memset(line, 'x', sizeof(line));
    line[2047] = '\0';
    CU_ASSERT_EQUAL(fdt_setprop_string(fdt, bundle_node(fdt, G0), "cmdline", line), 0);
    CU_ASSERT_EQUAL(bundle_try(fdt, fdt_totalsize(fdt), err), ABI_OK);
    free(fdt);
    line[2047] = 'x';
    line[2048] = '\0';
    refuse_text(G0, "cmdline", line, "domains/guest0: cmdline: longer than 2047 characters");
}

static void memory_has_its_step_and_range(void)
{
    refuse_u64(G0, "memory", MiB(3), "domains/guest0: memory: 3 MiB is not a multiple of 2 MiB");
    refuse_u64(G0, "memory", MiB(2) + 1,
               "domains/guest0: memory: 2097153 bytes is not a multiple of 2 MiB");
    refuse_u64(G0, "memory", 0, "domains/guest0: memory: 0 bytes is not in 2 MiB to 1 TiB");
    refuse_u64(G0, "memory", GiB(1024) + MiB(2),
               "domains/guest0: memory: 1048578 MiB is not in 2 MiB to 1 TiB");
    refuse_u64(G0, "memory", ~(MiB(2) - 1),
               "domains/guest0: memory: 17592186044414 MiB is not in 2 MiB to 1 TiB");
    refuse_u32(G0, "memory", MiB(2), "domains/guest0: memory: 4 bytes, not two cells");
}

static void numbers_have_their_ranges_and_sizes(void)
{
    refuse_u32(G0, "vcpus", 0, "domains/guest0: vcpus: 0 is not in 1 to 64");
    refuse_u32(G0, "vcpus", 65, "domains/guest0: vcpus: 65 is not in 1 to 64");
    refuse_u64(G0, "vcpus", 4, "domains/guest0: vcpus: 8 bytes, not one cell");
    refuse_u32(G0, "weight", 0, "domains/guest0: weight: 0 is not in 1 to 10000");
    refuse_u32(G0, "weight", 10001, "domains/guest0: weight: 10001 is not in 1 to 10000");
    refuse_u64(G0, "affinity", 0, "domains/guest0: affinity: names no CPU");
    refuse_u32(G0, "affinity", 1, "domains/guest0: affinity: 4 bytes, not two cells");
    refuse_u32(G0, "prefault", 1,
               "domains/guest0: prefault: has a value, but is only present or not");
}

static void numbers_at_the_ends_of_their_ranges_are_fine(void)
{
    static const struct {
        const char *prop;
        uint32_t value;
    } ends[] = {{"vcpus", 1}, {"vcpus", 64}, {"weight", 1}, {"weight", 10000}};

    for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
        void *fdt = bundle_good();
        char err[256];

        CU_ASSERT_EQUAL(fdt_setprop_u32(fdt, bundle_node(fdt, G0), ends[i].prop, ends[i].value), 0);
        CU_ASSERT_EQUAL(bundle_try(fdt, fdt_totalsize(fdt), err), ABI_OK);
        free(fdt);
    }
}

static void words_are_among_those_listed(void)
{
    refuse_text(G0, "cc", "sgx", "domains/guest0: cc: 'sgx' is none of none, sev-snp, tdx, cca");
    refuse_text(G0, "on-reboot", "halt",
                "domains/guest0: on-reboot: 'halt' is neither restart nor destroy");
    refuse_text(DEV "/rng", "type", "virtio-gpu",
                "domains/guest0/devices/rng: type: 'virtio-gpu' is no device type");
}

static void every_cc_kind_is_known_by_name(void)
{
    static const char *const names[CC_KINDS] = {"none", "sev-snp", "tdx", "cca"};

    for (unsigned int kind = 0; kind < CC_KINDS; kind++) {
        size_t len;
        void *fdt = bundle_simple(names[kind], "k", 1, NULL, 0, &len);
        struct domain_config d;
        struct bundle b;
        char err[64];

        CU_ASSERT_EQUAL_FATAL(bundle_open(&b, fdt, len, err, sizeof(err)), ABI_OK);
        bundle_domain(&b, 0, &d);
        CU_ASSERT_EQUAL(d.cc, kind);
        free(fdt);
    }
}

static void device_properties_belong_to_their_type(void)
{
    refuse_text(DEV "/console", "image", "rootfs",
                "domains/guest0/devices/console: image: not for a virtio-console");
    refuse_text(DEV "/rng", "network", "lan",
                "domains/guest0/devices/rng: network: not for a virtio-rng");
    refuse_text(DEV "/disk", "mac", "123456",
                "domains/guest0/devices/disk: mac: not for a virtio-blk");
    refuse(DEV "/net", "writable", "", 0,
           "domains/guest0/devices/net: writable: not for a virtio-net");
}

static void a_disk_has_either_an_image_or_a_size(void)
{
    refuse_u64(DEV "/disk", "size", 512,
               "domains/guest0/devices/disk: a virtio-blk has either image or size");
    refuse_without(DEV "/spare", "size",
                   "domains/guest0/devices/spare: a virtio-blk has either image or size");
    refuse(DEV "/spare", "writable", "", 0,
           "domains/guest0/devices/spare: writable: only with image");
}

static void a_disk_is_whole_sectors(void)
{
    const char *rule = "a disk is a multiple of 512 bytes, up to 1 TiB";
    char message[160];

    snprintf(message, sizeof(message), "domains/guest0/devices/spare: size: 513 bytes: %s", rule);
    refuse_u64(DEV "/spare", "size", 513, message);
    snprintf(message, sizeof(message), "domains/guest0/devices/spare: size: 0 bytes: %s", rule);
    refuse_u64(DEV "/spare", "size", 0, message);
    snprintf(message, sizeof(message), "domains/guest0/devices/disk: image: 64 bytes: %s", rule);
    refuse_text(DEV "/disk", "image", "initrd", message);
}

static void a_mac_is_six_unicast_bytes(void)
{
    refuse(DEV "/net", "mac", "\2\0\0\0\1", 5, "domains/guest0/devices/net: mac: 5 bytes, not 6");
    refuse(DEV "/net", "mac", "\3\0\0\0\0\1", 6,
           "domains/guest0/devices/net: mac: not a unicast address");
    refuse(DEV "/net", "mac", "\0\0\0\0\0\0", 6,
           "domains/guest0/devices/net: mac: not a unicast address");
}

static void a_domain_has_one_console(void)
{
    refuse_text(DEV "/rng", "type", "virtio-console",
                "domains/guest0/devices/rng: a domain has one virtio-console at most");
}

static const struct cu_test tests[] = {
    CU(a_good_bundle_opens_and_says_what_it_holds),
    CU(devices_come_in_the_order_of_their_nodes),
    CU(what_is_optional_has_its_default),
    CU(a_domain_beyond_the_last_is_a_callers_error),
    CU(unknown_nodes_are_refused_everywhere),
    CU(unknown_properties_are_refused_everywhere),
    CU(what_is_mandatory_is_missed),
    CU(missing_top_nodes_are_refused),
    CU(a_bundle_without_a_domain_is_refused),
    CU(versions_are_compared_whole),
    CU(names_keep_to_their_alphabet_and_length),
    CU(a_name_of_31_characters_is_fine),
    CU(names_are_unique_among_their_siblings),
    CU(two_domains_of_one_name_are_refused),
    CU(a_property_given_twice_is_refused),
    CU(an_empty_image_is_refused),
    CU(dangling_image_names_are_refused),
    CU(strings_end_once_and_at_their_end),
    CU(a_command_line_is_at_most_2047_characters),
    CU(memory_has_its_step_and_range),
    CU(numbers_have_their_ranges_and_sizes),
    CU(numbers_at_the_ends_of_their_ranges_are_fine),
    CU(words_are_among_those_listed),
    CU(every_cc_kind_is_known_by_name),
    CU(device_properties_belong_to_their_type),
    CU(a_disk_has_either_an_image_or_a_size),
    CU(a_disk_is_whole_sectors),
    CU(a_mac_is_six_unicast_bytes),
    CU(a_domain_has_one_console),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("domain_bundle", tests, argc, argv);
}
