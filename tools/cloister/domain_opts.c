/* Options to a description of guests. */
#include "domain_opts.h"

#include "bundle_schema.h"
#include "cli.h"
#include "pv64.h"
#include "vmlinux.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_MEMORY (512ull << 20)

static const struct {
    const char *kernel, *ramdisk, *cmdline;
} defaults[] = {
    {"cache/kernel-6.12/vmlinuz", "guest/ramdisk.cpio",
     "console=ttyS0 console=hvc0 quiet panic=-1"},
    {"cache/kernel-6.12-arm64/vmlinuz", "guest/ramdisk-arm64.cpio",
     "console=ttyAMA0 console=hvc0 quiet panic=-1"},
    {"cache/kernel-6.18-arm64/vmlinuz", "guest/ramdisk-arm64.cpio",
     "console=hvc0 quiet panic=-1"},
};
/* Linux shares 6% of memory with devices by itself, and a boot would grow with memory. */
#define BOUNCE_BUFFER " swiotlb=16384" /* 32 MiB */
/* Linux clears it before it shares it, and each granule of a realm costs four firmware calls. */
#define REALM_BOUNCE_BUFFER " swiotlb=2048" /* 4 MiB */
/* On reduced hardware Linux reboots in real mode, which no TD has, unless told to do so by ACPI. */
#define TD_BOUNCE_BUFFER BOUNCE_BUFFER " reboot=a"
#define XEN_CMDLINE "console=hvc0 quiet panic=-1"

static bool is_realm(const struct domain_opts *o)
{
    return o->cc != NULL && strcmp(o->cc, "cca") == 0;
}

/* Realms are on Arm only. */
bool domain_opts_aarch64(const struct domain_opts *o)
{
    return o->arch != NULL ? strcmp(o->arch, "aarch64") == 0 : is_realm(o);
}

/* Realms need a newer kernel than others: Linux 6.13. */
static unsigned int kind_of(const struct domain_opts *o)
{
    return is_realm(o) ? 2 : domain_opts_aarch64(o) ? 1 : 0;
}

bool domain_opts_xen(const struct domain_opts *o)
{
    return o->abi != NULL && strcmp(o->abi, "xen") == 0;
}

/* Its ABI is the box's affair: to the hypervisor it is an ordinary domain. */
bool domain_opts_pv64(const struct domain_opts *o)
{
    return domain_opts_xen(o) && o->guest != NULL && strcmp(o->guest, "pv64") == 0;
}

static bool arch_good(const struct domain_opts *o, struct bundle_error *error)
{
    bool arm = domain_opts_aarch64(o);
    const char *cc = o->cc ? o->cc : "none";

    if (o->arch != NULL && !arm && strcmp(o->arch, "x86_64") != 0) {
        return bundle_fail(error, "--arch %.40s: must be x86_64 or aarch64", o->arch);
    }
    if (arm && (strcmp(cc, "sev-snp") == 0 || strcmp(cc, "tdx") == 0)) {
        return bundle_fail(error, "--cc %s: such guests are x86_64, not aarch64", cc);
    }
    if (!arm && is_realm(o)) {
        return bundle_fail(error, "--cc cca: realms are aarch64, not x86_64");
    }
    if (arm && domain_opts_xen(o)) {
        return bundle_fail(error, "--abi xen: such guests are x86_64, not aarch64");
    }
    return true;
}

bool domain_opts_good(const struct domain_opts *o, struct bundle_error *error)
{
    if (!arch_good(o, error)) {
        return false;
    }
    if (o->abi != NULL && !domain_opts_xen(o) && strcmp(o->abi, "1.0") != 0 &&
        strcmp(o->abi, "1.1") != 0 && strcmp(o->abi, "1.2") != 0) {
        return bundle_fail(error, "--abi %.40s: must be 1.0, 1.1, 1.2 or xen", o->abi);
    }
    if (o->guest != NULL && !domain_opts_xen(o)) {
        return bundle_fail(error, "--guest goes with --abi xen");
    }
    if (o->guest != NULL && !domain_opts_pv64(o) && strcmp(o->guest, "pvh") != 0) {
        return bundle_fail(error, "--guest %.40s: must be pvh or pv64", o->guest);
    }
    if (domain_opts_pv64(o) && o->cc != NULL && strcmp(o->cc, "none") != 0 &&
        strcmp(o->cc, "sev-snp") != 0) {
        return bundle_fail(error, "--guest pv64: --cc %.40s: not built yet", o->cc);
    }
    if (domain_opts_pv64(o) &&
        (o->disks.count != 0 || o->writable_disks.count != 0 || o->network != NULL)) {
        return bundle_fail(error, "--guest pv64: such guests have neither disks nor networks");
    }
    return true;
}

/* The box is the kernel; what it runs is its ramdisk. */
static bool prepare_pv64(struct domain_opts *o, const char *kernel, struct bundle_error *error)
{
    char *built = o->ramdisk ? NULL : cli_built(domain_opts_ramdisk(o));
    const char *ramdisk = built ? built : o->ramdisk;
    char *archive = NULL;
    bool good = pv64_pack(kernel, ramdisk[0] != '\0' ? ramdisk : NULL, &archive, error);

    free(built);
    if (good) {
        o->kernel = cli_built(PV64_BOX); /* both live as long as the program */
        o->ramdisk = archive;
    }
    return good;
}

/* A PVH guest's kernel is the ELF file inside the image that distributions ship. */
bool domain_opts_prepare(struct domain_opts *o, struct bundle_error *error)
{
    char *path, *unpacked = NULL;
    bool good;

    if (!domain_opts_xen(o)) {
        return true;
    }
    path = o->kernel ? cli_format("%s", o->kernel) : cli_built(domain_opts_kernel(o));
    good = domain_opts_pv64(o) ? prepare_pv64(o, path, error)
                               : vmlinux_unpack(path, &unpacked, error);
    free(path);
    if (unpacked != NULL) {
        o->kernel = unpacked; /* lives as long as the program */
    }
    return good;
}

const char *domain_opts_kernel(const struct domain_opts *o)
{
    return defaults[kind_of(o)].kernel;
}

const char *domain_opts_ramdisk(const struct domain_opts *o)
{
    return defaults[kind_of(o)].ramdisk;
}

bool domain_opts_given(const struct domain_opts *o)
{
    struct domain_opts none;

    memset(&none, 0, sizeof(none));
    none.arch = o->arch;
    return memcmp(o, &none, sizeof(none)) != 0;
}

static void set_text(json_t *object, const char *key, const char *text)
{
    json_object_set_new(object, key, json_string(text));
}

/* A path from the command line is relative to where the user is, not to a description. */
static void add_image(json_t *images, const char *name, const char *path)
{
    char *real = realpath(path, NULL);

    set_text(images, name, real != NULL ? real : path);
    free(real);
}

static void add_default_image(json_t *images, const char *name, const char *built)
{
    char *path = cli_built(built);

    add_image(images, name, path);
    free(path);
}

static void add_disk(json_t *images, json_t *devices, const char *path, bool writable)
{
    char name[32];
    json_t *disk = json_object();

    snprintf(name, sizeof(name), "disk%zu", json_object_size(devices));
    add_image(images, name, path);
    set_text(disk, "type", "virtio-blk");
    set_text(disk, "image", name);
    if (writable) {
        json_object_set_new(disk, "writable", json_true());
    }
    json_object_set_new(devices, name, disk);
}

static json_t *devices_of(const struct domain_opts *o, json_t *images)
{
    json_t *devices = json_object();

    json_object_set_new(devices, "console", json_pack("{s:s}", "type", "virtio-console"));
    json_object_set_new(devices, "rng", json_pack("{s:s}", "type", "virtio-rng"));
    for (unsigned int i = 0; i < o->disks.count; i++) {
        add_disk(images, devices, o->disks.value[i], false);
    }
    for (unsigned int i = 0; i < o->writable_disks.count; i++) {
        add_disk(images, devices, o->writable_disks.value[i], true);
    }
    if (o->network != NULL) {
        json_object_set_new(devices, "net",
                            json_pack("{s:s, s:s}", "type", "virtio-net", "network", o->network));
    }
    return devices;
}

static void add_images(const struct domain_opts *o, json_t *images)
{
    if (o->kernel != NULL) {
        add_image(images, "kernel", o->kernel);
    } else {
        add_default_image(images, "kernel", domain_opts_kernel(o));
    }
    if (o->ramdisk == NULL) {
        add_default_image(images, "ramdisk", domain_opts_ramdisk(o));
    } else if (o->ramdisk[0] != '\0') {
        add_image(images, "ramdisk", o->ramdisk);
    }
}

static void add_firmware(const struct domain_opts *o, json_t *images, json_t *domain)
{
    const struct {
        const char *property, *file;
    } files[] = {
        {"snp-host-data", o->snp_host_data},
        {"snp-id-block", o->snp_id_block},
        {"snp-id-auth", o->snp_id_auth},
        {"snp-certs", o->snp_certs},
        {"tdx-mrconfigid", o->tdx_mrconfigid},
        {"tdx-mrowner", o->tdx_mrowner},
        {"tdx-mrownerconfig", o->tdx_mrownerconfig},
        {"cca-rpv", o->cca_rpv},
    };

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        if (files[i].file != NULL) {
            add_image(images, files[i].property, files[i].file);
            set_text(domain, files[i].property, files[i].property);
        }
    }
    if (o->snp_policy != NULL) {
        set_text(domain, "snp-policy", o->snp_policy);
    }
    if (o->cca_hash != NULL) {
        set_text(domain, "cca-hash", o->cca_hash);
    }
    if (o->snp_author_key) {
        json_object_set_new(domain, "snp-author-key", json_true());
    }
}

/* What the default command line of an encrypted guest has besides. */
static const char *encrypted_words(const struct domain_opts *o)
{
    if (o->cmdline != NULL || o->cc == NULL || strcmp(o->cc, "none") == 0) {
        return "";
    }
    if (is_realm(o)) {
        return REALM_BOUNCE_BUFFER;
    }
    return strcmp(o->cc, "tdx") == 0 ? TD_BOUNCE_BUFFER : BOUNCE_BUFFER;
}

static json_t *domain_of(const struct domain_opts *o, json_t *images)
{
    json_t *domain = json_object();
    const char *words = o->cmdline           ? o->cmdline
                        : domain_opts_xen(o) ? XEN_CMDLINE
                                             : defaults[kind_of(o)].cmdline;
    char *cmdline = cli_format("%s%s%s%s", words, encrypted_words(o), o->append ? " " : "",
                               o->append ? o->append : "");

    set_text(domain, "abi", o->abi && !domain_opts_pv64(o) ? o->abi : "1.0");
    set_text(domain, "cc", o->cc ? o->cc : "none");
    json_object_set_new(domain, "memory",
                        json_integer((json_int_t)(o->memory ? o->memory : DEFAULT_MEMORY)));
    json_object_set_new(domain, "vcpus", json_integer(o->vcpus ? o->vcpus : 1));
    set_text(domain, "kernel", "kernel");
    if (json_object_get(images, "ramdisk") != NULL) {
        set_text(domain, "ramdisk", "ramdisk");
    }
    set_text(domain, "cmdline", cmdline);
    set_text(domain, "on-reboot", o->on_reboot ? o->on_reboot : "destroy");
    if (o->prefault) {
        json_object_set_new(domain, "prefault", json_true());
    }
    json_object_set_new(domain, "devices", devices_of(o, images));
    add_firmware(o, images, domain);
    free(cmdline);
    return domain;
}

json_t *domain_opts_describe(const struct domain_opts *o)
{
    json_t *images = json_object();
    json_t *domains = json_object();
    json_t *one;
    char name[32];

    add_images(o, images);
    one = domain_of(o, images);
    for (uint32_t i = 0; i < (o->count ? o->count : 1); i++) {
        snprintf(name, sizeof(name), "guest%u", i);
        json_object_set_new(domains, name, json_deep_copy(one));
    }
    json_decref(one);
    return json_pack("{s:o, s:o}", "images", images, "domains", domains);
}
