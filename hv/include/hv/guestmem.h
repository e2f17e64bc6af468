/*
 * The one way into guest memory: guest-physical addresses, only pages that the guest shares, copy
 * in or out. No pointer into guest memory leaves guestmem.c. Ranges may cross pages; a range that
 * is not wholly shared memory answers ABI_BAD_ADDRESS, and then nothing was written; when the guest
 * takes a page away in the midst of it, a part was.
 */
#ifndef HV_GUESTMEM_H
#define HV_GUESTMEM_H

#include "hv/types.h"

struct vm;

MUST_CHECK enum abi_status guestmem_read(struct vm *vm, gpa_t src, void *dst, size_t len);
MUST_CHECK enum abi_status guestmem_write(struct vm *vm, gpa_t dst, const void *src, size_t len);
MUST_CHECK enum abi_status guestmem_fill(struct vm *vm, gpa_t dst, uint8_t byte, size_t len);

/* Naturally aligned single loads and stores: atomic, acquire and release. */
MUST_CHECK enum abi_status guestmem_load16(struct vm *vm, gpa_t src, uint16_t *value);
MUST_CHECK enum abi_status guestmem_load32(struct vm *vm, gpa_t src, uint32_t *value);
MUST_CHECK enum abi_status guestmem_store16(struct vm *vm, gpa_t dst, uint16_t value);
MUST_CHECK enum abi_status guestmem_store32(struct vm *vm, gpa_t dst, uint32_t value);
MUST_CHECK enum abi_status guestmem_store64(struct vm *vm, gpa_t dst, uint64_t value);
/* The same, of a word that the guest changes, too: sets or keeps bits, and tells what was there. */
MUST_CHECK enum abi_status guestmem_or32(struct vm *vm, gpa_t at, uint32_t bits, uint32_t *old);
MUST_CHECK enum abi_status guestmem_and32(struct vm *vm, gpa_t at, uint32_t bits, uint32_t *old);

#endif
