/* No guest here takes a page away from the hypervisor. */
#ifndef ARCH_IMPL_GUEST_ACCESS_H
#define ARCH_IMPL_GUEST_ACCESS_H

#include "arch/barrier.h"
#include "arch/string.h"

static inline bool arch_guest_copy(void *dst, const void *src, size_t n)
{
    arch_copy(dst, src, n);
    return true;
}

static inline bool arch_guest_fill(void *dst, uint8_t byte, size_t n)
{
    arch_fill(dst, byte, n);
    return true;
}

static inline bool arch_guest_load16(const uint16_t *at, uint16_t *value)
{
    *value = load_acquire(at);
    return true;
}

static inline bool arch_guest_load32(const uint32_t *at, uint32_t *value)
{
    *value = load_acquire(at);
    return true;
}

static inline bool arch_guest_store16(uint16_t *at, uint16_t value)
{
    store_release(at, value);
    return true;
}

static inline bool arch_guest_store32(uint32_t *at, uint32_t value)
{
    store_release(at, value);
    return true;
}

static inline bool arch_guest_store64(uint64_t *at, uint64_t value)
{
    store_release(at, value);
    return true;
}

#endif
