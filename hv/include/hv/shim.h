/* The measured boot shim of an SEV-SNP guest: validates memory, then starts the kernel. */
#ifndef HV_SHIM_H
#define HV_SHIM_H

#include "hv/types.h"

#define SHIM_TABLE_OFFSET 0x400u /* in its page; snp_shim.S knows */
#define SHIM_RANGES_MAX   64u

struct shim_table {
    uint64_t entry; /* where to go on */
    uint64_t count;
    struct {
        uint64_t start, end; /* multiples of 4 KiB */
    } range[SHIM_RANGES_MAX];
};
_Static_assert(SHIM_TABLE_OFFSET + sizeof(struct shim_table) <= PAGE_SIZE, "one page");

extern const uint8_t snp_shim_start[], snp_shim_end[];

#endif
