/*
 * A ring of control requests in one of the caller's buffers. What waits there is answered one by
 * one, each in its slot, and counted only then: who loses its place reads it from the ring.
 */
#include "hv/abi.h"
#include "hv/control.h"
#include "hv/string.h"
#include "hv/vm_priv.h"

#define CONSUMED offsetof(struct abi_request_ring, consumed)

static enum abi_status check_part(const struct abi_buffer_part *p)
{
    if (p->reserved != 0 || p->to != 0) {
        return ABI_RESERVED_BITS;
    }
    return p->length < sizeof(struct abi_request_ring) + sizeof(struct abi_request_slot)
               ? ABI_BAD_ARG
               : ABI_OK;
}

static enum abi_status check_head(const struct abi_request_ring *ring, uint64_t length)
{
    uint32_t bits = 0;

    for (unsigned int i = 0; i < ARRAY_SIZE(ring->reserved); i++) {
        bits |= ring->reserved[i];
    }
    if (bits != 0) {
        return ABI_RESERVED_BITS;
    }
    if (ring->slots == 0 || ring->slots > ABI_MAX_RING_SLOTS ||
        (ring->slots & (ring->slots - 1)) != 0 ||
        length != sizeof(*ring) + ring->slots * sizeof(struct abi_request_slot) ||
        ring->produced - ring->consumed > ring->slots) {
        return ABI_BAD_FORMAT;
    }
    return ABI_OK;
}

static enum abi_status check_slot(const struct abi_request_slot *slot)
{
    if (slot->status != 0 || slot->reserved != 0) {
        return ABI_RESERVED_BITS;
    }
    return slot->length > sizeof(slot->data) || slot->operation == ABI_CONTROL_RING
               ? ABI_BAD_FORMAT
               : ABI_OK;
}

/* The slot is a copy. The answer replaces the request's data; of a failure, the reason does. */
static void answer_slot(struct vm *vm, struct abi_request_slot *slot)
{
    struct request r = {
        .by = vm,
        .head = {.id = slot->id, .operation = slot->operation, .domain = slot->domain},
        .more = slot->data,
        .more_len = slot->length,
        .answer = slot->data,
        .room = sizeof(slot->data),
    };
    enum abi_status st = control_answer(&r, check_slot(slot));

    memset(slot->data + r.told, 0, sizeof(slot->data) - r.told);
    slot->status = st;
    slot->length = r.told;
    slot->reserved = 0;
}

static enum abi_status serve_slot(struct vm *vm, gpa_t ring, uint32_t slots, uint32_t n)
{
    struct abi_request_slot slot;
    gpa_t at = gpa(ring.v + sizeof(struct abi_request_ring) + n % slots * sizeof(slot));
    enum abi_status st = guestmem_read(vm, at, &slot, sizeof(slot));

    if (st != ABI_OK) {
        return st;
    }
    answer_slot(vm, &slot);
    st = guestmem_write(vm, at, &slot, sizeof(slot));
    return st == ABI_OK ? guestmem_store32(vm, gpa(ring.v + CONSUMED), n + 1) : st;
}

static enum abi_status serve_ring(struct vm *vm, gpa_t ring, uint64_t length)
{
    struct abi_request_ring head;
    enum abi_status st = guestmem_read(vm, ring, &head, sizeof(head));

    st = st == ABI_OK ? check_head(&head, length) : st;
    while (st == ABI_OK && head.consumed != head.produced) {
        st = serve_slot(vm, ring, head.slots, head.consumed++);
    }
    return st;
}

enum abi_status control_ring(struct request *r)
{
    struct abi_buffer_part p;
    struct buf_range range;
    enum abi_status st = control_more(r, &p, sizeof(p));
    gpa_t at;

    st = st == ABI_OK ? check_part(&p) : st;
    if (st != ABI_OK) {
        return st;
    }
    range = (struct buf_range){p.handle, p.offset, p.length, 8, true};
    st = buf_acquire(r->by, &range, &at);
    if (st == ABI_OK) {
        st = serve_ring(r->by, at, p.length);
        buf_release(r->by, p.handle);
    }
    return st;
}
