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
    case ABI_CONTROL_PING:
        return ABI_OK;
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

static enum abi_status handle(struct vm *vm, gpa_t at, uint32_t len, uint64_t *answered)
{
    struct abi_vm *a = vm->abi;
    struct request r = {.by = vm};
    enum abi_status st = guestmem_read(vm, at, a->message, len);

    if (st != ABI_OK) {
        return st;
    }
    memcpy(&r.head, a->message, sizeof(r.head));
    if ((r.head.reserved[0] | r.head.reserved[1]) != 0) {
        return ABI_RESERVED_BITS;
    }
    if (r.head.id == 0 || r.head.operation > ABI_CONTROL_CREATE) {
        return ABI_BAD_FORMAT;
    }
    if (repeats(a, &r.head)) {
        return a->control_status;
    }
    r.more = a->message + sizeof(r.head);
    r.more_len = len - (uint32_t)sizeof(r.head);
    r.answer = (struct abi_control_domain *)(void *)a->message;
    r.room = len / (uint32_t)sizeof(*r.answer);
    vms_lock();
    st = act(&r);
    vms_unlock();
    a->control_id = r.head.id;
    a->control_status = st;
    *answered = r.told * sizeof(*r.answer);
    return st == ABI_OK && r.told > 0 ? guestmem_write(vm, at, a->message, *answered) : st;
}

enum abi_status call_VM_CONTROL(struct vcpu *v, struct call *c)
{
    struct abi_vm *a = v->vm->abi;
    struct buf_range r = {
        .handle = (uint32_t)c->arg[0],
        .offset = c->arg[1],
        .len = c->arg[2],
        .align = 8,
        .write = true,
    };
    enum abi_status st;
    gpa_t at;

    st = buf_acquire(v->vm, &r, &at);
    if (st != ABI_OK) {
        return st;
    }
    lock(&a->control_lock);
    if (a->message == NULL) {
        a->message = vm_alloc(v->vm, ABI_MAX_MESSAGE_BYTES);
    }
    st = a->message == NULL ? ABI_NO_MEMORY
                            : handle(v->vm, at, (uint32_t)r.len, &c->value[0]);
    unlock(&a->control_lock);
    buf_release(v->vm, r.handle);
    return st;
}
