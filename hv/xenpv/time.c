/*
 * Time (public/xen.h, vcpu.h): the clock that a guest reads from its vcpu_info, one-shot timers
 * that end in VIRQ_TIMER, run states. Guest time starts with its TSC, at 0.
 */
#include "xenpv.h"

#include "arch/timer.h"
#include "arch/vcpu.h"
#include "hv/string.h"

static void timer_fire(struct timer *t)
{
    struct xenpv_vcpu *xv = container_of(t, struct xenpv_vcpu, timer);
    struct xenpv *x = xenpv_of(xv->v);

    vm_dev_lock(x->vm);
    if (xv->virq[VIRQ_TIMER] != 0) {
        xenpv_port_raise(x, xv->virq[VIRQ_TIMER]);
    }
    vm_dev_unlock(x->vm);
}

void xenpv_timer_init(struct xenpv *x)
{
    for (uint32_t i = 0; i < x->vm->vcpus; i++) {
        x->vcpu[i].v = x->vm->vcpu[i];
        x->vcpu[i].timer.fn = timer_fire;
    }
}

void xenpv_timer_cancel(struct xenpv *x)
{
    for (uint32_t i = 0; i < x->vm->vcpus; i++) {
        timer_cancel(&x->vcpu[i].timer);
    }
}

/* An odd version says that the rest is being written. */
void xenpv_publish_time(struct xenpv *x, gpa_t info)
{
    gpa_t at = gpa(info.v + offsetof(struct xen_vcpu_info, time));
    struct xen_time_info t = {.version = 1, .flags = XEN_TIME_STABLE};

    arch_clock_scale(&t.mul, &t.shift);
    if (guestmem_write(x->vm, at, &t, sizeof(t)) == ABI_OK) {
        (void)(guestmem_store32(x->vm, at, 2) == ABI_OK);
    }
}

void xenpv_publish_wall(struct xenpv *x)
{
    uint64_t guest_ns = clock_ns() - arch_vm_clock_zero(x->vm);
    uint64_t start = time_wall() - guest_ns / 1000000000u;
    uint32_t wc[4] = {1, (uint32_t)start, 0, (uint32_t)(start >> 32)};
    gpa_t at = gpa(x->shared.v + offsetof(struct xen_shared_info, wc_version));

    if (guestmem_write(x->vm, at, wc, sizeof(wc)) == ABI_OK) {
        (void)(guestmem_store32(x->vm, at, 2) == ABI_OK);
    }
}

static struct xenpv_vcpu *own(struct vcpu *v)
{
    return &xenpv_of(v)->vcpu[v->index];
}

/* Guest time to ours; one that we never reach must not wrap. */
static uint64_t deadline(struct vcpu *v, uint64_t guest_ns)
{
    uint64_t zero = arch_vm_clock_zero(v->vm);

    return guest_ns > UINT64_MAX - 1 - zero ? UINT64_MAX - 1 : guest_ns + zero;
}

int64_t xenpv_set_timer_op(struct vcpu *v, const uint64_t arg[5])
{
    if (arg[0] == 0) {
        timer_cancel(&own(v)->timer);
    } else {
        timer_arm(&own(v)->timer, deadline(v, arg[0]));
    }
    return 0;
}

static int64_t set_singleshot(struct vcpu *v, uint64_t va)
{
    struct xen_singleshot s;
    int64_t rc = xenpv_get(v, &s, va, sizeof(s));

    if (rc != 0) {
        return rc;
    }
    if ((s.flags & SINGLESHOT_FUTURE) != 0 && deadline(v, s.timeout) < clock_ns()) {
        return -XEN_ETIME;
    }
    timer_arm(&own(v)->timer, deadline(v, s.timeout));
    return 0;
}

/* It runs now; what it did not run it was blocked: time that others took is not told apart. */
static struct xen_runstate runstate_of(struct vcpu *v)
{
    uint64_t guest_ns = clock_ns() - arch_vm_clock_zero(v->vm);
    uint64_t ran = MIN(load_once(&v->ran), guest_ns);

    return (struct xen_runstate){
        .state = RUNSTATE_RUNNING,
        .entry_time = guest_ns,
        .time = {[RUNSTATE_RUNNING] = ran, [RUNSTATE_BLOCKED] = guest_ns - ran},
    };
}

/* Written once: time that is stolen from a guest is not accounted for here. */
static int64_t register_runstate(struct vcpu *v, uint64_t va)
{
    struct xen_runstate r = runstate_of(v);
    uint64_t area;
    int64_t rc = xenpv_get(v, &area, va, sizeof(area));

    return rc == 0 ? xenpv_put(v, area, &r, sizeof(r)) : rc;
}

static int64_t get_runstate(struct vcpu *v, uint32_t vcpu, uint64_t va)
{
    struct xen_runstate r = runstate_of(v->vm->vcpu[vcpu]);

    return xenpv_put(v, va, &r, sizeof(r));
}

/* What it had is copied to the new place, and it is told again of what is pending. */
static int64_t move_info(struct xenpv *x, struct xenpv_vcpu *xv, gpa_t to)
{
    struct xen_vcpu_info info = {.upcall_mask = 1};
    enum abi_status st = ABI_OK;

    if (xv->has_info) {
        st = guestmem_read(x->vm, xv->info, &info, sizeof(info));
    }
    if (st != ABI_OK || guestmem_write(x->vm, to, &info, sizeof(info)) != ABI_OK) {
        return -XEN_EINVAL;
    }
    xv->info = to;
    xv->has_info = true;
    xv->registered = true;
    xenpv_publish_time(x, to);
    xenpv_tell(x, xv->v->index);
    return 0;
}

static int64_t register_info(struct vcpu *v, uint32_t vcpu, uint64_t va)
{
    struct xenpv *x = xenpv_of(v);
    struct xen_register_info r;
    int64_t rc = xenpv_get(v, &r, va, sizeof(r));

    if (rc != 0) {
        return rc;
    }
    if (r.gfn >> (64 - PAGE_SHIFT) != 0 || r.offset % 8 != 0 ||
        r.offset > PAGE_SIZE - sizeof(struct xen_vcpu_info)) {
        return -XEN_EINVAL;
    }
    vm_dev_lock(x->vm);
    rc = x->vcpu[vcpu].registered
             ? -XEN_EINVAL
             : move_info(x, &x->vcpu[vcpu], gpa((r.gfn << PAGE_SHIFT) + r.offset));
    vm_dev_unlock(x->vm);
    return rc;
}

/* vCPUs are started and stopped as on a PC; timers are a vCPU's own. */
int64_t xenpv_vcpu_op(struct vcpu *v, const uint64_t arg[5])
{
    uint32_t op = (uint32_t)arg[0], vcpu = (uint32_t)arg[1];

    if (vcpu >= v->vm->vcpus) {
        return -XEN_ENOENT;
    }
    switch (op) {
    case VCPUOP_IS_UP:
        return 1;
    case VCPUOP_GET_RUNSTATE:
        return get_runstate(v, vcpu, arg[2]);
    case VCPUOP_REGISTER_RUNSTATE:
        return vcpu == v->index ? register_runstate(v, arg[2]) : -XEN_EINVAL;
    case VCPUOP_STOP_PERIODIC: /* there is none */
        return 0;
    case VCPUOP_SET_SINGLESHOT:
        return vcpu == v->index ? set_singleshot(v, arg[2]) : -XEN_EINVAL;
    case VCPUOP_STOP_SINGLESHOT:
        if (vcpu != v->index) {
            return -XEN_EINVAL;
        }
        timer_cancel(&own(v)->timer);
        return 0;
    case VCPUOP_REGISTER_INFO:
        return register_info(v, vcpu, arg[2]);
    case VCPUOP_SEND_NMI:
        vcpu_request(v->vm->vcpu[vcpu], REQ_NMI);
        return 0;
    default:
        return -XEN_ENOSYS;
    }
}
