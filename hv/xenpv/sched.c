/* The hypercall sched_op (public/sched.h): to wait, and to end. */
#include "xenpv.h"

#include "hv/cpu.h"

static int64_t yield(void)
{
    store_once(&this_cpu()->resched, true);
    return 0;
}

static int64_t shutdown(struct vcpu *v, uint64_t va)
{
    uint32_t reason;
    int64_t rc = xenpv_get(v, &reason, va, sizeof(reason));

    if (rc != 0) {
        return rc;
    }
    switch (reason) {
    case SHUTDOWN_POWEROFF:
        vm_end(v->vm, VM_POWER_OFF, "SCHEDOP_shutdown");
        return 0;
    case SHUTDOWN_REBOOT:
        vm_end(v->vm, VM_REBOOT, "SCHEDOP_shutdown");
        return 0;
    case SHUTDOWN_CRASH:
    case SHUTDOWN_WATCHDOG:
        vm_end(v->vm, VM_ERROR, "SCHEDOP_shutdown: it says that it crashed");
        return 0;
    default: /* suspend and soft reset are not built */
        return -XEN_EINVAL;
    }
}

/*
 * Answers at once when one of the ports is pending. Else the caller gives up its slice, and looks
 * again: to wake early is allowed, and callers must expect it.
 */
static int64_t poll(struct vcpu *v, uint64_t va)
{
    struct xenpv *x = xenpv_of(v);
    uint32_t port[POLL_MAX];
    struct xen_poll p;
    bool pending = false;
    int64_t rc = xenpv_get(v, &p, va, sizeof(p));

    if (rc == 0 && p.count > POLL_MAX) {
        return -XEN_EINVAL;
    }
    if (rc == 0) {
        rc = xenpv_get(v, port, p.ports, p.count * sizeof(port[0]));
    }
    if (rc != 0) {
        return rc;
    }
    for (uint32_t i = 0; i < p.count; i++) {
        if (port[i] >= PORTS) {
            return -XEN_EINVAL;
        }
    }
    vm_dev_lock(v->vm);
    for (uint32_t i = 0; i < p.count; i++) {
        pending |= xenpv_port_pending(x, port[i]);
    }
    vm_dev_unlock(v->vm);
    return pending ? 0 : yield();
}

int64_t xenpv_sched_op(struct vcpu *v, const uint64_t arg[5])
{
    switch ((uint32_t)arg[0]) {
    case SCHEDOP_YIELD:
        return yield();
    case SCHEDOP_BLOCK:
        arch_vcpu_halt(v);
        return 0;
    case SCHEDOP_SHUTDOWN:
        return shutdown(v, arg[1]);
    case SCHEDOP_POLL:
        return poll(v, arg[1]);
    default:
        return -XEN_ENOSYS;
    }
}
