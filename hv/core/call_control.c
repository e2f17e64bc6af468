/*
 * Control of other domains, for one that holds the capability. A request is copied once, done at
 * once, and answered: what was acknowledged has happened, whatever becomes of who asked. A request
 * that comes again is answered from the journal, also when whoever asks has been restarted since.
 */
#include "hv/control.h"

#include "hv/abi.h"
#include "hv/string.h"
#include "hv/vm_priv.h"

#define ABI_CONTROL(name, number, feature, since, meaning)                                         \
    [number] = {ABI_FEATURE_##feature, since},
static const struct {
    uint8_t feature;
    uint32_t since;
} operations[] = {
#include "abi/control.def"
};

static void describe(const struct vm *vm, struct abi_control_domain *d)
{
    memset(d, 0, sizeof(*d));
    d->id = vm->id;
    d->state = (uint32_t)load_acquire(&vm->state);
    d->vcpus = vm->vcpus;
    d->kind = (uint32_t)vm->cc;
    d->memory = vm_memory(vm);
    for (uint32_t i = 0; i < vm->vcpus; i++) {
        d->ran += load_once(&vm->vcpu[i]->ran);
        d->exits += load_once(&vm->vcpu[i]->exits);
    }
    memcpy(d->name, vm->name, strlen(vm->name));
}

/* Room for one more in the answer; NULL: there is none. */
static struct abi_control_domain *next_domain(struct request *r)
{
    struct abi_control_domain *d = (void *)(r->answer + r->told);

    if (r->room - r->told < sizeof(*d)) {
        return NULL;
    }
    r->told += (uint32_t)sizeof(*d);
    return d;
}

struct next {
    uint32_t after;
    struct vm *vm;
};

static void find_next(struct vm *vm, void *arg)
{
    struct next *n = arg;

    if (vm->id > n->after && (n->vm == NULL || vm->id < n->vm->id)) {
        n->vm = vm;
    }
}

static enum abi_status list(struct request *r)
{
    struct next n = {r->head.domain, NULL};
    struct abi_control_domain *d;

    do {
        n.vm = NULL;
        vm_for_each(find_next, &n);
        d = n.vm == NULL ? NULL : next_domain(r);
        if (d != NULL) {
            describe(n.vm, d);
            n.after = n.vm->id;
        }
    } while (d != NULL);
    return ABI_OK;
}

static enum abi_status statistics(struct request *r, struct vm *vm)
{
    struct abi_control_domain *d = next_domain(r);

    if (d == NULL) {
        return ABI_BAD_ARG;
    }
    describe(vm, d);
    return ABI_OK;
}

enum abi_status control_describe(struct request *r, uint32_t id)
{
    struct abi_control_domain *d = next_domain(r);
    const struct vm *vm;

    if (d == NULL) {
        return ABI_OK; /* LIST tells it, too */
    }
    vms_lock();
    vm = vm_by_id((uint16_t)id);
    if (vm != NULL) {
        describe(vm, d);
    } else {
        *d = (struct abi_control_domain){.id = id, .state = VM_ENDED};
    }
    vms_unlock();
    return ABI_OK;
}

enum abi_status control_more(const struct request *r, void *to, uint32_t size)
{
    if (r->more_len < size) {
        return ABI_BAD_ARG;
    }
    memcpy(to, r->more, size);
    return ABI_OK;
}

static enum abi_status console_output(struct request *r, struct vm *vm)
{
    struct abi_console_part part;
    enum abi_status st = control_more(r, &part, sizeof(part));

    if (st != ABI_OK) {
        return st;
    }
    if (part.reserved != 0) {
        return ABI_RESERVED_BITS;
    }
    if (r->room < sizeof(part)) {
        return ABI_BAD_ARG;
    }
    st = stream_output(vm, &part.at, r->answer + sizeof(part), r->room - sizeof(part), &r->told);
    if (st == ABI_OK) {
        memcpy(r->answer, &part, sizeof(part));
        r->told += (uint32_t)sizeof(part);
    }
    return st;
}

static enum abi_status of_a_domain(struct request *r, struct vm *vm)
{
    switch (r->head.operation) {
    case ABI_CONTROL_STATISTICS:
        return statistics(r, vm);
    case ABI_CONTROL_PAUSE:
        vm_pause(vm);
        return ABI_OK;
    case ABI_CONTROL_RESUME:
        vm_resume(vm);
        return ABI_OK;
    case ABI_CONTROL_STOP:
        vm_stop(vm, "stopped by domain %s", r->by->name);
        return ABI_OK;
    case ABI_CONTROL_DESTROY:
        vm_end(vm, VM_DESTROYED, "by domain %s", r->by->name);
        return ABI_OK;
    case ABI_CONTROL_CONSOLE:
        stream_input(vm, STREAM_CONSOLE, r->more, r->more_len);
        return ABI_OK;
    case ABI_CONTROL_CONSOLE_OUTPUT:
        return console_output(r, vm);
    default:
        return vm_start_built(vm); /* START, the only one left: see act() */
    }
}

/* With the table's lock: nobody goes meanwhile. */
static enum abi_status of_domains(struct request *r)
{
    struct vm *vm;
    enum abi_status st;

    vms_lock();
    if (r->head.operation == ABI_CONTROL_LIST) {
        st = list(r);
    } else {
        vm = r->head.domain > UINT16_MAX ? NULL : vm_by_id((uint16_t)r->head.domain);
        st = vm == NULL ? ABI_NOT_FOUND : vm == r->by ? ABI_DENIED : of_a_domain(r, vm);
    }
    vms_unlock();
    return st;
}

static enum abi_status act(struct request *r)
{
    switch (r->head.operation) {
    case ABI_CONTROL_PING:
        return ABI_OK;
    case ABI_CONTROL_CREATE:
        return ABI_NOT_BUILT; /* BUILD is how 1.1 does it */
    case ABI_CONTROL_RING:
        return control_ring(r);
    case ABI_CONTROL_STAGE:
        return control_stage(r);
    case ABI_CONTROL_LOAD:
        return control_load(r);
    case ABI_CONTROL_BUILD:
        return control_build(r);
    case ABI_CONTROL_FILL:
        return control_fill(r);
    default:
        return of_domains(r);
    }
}

/* Doing them twice harms nobody; all else is done once. */
static bool may_repeat(uint32_t operation)
{
    switch (operation) {
    case ABI_CONTROL_PING:
    case ABI_CONTROL_LIST:
    case ABI_CONTROL_STATISTICS:
    case ABI_CONTROL_RING:
    case ABI_CONTROL_STAGE:
    case ABI_CONTROL_LOAD:
    case ABI_CONTROL_CONSOLE_OUTPUT:
    case ABI_CONTROL_FILL:
        return true;
    default:
        return false;
    }
}

static enum abi_status check(const struct request *r)
{
    const struct vm *vm = r->by;

    if (r->head.id == 0 || r->head.operation >= ARRAY_SIZE(operations) ||
        operations[r->head.operation].since > vm->abi_version) {
        return ABI_BAD_FORMAT;
    }
    return (vm->abi_features >> operations[r->head.operation].feature & 1) != 0 ? ABI_OK
                                                                               : ABI_DENIED;
}

/* What was done before. In 1.0, whatever had the id; then, the id of another request is taken. */
static enum abi_status again(struct request *r, const struct journal *j, const struct answer *a)
{
    if (!j->old && (a->operation != r->head.operation || a->domain != r->head.domain)) {
        return ABI_EXISTS;
    }
    return a->made != 0 ? control_describe(r, a->made) : a->status;
}

void control_perform(struct request *r)
{
    struct journal *j = r->by->abi->journal;
    bool repeat = may_repeat(r->head.operation);
    const struct answer *a;

    r->head.status = check(r);
    if (r->head.status != ABI_OK) {
        return;
    }
    a = repeat ? NULL : journal_find(j, r->head.id);
    if (a != NULL) {
        r->head.status = again(r, j, a);
        return;
    }
    r->head.status = act(r);
    if (!repeat || j->old) {
        journal_add(j, &r->head);
    }
}

enum abi_status control_answer(struct request *r, enum abi_status st)
{
    if (st == ABI_OK) {
        control_perform(r);
        st = r->head.status;
    }
    if (st != ABI_OK) {
        r->told = (uint32_t)MIN(strlen(r->why), (size_t)r->room);
        memcpy(r->answer, r->why, r->told);
    }
    return st;
}

static enum abi_status send_back(struct vm *vm, const struct buf_range *to, const struct request *r)
{
    gpa_t at;
    enum abi_status st = buf_acquire(vm, to, &at);

    if (st == ABI_OK) {
        st = guestmem_write(vm, at, r->answer, r->told);
        buf_release(vm, to->handle);
    }
    return st;
}

/* Nobody else has a->message now; the answer overwrites the request there. */
static enum abi_status perform(struct vm *vm, const struct buf_range *from, uint64_t *told)
{
    uint8_t *message = vm->abi->message;
    const struct abi_control *head = (const void *)message;
    struct request r = {
        .by = vm,
        .head = {.id = head->id, .operation = head->operation, .domain = head->domain},
        .more = message + sizeof(*head),
        .more_len = (uint32_t)(from->len - sizeof(*head)),
        .answer = message,
        .room = (uint32_t)from->len,
    };

    control_perform(&r);
    if (r.head.status == ABI_OK && r.told > 0) {
        *told = r.told;
        return send_back(vm, from, &r);
    }
    return r.head.status;
}

void control_end(struct vm *vm)
{
    struct abi_vm *a = vm->abi;

    lock(&a->lock);
    a->idle = a->message;
    unlock(&a->lock);
    if (a->control_port != NULL) {
        vm_serve_soon(vm); /* one may have come there meanwhile */
    }
}

/* Not inlined: PING, and what is malformed, need none of the registers that this saves. */
__attribute__((noinline)) static enum abi_status serve(struct vm *vm, struct call *c)
{
    struct buf_range r = buf_of_call(c, c->arg[2], 1);
    enum abi_status st;

    vm->abi->idle = NULL;
    unlock(&vm->abi->lock);
    st = perform(vm, &r, &c->value[0]);
    control_end(vm);
    return st;
}

/* The first request, or one while another is under way. */
__attribute__((noinline)) static enum abi_status make_room(struct vm *vm)
{
    struct abi_vm *a = vm->abi;

    if (a->message != NULL) {
        return ABI_BUSY;
    }
    a->message = vm_alloc(vm, ABI_MAX_MESSAGE_BYTES);
    a->idle = a->message;
    return a->message == NULL ? ABI_NO_MEMORY : ABI_OK;
}

bool control_begin(struct vm *vm)
{
    struct abi_vm *a = vm->abi;
    bool ok;

    lock(&a->lock);
    ok = a->idle != NULL;
    a->idle = NULL;
    unlock(&a->lock);
    return ok;
}

static enum abi_status take_message(struct vm *vm, struct abi_vm *a, const struct call *c)
{
    if (UNLIKELY(a->idle == NULL)) {
        enum abi_status st = make_room(vm);

        if (st != ABI_OK) {
            return st;
        }
    }
    return buf_read_locked(vm, a, c->arg[0], c->arg[1], c->arg[2], a->idle);
}

/* Copied, checked, done, answered. PING ends after the check: there is nothing to do. */
enum abi_status call_VM_CONTROL(struct vcpu *v, struct call *c)
{
    struct vm *vm = v->vm;
    struct abi_vm *a = vm->abi;
    enum abi_status st;

    lock(&a->lock);
    st = take_message(vm, a, c);
    if (LIKELY(st == ABI_OK)) {
        const struct abi_control *head = (const struct abi_control *)(const void *)a->idle;

        if ((head->reserved[0] | head->reserved[1]) != 0) {
            st = ABI_RESERVED_BITS;
        } else if (head->id == 0 || head->operation != ABI_CONTROL_PING) {
            return serve(vm, c); /* lets go of the lock meanwhile, and at its end */
        }
    }
    unlock(&a->lock);
    return st;
}
