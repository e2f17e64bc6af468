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

/* What it measures into RTMRs, in this order: what the launch put in place without measuring. */
#define SHIM_MEASURES_OFFSET 0x920u
#define SHIM_MEASURES_MAX    8u
struct shim_measures {
    uint64_t log; /* the event log */
    uint64_t count;
    struct {
        uint64_t at, len; /* what follows in the last page is cleared */
        uint32_t rtmr;
        uint32_t digest; /* where the log has it */
    } item[SHIM_MEASURES_MAX];
};
_Static_assert(sizeof(struct shim_measures) == 16 + 24 * SHIM_MEASURES_MAX, "no holes");
_Static_assert(SHIM_PLACES_OFFSET + sizeof(struct shim_places) == SHIM_MEASURES_OFFSET, "apart");

extern const uint8_t snp_shim_start[], snp_shim_end[];
/* Three pages that end at 4 GiB; the offsets above are in the last one. */
extern const uint8_t tdx_shim_start[], tdx_shim_end[];
#define TDX_SHIM_SIZE (3 * PAGE_SIZE)
/* Where the kernel gives a CPU back, to wait for the mailbox again. */
#define TDX_SHIM_RESET (GiB(4) - 0x20)

#endif
