/* Time (public/xen.h): the guest reads it from what the box does; timers end in VIRQ_TIMER. */
#include "abi/guest.h"
#include "outside.h"

uint64_t time_now(void)
{
    return abi_time_ns(outside_time(), abi_counter());
}

/* An odd version: the rest is being written. */
void time_publish(struct vcpu *v)
{
    const volatile struct abi_time *from = outside_time();
    struct xen_time_info *t = &v->info->time;
    uint32_t version = t->version | 1;

    __atomic_store_n(&t->version, version, __ATOMIC_RELEASE);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    t->tsc_timestamp = from->base;
    t->system_time = from->base_ns;
    t->mul = from->mul;
    t->shift = (int8_t)from->shift;
    t->flags = XEN_TIME_STABLE;
    __atomic_store_n(&t->version, version + 1, __ATOMIC_RELEASE);
}

void time_publish_wall(void)
{
    uint64_t wall = outside_time()->wall;

    box.shared->wc_sec = (uint32_t)wall;
    box.shared->wc_sec_hi = (uint32_t)(wall >> 32);
    box.shared->wc_nsec = 0;
    __atomic_store_n(&box.shared->wc_version, 2, __ATOMIC_RELEASE);
}

int64_t call_set_timer_op(struct vcpu *v, struct frame *f, const uint64_t arg[6])
{
    (void)f;
    outside_timer(v, arg[0]);
    return 0;
}

int64_t time_singleshot(struct vcpu *v, uint64_t va)
{
    struct xen_singleshot s;

    if (!guest_get(&s, va, sizeof(s))) {
        return -XEN_EFAULT;
    }
    if ((s.flags & SINGLESHOT_FUTURE) != 0 && s.timeout < time_now()) {
        return -XEN_ETIME;
    }
    outside_timer(v, s.timeout);
    return 0;
}
