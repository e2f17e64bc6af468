/* Registered buffers: the only guest memory that calls ever touch. */
#include "hv/abi.h"
#include "hv/check.h"
#include "hv/vm_priv.h"

static uint32_t handle_of(const struct abi_vm *a, const struct buffer *b)
{
    return b->generation << BUF_INDEX_BITS | (uint32_t)(b - a->buffer);
}

/* EXISTS: its bytes are another's; LIMIT: no place is free. */
static enum abi_status find_place(struct abi_vm *a, gpa_t at, uint64_t len, struct buffer **place)
{
    struct buffer *free = NULL;

    for (unsigned int i = 0; i < ABI_MAX_BUFFERS; i++) {
        struct buffer *b = &a->buffer[i];

        if (!b->live) {
            free = free == NULL ? b : free;
        } else if (at.v < b->at.v + b->len && b->at.v < at.v + len) {
            return ABI_EXISTS;
        }
    }
    *place = free;
    return free == NULL ? ABI_LIMIT : ABI_OK;
}

bool buf_hold(struct vm *vm, gpa_t at, uint64_t len)
{
    uint64_t start = ALIGN_DOWN(at.v, PAGE_SIZE), end = ALIGN_UP(at.v + len, PAGE_SIZE);
    struct abi_vm *a = vm->abi;
    struct buffer *place;

    lock(&a->lock);
    if (find_place(a, gpa(start), end - start, &place) == ABI_EXISTS) {
        unlock(&a->lock);
        return false;
    }
    return true;
}

void buf_let_go(struct vm *vm)
{
    unlock(&vm->abi->lock);
}

enum abi_status call_BUF_REGISTER(struct vcpu *v, struct call *c)
{
    struct abi_vm *a = v->vm->abi;
    gpa_t at = gpa(c->arg[0] & ~v->vm->shared_bit); /* both names of a byte are that byte's */
    struct buffer *b;
    enum abi_status st;

    lock(&a->lock);
    st = find_place(a, at, c->arg[1], &b);
    st = st == ABI_OK ? vm_mem_pin(v->vm, at, c->arg[1]) : st;
    if (st == ABI_OK) {
        uint32_t generation = (b->generation + 1) & (UINT32_MAX >> BUF_INDEX_BITS);

        *b = (struct buffer){
            .at = at,
            .len = (uint32_t)c->arg[1],
            .flags = (uint32_t)c->arg[2],
            .generation = generation == 0 ? 1 : generation,
            .live = true,
        };
        guest_span_at(v->vm, at, b->len, &b->span);
        c->value[0] = handle_of(a, b);
    }
    unlock(&a->lock);
    return st;
}

enum abi_status call_BUF_QUERY(struct vcpu *v, struct call *c)
{
    struct abi_vm *a = v->vm->abi;
    const struct buffer *b;

    lock(&a->lock);
    b = buf_find(a, c->arg[0]);
    if (b != NULL) {
        c->value[0] = b->at.v;
        c->value[1] = b->len;
        c->value[2] = b->flags | (uint64_t)load_once(&b->uses) << 32;
    }
    unlock(&a->lock);
    return b != NULL ? ABI_OK : ABI_NOT_FOUND;
}

enum abi_status call_BUF_UNREGISTER(struct vcpu *v, struct call *c)
{
    struct abi_vm *a = v->vm->abi;
    enum abi_status st = ABI_OK;
    struct buffer *b;

    lock(&a->lock);
    b = buf_find(a, c->arg[0]);
    if (b == NULL) {
        st = ABI_NOT_FOUND;
    } else if (load_acquire(&b->uses) != 0) {
        st = ABI_BUSY;
    } else {
        b->live = false;
        vm_mem_unpin(v->vm, b->at, b->len);
    }
    unlock(&a->lock);
    return st;
}

static enum abi_status check(const struct buffer *b, const struct buf_range *r)
{
    if (b == NULL) {
        return ABI_NOT_FOUND;
    }
    if (r->len > b->len || r->offset > b->len - r->len ||
        !IS_ALIGNED(b->at.v + r->offset, r->align)) {
        return ABI_BAD_ARG;
    }
    return r->write && (b->flags & ABI_BUF_READ_ONLY) != 0 ? ABI_DENIED : ABI_OK;
}

enum abi_status buf_acquire(struct vm *vm, const struct buf_range *r, gpa_t *at)
{
    struct abi_vm *a = vm->abi;
    enum abi_status st;
    struct buffer *b;

    lock(&a->lock);
    b = buf_find(a, r->handle);
    st = check(b, r);
    if (st == ABI_OK) {
        atomic_add(&b->uses, 1u);
        *at = gpa(b->at.v + r->offset);
    }
    unlock(&a->lock);
    return st;
}

void buf_release(struct vm *vm, uint32_t handle)
{
    struct buffer *b = buf_find(vm->abi, handle); /* in use: it stays */

    CHECK(b != NULL && atomic_sub(&b->uses, 1u) > 0);
}

void buf_destroy_all(struct vm *vm)
{
    struct abi_vm *a = vm->abi;

    for (unsigned int i = 0; i < ABI_MAX_BUFFERS; i++) {
        struct buffer *b = &a->buffer[i];

        if (b->live) {
            CHECK(b->uses == 0);
            b->live = false;
            vm_mem_unpin(vm, b->at, b->len);
        }
    }
}
