#include "core_host.h"

#include <CUnit/CUnit.h>
#include <stdio.h>
#include <string.h>

#include "abi/abi.h"
#include "hv/cc_ops.h"
#include "hv/check.h"
#include "hv/init.h"
#include "hv/page.h"
#include "hv/symbols.h"

const char cloister_version[] = "test";
const struct symbol symbol_table[] = {{0x100, 0}, {0x180, 6}, {0x400, 13}};
const uint32_t symbol_count = 3;
const char symbol_names[] = "first\0second\0third";

enum abi_status (*core_domain_create)(const struct bundle *b, uint32_t i);
enum abi_status core_bundle_status;
uint32_t core_bundle_domains;
struct bundle core_bundle_seen;
static uint64_t free_at_boot;
static unsigned int fail_in, allocs;
static bool fail_on;

bool __wrap_page_alloc(unsigned int order, enum page_state as, uint16_t owner, pa_t *at);
bool __real_page_alloc(unsigned int order, enum page_state as, uint16_t owner, pa_t *at);

bool __wrap_page_alloc(unsigned int order, enum page_state as, uint16_t owner, pa_t *at)
{
    (void)atomic_add(&allocs, 1u);
    if (load_once(&fail_in) != 0 && atomic_sub(&fail_in, 1u) == 1) {
        store_once(&fail_in, fail_on ? 1u : 0u);
        return false;
    }
    return __real_page_alloc(order, as, owner, at);
}

void core_fail_alloc(unsigned int n, bool on)
{
    fail_in = n;
    fail_on = on;
}

unsigned int core_allocs(void)
{
    return atomic_swap(&allocs, 0u);
}

void core_boot_map(unsigned int cpus, unsigned int online)
{
    fake_reboot();
    fake_cpus(cpus, online);
    fake_console_clear();
    fake_link_clear();
    core_fail_alloc(0, false);
    core_domain_create = NULL;
    core_bundle_domains = 1;
    core_built_by_content = false;
    core_bundle_status = ABI_OK;
    core_built = core_config(MiB(4), 1);
    snprintf(core_built.name, sizeof(core_built.name), "built");
    page_init();
    page_init_high();
    cc_start();
    free_at_boot = page_count_free();
    (void)core_allocs();
}

void core_boot(uint64_t memory, unsigned int cpus)
{
    fake_ram_size(memory);
    core_boot_map(cpus, cpus);
}

bool core_is_clean(void)
{
    core_fail_alloc(0, false);
    vms_lock(); /* panics when this CPU holds it */
    vms_unlock();
    return page_count_free() == free_at_boot && vm_count() == 0;
}

void core_done(void)
{
    CU_ASSERT_EQUAL(page_count_free(), free_at_boot);
    CU_ASSERT_EQUAL(vm_count(), 0);
    CU_ASSERT(core_is_clean());
    for (unsigned int i = 0; i < cpu_count(); i++) {
        CU_ASSERT_PTR_NULL(cpu_at(i)->timers);
        CU_ASSERT_PTR_NULL(cpu_at(i)->queue.head);
        CU_ASSERT_PTR_NULL(cpu_at(i)->queue.lock.holder);
        CU_ASSERT_PTR_NULL(cpu_at(i)->timer_lock.holder);
    }
}

struct domain_config core_config(uint64_t memory, uint32_t vcpus)
{
    struct domain_config cfg;

    memset(&cfg, 0, sizeof(cfg));
    snprintf(cfg.name, sizeof(cfg.name), "guest");
    cfg.memory = memory;
    cfg.vcpus = vcpus;
    cfg.weight = 100;
    cfg.affinity = UINT64_MAX;
    cfg.cmdline = "";
    cfg.abi_version = ABI_VERSION_1_0;
    cfg.abi_features = 0x7f;
    cfg.create_memory = UINT64_MAX;
    cfg.create_domains = UINT32_MAX;
    return cfg;
}

struct vm *core_vm(const char *name, uint32_t vcpus, uint32_t weight, uint64_t affinity)
{
    struct domain_config cfg = core_config(SIZE_2M, vcpus);
    struct vm *vm = NULL;

    snprintf(cfg.name, sizeof(cfg.name), "%s", name);
    cfg.weight = weight;
    cfg.affinity = affinity;
    REQUIRE(vm_create(&cfg, &vm) == ABI_OK);
    for (uint32_t i = 0; i < vcpus; i++) {
        vm->vcpu[i]->arch.want = UINT64_MAX;
    }
    return vm;
}

void core_end(struct vm *vm)
{
    vm_end(vm, VM_DESTROYED, "by the test");
    if (vm_reap_pending()) {
        vm_reap();
    }
}

static void note(struct vm *vm, void *arg)
{
    struct vm **noted = arg;

    *noted = vm;
}

void core_end_all(void)
{
    struct vm *vm;

    do {
        vm = NULL;
        vms_lock();
        vm_for_each(note, &vm);
        vms_unlock();
        if (vm != NULL) {
            vm_end(vm, VM_DESTROYED, "by the test");
            vm_reap();
        }
    } while (vm != NULL);
}

enum abi_status bundle_open(struct bundle *b, const void *fdt, size_t len, char *err,
                            size_t err_size)
{
    b->fdt = fdt;
    b->len = len;
    if (!core_built_by_content) {
        core_bundle_seen = *b;
    }
    b->domains = core_bundle_domains;
    b->creator = NULL;
    if (core_bundle_status != ABI_OK) {
        snprintf(err, err_size, "/domains/x: no such thing");
    }
    return core_bundle_status;
}

struct domain_config core_built;
bool core_built_by_content;

enum abi_status domain_build(const struct bundle *b, uint32_t i, uint32_t *id, char *err,
                             size_t err_size)
{
    struct domain_config cfg = core_built;
    struct vm *vm;
    enum abi_status st;

    if (core_built_by_content) {
        snprintf(cfg.name, sizeof(cfg.name), "%s", (const char *)b->fdt);
    }

    cfg.creator = b->creator;
    cfg.building = true;
    st = vm_create(&cfg, &vm);
    if (st != ABI_OK) {
        snprintf(err, err_size, "%s: no", cfg.name);
        return st;
    }
    vm_set_origin(vm, b, i);
    *id = vm_id(vm);
    vm_built(vm);
    return ABI_OK;
}

enum abi_status domain_create(const struct bundle *b, uint32_t i)
{
    REQUIRE(core_domain_create != NULL);
    return core_domain_create(b, i);
}
