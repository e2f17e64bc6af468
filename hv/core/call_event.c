/*
 * Events. A port's pending bit lies in the guest's registered area. Who raises sets the bit, then
 * looks at the mask; who unmasks clears the mask, then looks at the bit: one of them sees the
 * other. Only the one that set the bit interrupts.
 */
#include "hv/abi.h"
#include "hv/check.h"
#include "hv/vm_priv.h"

static void notify(struct port *p)
{
    struct vcpu *v = p->vm->vcpu[p->vcpu];

    store_once(&v->event_due, true);
    if (p->vector != 0) {
        arch_vcpu_irq(v, p->vector);
    } else {
        vcpu_request(v, REQ_EVENT);
    }
}

void event_raise(struct port *p)
{
    struct abi_vm *a = p->vm->abi;
    unsigned int n = p->number;
    uint64_t bit = BIT(n % 64);

    if ((guest_words_or(&a->pending, n / 64, bit) & bit) == 0 &&
        (atomic_load(&a->masked[n / 64]) & bit) == 0) {
        notify(p);
    }
}

static void timer_fires(struct timer *t)
{
    event_raise(container_of(t, struct port, timer));
}

/* ---- the area ---- */

static struct port *make_ports(struct vm *vm)
{
    struct port *p = vm_alloc(vm, ABI_MAX_PORTS * sizeof(*p));

    for (unsigned int i = 0; p != NULL && i < ABI_MAX_PORTS; i++) {
        p[i].vm = vm;
        p[i].number = (uint8_t)i;
        p[i].timer.fn = timer_fires;
    }
    return p;
}

static enum abi_status take_area(struct vm *vm, uint32_t handle, gpa_t at)
{
    struct abi_vm *a = vm->abi;
    enum abi_status st;

    lock(&a->lock);
    if (a->port == NULL) {
        store_release(&a->port, make_ports(vm));
    }
    if (a->port == NULL) {
        st = ABI_NO_MEMORY;
    } else if (a->area != 0) {
        st = a->ports != 0 ? ABI_BUSY : ABI_EXISTS;
    } else {
        st = guest_words_at(vm, at, sizeof(struct abi_event_area), &a->pending);
        a->area = st == ABI_OK ? handle : 0;
    }
    unlock(&a->lock);
    return st;
}

static enum abi_status drop_area(struct vm *vm)
{
    struct abi_vm *a = vm->abi;
    enum abi_status st = ABI_OK;
    uint32_t handle;

    lock(&a->lock);
    handle = a->area;
    if (a->ports != 0) {
        st = ABI_BUSY;
    } else if (handle == 0) {
        st = ABI_BAD_STATE;
    } else {
        a->area = 0;
    }
    unlock(&a->lock);
    if (st == ABI_OK) {
        buf_release(vm, handle);
    }
    return st;
}

enum abi_status call_EVENT_SETUP(struct vcpu *v, struct call *c)
{
    /* Aligned, the area never crosses a page. */
    struct buf_range r = buf_of_call(c, sizeof(struct abi_event_area), 64);
    enum abi_status st;
    gpa_t at;

    if (r.handle == 0) {
        return drop_area(v->vm);
    }
    st = buf_acquire(v->vm, &r, &at);
    if (st == ABI_OK) {
        st = take_area(v->vm, r.handle, at);
        if (st != ABI_OK) {
            buf_release(v->vm, r.handle);
        }
    }
    return st;
}

/* ---- opening ---- */

static enum abi_status check_open(const struct vm *vm, const struct call *c)
{
    bool peer = c->arg[0] == ABI_SOURCE_PEER;

    if (c->arg[2] >= vm->vcpus || (!peer && c->arg[1] != 0) ||
        (peer && (uint32_t)c->arg[1] >= vm->abi->peers) ||
        (c->arg[3] != 0 && !arch_vcpu_irq_valid((uint32_t)c->arg[3]))) {
        return ABI_BAD_ARG;
    }
    if (c->arg[0] == ABI_SOURCE_CONSOLE && (vm->abi_features >> ABI_FEATURE_CONSOLE & 1) == 0) {
        return ABI_BAD_ARG;
    }
    return ABI_OK;
}

static struct port *find_free(struct abi_vm *a)
{
    for (unsigned int i = 0; i < ABI_MAX_PORTS; i++) {
        if (a->port[i].source == 0) {
            return &a->port[i];
        }
    }
    return NULL;
}

static struct port *find_peer_port(struct abi_vm *a, unsigned int peer, uint32_t tag)
{
    struct port *ports = load_acquire(&a->port); /* a peer's, whose lock is not held */

    for (unsigned int i = 0; ports != NULL && i < ABI_MAX_PORTS; i++) {
        struct port *p = &ports[i];

        if (p->source == ABI_SOURCE_PEER && p->peer == peer && p->tag == tag) {
            return p;
        }
    }
    return NULL;
}

/* The VM's lock is held. */
static enum abi_status take_port(struct vm *vm, const struct call *c, struct port **taken)
{
    struct abi_vm *a = vm->abi;
    struct port *p;

    if (a->area == 0) {
        return ABI_BAD_STATE;
    }
    if (c->arg[0] == ABI_SOURCE_PEER &&
        find_peer_port(a, (unsigned int)c->arg[1], (uint32_t)(c->arg[1] >> 32)) != NULL) {
        return ABI_EXISTS;
    }
    p = find_free(a);
    if (p == NULL) {
        return ABI_LIMIT;
    }
    p->source = (uint8_t)c->arg[0];
    p->vcpu = (uint8_t)c->arg[2];
    p->vector = (uint16_t)c->arg[3];
    p->peer = (uint8_t)c->arg[1];
    p->tag = (uint32_t)(c->arg[1] >> 32);
    p->target = p->source == ABI_SOURCE_SELF ? p : NULL;
    a->ports++;
    atomic_and(&a->masked[p->number / 64], ~BIT(p->number % 64));
    guest_words_and(&a->pending, p->number / 64, ~BIT(p->number % 64));
    *taken = p;
    return ABI_OK;
}

static void set_target(struct port *p, struct port *target)
{
    lock(&p->vm->abi->lock);
    p->target = target;
    unlock(&p->vm->abi->lock);
}

/* The table of VMs' lock is held: no port of a peer opens, closes or goes meanwhile. */
static void connect(struct port *p)
{
    struct vm *vm = p->vm;
    struct vm *other = peer_find(vm, p->peer);
    struct port *q = NULL;

    for (unsigned int i = 0; other != NULL && q == NULL && i < other->abi->peers; i++) {
        if (peer_is(other, i, vm)) {
            q = find_peer_port(other->abi, i, p->tag);
        }
    }
    if (q != NULL) {
        set_target(p, q);
        set_target(q, p);
    }
}

static enum abi_status attach_console(struct vm *vm, struct port *p)
{
    bool taken;

    vm_dev_lock(vm);
    taken = vm->abi->console_port != NULL;
    if (!taken) {
        vm->abi->console_port = p;
    }
    vm_dev_unlock(vm);
    return taken ? ABI_EXISTS : ABI_OK;
}

static void free_port(struct port *p)
{
    struct abi_vm *a = p->vm->abi;

    lock(&a->lock);
    p->source = 0;
    p->target = NULL;
    a->ports--;
    unlock(&a->lock);
}

enum abi_status call_EVENT_OPEN(struct vcpu *v, struct call *c)
{
    struct vm *vm = v->vm;
    enum abi_status st = check_open(vm, c);
    struct port *p = NULL;

    if (st != ABI_OK) {
        return st;
    }
    vms_lock();
    lock(&vm->abi->lock);
    st = take_port(vm, c, &p);
    unlock(&vm->abi->lock);
    if (st == ABI_OK && p->source == ABI_SOURCE_PEER) {
        connect(p);
    }
    if (st == ABI_OK && p->source == ABI_SOURCE_CONSOLE) {
        st = attach_console(vm, p);
        if (st != ABI_OK) {
            free_port(p);
        }
    }
    vms_unlock();
    if (st == ABI_OK) {
        c->value[0] = p->number;
    }
    return st;
}

/* ---- closing ---- */

/* The table of VMs' lock is held. After this nobody raises the port any more. */
static void disconnect(struct port *p)
{
    struct port *q = p->target;

    if (p->source == ABI_SOURCE_PEER && q != NULL) {
        set_target(p, NULL);
        set_target(q, NULL);
        event_raise(q);
    }
}

static void close_port(struct port *p)
{
    struct vm *vm = p->vm;

    disconnect(p);
    if (p->source == ABI_SOURCE_CONSOLE) {
        vm_dev_lock(vm);
        vm->abi->console_port = NULL;
        vm_dev_unlock(vm);
    }
    lock(&vm->abi->lock); /* nobody arms it any more */
    p->source = ABI_SOURCE_SELF;
    timer_cancel(&p->timer);
    unlock(&vm->abi->lock);
    free_port(p);
}

static struct port *open_port(struct vm *vm, uint64_t n)
{
    struct port *ports = load_acquire(&vm->abi->port);

    return ports == NULL || ports[n].source == 0 ? NULL : &ports[n];
}

enum abi_status call_EVENT_CLOSE(struct vcpu *v, struct call *c)
{
    struct port *p;

    vms_lock();
    p = open_port(v->vm, c->arg[0]);
    if (p != NULL) {
        close_port(p);
    }
    vms_unlock();
    return p != NULL ? ABI_OK : ABI_NOT_FOUND;
}

void event_destroy_all(struct vm *vm)
{
    struct abi_vm *a = vm->abi;

    vms_lock();
    for (unsigned int i = 0; a->port != NULL && i < ABI_MAX_PORTS; i++) {
        if (a->port[i].source != 0) {
            close_port(&a->port[i]);
        }
    }
    vms_unlock();
    if (a->area != 0) {
        buf_release(vm, a->area);
        a->area = 0;
    }
    if (a->console != 0) {
        buf_release(vm, a->console);
        a->console = 0;
    }
}

/* ---- using ---- */

/* Nobody hears it: the console's port asks the hypervisor to look at the ring. */
static enum abi_status send_elsewhere(struct vm *vm, uint64_t n)
{
    const struct port *p = open_port(vm, n);
    unsigned int source = p == NULL ? 0 : p->source;

    unlock(&vm->abi->lock);
    if (source == ABI_SOURCE_CONSOLE) {
        return console_kick(vm);
    }
    return source == 0 ? ABI_NOT_FOUND : ABI_BAD_STATE;
}

enum abi_status call_EVENT_SEND(struct vcpu *v, struct call *c)
{
    struct vm *vm = v->vm;
    struct abi_vm *a = vm->abi;
    uint64_t n = c->arg[0];
    struct port *target;

    lock(&a->lock); /* as long as we hold it the target stays */
    target = a->port == NULL ? NULL : a->port[n].target;
    if (UNLIKELY(target == NULL)) {
        return send_elsewhere(vm, n);
    }
    event_raise(target);
    unlock(&a->lock);
    return ABI_OK;
}

enum abi_status call_EVENT_MASK(struct vcpu *v, struct call *c)
{
    struct abi_vm *a = v->vm->abi;
    unsigned int word = (unsigned int)c->arg[0] / 64;
    uint64_t bit = BIT(c->arg[0] % 64);
    uint64_t was;
    struct port *p;

    lock(&a->lock);
    p = open_port(v->vm, c->arg[0]);
    if (p != NULL) {
        was = c->arg[1] != 0 ? atomic_or(&a->masked[word], bit)
                             : atomic_and(&a->masked[word], ~bit);
        c->value[0] = (was & bit) != 0;
        /* An OR of nothing: a read that no bit of a raiser overtakes. */
        if (c->arg[1] == 0 && (was & bit) != 0 &&
            (guest_words_or(&a->pending, word, 0) & bit) != 0) {
            notify(p);
        }
    }
    unlock(&a->lock);
    return p != NULL ? ABI_OK : ABI_NOT_FOUND;
}

enum abi_status call_EVENT_WAIT(struct vcpu *v, struct call *c)
{
    (void)c;
    if (!atomic_swap(&v->event_due, false)) {
        arch_vcpu_wait(v);
    }
    return ABI_OK;
}

enum abi_status call_EVENT_TIMER(struct vcpu *v, struct call *c)
{
    struct abi_vm *a = v->vm->abi;
    uint64_t zero = arch_vm_clock_zero(v->vm);
    uint64_t deadline = c->arg[1] > UINT64_MAX - zero ? UINT64_MAX : c->arg[1] + zero;
    enum abi_status st = ABI_OK;
    struct port *p;

    lock(&a->lock);
    p = open_port(v->vm, c->arg[0]);
    if (p == NULL) {
        st = ABI_NOT_FOUND;
    } else if (p->source != ABI_SOURCE_TIMER) {
        st = ABI_BAD_STATE;
    } else if (c->arg[1] == 0) {
        timer_cancel(&p->timer);
    } else {
        timer_arm(&p->timer, deadline);
    }
    unlock(&a->lock);
    return st;
}
