/*
 * The measured boot shims of encrypted guests: each takes what memory its launch did not put in
 * place, then starts the kernel.
 */
#ifndef HV_SHIM_H
#define HV_SHIM_H

#include "hv/types.h"

#define SHIM_TABLE_OFFSET 0x400u /* in its page; the assembly knows */
#define SHIM_RANGES_MAX   64u

struct shim_table {
    uint64_t entry; /* where to go on */
    uint64_t count;
    struct {
        uint64_t start, end; /* multiples of 4 KiB */
    } range[SHIM_RANGES_MAX];
};
_Static_assert(SHIM_TABLE_OFFSET + sizeof(struct shim_table) <= PAGE_SIZE, "one page");

/* tdx_shim.S starts with nothing: it is told where everything is. */
#define SHIM_PLACES_OFFSET 0x900u
struct shim_places {
    uint64_t boot_data;
    uint64_t page_tables;
    uint16_t gdt_limit; /* for LGDT */
    uint32_t gdt_base;
    uint16_t reserved;
    uint64_t mailbox;
} __attribute__((packed));
_Static_assert(sizeof(struct shim_places) == 32, "as tdx_shim.S has it");
_Static_assert(SHIM_TABLE_OFFSET + sizeof(struct shim_table) <= SHIM_PLACES_OFFSET, "apart");

extern const uint8_t snp_shim_start[], snp_shim_end[];
extern const uint8_t tdx_shim_start[], tdx_shim_end[];

#endif
