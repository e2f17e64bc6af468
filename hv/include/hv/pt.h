/* A four-level page table: the hypervisor's own, or a VM's second stage. Callers serialise. */
#ifndef HV_PT_H
#define HV_PT_H

#include "arch/pte.h"
#include "hv/types.h"

struct pt {
    pa_t root;
    uint16_t owner;    /* who pays for its pages */
    unsigned int attr; /* PT_GUEST, or 0 */
    uint64_t pages;    /* that its tables take */
};

MUST_CHECK bool pt_init(struct pt *t, uint16_t owner, unsigned int attr);

/* Frees every table page; what they mapped is untouched. */
void pt_destroy(struct pt *t);

/*
 * Maps len bytes (multiples of 4 KiB) with the biggest pages that alignment allows. ABI_EXISTS when
 * part of it is mapped, ABI_NO_MEMORY; what was mapped before the error stays unmapped then.
 */
MUST_CHECK enum abi_status pt_map(struct pt *t, uint64_t va, pa_t to, uint64_t len,
                                  unsigned int attr);

/*
 * Makes the tables that pages of 4 KiB in a range need: pt_map() of those cannot fail afterwards.
 * ABI_EXISTS when part of it is mapped, ABI_NO_MEMORY.
 */
MUST_CHECK enum abi_status pt_reserve(struct pt *t, uint64_t va, uint64_t len);

/*
 * Unmaps; splits big pages at the ends. Holes are fine. False when a split needs memory that there
 * is not: then all is mapped as before.
 */
MUST_CHECK bool pt_unmap(struct pt *t, uint64_t va, uint64_t len);

/* Makes the big page that maps va, if one does, a table of smaller ones. */
MUST_CHECK bool pt_split(struct pt *t, uint64_t va);

/* What va translates to. False when it is not mapped. */
bool pt_lookup(const struct pt *t, uint64_t va, pa_t *to, unsigned int *attr, unsigned int *level);

#endif
