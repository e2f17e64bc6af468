/*
 * Event channels, two-level (public/event_channel.h, xen.h). A port is a number in the table here;
 * who may be notified by it is said here, too: whatever the guest sends, it tells itself.
 */
#include "page.h"

#define PORTS 4096u

enum kind { FREE, UNBOUND, LOOP, VIRQ, IPI, CONSOLE, STORE };

static struct port {
    uint8_t kind, virq;
    uint16_t vcpu, remote; /* remote: a domain, or the port at the other end */
} ports[PORTS];

typedef int64_t op_fn(void *arg);

static bool is_self(uint32_t domid)
{
    return domid == DOMID_SELF;
}

static uint64_t bit(uint32_t n)
{
    return BIT(n % 64);
}

static bool set_bit(uint64_t *words, uint32_t n)
{
    return (__atomic_fetch_or(&words[n / 64], bit(n), __ATOMIC_SEQ_CST) & bit(n)) != 0;
}

static bool test_bit(const uint64_t *words, uint32_t n)
{
    return (__atomic_load_n(&words[n / 64], __ATOMIC_SEQ_CST) & bit(n)) != 0;
}

static void wake(struct vcpu *v)
{
    if (v != box_holder() && v->up) {
        outside_kick(v);
    }
}

/* Who polls looks at bits that are masked for everybody else. */
static void wake_pollers(void)
{
    for (uint32_t i = 0; i < box.vcpus; i++) {
        if (__atomic_load_n(&box.vcpu[i]->polls, __ATOMIC_SEQ_CST)) {
            wake(box.vcpu[i]);
        }
    }
}

static void upcall(uint32_t port)
{
    struct vcpu *v = box.vcpu[ports[port].vcpu];

    if (!set_bit(&v->info->pending_sel, port / 64) &&
        __atomic_exchange_n(&v->info->upcall_pending, 1, __ATOMIC_SEQ_CST) == 0) {
        wake(v);
    }
}

void event_raise(uint32_t port)
{
    if (set_bit(box.shared->pending, port)) {
        return;
    }
    if (!test_bit(box.shared->mask, port)) {
        upcall(port);
    }
    wake_pollers();
}

void event_virq(struct vcpu *v, uint32_t virq)
{
    if (v->virq[virq] != 0) {
        event_raise(v->virq[virq]);
    }
}

bool event_pending(uint32_t port)
{
    return port < PORTS && test_bit(box.shared->pending, port);
}

bool event_wanted(const struct vcpu *v)
{
    return __atomic_load_n(&v->info->upcall_pending, __ATOMIC_SEQ_CST) != 0 &&
           v->info->upcall_mask == 0;
}

/* Its vcpu_info moved: it looks at everything again. */
void event_refresh(struct vcpu *v)
{
    v->info->pending_sel = UINT64_MAX;
    v->info->upcall_pending = 1;
    wake(v);
}

static uint32_t take(enum kind kind, uint32_t vcpu)
{
    for (uint32_t i = 1; i < PORTS; i++) {
        if (ports[i].kind == FREE) {
            ports[i] = (struct port){.kind = (uint8_t)kind, .vcpu = (uint16_t)vcpu};
            return i;
        }
    }
    return 0;
}

void event_create(void)
{
    box.store_port = take(STORE, 0);
    box.console_port = take(CONSOLE, 0);
}

static bool valid(uint32_t port)
{
    return port > 0 && port < PORTS && ports[port].kind != FREE;
}

static int64_t alloc_unbound(void *arg)
{
    struct xen_evtchn_alloc *a = arg;

    if (!is_self(a->dom)) {
        return -XEN_EPERM;
    }
    a->port = take(UNBOUND, 0);
    ports[a->port].remote = a->remote_dom;
    return a->port != 0 ? 0 : -XEN_ENOSPC;
}

static int64_t bind_interdomain(void *arg)
{
    struct xen_evtchn_interdomain *a = arg;
    uint32_t port;

    if (!is_self(a->remote_dom)) {
        return -XEN_ESRCH;
    }
    if (!valid(a->remote_port) || ports[a->remote_port].kind != UNBOUND ||
        !is_self(ports[a->remote_port].remote)) {
        return -XEN_EINVAL;
    }
    port = take(LOOP, 0);
    if (port == 0) {
        return -XEN_ENOSPC;
    }
    ports[port].remote = (uint16_t)a->remote_port;
    ports[a->remote_port].kind = LOOP;
    ports[a->remote_port].remote = (uint16_t)port;
    a->local_port = port;
    event_raise(port);
    return 0;
}

static int64_t bind_virq(void *arg)
{
    struct xen_evtchn_virq *a = arg;
    struct vcpu *v;

    if (a->virq >= VIRQS) {
        return -XEN_EINVAL;
    }
    if (a->vcpu >= box.vcpus) {
        return -XEN_ENOENT;
    }
    v = box.vcpu[a->vcpu];
    if (v->virq[a->virq] != 0) {
        return -XEN_EEXIST;
    }
    a->port = take(VIRQ, a->vcpu);
    if (a->port == 0) {
        return -XEN_ENOSPC;
    }
    ports[a->port].virq = (uint8_t)a->virq;
    v->virq[a->virq] = a->port;
    return 0;
}

static int64_t bind_ipi(void *arg)
{
    struct xen_evtchn_ipi *a = arg;

    if (a->vcpu >= box.vcpus) {
        return -XEN_ENOENT;
    }
    a->port = take(IPI, a->vcpu);
    return a->port != 0 ? 0 : -XEN_ENOSPC;
}

static void free_port(uint32_t n)
{
    struct port *p = &ports[n];

    if (p->kind == LOOP) {
        ports[p->remote].kind = UNBOUND;
        ports[p->remote].remote = DOMID_SELF;
    }
    if (p->kind == VIRQ) {
        box.vcpu[p->vcpu]->virq[p->virq] = 0;
    }
    __atomic_fetch_and(&box.shared->pending[n / 64], ~bit(n), __ATOMIC_SEQ_CST);
    p->kind = FREE;
}

static int64_t close_port(void *arg)
{
    uint32_t port = *(uint32_t *)arg;

    if (!valid(port) || port == box.console_port || port == box.store_port) {
        return -XEN_EINVAL;
    }
    free_port(port);
    return 0;
}

static int64_t send(void *arg)
{
    uint32_t port = *(uint32_t *)arg;

    if (!valid(port)) {
        return -XEN_EINVAL;
    }
    switch ((enum kind)ports[port].kind) {
    case LOOP:
        event_raise(ports[port].remote);
        return 0;
    case IPI:
        event_raise(port);
        return 0;
    case CONSOLE:
        console_kick();
        return 0;
    case STORE:
        store_kick();
        return 0;
    case UNBOUND: /* nobody hears it */
        return 0;
    case FREE:
    case VIRQ:
        break;
    }
    return -XEN_EINVAL;
}

static int64_t status(void *arg)
{
    static const uint8_t said[] = {
        [FREE] = 0, [UNBOUND] = 1, [LOOP] = 2, [CONSOLE] = 2, [STORE] = 2, [VIRQ] = 4, [IPI] = 5,
    };
    struct xen_evtchn_status *s = arg;
    const struct port *p;

    if (!is_self(s->dom)) {
        return -XEN_ESRCH;
    }
    if (s->port >= PORTS) {
        return -XEN_EINVAL;
    }
    p = &ports[s->port];
    s->status = said[p->kind];
    s->vcpu = p->vcpu;
    memset(&s->u, 0, sizeof(s->u));
    if (p->kind == VIRQ) {
        s->u.virq = p->virq;
    } else if (p->kind == LOOP) {
        s->u.interdomain.dom = DOMID_SELF;
        s->u.interdomain.port = p->remote;
    } else if (p->kind == UNBOUND) {
        s->u.interdomain.dom = p->remote;
    }
    return 0;
}

static int64_t bind_vcpu(void *arg)
{
    struct xen_evtchn_bind_vcpu *b = arg;

    if (b->vcpu >= box.vcpus) {
        return -XEN_ENOENT;
    }
    if (!valid(b->port) || ports[b->port].kind == IPI || ports[b->port].kind == VIRQ) {
        return -XEN_EINVAL;
    }
    ports[b->port].vcpu = (uint16_t)b->vcpu;
    return 0;
}

static int64_t unmask(void *arg)
{
    uint32_t port = *(uint32_t *)arg;

    if (!valid(port)) {
        return -XEN_EINVAL;
    }
    if ((__atomic_fetch_and(&box.shared->mask[port / 64], ~bit(port), __ATOMIC_SEQ_CST) &
         bit(port)) != 0 &&
        event_pending(port)) {
        upcall(port);
    }
    return 0;
}

static int64_t reset(void *arg)
{
    uint16_t dom = *(uint16_t *)arg;

    if (!is_self(dom)) {
        return -XEN_ESRCH;
    }
    for (uint32_t i = 1; i < PORTS; i++) {
        if (ports[i].kind != FREE && i != box.console_port && i != box.store_port) {
            free_port(i);
        }
    }
    return 0;
}

/* FIFO event channels are not built: a control block that cannot be is still named as such. */
static int64_t init_control(void *arg)
{
    struct xen_evtchn_control *c = arg;

    return c->vcpu >= box.vcpus ? -XEN_ENOENT : page_of(c->gfn) == NULL ? -XEN_EINVAL : -XEN_ENOSYS;
}

static const struct {
    op_fn *fn;
    uint8_t size;
    bool answers;
} ops[] = {
    [EVTCHN_BIND_INTERDOMAIN] = {bind_interdomain, sizeof(struct xen_evtchn_interdomain), true},
    [EVTCHN_BIND_VIRQ] = {bind_virq, sizeof(struct xen_evtchn_virq), true},
    [EVTCHN_CLOSE] = {close_port, sizeof(uint32_t), false},
    [EVTCHN_SEND] = {send, sizeof(uint32_t), false},
    [EVTCHN_STATUS] = {status, sizeof(struct xen_evtchn_status), true},
    [EVTCHN_ALLOC_UNBOUND] = {alloc_unbound, sizeof(struct xen_evtchn_alloc), true},
    [EVTCHN_BIND_IPI] = {bind_ipi, sizeof(struct xen_evtchn_ipi), true},
    [EVTCHN_BIND_VCPU] = {bind_vcpu, sizeof(struct xen_evtchn_bind_vcpu), false},
    [EVTCHN_UNMASK] = {unmask, sizeof(uint32_t), false},
    [EVTCHN_RESET] = {reset, sizeof(uint16_t), false},
    [EVTCHN_INIT_CONTROL] = {init_control, sizeof(struct xen_evtchn_control), false},
};

int64_t call_event_channel_op(struct vcpu *v, struct frame *f, const uint64_t arg[6])
{
    uint32_t op = (uint32_t)arg[0];
    uint64_t a[4] = {0};
    int64_t rc;

    (void)v;
    (void)f;
    if (op >= ARRAY_SIZE(ops) || ops[op].fn == NULL) {
        return -XEN_ENOSYS;
    }
    if (!guest_get(a, arg[1], ops[op].size)) {
        return -XEN_EFAULT;
    }
    rc = ops[op].fn(a);
    if (rc == 0 && ops[op].answers && !guest_put(arg[1], a, ops[op].size)) {
        return -XEN_EFAULT;
    }
    return rc;
}
