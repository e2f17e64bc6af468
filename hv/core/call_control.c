/*
 * Control of other domains, for one that holds the capability. A request is copied once, done at
 * once and under the table's lock, and answered: what was acknowledged has happened, whatever
 * becomes of who asked.
 */
#include "hv/abi.h"
#include "hv/string.h"
#include "hv/vm_priv.h"

/* One request, wholly here. The answer replaces it. */
struct request {
    struct vm *by;
    struct abi_control head;
    const uint8_t *more;
    uint32_t more_len;
    struct abi_control_domain *answer;
    uint32_t room; /* how many fit */
    uint32_t told;
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

    do {
        n.vm = NULL;
        vm_for_each(find_next, &n);
        if (n.vm != NULL && r->told < r->room) {
            describe(n.vm, &r->answer[r->told++]);
            n.after = n.vm->id;
        }
    } while (n.vm != NULL && r->told < r->room);
    return ABI_OK;
}

static enum abi_status statistics(struct request *r, struct vm *vm)
{
    if (r->room == 0) {
        return ABI_BAD_ARG;
    }
    describe(vm, &r->answer[0]);
    r->told = 1;
    return ABI_OK;
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
    case ABI_CONTROL_DESTROY:
        vm_end(vm, VM_DESTROYED, "by domain %s", r->by->name);
        return ABI_OK;
    case ABI_CONTROL_CONSOLE:
        stream_input(vm, STREAM_CONSOLE, r->more, r->more_len);
        return ABI_OK;
    default:
        return ABI_BAD_FORMAT;
    }
}

/* The table's lock is held: nobody goes meanwhile. */
static enum abi_status act(struct request *r)
{
    struct vm *vm;

    switch (r->head.operation) {
    case ABI_CONTROL_LIST:
        return list(r);
    case ABI_CONTROL_CREATE:
        return ABI_NOT_BUILT;
    default:
        vm = r->head.domain > UINT16_MAX ? NULL : vm_by_id((uint16_t)r->head.domain);
        if (vm == NULL) {
            return ABI_NOT_FOUND;
        }
        return vm == r->by ? ABI_DENIED : of_a_domain(r, vm);
    }
}

/* Reading twice harms nobody; all else is done once. */
static bool repeats(const struct abi_vm *a, const struct abi_control *head)
{
    return head->id == a->control_id && head->operation != ABI_CONTROL_LIST &&
           head->operation != ABI_CONTROL_STATISTICS;
}

/* The control lock is held; the request is in a->message. */
static enum abi_status perform(struct vm *vm, uint32_t len, uint32_t *told)
{
    struct abi_vm *a = vm->abi;
    struct request r = {
        .by = vm,
        .more = a->message + sizeof(r.head),
        .more_len = len - (uint32_t)sizeof(r.head),
        .answer = (struct abi_control_domain *)(void *)a->message,
        .room = len / (uint32_t)sizeof(*r.answer),
    };
    enum abi_status st;

    memcpy(&r.head, a->message, sizeof(r.head));
    if (repeats(a, &r.head)) {
        return a->control_status;
    }
    vms_lock();
    st = act(&r);
    vms_unlock();
    a->control_id = r.head.id;
    a->control_status = st;
    *told = r.told;
    return st;
}

static enum abi_status check(const struct abi_control *head)
{
    if ((head->reserved[0] | head->reserved[1]) != 0) {
        return ABI_RESERVED_BITS;
    }
    return head->id == 0 || head->operation > ABI_CONTROL_CREATE ? ABI_BAD_FORMAT : ABI_OK;
}

static enum abi_status answer(struct vm *vm, const struct buf_range *r, uint32_t told,
                              uint64_t *bytes)
{
    gpa_t at;
    enum abi_status st = buf_acquire(vm, r, &at);

    if (st == ABI_OK) {
        *bytes = told * sizeof(struct abi_control_domain);
        st = guestmem_write(vm, at, vm->abi->message, *bytes);
        buf_release(vm, r->handle);
    }
    return st;
}

/* Not inlined: PING, and what is malformed, need none of the registers that this saves. */
__attribute__((noinline)) static enum abi_status serve(struct vm *vm, struct call *c)
{
    struct buf_range r = {
        .handle = (uint32_t)c->arg[0],
        .offset = c->arg[1],
        .len = c->arg[2],
        .align = 1,
        .write = true,
    };
    struct abi_vm *a = vm->abi;
    uint32_t told = 0;
    enum abi_status st;

    a->idle = NULL;
    unlock(&a->lock);
    st = perform(vm, (uint32_t)r.len, &told);
    st = st == ABI_OK && told > 0 ? answer(vm, &r, told, &c->value[0]) : st;
    lock(&a->lock);
    a->idle = a->message;
    unlock(&a->lock);
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

        st = check(head);
        if (st == ABI_OK && head->operation != ABI_CONTROL_PING) {
            return serve(vm, c); /* lets go of the lock meanwhile, and at its end */
        }
    }
    unlock(&a->lock);
    return st;
}
