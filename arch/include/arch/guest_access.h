/*
 * Guest memory through the hypervisor's own mapping of it. A guest may make a page private on
 * another CPU at any moment, after it was looked up, too; the mapping is gone then. False: it was,
 * and a copy may have come a part of the way. Only hv/core/guestmem.c uses these.
 */
#ifndef ARCH_GUEST_ACCESS_H
#define ARCH_GUEST_ACCESS_H

#include "hv/types.h"

/* One of both sides is guest memory. */
MUST_CHECK static inline bool arch_guest_copy(void *dst, const void *src, size_t n);
MUST_CHECK static inline bool arch_guest_fill(void *dst, uint8_t byte, size_t n);
/* Naturally aligned; acquire and release. */
MUST_CHECK static inline bool arch_guest_load16(const uint16_t *at, uint16_t *value);
MUST_CHECK static inline bool arch_guest_load32(const uint32_t *at, uint32_t *value);
MUST_CHECK static inline bool arch_guest_store16(uint16_t *at, uint16_t value);
MUST_CHECK static inline bool arch_guest_store32(uint32_t *at, uint32_t value);
MUST_CHECK static inline bool arch_guest_store64(uint64_t *at, uint64_t value);

#include "arch_impl/guest_access.h"

#endif
