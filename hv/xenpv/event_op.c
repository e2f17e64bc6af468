/*
 * The hypercall event_channel_op (public/event_channel.h). A port is a number that is looked up in
 * the caller's own table: whatever it sends, nobody but itself is interrupted.
 */
#include "xenpv.h"

#include "hv/string.h"

typedef int64_t op_fn(struct vcpu *v, struct xenpv *x, void *arg);

static bool valid(const struct xenpv *x, uint32_t port)
{
    return port > 0 && port < PORTS && x->port[port].kind != PORT_FREE;
}

static int64_t alloc_unbound(struct vcpu *v, struct xenpv *x, void *arg)
{
    struct xen_evtchn_alloc *a = arg;

    (void)v;
    if (!xenpv_is_self(x, a->dom)) {
        return -XEN_EPERM;
    }
    a->port = xenpv_port_new(x, PORT_UNBOUND, 0);
    x->port[a->port].remote = a->remote_dom; /* who may bind to it */
    return a->port != 0 ? 0 : -XEN_ENOSPC;
}

/* There is no other domain to be bound to. */
static int64_t bind_interdomain(struct vcpu *v, struct xenpv *x, void *arg)
{
    struct xen_evtchn_interdomain *a = arg;
    uint32_t port;

    (void)v;
    if (!xenpv_is_self(x, a->remote_dom)) {
        return -XEN_ESRCH;
    }
    if (!valid(x, a->remote_port) || x->port[a->remote_port].kind != PORT_UNBOUND ||
        !xenpv_is_self(x, x->port[a->remote_port].remote)) {
        return -XEN_EINVAL;
    }
    port = xenpv_port_new(x, PORT_LOOP, 0);
    if (port == 0) {
        return -XEN_ENOSPC;
    }
    x->port[port].remote = (uint16_t)a->remote_port;
    x->port[a->remote_port].kind = PORT_LOOP;
    x->port[a->remote_port].remote = (uint16_t)port;
    a->local_port = port;
    xenpv_port_raise(x, port); /* what was sent before there was somebody to hear it */
    return 0;
}

static bool own_virq(uint32_t virq)
{
    return virq == VIRQ_TIMER || virq == VIRQ_DEBUG || virq == VIRQ_XENOPROF || virq == VIRQ_XENPMU;
}

static int64_t bind_virq(struct vcpu *v, struct xenpv *x, void *arg)
{
    struct xen_evtchn_virq *a = arg;

    (void)v;
    if (a->virq >= XEN_VIRQS || (!own_virq(a->virq) && a->vcpu != 0)) {
        return -XEN_EINVAL;
    }
    if (a->vcpu >= x->vm->vcpus) {
        return -XEN_ENOENT;
    }
    if (x->vcpu[a->vcpu].virq[a->virq] != 0) {
        return -XEN_EEXIST;
    }
    a->port = xenpv_port_new(x, PORT_VIRQ, a->vcpu);
    if (a->port == 0) {
        return -XEN_ENOSPC;
    }
    x->port[a->port].virq = (uint8_t)a->virq;
    x->vcpu[a->vcpu].virq[a->virq] = (uint16_t)a->port;
    return 0;
}

static int64_t bind_ipi(struct vcpu *v, struct xenpv *x, void *arg)
{
    struct xen_evtchn_ipi *a = arg;

    (void)v;
    if (a->vcpu >= x->vm->vcpus) {
        return -XEN_ENOENT;
    }
    a->port = xenpv_port_new(x, PORT_IPI, a->vcpu);
    return a->port != 0 ? 0 : -XEN_ENOSPC;
}

static void forget(struct xenpv *x, uint32_t port)
{
    struct port *p = &x->port[port];

    if (p->kind == PORT_LOOP) {
        x->port[p->remote].kind = PORT_UNBOUND;
        x->port[p->remote].remote = x->domid;
    } else if (p->kind == PORT_VIRQ) {
        for (uint32_t i = 0; i < x->vm->vcpus; i++) {
            if (x->vcpu[i].virq[p->virq] == port) {
                x->vcpu[i].virq[p->virq] = 0;
            }
        }
    }
    *p = (struct port){.kind = PORT_FREE};
}

static int64_t close_port(struct vcpu *v, struct xenpv *x, void *arg)
{
    uint32_t port = *(uint32_t *)arg;

    (void)v;
    if (!valid(x, port)) {
        return -XEN_EINVAL;
    }
    forget(x, port);
    return 0;
}

static int64_t send(struct vcpu *v, struct xenpv *x, void *arg)
{
    uint32_t port = *(uint32_t *)arg;

    (void)v;
    if (!valid(x, port)) {
        return -XEN_EINVAL;
    }
    switch ((enum port_kind)x->port[port].kind) {
    case PORT_LOOP:
        xenpv_port_raise(x, x->port[port].remote);
        return 0;
    case PORT_IPI:
        xenpv_port_raise(x, port);
        return 0;
    case PORT_CONSOLE:
        xenpv_console_kick(x);
        return 0;
    case PORT_STORE:
        xenpv_store_kick(x);
        return 0;
    case PORT_UNBOUND: /* nobody hears it */
        return 0;
    case PORT_VIRQ:
    case PORT_FREE:
        break;
    }
    return -XEN_EINVAL;
}

static int64_t status(struct vcpu *v, struct xenpv *x, void *arg)
{
    static const uint8_t as_xen[] = {
        [PORT_FREE] = 0, [PORT_UNBOUND] = 1, [PORT_LOOP] = 2, [PORT_CONSOLE] = 2,
        [PORT_STORE] = 2, [PORT_VIRQ] = 4, [PORT_IPI] = 5,
    };
    struct xen_evtchn_status *a = arg;
    const struct port *p;

    (void)v;
    if (!xenpv_is_self(x, a->dom)) {
        return -XEN_EPERM;
    }
    if (a->port == 0 || a->port >= PORTS) {
        return -XEN_EINVAL;
    }
    p = &x->port[a->port];
    a->status = as_xen[p->kind];
    a->vcpu = p->vcpu;
    memset(&a->u, 0, sizeof(a->u));
    if (p->kind == PORT_LOOP) {
        a->u.interdomain.dom = x->domid;
        a->u.interdomain.port = p->remote;
    } else if (p->kind == PORT_VIRQ) {
        a->u.virq = p->virq;
    }
    return 0;
}

/* IPIs and virqs that each vCPU has stay where they were bound. */
static int64_t bind_vcpu(struct vcpu *v, struct xenpv *x, void *arg)
{
    const struct xen_evtchn_bind_vcpu *a = arg;
    struct port *p;

    (void)v;
    if (a->vcpu >= x->vm->vcpus) {
        return -XEN_ENOENT;
    }
    if (!valid(x, a->port)) {
        return -XEN_EINVAL;
    }
    p = &x->port[a->port];
    if (p->kind == PORT_IPI || (p->kind == PORT_VIRQ && own_virq(p->virq))) {
        return -XEN_EINVAL;
    }
    p->vcpu = (uint16_t)a->vcpu;
    return 0;
}

static int64_t unmask(struct vcpu *v, struct xenpv *x, void *arg)
{
    uint32_t port = *(uint32_t *)arg;

    (void)v;
    if (!valid(x, port)) {
        return -XEN_EINVAL;
    }
    xenpv_port_unmask(x, port);
    return 0;
}

static int64_t reset(struct vcpu *v, struct xenpv *x, void *arg)
{
    (void)v;
    if (!xenpv_is_self(x, *(uint16_t *)arg)) {
        return -XEN_EPERM;
    }
    for (uint32_t i = 1; i < PORTS; i++) {
        if (x->port[i].kind != PORT_FREE) {
            forget(x, i);
        }
    }
    return 0;
}

/* FIFO channels are not built; guests then use two-level ones. */
static int64_t init_control(struct vcpu *v, struct xenpv *x, void *arg)
{
    const struct xen_evtchn_control *a = arg;
    uint8_t probe;

    (void)v;
    if (a->vcpu >= x->vm->vcpus) {
        return -XEN_ENOENT;
    }
    if (a->gfn >> (64 - PAGE_SHIFT) != 0 || a->offset >= PAGE_SIZE || a->offset % 8 != 0 ||
        guestmem_read(x->vm, gpa(a->gfn << PAGE_SHIFT), &probe, 1) != ABI_OK) {
        return -XEN_EINVAL;
    }
    return -XEN_ENOSYS;
}

static const struct {
    op_fn *fn;
    uint8_t size;
    bool answers; /* the structure goes back */
} ops[] = {
    [EVTCHN_BIND_INTERDOMAIN] = {bind_interdomain, sizeof(struct xen_evtchn_interdomain), true},
    [EVTCHN_BIND_VIRQ] = {bind_virq, sizeof(struct xen_evtchn_virq), true},
    [EVTCHN_CLOSE] = {close_port, 4, false},
    [EVTCHN_SEND] = {send, 4, false},
    [EVTCHN_STATUS] = {status, sizeof(struct xen_evtchn_status), true},
    [EVTCHN_ALLOC_UNBOUND] = {alloc_unbound, sizeof(struct xen_evtchn_alloc), true},
    [EVTCHN_BIND_IPI] = {bind_ipi, sizeof(struct xen_evtchn_ipi), true},
    [EVTCHN_BIND_VCPU] = {bind_vcpu, sizeof(struct xen_evtchn_bind_vcpu), false},
    [EVTCHN_UNMASK] = {unmask, 4, false},
    [EVTCHN_RESET] = {reset, 2, false},
    [EVTCHN_INIT_CONTROL] = {init_control, sizeof(struct xen_evtchn_control), false},
};

/* The answer must have somewhere to go before anything is bound: a port must not be lost. */
int64_t xenpv_event_channel_op(struct vcpu *v, const uint64_t arg[5])
{
    uint64_t a[4] = {0};
    uint64_t op = (uint32_t)arg[0];
    gpa_t at;
    int64_t rc;

    if (op >= ARRAY_SIZE(ops) || ops[op].fn == NULL) {
        return -XEN_ENOSYS;
    }
    rc = xenpv_get(v, a, arg[1], ops[op].size);
    if (rc != 0 || (ops[op].answers &&
                    (!xenpv_guest_pt_walk(v, arg[1], true, &at) ||
                     !xenpv_guest_pt_walk(v, arg[1] + ops[op].size - 1, true, &at)))) {
        return -XEN_EFAULT;
    }
    vm_dev_lock(v->vm);
    rc = ops[op].fn(v, xenpv_of(v), a);
    vm_dev_unlock(v->vm);
    return rc == 0 && ops[op].answers ? xenpv_put(v, arg[1], a, ops[op].size) : rc;
}
