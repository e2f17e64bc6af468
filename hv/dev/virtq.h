/*
 * Split virtqueues (virtio 1.2, 2.7), the device's side. The rings belong to a guest that may do
 * anything to them at any time: every index, address and length is read once and checked, chains
 * are bounded by the queue's size, and a queue whose rules are broken stops and says why.
 *
 * A device takes a chain in hand with virtq_pop, moves bytes with virtq_get and virtq_put, and
 * gives it back with virtq_push. A chain that is too long for one go stays in hand: pop returns it
 * again.
 */
#ifndef HV_DEV_VIRTQ_H
#define HV_DEV_VIRTQ_H

#include "hv/types.h"

#define VIRTQ_SIZE_MAX  128u
#define VIRTQ_NO_VECTOR 0xffffu

/* Work for one exit: descriptors, and KiB copied. What is left waits: vm_serve_soon. */
#define VIRTQ_BUDGET 1024

struct vm;

struct virtq_segment {
    uint64_t addr;
    uint32_t len;
};

/* A place in a chain: `left` bytes from `offset` in segment `segment` on. */
struct virtq_cursor {
    uint16_t segment;
    uint32_t offset;
    uint64_t left;
};

struct virtq {
    struct vm *vm;
    /* What the driver chose. */
    bool enabled;
    bool event_idx, indirect; /* negotiated */
    uint16_t size;            /* a power of two, up to VIRTQ_SIZE_MAX */
    uint16_t vector;
    uint64_t desc, driver, device; /* table, available ring, used ring */
    /* Progress. */
    uint16_t next_avail, next_used;
    uint16_t signalled; /* next_used when the driver was last told, or need not be */
    const char *broken; /* why; NULL: it is not */
    int32_t budget;
    /* The chain in hand: readable segments, then writable ones. */
    bool in_hand;
    uint16_t head;
    uint16_t segments, readable_segments;
    struct virtq_cursor out, in; /* to get, to put */
    uint32_t written;
    struct virtq_segment segment[VIRTQ_SIZE_MAX];
};

/* As after a device reset. */
void virtq_reset(struct virtq *q, struct vm *vm);

/* Checks what the driver chose and starts the queue, or tells why not. */
MUST_CHECK bool virtq_enable(struct virtq *q, const char **why);

/* True: a chain is in hand. False: none is available, the budget is used up, or it is broken. */
MUST_CHECK bool virtq_pop(struct virtq *q);

/* Bytes of the chain in hand that are left to read, or to write. */
static inline uint64_t virtq_readable(const struct virtq *q)
{
    return q->out.left;
}

static inline uint64_t virtq_writable(const struct virtq *q)
{
    return q->in.left;
}

/*
 * Copies the next len bytes out of the chain, or into it. False when it has fewer left (nothing
 * moved) or its memory is not the guest's to share (the queue is broken then).
 */
MUST_CHECK bool virtq_get(struct virtq *q, void *buf, size_t len);
MUST_CHECK bool virtq_put(struct virtq *q, const void *buf, size_t len);

/* Skips bytes to put, up to what is left; what is there stays. */
void virtq_skip(struct virtq *q, uint64_t len);

/* Gives the chain back, with the number of bytes put. False when the queue is broken. */
MUST_CHECK bool virtq_push(struct virtq *q);

/* Whether the driver wants to hear of what was pushed since this last said so. */
MUST_CHECK bool virtq_should_signal(struct virtq *q);

#endif
