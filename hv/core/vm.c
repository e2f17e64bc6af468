/* The VMs: their table, how they are made, and how they go (vm.h). */
#include "hv/vm_priv.h"

#include "arch/boot.h"
#include "hv/abi.h"
#include "hv/check.h"
#include "hv/cpu.h"
#include "hv/log.h"
#include "hv/measure.h"
#include "hv/page.h"
#include "hv/string.h"

static struct {
    struct lock lock;
    struct vm *vm[VMS_MAX];
    uint32_t count;
    uint16_t last_id;
    const char *returning; /* the name of one that is being restarted; NULL: none */
    const struct controller *returning_of;
    bool reap;
    bool reaping;
} vms;

static const char *const cause_names[] = {
    [VM_POWER_OFF] = "power-off", [VM_REBOOT] = "reboot", [VM_TRIPLE_FAULT] = "triple-fault",
    [VM_DESTROYED] = "destroyed", [VM_ERROR] = "error",
};

void vms_lock(void)
{
    lock(&vms.lock);
}

void vms_unlock(void)
{
    unlock(&vms.lock);
}

struct vm *vm_by_id(uint16_t id)
{
    REQUIRE(lock_held(&vms.lock));
    for (unsigned int i = 0; i < VMS_MAX; i++) {
        if (vms.vm[i] != NULL && vms.vm[i]->id == id) {
            return vms.vm[i];
        }
    }
    return NULL;
}

unsigned int vm_count(void)
{
    return load_once(&vms.count);
}

void vm_for_each(void (*fn)(struct vm *vm, void *arg), void *arg)
{
    REQUIRE(lock_held(&vms.lock));
    for (unsigned int i = 0; i < VMS_MAX; i++) {
        if (vms.vm[i] != NULL) {
            fn(vms.vm[i], arg);
        }
    }
}

/* While a domain goes, and comes again, no other's controller has its name. */
static void keep_name(const char *name, const struct controller *of)
{
    lock(&vms.lock);
    vms.returning = name;
    vms.returning_of = of;
    unlock(&vms.lock);
}

/* Names in the boot bundle differ; of one that came at run time nobody lives. */
static bool name_is_taken(const struct vm *vm)
{
    if (vms.returning != NULL && vm->creator != vms.returning_of &&
        strcmp(vms.returning, vm->name) == 0) {
        return true;
    }
    for (unsigned int i = 0; i < VMS_MAX; i++) {
        const struct vm *other = vms.vm[i];

        if (other != NULL && (vm->creator != NULL || other->creator != NULL) &&
            strcmp(other->name, vm->name) == 0) {
            return true;
        }
    }
    return false;
}

static enum abi_status enter_table(struct vm *vm)
{
    enum abi_status st;

    lock(&vms.lock);
    st = name_is_taken(vm) ? ABI_EXISTS : ABI_LIMIT;
    for (unsigned int i = 0; i < VMS_MAX && st == ABI_LIMIT; i++) {
        if (vms.vm[i] == NULL) {
            vms.vm[i] = vm;
            store_once(&vms.count, vms.count + 1);
            st = ABI_OK;
        }
    }
    unlock(&vms.lock);
    return st;
}

static void leave_table(struct vm *vm)
{
    lock(&vms.lock);
    for (unsigned int i = 0; i < VMS_MAX; i++) {
        if (vms.vm[i] == vm) {
            vms.vm[i] = NULL;
            store_once(&vms.count, vms.count - 1);
        }
    }
    unlock(&vms.lock);
}

/* Ids are not reused before 65,535 VMs have come and gone, and never while one lives. */
static uint16_t new_id(void)
{
    uint16_t id;

    lock(&vms.lock);
    do {
        id = ++vms.last_id;
    } while (id == 0 || vm_by_id(id) != NULL);
    unlock(&vms.lock);
    return id;
}

static enum abi_status make_vcpus(struct vm *vm, const struct domain_config *cfg)
{
    for (uint32_t i = 0; i < cfg->vcpus; i++) {
        struct vcpu *v = vm_alloc(vm, sizeof(*v));
        enum abi_status st;

        if (v == NULL) {
            return ABI_NO_MEMORY;
        }
        v->vm = vm;
        v->index = i;
        vm->vcpu[i] = v;
        vm->vcpus = i + 1;
        sched_init(v, cfg->weight, cfg->affinity);
        st = arch_vcpu_init(v);
        st = st == ABI_OK ? vm->ops->vcpu_create(v) : st;
        if (st != ABI_OK) {
            return st;
        }
    }
    return ABI_OK;
}

/* RAM, and disks of its own; what it takes besides does not depend on its description much. */
static enum abi_status charge(struct vm *vm, const struct domain_config *cfg)
{
    uint64_t bytes = cfg->memory;
    enum abi_status st;

    for (uint32_t i = 0; i < cfg->devices; i++) {
        bytes += cfg->device[i].writable ? cfg->device[i].size : 0; /* at most 17 TiB in all */
    }
    st = controller_take(cfg->creator, bytes, 1);
    if (st == ABI_OK) {
        vm->creator = cfg->creator;
        vm->charged = bytes;
    }
    return st;
}

static void tell_created(struct vm *vm)
{
    char hex[2 * SHA256_SIZE + 1];

    sha256_hex(vm->config_hash, hex);
    link_vm_event(vm, "created", "\"config\":\"%s\"", hex);
}

#define VM_ORDER 3u /* struct vm is the first thing a VM pays for */
_Static_assert(sizeof(struct vm) <= PAGE_SIZE << VM_ORDER, "VM_ORDER");

/* Before anything is made: what the log cannot tell is not created. */
static enum abi_status measure(const struct domain_config *cfg)
{
    uint32_t *count = cfg->creator != NULL ? &cfg->creator->measured : NULL;
    enum abi_status st = measure_domain(cfg->name, cfg->hash, count);

    if (st != ABI_OK) {
        log_warn("%s: %s had %u configurations measured since boot, and may have no other",
                 cfg->name, cfg->creator->name, ABI_MAX_MEASURED);
    }
    return st;
}

enum abi_status vm_create(const struct domain_config *cfg, struct vm **out)
{
    enum abi_status st;
    struct vm *vm;
    uint16_t id = new_id();
    pa_t at;

    REQUIRE(cfg->vcpus >= 1 && cfg->vcpus <= DOMAIN_VCPUS_MAX);
    if (!sched_has_cpu(cfg->affinity)) {
        log_error("%s: affinity %lx: none of these CPUs exists", cfg->name,
                  (unsigned long)cfg->affinity);
        return ABI_NOT_SUPPORTED;
    }
    st = measure(cfg);
    if (st != ABI_OK) {
        return st;
    }
    if (!page_alloc(VM_ORDER, PAGE_HV, id, &at)) {
        return ABI_NO_MEMORY;
    }
    vm = pa_to_hva(at);
    (void)str_copy(vm->name, sizeof(vm->name), cfg->name); /* checked by the bundle parser */
    vm->id = id;
    vm->cc = cfg->cc;
    vm->ops = cc_ops_of(cfg->cc);
    REQUIRE(vm->ops != NULL);
    vm->state = VM_CREATED;
    vm->log_credit = 20;
    vm->restart_on_reboot = cfg->restart_on_reboot;
    vm->building = cfg->building;
    st = charge(vm, cfg);
    st = st == ABI_OK ? vm_mem_init(vm, cfg) : st;
    st = st == ABI_OK ? abi_vm_init(vm, cfg) : st;
    st = st == ABI_OK ? arch_vm_init(vm) : st;
    st = st == ABI_OK ? vm->ops->vm_create(vm, cfg) : st;
    st = st == ABI_OK ? make_vcpus(vm, cfg) : st;
    st = st == ABI_OK ? enter_table(vm) : st;
    if (st != ABI_OK) {
        vm_destroy(vm);
        return st;
    }
    tell_created(vm);
    *out = vm;
    return ABI_OK;
}

enum abi_status vm_launch(struct vm *vm, const struct layout *l)
{
    return vm->ops->launch(vm, l);
}

void vm_set_origin(struct vm *vm, const struct bundle *b, uint32_t index)
{
    bundle_hold(b);
    vm->bundle = b;
    vm->bundle_index = index;
}

void vm_destroy(struct vm *vm)
{
    struct controller *creator = vm->creator;
    const struct bundle *origin = vm->bundle;
    uint64_t charged = vm->charged;
    uint16_t id = vm->id;

    REQUIRE(vm->active == 0 && vm->state != VM_RUNNING);
    leave_table(vm);
    for (struct vm_hook *h = vm->hooks; h != NULL; h = h->next) {
        if (h->destroy != NULL) {
            h->destroy(h);
        }
    }
    abi_vm_destroy(vm);
    arch_vm_destroy(vm);
    vm->ops->vm_destroy(vm);
    vm_mem_destroy(vm);
    while (vm->blocks != NULL) {
        struct vm_block *b = vm->blocks;

        vm->blocks = b->next;
        page_free(hva_to_pa(b), PAGE_HV, id);
    }
    page_free(hva_to_pa(vm), PAGE_HV, id);
    controller_give(creator, charged, creator != NULL);
    bundle_drop(origin);
}

const char *vm_name(const struct vm *vm)
{
    return vm->name;
}

uint64_t vm_memory(const struct vm *vm)
{
    return vm->ram_low + vm->ram_high;
}

uint32_t vm_id(const struct vm *vm)
{
    return vm->id;
}

void vm_reap_soon(void)
{
    store_release(&vms.reap, true);
    store_once(&this_cpu()->resched, true); /* so that it reaps soon, if nobody else does */
    full_barrier(); /* before it looks whether somebody does: see vm_reap */
}

bool vm_reap_pending(void)
{
    return load_once(&vms.reap) && !load_once(&vms.reaping);
}

static struct vm *find_ended(void)
{
    struct vm *found = NULL;

    lock(&vms.lock);
    for (unsigned int i = 0; i < VMS_MAX && found == NULL; i++) {
        if (vms.vm[i] != NULL && load_acquire(&vms.vm[i]->state) == VM_ENDED &&
            !load_once(&vms.vm[i]->kept)) {
            found = vms.vm[i];
        }
    }
    unlock(&vms.lock);
    return found;
}

static void reap_one(struct vm *vm)
{
    const struct bundle *b = vm->bundle;
    uint32_t index = vm->bundle_index;
    bool again = vm->cause == VM_REBOOT && vm->restart_on_reboot && b != NULL;
    char name[NAME_MAX_LEN + 1];
    uint16_t id = vm->id;

    lock(&vm->lock); /* the vCPU that ended it has let go of the lock */
    unlock(&vm->lock);
    stream_flush_line(vm);
    log_info("%s: %s%s%s", vm->name, cause_names[vm->cause], vm->detail[0] != '\0' ? ": " : "",
             vm->detail);
    link_vm_event(vm, "ended", "\"cause\":\"%s\",\"detail\":\"%s\"", cause_names[vm->cause],
                  vm->detail);
    (void)str_copy(name, sizeof(name), vm->name);
    link_clean(name);
    bundle_hold(b); /* a restart needs it */
    if (again) {
        keep_name(name, vm->creator);
    }
    vm_destroy(vm);
    link_event("\"event\":\"domain\",\"id\":%u,\"name\":\"%s\",\"state\":\"gone\",\"free\":%lu", id,
               name, (unsigned long)page_count_free());
    if (again && domain_create(b, index) != ABI_OK) {
        log_error("%s: could not be started again", name);
    }
    keep_name(NULL, NULL);
    bundle_drop(b);
}

/* One CPU takes down what ended; the others go on. */
void vm_reap(void)
{
    while (load_once(&vms.reap) && !atomic_swap(&vms.reaping, true)) {
        struct vm *vm;

        store_once(&vms.reap, false);
        full_barrier();
        while ((vm = find_ended()) != NULL) {
            reap_one(vm);
        }
        if (vm_count() == 0) {
            system_idle();
        }
        store_release(&vms.reaping, false);
        full_barrier(); /* who saw us reap did not: look again for what it left */
    }
}
