#include "virtq.h"

#include "arch/barrier.h"
#include "bytes.h"
#include "hv/check.h"
#include "hv/guestmem.h"
#include "hv/string.h"

/* 2.7.5: descriptors. */
#define DESC_SIZE       16u
#define DESC_F_NEXT     1u
#define DESC_F_WRITE    2u
#define DESC_F_INDIRECT 4u

/* 2.7.6, 2.7.8: both rings begin with le16 flags and le16 idx. */
#define RING_IDX             2u
#define RING_ENTRIES         4u
#define AVAIL_F_NO_INTERRUPT 1u
#define AVAIL_ENTRY_SIZE     2u
#define USED_ENTRY_SIZE      8u
#define ADDRESS_LIMIT        BIT(52) /* keeps sums far from wrapping */

#define COST_SHIFT 10 /* bytes per unit of budget */

struct descriptor {
    uint64_t addr;
    uint32_t len;
    uint16_t flags, next;
};

static bool fail(struct virtq *q, const char *why)
{
    if (q->broken == NULL) {
        q->broken = why;
    }
    q->in_hand = false;
    return false;
}

static bool load16(struct virtq *q, uint64_t at, uint16_t *value)
{
    if (guestmem_load16(q->vm, gpa(at), value) != ABI_OK) {
        return fail(q, "a ring is not in shared memory");
    }
    return true;
}

static bool store16(struct virtq *q, uint64_t at, uint16_t value)
{
    if (guestmem_store16(q->vm, gpa(at), value) != ABI_OK) {
        return fail(q, "a ring is not in shared memory");
    }
    return true;
}

void virtq_reset(struct virtq *q, struct vm *vm)
{
    memset(q, 0, offsetof(struct virtq, segment));
    q->vm = vm;
    q->size = VIRTQ_SIZE_MAX;
    q->vector = VIRTQ_NO_VECTOR;
}

bool virtq_enable(struct virtq *q, const char **why)
{
    if (q->size == 0 || q->size > VIRTQ_SIZE_MAX || (q->size & (q->size - 1)) != 0) {
        *why = "its size is no power of two";
    } else if (!IS_ALIGNED(q->desc, 16) || !IS_ALIGNED(q->driver, 2) || !IS_ALIGNED(q->device, 4)) {
        *why = "a ring is misaligned";
    } else if (q->desc >= ADDRESS_LIMIT || q->driver >= ADDRESS_LIMIT ||
               q->device >= ADDRESS_LIMIT) {
        *why = "a ring is out of the address space";
    } else {
        q->enabled = true;
        return true;
    }
    return false;
}

/*
 * 2.7.10: with event indices the driver kicks when it passes avail_event. It may have done so just
 * before we wrote it, hence the second look.
 */
static bool arm(struct virtq *q, uint16_t *idx)
{
    if (!q->event_idx) {
        return true;
    }
    if (!store16(q, q->device + RING_ENTRIES + (uint64_t)USED_ENTRY_SIZE * q->size,
                 q->next_avail)) {
        return false;
    }
    full_barrier();
    return load16(q, q->driver + RING_IDX, idx);
}

/* The next available head. False: none, or broken. */
static bool next_head(struct virtq *q, uint16_t *head)
{
    uint16_t idx;

    if (!load16(q, q->driver + RING_IDX, &idx)) {
        return false;
    }
    if (idx == q->next_avail && !arm(q, &idx)) {
        return false;
    }
    if (idx == q->next_avail) {
        return false;
    }
    if ((uint16_t)(idx - q->next_avail) > q->size) {
        return fail(q, "more is available than the queue holds");
    }
    if (!load16(q, q->driver + RING_ENTRIES + AVAIL_ENTRY_SIZE * (q->next_avail & (q->size - 1)),
                head)) {
        return false;
    }
    return *head < q->size || fail(q, "a head is out of range");
}

static bool read_descriptor(struct virtq *q, uint64_t table, uint32_t index, struct descriptor *d)
{
    uint8_t raw[DESC_SIZE];

    if (guestmem_read(q->vm, gpa(table + (uint64_t)index * DESC_SIZE), raw, sizeof(raw)) !=
        ABI_OK) {
        return fail(q, "a descriptor is not in shared memory");
    }
    d->addr = get_le64(raw);
    d->len = get_le32(raw + 8);
    d->flags = get_le16(raw + 12);
    d->next = get_le16(raw + 14);
    q->budget--;
    return true;
}

static bool add_segment(struct virtq *q, const struct descriptor *d)
{
    bool writable = (d->flags & DESC_F_WRITE) != 0;

    if (q->segments == q->size) {
        return fail(q, "a chain is longer than the queue");
    }
    if (d->addr >= ADDRESS_LIMIT) {
        return fail(q, "a buffer is out of the address space");
    }
    q->segment[q->segments].addr = d->addr;
    q->segment[q->segments].len = d->len;
    q->segments++;
    if (writable) {
        q->in.left += d->len;
        return true;
    }
    if (q->readable_segments + 1 != q->segments) {
        return fail(q, "a readable buffer follows a writable one");
    }
    q->readable_segments++;
    q->out.left += d->len;
    return true;
}

/* 2.7.5.3: the table's length is a multiple of 16; it is the chain's end, and does not nest. */
static bool enter_indirect(struct virtq *q, const struct descriptor *d, uint32_t *entries)
{
    if (!q->indirect) {
        return fail(q, "an indirect descriptor was not negotiated");
    }
    if ((d->flags & DESC_F_NEXT) != 0) {
        return fail(q, "an indirect descriptor has a next one");
    }
    if (d->len == 0 || d->len % DESC_SIZE != 0 || d->len / DESC_SIZE > q->size ||
        d->addr >= ADDRESS_LIMIT) {
        return fail(q, "an indirect table has a bad size");
    }
    *entries = d->len / DESC_SIZE;
    return true;
}

/* Every round but one adds a segment, of which a queue holds q->size: no loop is endless. */
static bool walk(struct virtq *q)
{
    uint64_t table = q->desc;
    uint32_t entries = q->size;
    uint32_t index = q->head;
    bool in_table = false;
    struct descriptor d;

    for (;;) {
        if (!read_descriptor(q, table, index, &d)) {
            return false;
        }
        if ((d.flags & DESC_F_INDIRECT) != 0) {
            if (in_table) {
                return fail(q, "an indirect table nests");
            }
            if (!enter_indirect(q, &d, &entries)) {
                return false;
            }
            in_table = true;
            table = d.addr;
            index = 0;
            continue;
        }
        if (!add_segment(q, &d)) {
            return false;
        }
        if ((d.flags & DESC_F_NEXT) == 0) {
            return true;
        }
        index = d.next;
        if (index >= entries) {
            return fail(q, "a descriptor's next is out of range");
        }
    }
}

bool virtq_pop(struct virtq *q)
{
    if (q->broken != NULL || q->budget <= 0) {
        return false;
    }
    if (q->in_hand) {
        return true;
    }
    if (!next_head(q, &q->head)) {
        return false;
    }
    q->segments = 0;
    q->readable_segments = 0;
    q->written = 0;
    q->out = (struct virtq_cursor){0};
    q->in = (struct virtq_cursor){0};
    if (!walk(q)) {
        return false;
    }
    q->in.segment = q->readable_segments;
    q->next_avail++;
    q->in_hand = true;
    return true;
}

/* The longest piece at a cursor, up to max, moved past; 0 only at the end. */
static uint32_t advance(struct virtq *q, struct virtq_cursor *c, size_t max, uint64_t *addr)
{
    const struct virtq_segment *s = &q->segment[c->segment];
    uint32_t n;

    while (c->left > 0 && c->offset == s->len) {
        s = &q->segment[++c->segment];
        c->offset = 0;
    }
    n = (uint32_t)MIN(MIN((uint64_t)max, c->left), (uint64_t)(s->len - c->offset));
    *addr = s->addr + c->offset;
    c->offset += n;
    c->left -= n;
    q->budget -= 1 + (int32_t)(n >> COST_SHIFT);
    return n;
}

bool virtq_get(struct virtq *q, void *buf, size_t len)
{
    uint8_t *p = buf;
    uint64_t addr;

    if (!q->in_hand || len > q->out.left) {
        return false;
    }
    while (len > 0) {
        uint32_t n = advance(q, &q->out, len, &addr);

        if (guestmem_read(q->vm, gpa(addr), p, n) != ABI_OK) {
            return fail(q, "a readable buffer is not in shared memory");
        }
        p += n;
        len -= n;
    }
    return true;
}

bool virtq_put(struct virtq *q, const void *buf, size_t len)
{
    const uint8_t *p = buf;
    uint64_t addr;

    if (!q->in_hand || len > q->in.left) {
        return false;
    }
    while (len > 0) {
        uint32_t n = advance(q, &q->in, len, &addr);

        if (guestmem_write(q->vm, gpa(addr), p, n) != ABI_OK) {
            return fail(q, "a writable buffer is not in shared memory");
        }
        p += n;
        len -= n;
        q->written += n;
    }
    return true;
}

void virtq_skip(struct virtq *q, uint64_t len)
{
    uint64_t addr;

    for (len = MIN(len, q->in.left); len > 0;) {
        len -= advance(q, &q->in, len, &addr);
    }
}

bool virtq_push(struct virtq *q)
{
    uint64_t entry =
        q->device + RING_ENTRIES + (uint64_t)USED_ENTRY_SIZE * (q->next_used & (q->size - 1));
    uint8_t raw[USED_ENTRY_SIZE];

    if (!q->in_hand) {
        return false;
    }
    put_le32(raw, q->head);
    put_le32(raw + 4, q->written);
    if (guestmem_write(q->vm, gpa(entry), raw, sizeof(raw)) != ABI_OK) {
        return fail(q, "a ring is not in shared memory");
    }
    q->in_hand = false;
    q->next_used++;
    return store16(q, q->device + RING_IDX, q->next_used);
}

/* 2.7.7, 2.7.10: wanted when used_event lies in what was pushed since the last signal. */
bool virtq_should_signal(struct virtq *q)
{
    uint16_t old = q->signalled;
    uint16_t wish;

    if (old == q->next_used || q->broken != NULL) {
        return false;
    }
    q->signalled = q->next_used;
    full_barrier();
    if (!q->event_idx) {
        return load16(q, q->driver, &wish) && (wish & AVAIL_F_NO_INTERRUPT) == 0;
    }
    return load16(q, q->driver + RING_ENTRIES + AVAIL_ENTRY_SIZE * q->size, &wish) &&
           (uint16_t)(q->next_used - wish - 1) < (uint16_t)(q->next_used - old);
}
