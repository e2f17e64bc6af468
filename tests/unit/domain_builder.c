/* The builder's order of steps, what it writes, and that every failure gives everything back. */
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/cu.h"
#include "../lib/domain_host.h"
#include "../lib/domain_lay.h"
#include "../lib/fake_priv.h"
#include "hv/cc.h"
#include "hv/check.h"
#include "hv/guest_abi.h"

static char steps[256];
static const char *fail_at;
static bool cc_everything;
static struct vm *the_vm;
static struct vcpu_entry the_entry;
static unsigned int alive;

/* Notes a step; false when the test wants it to fail. */
static bool step(const char *name)
{
    size_t n = strlen(steps);

    snprintf(steps + n, sizeof(steps) - n, "%s%s", n == 0 ? "" : " ", name);
    return fail_at == NULL || strcmp(fail_at, name) != 0;
}

const char *cc_name(enum cc_kind kind)
{
    return kind == CC_SEV_SNP ? "sev-snp" : "other";
}

bool cc_present(enum cc_kind kind)
{
    return cc_everything || kind == CC_NONE;
}

bool guest_abi_present(const char *name)
{
    return cc_everything || name == NULL;
}

enum abi_status guest_abi_adopt(struct vm *vm, const struct domain_config *cfg)
{
    CHECK(vm == the_vm);
    return cfg->legacy_abi == NULL || step("adopt") ? ABI_OK : ABI_NO_MEMORY;
}

enum abi_status vm_create(const struct domain_config *cfg, struct vm **vm)
{
    static char name[NAME_MAX_LEN + 1];

    if (!step("create")) {
        return ABI_NO_MEMORY;
    }
    snprintf(name, sizeof(name), "%s", cfg->name);
    the_vm = fake_vm_new(name, cfg->memory);
    *vm = the_vm;
    alive++;
    return ABI_OK;
}

void vm_destroy(struct vm *vm)
{
    (void)step("destroy");
    alive--;
    fake_vm_free(vm);
}

enum abi_status platform_create(struct vm *vm)
{
    CHECK(vm == the_vm && vm->lock_depth == 1);
    return step("platform") ? ABI_OK : ABI_NO_MEMORY;
}

enum abi_status platform_add_chipset(struct vm *vm)
{
    CHECK(vm == the_vm && vm->lock_depth == 1);
    return step("chipset") ? ABI_OK : ABI_NO_MEMORY;
}

enum abi_status device_create(struct vm *vm, const struct device_config *cfg, unsigned int slot)
{
    char name[NAME_MAX_LEN + 8];

    CHECK(vm == the_vm && vm->lock_depth == 1);
    snprintf(name, sizeof(name), "%u:%s", slot, cfg->name);
    return step(name) ? ABI_OK : ABI_LIMIT;
}

enum abi_status vm_launch(struct vm *vm, const struct layout *l)
{
    the_entry = l->entry;
    return vm != the_vm || step("launch") ? layout_write(vm, l) : ABI_NO_MEMORY;
}

void cc_configure(struct domain_config *cfg)
{
    CHECK(cc_present(cfg->cc));
}

void vm_set_origin(struct vm *vm, const struct bundle *b, uint32_t index)
{
    CHECK(vm == the_vm && b != NULL && index == 0);
    (void)step("origin");
}

void vm_built(struct vm *vm)
{
    CHECK(vm == the_vm);
    (void)step("built");
}

void vm_start(struct vm *vm)
{
    CHECK(vm == the_vm);
    (void)step("start");
}

/* guest0 with the five devices of the good bundle, and a kernel that loads. */
static void *bundle_that_builds(struct bundle *b)
{
    void *fdt = bundle_good();
    char err[256];

    CU_ASSERT_EQUAL(
        fdt_setprop(fdt, bundle_node(fdt, "/images/vmlinuz"), "data", tiny_kernel, TINY_KERNEL_LEN),
        0);
    CU_ASSERT_EQUAL(fdt_setprop_u64(fdt, bundle_node(fdt, "/domains/guest0"), "memory", MiB(4)), 0);
    CU_ASSERT_EQUAL(
        fdt_setprop_string(fdt, bundle_node(fdt, "/domains/guest0"), "cc", "none"), 0);
    CU_ASSERT_EQUAL_FATAL(bundle_open(b, fdt, BUNDLE_ROOM, err, sizeof(err)), ABI_OK);
    steps[0] = '\0';
    fail_at = NULL;
    cc_everything = true;
    fake_log_clear();
    return fdt;
}

#define DEVICES "0:console 1:disk 2:spare 3:rng 4:net"

static void a_domain_is_built_in_order(void)
{
    struct bundle b;
    void *fdt = bundle_that_builds(&b);

    CU_ASSERT_EQUAL_FATAL(domain_create(&b, 0), ABI_OK);
    CU_ASSERT_STRING_EQUAL(steps, "create platform " DEVICES " launch origin start");
    CU_ASSERT_EQUAL(alive, 1);
    vm_destroy(the_vm);
    free(fdt);
}

static void memory_holds_what_the_layout_says(void)
{
    struct bundle b;
    void *fdt = bundle_that_builds(&b);
    struct laid t = {0};

    CU_ASSERT_EQUAL_FATAL(domain_create(&b, 0), ABI_OK);
    bundle_domain(&b, 0, &t.cfg);
    CU_ASSERT_TRUE_FATAL(lay(&t));
    for (uint32_t i = 0; i < t.l.pieces; i++) {
        const struct piece *q = &t.l.piece[i];

        CU_ASSERT_EQUAL(memcmp(fake_ram(the_vm, q->at, q->len), q->data, q->len), 0);
    }
    CU_ASSERT_EQUAL(memcmp(fake_ram(the_vm, MiB(1), 4), "\xf4\xeb\xfd\x90", 4), 0);
    CU_ASSERT_EQUAL(the_entry.mode, ENTRY_PVH32);
    CU_ASSERT_EQUAL(the_entry.rip, MiB(1));
    CU_ASSERT_EQUAL(the_entry.boot_data, t.l.entry.boot_data);
    lay_free(&t);
    vm_destroy(the_vm);
    free(fdt);
}

static void a_kind_that_is_not_built_in_is_named(void)
{
    struct bundle b;
    void *fdt = bundle_that_builds(&b);

    char err[256];

    CU_ASSERT_EQUAL(
        fdt_setprop_string(fdt, bundle_node(fdt, "/domains/guest0"), "cc", "sev-snp"), 0);
    CU_ASSERT_EQUAL_FATAL(bundle_open(&b, fdt, BUNDLE_ROOM, err, sizeof(err)), ABI_OK);
    cc_everything = false;
    CU_ASSERT_EQUAL(domain_create(&b, 0), ABI_NOT_BUILT);
    CU_ASSERT_STRING_EQUAL(fake_log_last(), "guest0: sev-snp: not built in this image");
    CU_ASSERT_STRING_EQUAL(steps, "");
    free(fdt);
}

static void an_abi_that_is_not_in_the_image_is_named(void)
{
    struct bundle b;
    void *fdt = bundle_that_builds(&b);
    int node = bundle_node(fdt, "/domains/guest0");
    char err[256];

    CU_ASSERT_EQUAL(fdt_setprop_string(fdt, node, "cc", "none"), 0);
    CU_ASSERT_EQUAL(fdt_setprop_string(fdt, node, "abi", "xen"), 0);
    CU_ASSERT_EQUAL_FATAL(bundle_open(&b, fdt, BUNDLE_ROOM, err, sizeof(err)), ABI_OK);
    cc_everything = false;
    CU_ASSERT_EQUAL(domain_create(&b, 0), ABI_NOT_BUILT);
    CU_ASSERT_STRING_EQUAL(fake_log_last(), "guest0: abi xen: not built in this image");
    CU_ASSERT_STRING_EQUAL(steps, "");
    free(fdt);
}

static void expect_failure(const char *at, enum abi_status st, const char *done, const char *log)
{
    struct bundle b;
    void *fdt = bundle_that_builds(&b);

    fail_at = at;
    CU_ASSERT_EQUAL(domain_create(&b, 0), st);
    CU_ASSERT_STRING_EQUAL(steps, done);
    CU_ASSERT_STRING_EQUAL(fake_log_last(), log);
    CU_ASSERT_EQUAL(alive, 0);
    free(fdt);
}

static void one_that_another_domain_had_built_waits(void)
{
    struct controller *nobody = NULL;
    struct bundle b;
    void *fdt = bundle_that_builds(&b);
    char err[256];
    uint32_t id = 0;

    b.creator = (struct controller *)(void *)&nobody; /* is not looked into here */
    CU_ASSERT_EQUAL_FATAL(domain_build(&b, 0, &id, err, sizeof(err)), ABI_OK);
    CU_ASSERT_STRING_EQUAL(steps, "create platform " DEVICES " launch origin built");
    CU_ASSERT_EQUAL(id, vm_id(the_vm));
    vm_destroy(the_vm);
    steps[0] = '\0';
    fail_at = "platform";
    CU_ASSERT_EQUAL(domain_build(&b, 0, &id, err, sizeof(err)), ABI_NO_MEMORY);
    CU_ASSERT_STRING_EQUAL(err, "guest0: no platform: not enough memory");
    CU_ASSERT_STRING_EQUAL(steps, "create platform destroy");
    CU_ASSERT_EQUAL(alive, 0);
    free(fdt);
}

static void one_that_another_domain_had_built_gets_no_control(void)
{
    static const char features[] = "buffers\0control";
    void *fdt = bundle_good();
    struct controller *nobody = NULL;
    struct bundle b;
    char err[256];
    uint32_t id;

    CU_ASSERT_EQUAL(fdt_setprop(fdt, bundle_node(fdt, "/domains/guest0"), "features", features,
                                sizeof(features)), 0);
    CU_ASSERT_EQUAL_FATAL(bundle_open(&b, fdt, BUNDLE_ROOM, err, sizeof(err)), ABI_OK);
    b.creator = (struct controller *)(void *)&nobody;
    steps[0] = '\0';
    cc_everything = true;
    CU_ASSERT_EQUAL(domain_build(&b, 0, &id, err, sizeof(err)), ABI_DENIED);
    CU_ASSERT_STRING_EQUAL(err, "guest0: features: 'control' is for domains of the boot bundle");
    CU_ASSERT_STRING_EQUAL(steps, "");
    free(fdt);
}

static void a_step_that_fails_gives_everything_back(void)
{
    expect_failure("create", ABI_NO_MEMORY, "create",
                   "guest0: cannot be created with 4 MiB of memory and 4 vCPUs: "
                   "not enough memory");
    expect_failure("platform", ABI_NO_MEMORY, "create platform destroy",
                   "guest0: no platform: not enough memory");
    expect_failure("0:console", ABI_LIMIT, "create platform 0:console destroy",
                   "guest0: no device console: a documented limit is reached");
    expect_failure("4:net", ABI_LIMIT, "create platform " DEVICES " destroy",
                   "guest0: no device net: a documented limit is reached");
}

static void a_kernel_that_does_not_load_gives_everything_back(void)
{
    struct bundle b;
    void *fdt = bundle_that_builds(&b);
    char err[256];

    CU_ASSERT_EQUAL(fdt_setprop(fdt, bundle_node(fdt, "/images/vmlinuz"), "data", "#!/bin/sh", 9),
                    0);
    CU_ASSERT_EQUAL_FATAL(bundle_open(&b, fdt, BUNDLE_ROOM, err, sizeof(err)), ABI_OK);
    CU_ASSERT_EQUAL(domain_create(&b, 0), ABI_BAD_FORMAT);
    CU_ASSERT_STRING_EQUAL(steps, "create platform " DEVICES " destroy");
    CU_ASSERT_STRING_EQUAL(fake_log_last(), "guest0: kernel: neither a bzImage nor an ELF file");
    CU_ASSERT_EQUAL(alive, 0);
    free(fdt);
}

static void a_firmware_gets_a_chipset_before_its_devices(void)
{
    static const uint8_t footer[16] = {0xde, 0x82, 0xb5, 0x96, 0xb2, 0x1f, 0xf7, 0x45,
                                       0xba, 0xea, 0xa3, 0x66, 0xc5, 0x5a, 0x08, 0x2d};
    uint8_t image[256] = {0};
    struct bundle b;
    void *fdt = bundle_that_builds(&b);
    int node = bundle_node(fdt, "/domains/guest0");
    char err[256];

    memcpy(&image[sizeof(image) - 48], footer, sizeof(footer));
    CU_ASSERT_EQUAL(fdt_setprop_string(fdt, node, "cc", "tdx"), 0);
    CU_ASSERT_EQUAL(
        fdt_setprop(fdt, bundle_node(fdt, "/images/vmlinuz"), "data", image, sizeof(image)), 0);
    CU_ASSERT_EQUAL_FATAL(bundle_open(&b, fdt, BUNDLE_ROOM, err, sizeof(err)), ABI_OK);
    CU_ASSERT_NOT_EQUAL(domain_create(&b, 0), ABI_OK);
    CU_ASSERT_STRING_EQUAL(steps, "create platform chipset " DEVICES " destroy");
    free(fdt);
}

static struct vm *new_vm(struct domain_config *cfg, const struct bundle *b)
{
    bundle_domain(b, 0, cfg);
    return fake_vm_new("guest0", cfg->memory);
}

static void loading_without_hypervisor_memory_says_so(void)
{
    struct bundle b;
    void *fdt = bundle_that_builds(&b);
    struct domain_config cfg;
    struct vm *vm = new_vm(&cfg, &b);
    char err[200];

    fake_alloc_limit(vm, 0);
    CU_ASSERT_EQUAL(domain_load(vm, &cfg, err, sizeof(err)), ABI_NO_MEMORY);
    CU_ASSERT_STRING_EQUAL(err, "guest0: no memory to load it with");
    fake_vm_free(vm);
    free(fdt);
}

static void guest_memory_that_refuses_is_named(void)
{
    struct bundle b;
    void *fdt = bundle_that_builds(&b);
    struct domain_config cfg;
    struct vm *vm = new_vm(&cfg, &b);
    char err[200];

    fake_make_private(vm, MiB(1), 4096);
    CU_ASSERT_EQUAL(domain_load(vm, &cfg, err, sizeof(err)), ABI_BAD_ADDRESS);
    CU_ASSERT_STRING_EQUAL(fake_log_last(),
                           "guest0: cannot load 4 bytes at 100000: status 3");
    fake_vm_free(vm);
    free(fdt);
}

static const struct cu_test tests[] = {
    CU(a_domain_is_built_in_order),
    CU(memory_holds_what_the_layout_says),
    CU(a_kind_that_is_not_built_in_is_named),
    CU(an_abi_that_is_not_in_the_image_is_named),
    CU(one_that_another_domain_had_built_waits),
    CU(one_that_another_domain_had_built_gets_no_control),
    CU(a_step_that_fails_gives_everything_back),
    CU(a_firmware_gets_a_chipset_before_its_devices),
    CU(a_kernel_that_does_not_load_gives_everything_back),
    CU(loading_without_hypervisor_memory_says_so),
    CU(guest_memory_that_refuses_is_named),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("domain_builder", tests, argc, argv);
}
