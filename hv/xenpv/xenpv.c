/*
 * The legacy Xen ABI for PVH and HVM guests: what makes a plain VM such a domain, and the table of
 * its hypercalls.
 */
#include "xenpv.h"

#include "hv/log.h"

static const struct {
    xenpv_call_fn *fn;
    const char *name;
} calls[HC_COUNT] = {
    [HC_MEMORY_OP] = {xenpv_memory_op, "memory_op"},
    [HC_SET_TIMER_OP] = {xenpv_set_timer_op, "set_timer_op"},
    [HC_XEN_VERSION] = {xenpv_version, "xen_version"},
    [HC_CONSOLE_IO] = {xenpv_console_io, "console_io"},
    [HC_GRANT_TABLE_OP] = {xenpv_grant_table_op, "grant_table_op"},
    [HC_VCPU_OP] = {xenpv_vcpu_op, "vcpu_op"},
    [HC_SCHED_OP] = {xenpv_sched_op, "sched_op"},
    [HC_EVENT_CHANNEL_OP] = {xenpv_event_channel_op, "event_channel_op"},
    [HC_PHYSDEV_OP] = {xenpv_physdev_op, "physdev_op"},
    [HC_HVM_OP] = {xenpv_hvm_op, "hvm_op"},
};

/* 64-bit kernels alone: the layouts of a 32-bit caller are others, and not built. */
static uint64_t xenpv_call(struct vcpu *v, uint64_t number, const uint64_t arg[5])
{
    struct arch_paging p;
    int64_t answer;

    arch_vcpu_paging(v, &p);
    if (UNLIKELY(p.user)) {
        return (uint64_t)-XEN_EPERM;
    }
    if (UNLIKELY(!p.code64)) {
        log_vm(v->vm, LOG_DEBUG, "hypercall of 32-bit code: not built");
        return (uint32_t)-XEN_ENOSYS;
    }
    if (UNLIKELY(number >= HC_COUNT || calls[number].fn == NULL)) {
        log_vm(v->vm, LOG_DEBUG, "no hypercall %lu", (unsigned long)number);
        return (uint64_t)-XEN_ENOSYS;
    }
    answer = calls[number].fn(v, arg);
    if (UNLIKELY(answer < 0)) {
        log_vm(v->vm, LOG_DEBUG, "hypercall %s %lu: %ld", calls[number].name,
               (unsigned long)arg[0], (long)answer);
    }
    return (uint64_t)answer;
}

static void destroy(struct vm_hook *hook)
{
    xenpv_timer_cancel(container_of(hook, struct xenpv, hook));
}

static enum abi_status xenpv_create(struct vm *vm, const struct domain_config *cfg)
{
    struct xenpv *x = vm_alloc(vm, sizeof(*x));

    (void)cfg;
    if (x == NULL) {
        return ABI_NO_MEMORY;
    }
    x->vcpu = vm_alloc(vm, vm->vcpus * sizeof(x->vcpu[0]));
    if (x->vcpu == NULL) {
        return ABI_NO_MEMORY;
    }
    x->vm = vm;
    x->domid = (uint16_t)(1 + (vm_id(vm) - 1) % (DOMID_SELF - 1));
    xenpv_timer_init(x);
    x->hook.destroy = destroy;
    vm_hook_add(vm, &x->hook);
    vm->abi_data = x;
    x->store_port = (uint16_t)xenpv_port_new(x, PORT_STORE, 0);
    x->console_port = (uint16_t)xenpv_port_new(x, PORT_CONSOLE, 0);
    xenpv_console_attach(x);
    return xenpv_store_create(x);
}

static const struct guest_abi xenpv_abi = {
    .name = "xen",
    .create = xenpv_create,
    .call = xenpv_call,
    .cpuid = xenpv_cpuid,
    .rdmsr = xenpv_rdmsr,
    .wrmsr = xenpv_wrmsr,
};
GUEST_ABI_REGISTER(xenpv_abi);
