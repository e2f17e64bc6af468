/*
 * RAM that a test may hide, but not while it is accessed. A guest's CPUs may race for it as they
 * like: each byte is atomic, so a thread sanitizer has nothing to say.
 */
#ifndef ARCH_IMPL_GUEST_ACCESS_H
#define ARCH_IMPL_GUEST_ACCESS_H

#include "arch/barrier.h"

static inline bool arch_guest_copy(void *dst, const void *src, size_t n)
{
    const uint8_t *from = src;
    uint8_t *to = dst;

    for (size_t i = 0; i < n; i++) {
        __atomic_store_n(&to[i], __atomic_load_n(&from[i], __ATOMIC_RELAXED), __ATOMIC_RELAXED);
    }
    return true;
}

static inline bool arch_guest_fill(void *dst, uint8_t byte, size_t n)
{
    uint8_t *to = dst;

    for (size_t i = 0; i < n; i++) {
        __atomic_store_n(&to[i], byte, __ATOMIC_RELAXED);
    }
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
