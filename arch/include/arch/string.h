/* How this architecture copies and fills memory. */
#ifndef ARCH_STRING_H
#define ARCH_STRING_H

#include "hv/types.h"

/* Upwards: a destination below an overlapping source is fine. */
static inline void arch_copy(void *dst, const void *src, size_t n);
static inline void arch_fill(void *dst, uint8_t byte, size_t n);

#include "arch_impl/string.h"

#endif
