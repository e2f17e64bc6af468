/* The hypercalls hvm_op and physdev_op (public/hvm/hvm_op.h, params.h, physdev.h). */
#include "xenpv.h"

#define VECTOR_MIN 16u

/*
 * Without wired interrupts a vector is the one way to be called. Other ways are accepted, for Linux
 * says so what it has no use for, and call nobody.
 */
static int64_t set_callback(struct xenpv *x, uint64_t value)
{
    bool is_vector = CALLBACK_TYPE(value) == CALLBACK_VECTOR;
    uint8_t vector = is_vector ? (uint8_t)value : 0;

    if (is_vector && (vector < VECTOR_MIN || (value << 8) >> 16 != 0)) {
        return -XEN_EINVAL;
    }
    x->callback_param = value;
    x->callback = vector;
    arch_vm_no_eoi(x->vm, vector); /* unlike a vCPU's own upcall vector, it has no EOI */
    for (uint32_t i = 0; i < x->vm->vcpus && vector != 0; i++) {
        xenpv_tell(x, i);
    }
    return 0;
}

static int64_t set_param(struct vcpu *v, const struct xen_hvm_param *p)
{
    switch (p->index) {
    case HVM_PARAM_CALLBACK_IRQ:
        return set_callback(xenpv_of(v), p->value);
    case HVM_PARAM_STORE_PFN: /* the builder's */
    case HVM_PARAM_STORE_EVTCHN:
    case HVM_PARAM_CONSOLE_PFN:
    case HVM_PARAM_CONSOLE_EVTCHN:
        return -XEN_EPERM;
    default:
        return -XEN_EINVAL;
    }
}

static int64_t get_param(struct vcpu *v, struct xen_hvm_param *p)
{
    const struct xenpv *x = xenpv_of(v);

    if (p->index >= HVM_PARAMS) {
        return -XEN_EINVAL;
    }
    switch (p->index) {
    case HVM_PARAM_CALLBACK_IRQ:
        p->value = x->callback_param;
        return 0;
    case HVM_PARAM_STORE_PFN:
        p->value = GPA_XEN_STORE >> PAGE_SHIFT;
        return 0;
    case HVM_PARAM_STORE_EVTCHN:
        p->value = x->store_port;
        return 0;
    case HVM_PARAM_CONSOLE_PFN:
        p->value = GPA_XEN_CONSOLE >> PAGE_SHIFT;
        return 0;
    case HVM_PARAM_CONSOLE_EVTCHN:
        p->value = x->console_port;
        return 0;
    default:
        p->value = 0;
        return 0;
    }
}

static int64_t param(struct vcpu *v, uint64_t va, bool set)
{
    struct xen_hvm_param p;
    int64_t rc = xenpv_get(v, &p, va, sizeof(p));

    if (rc != 0) {
        return rc;
    }
    if (!xenpv_is_self(xenpv_of(v), p.domid)) {
        return -XEN_ESRCH;
    }
    vm_dev_lock(v->vm);
    rc = set ? set_param(v, &p) : get_param(v, &p);
    vm_dev_unlock(v->vm);
    return rc == 0 && !set ? xenpv_put(v, va, &p, sizeof(p)) : rc;
}

/* That vector ends with an EOI, as any interrupt of a local APIC. */
static int64_t set_upcall_vector(struct vcpu *v, uint64_t va)
{
    struct xenpv *x = xenpv_of(v);
    struct xen_upcall_vector u;
    int64_t rc = xenpv_get(v, &u, va, sizeof(u));

    if (rc != 0) {
        return rc;
    }
    if (u.vector < VECTOR_MIN) {
        return -XEN_EINVAL;
    }
    if (u.vcpu >= v->vm->vcpus) {
        return -XEN_ENOENT;
    }
    vm_dev_lock(v->vm);
    if (u.vector == x->callback) { /* it cannot have an EOI and have none */
        rc = -XEN_EINVAL;
    } else {
        x->vcpu[u.vcpu].vector = u.vector;
        xenpv_tell(x, u.vcpu);
    }
    vm_dev_unlock(v->vm);
    return rc;
}

int64_t xenpv_hvm_op(struct vcpu *v, const uint64_t arg[5])
{
    switch ((uint32_t)arg[0]) {
    case HVMOP_SET_PARAM:
        return param(v, arg[1], true);
    case HVMOP_GET_PARAM:
        return param(v, arg[1], false);
    case HVMOP_SET_UPCALL_VECTOR:
        return set_upcall_vector(v, arg[1]);
    default:
        return -XEN_ENOSYS;
    }
}

/* A domain without pirqs has none of these calls: Xen's own answer. */
int64_t xenpv_physdev_op(struct vcpu *v, const uint64_t arg[5])
{
    (void)v;
    (void)arg;
    return -XEN_ENOSYS;
}
