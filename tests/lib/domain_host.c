#include "domain_host.h"

#include <libfdt.h>
#include <stdlib.h>
#include <string.h>

#include "hv/check.h"

size_t host_acpi_len = 6000;
unsigned int host_acpi_vcpus;
uint64_t host_acpi_at;
uint64_t host_acpi_mailbox, host_acpi_reset;

size_t acpi_build(void *buf, size_t size, gpa_t at, unsigned int vcpus, const struct acpi_td *td)
{
    host_acpi_mailbox = td != NULL ? td->mailbox.v : 0;
    host_acpi_reset = td != NULL ? td->reset.v : 0;
    host_acpi_at = at.v;
    host_acpi_vcpus = vcpus;
    if (host_acpi_len > size) {
        return 0;
    }
    memset(buf, 0xac, host_acpi_len);
    return host_acpi_len;
}

/* A PVH kernel as small as they get, ELF32: header, two program headers, a note, code. */
const uint8_t tiny_kernel[TINY_KERNEL_LEN] = "\177ELF\1\1\1\0\0\0\0\0\0\0\0\0"
                                             "\2\0\3\0\1\0\0\0\0\0\0\0\x34\0\0\0"
                                             "\0\0\0\0\0\0\0\0\x34\0\x20\0\2\0\0\0\0\0\0\0"
                                             /* PT_LOAD: 4 bytes at 136 go to 1 MiB */
                                             "\1\0\0\0\x88\0\0\0\0\0\x10\0\0\0\x10\0"
                                             "\4\0\0\0\0\x10\0\0\5\0\0\0\0\x10\0\0"
                                             /* PT_NOTE: 20 bytes at 116 */
                                             "\4\0\0\0\x74\0\0\0\0\0\0\0\0\0\0\0"
                                             "\x14\0\0\0\x14\0\0\0\4\0\0\0\4\0\0\0"
                                             "\4\0\0\0\4\0\0\0\x12\0\0\0Xen\0\0\0\x10\0"
                                             "\xf4\xeb\xfd\x90"; /* hlt; jmp to it */

static void must(int e)
{
    if (e < 0) {
        panic("cannot make a bundle: %s", fdt_strerror(e));
    }
}

static int add(void *fdt, const char *parent, const char *name)
{
    int node = fdt_add_subnode(fdt, bundle_node(fdt, parent), name);

    must(node);
    return node;
}

static void add_image(void *fdt, const char *name, const void *data, size_t len)
{
    must(fdt_setprop(fdt, add(fdt, "/images", name), "data", data, (int)len));
}

static void add_device(void *fdt, const char *name, const char *type)
{
    must(fdt_setprop_string(fdt, add(fdt, "/domains/guest0/devices", name), "type", type));
}

int bundle_node(const void *fdt, const char *path)
{
    int node = fdt_path_offset(fdt, path);

    must(node);
    return node;
}

static void set_string(void *fdt, const char *path, const char *prop, const char *value)
{
    must(fdt_setprop_string(fdt, bundle_node(fdt, path), prop, value));
}

static void *bundle_bare(size_t room, const char *domain)
{
    void *fdt = malloc(room);

    if (fdt == NULL) {
        abort();
    }
    must(fdt_create_empty_tree(fdt, (int)room));
    set_string(fdt, "/", "compatible", "cloister,bundle-v1");
    add(fdt, "/", "domains");
    add(fdt, "/", "images");
    add(fdt, "/domains", domain);
    return fdt;
}

static void add_devices(void *fdt)
{
    static const uint8_t mac[6] = {2, 0, 0, 0, 0, 1};

    /* libfdt puts a new node before its siblings: the console ends up first. */
    add(fdt, "/domains/guest0", "devices");
    add_device(fdt, "net", "virtio-net");
    set_string(fdt, "/domains/guest0/devices/net", "network", "lan");
    must(fdt_setprop(fdt, bundle_node(fdt, "/domains/guest0/devices/net"), "mac", mac, 6));
    add_device(fdt, "rng", "virtio-rng");
    add_device(fdt, "spare", "virtio-blk");
    must(fdt_setprop_u64(fdt, bundle_node(fdt, "/domains/guest0/devices/spare"), "size", 4096));
    add_device(fdt, "disk", "virtio-blk");
    set_string(fdt, "/domains/guest0/devices/disk", "image", "rootfs");
    must(fdt_setprop_empty(fdt, bundle_node(fdt, "/domains/guest0/devices/disk"), "writable"));
    add_device(fdt, "console", "virtio-console");
}

void *bundle_good(void)
{
    static const uint8_t bytes[1024] = {1};
    const char *guest = "/domains/guest0";
    void *fdt = bundle_bare(BUNDLE_ROOM, "guest0");

    add_image(fdt, "rootfs", bytes, 1024);
    add_image(fdt, "initrd", bytes, 64);
    add_image(fdt, "vmlinuz", bytes, 64);
    set_string(fdt, guest, "compatible", "cloister,domain-v1");
    set_string(fdt, guest, "abi", "1.0");
    set_string(fdt, guest, "cc", "sev-snp");
    must(fdt_setprop_u64(fdt, bundle_node(fdt, guest), "memory", 1u << 30));
    must(fdt_setprop_u32(fdt, bundle_node(fdt, guest), "vcpus", 4));
    set_string(fdt, guest, "kernel", "vmlinuz");
    set_string(fdt, guest, "ramdisk", "initrd");
    set_string(fdt, guest, "cmdline", "console=hvc0 quiet");
    must(fdt_setprop_u32(fdt, bundle_node(fdt, guest), "weight", 250));
    must(fdt_setprop_u64(fdt, bundle_node(fdt, guest), "affinity", 3));
    must(fdt_setprop_empty(fdt, bundle_node(fdt, guest), "prefault"));
    set_string(fdt, guest, "on-reboot", "destroy");
    add_devices(fdt);
    return fdt;
}

void *bundle_simple(const char *cc, const void *kernel, size_t len, const void *ramdisk,
                    size_t ramdisk_len, size_t *total)
{
    const char *guest = "/domains/g";
    void *fdt = bundle_bare(len + ramdisk_len + 4096, "g");

    add_image(fdt, "k", kernel, len);
    set_string(fdt, guest, "compatible", "cloister,domain-v1");
    set_string(fdt, guest, "abi", "1.0");
    set_string(fdt, guest, "cc", cc);
    set_string(fdt, guest, "kernel", "k");
    must(fdt_setprop_u64(fdt, bundle_node(fdt, guest), "memory", 64u << 20));
    if (ramdisk_len != 0) {
        add_image(fdt, "r", ramdisk, ramdisk_len);
        set_string(fdt, guest, "ramdisk", "r");
    }
    must(fdt_pack(fdt));
    *total = fdt_totalsize(fdt);
    return fdt;
}

enum abi_status bundle_try(const void *fdt, size_t len, char err[256])
{
    struct bundle b;
    void *copy = malloc(len == 0 ? 1 : len);
    enum abi_status st;

    memcpy(copy, fdt, len);
    err[0] = '\0';
    st = bundle_open(&b, copy, len, err, 256);
    free(copy);
    return st;
}
