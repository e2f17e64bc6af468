/*
 * Registered memory that is reached without looking up where it is: for the few paths that must be
 * short. Beside guestmem.c this is the one place that touches guest memory. Its users keep pinned
 * what they registered: the guest ABI (hv/abi.h) its buffers, cc/snp each vCPU's GHCB.
 */
#ifndef HV_GUESTSPAN_H
#define HV_GUESTSPAN_H

#include "arch/barrier.h"
#include "arch/string.h"
#include "hv/types.h"

struct vm;

/*
 * Nobody but this file and guestmem.c looks inside. The words stay where they are as long as the
 * buffer is registered; `bytes` of them lie in one page.
 */
struct guest_words {
    void *inside;
};
MUST_CHECK enum abi_status guest_words_at(struct vm *vm, gpa_t at, size_t bytes,
                                          struct guest_words *w);
/*
 * All of a registered buffer, when it lies in one piece of the host's memory: guest_span_here says
 * whether it does, and guest_span_read copies a range that is inside the buffer.
 */
void guest_span_at(struct vm *vm, gpa_t at, size_t len, struct guest_words *w);
static inline bool guest_span_here(const struct guest_words *w)
{
    return w->inside != NULL;
}
static inline void guest_span_read(const struct guest_words *w, uint64_t offset, void *dst,
                                   size_t len)
{
    arch_copy(dst, (const uint8_t *)w->inside + offset, len);
}

static inline void guest_span_write(const struct guest_words *w, uint64_t offset, const void *src,
                                    size_t len)
{
    arch_copy((uint8_t *)w->inside + offset, src, len);
}

static inline void guest_span_forget(struct guest_words *w)
{
    w->inside = NULL;
}

/* Each word at once, in no order with others. */
static inline uint64_t guest_words_get(const struct guest_words *w, unsigned int index)
{
    return load_once((const uint64_t *)w->inside + index);
}

static inline void guest_words_set(const struct guest_words *w, unsigned int index, uint64_t value)
{
    store_once((uint64_t *)w->inside + index, value);
}

/* Atomic, sequentially consistent; the word as it was. */
static inline uint64_t guest_words_or(const struct guest_words *w, unsigned int index,
                                      uint64_t bits)
{
    return atomic_or((uint64_t *)w->inside + index, bits);
}

static inline uint64_t guest_words_and(const struct guest_words *w, unsigned int index,
                                       uint64_t bits)
{
    return atomic_and((uint64_t *)w->inside + index, bits);
}

#endif
