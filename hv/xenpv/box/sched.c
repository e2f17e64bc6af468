/* sched_op (public/sched.h): a vCPU sleeps until there is an event for it, or the guest ends. */
#include "outside.h"

static int64_t shut_down(struct vcpu *v, uint64_t va)
{
    uint32_t reason;

    if (!guest_get(&reason, va, sizeof(reason))) {
        return -XEN_EFAULT;
    }
    switch (reason) {
    case SHUTDOWN_POWEROFF:
        outside_power_off();
    case SHUTDOWN_REBOOT:
        outside_reset();
    case SHUTDOWN_CRASH:
    case SHUTDOWN_WATCHDOG:
        guest_crash(v, "says that it crashed");
    default: /* suspend and soft reset are not built */
        return -XEN_EINVAL;
    }
}

static void look(struct vcpu *v)
{
    box_lock(v);
    outside_poll(v);
    box_unlock(v);
}

/* While it sleeps nobody waits for its TLB. */
static void sleep_once(struct vcpu *v)
{
    __atomic_store_n(&v->blocked, true, __ATOMIC_SEQ_CST);
    outside_wait();
    __atomic_store_n(&v->blocked, false, __ATOMIC_SEQ_CST);
    flush_if_wanted(v);
    look(v);
}

static int64_t block(struct vcpu *v)
{
    v->info->upcall_mask = 0;
    look(v);
    while (!event_wanted(v)) {
        sleep_once(v);
    }
    return 0;
}

static bool any_pending(const uint32_t *port, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (event_pending(port[i])) {
            return true;
        }
    }
    return false;
}

static int64_t poll(struct vcpu *v, uint64_t va)
{
    uint32_t port[POLL_MAX];
    struct xen_poll p;

    if (!guest_get(&p, va, sizeof(p))) {
        return -XEN_EFAULT;
    }
    if (p.count > POLL_MAX) {
        return -XEN_EINVAL;
    }
    if (!guest_get(port, p.ports, p.count * sizeof(port[0]))) {
        return -XEN_EFAULT;
    }
    __atomic_store_n(&v->polls, true, __ATOMIC_SEQ_CST);
    outside_poll_timer(v, p.timeout);
    look(v);
    while (!any_pending(port, p.count) && !event_wanted(v) &&
           (p.timeout == 0 || time_now() < p.timeout)) {
        sleep_once(v);
    }
    __atomic_store_n(&v->polls, false, __ATOMIC_SEQ_CST);
    return 0;
}

int64_t call_sched_op(struct vcpu *v, struct frame *f, const uint64_t arg[6])
{
    (void)f;
    switch ((uint32_t)arg[0]) {
    case SCHEDOP_YIELD:
        __builtin_ia32_pause();
        return 0;
    case SCHEDOP_BLOCK:
        return block(v);
    case SCHEDOP_SHUTDOWN:
        return shut_down(v, arg[1]);
    case SCHEDOP_POLL:
        return poll(v, arg[1]);
    default:
        return -XEN_ENOSYS;
    }
}
