/* A layout in the making: what layout.c offers to the boot protocols. */
#ifndef HV_DOMAIN_PLAN_H
#define HV_DOMAIN_PLAN_H

#include "hv/layout.h"

/*
 * Guest-physical places that every x86 layout has. Below 640 KiB, where no kernel loads to, and
 * clear of the first page. The span of each ends where the next begins.
 */
#define GPA_GDT         0x1000u
#define GPA_BOOT_DATA   0x2000u
#define GPA_CMDLINE     0x3000u
#define GPA_PAGE_TABLES 0x4000u /* PML4, PDPT, four page directories */
#define GPA_ACPI        0x90000u
#define GPA_LOW_END     0xa0000u
#define GPA_HIGH_START  0x100000u /* RAM from here on; the hole below is backed, but reserved */

struct plan {
    const struct domain_config *cfg;
    struct layout *l;
    uint8_t *scratch;
    size_t scratch_left;
    uint64_t ram_end; /* of the RAM below 4 GiB */
    char *err;
    size_t err_size;
};

/* Writes "guest0: ..." to err and answers st. */
MUST_CHECK enum abi_status plan_fail(const struct plan *p, enum abi_status st, const char *fmt, ...)
    PRINTF(3, 4);

/* Zeroed scratch memory, 16-byte aligned. */
void *plan_take(struct plan *p, size_t size);

/* Adds a piece. An error when it is not in RAM or overlaps another; `what` names it. */
MUST_CHECK enum abi_status plan_place(struct plan *p, const char *what, struct piece piece);

/* Finds the highest page-aligned hole of that size in [low, high), below 4 GiB; low is aligned. */
MUST_CHECK bool plan_find_hole(const struct plan *p, uint64_t low, uint64_t high, uint64_t size,
                               uint64_t *at);

/* Finds a place for the ramdisk that ends at or below limit, and adds it; no ramdisk, no piece. */
MUST_CHECK enum abi_status plan_ramdisk(struct plan *p, uint64_t limit, uint64_t *at);

/* Little-endian fields of a kernel image. */
static inline uint64_t le_load(const uint8_t *p, unsigned int bytes)
{
    uint64_t v = 0;

    while (bytes-- > 0) {
        v = v << 8 | p[bytes];
    }
    return v;
}

static inline void le_store(uint8_t *p, unsigned int bytes, uint64_t v)
{
    for (unsigned int i = 0; i < bytes; i++) {
        p[i] = (uint8_t)(v >> (8 * i));
    }
}

/* The boot protocols. `is`: the image claims to be one. `plan`: checks it and lays it out. */
bool linux_x86_is(struct blob kernel);
MUST_CHECK enum abi_status linux_x86_plan(struct plan *p);
bool pvh_x86_is(struct blob kernel);
MUST_CHECK enum abi_status pvh_x86_plan(struct plan *p);

/* Adds a piece in the reserved part of the map below 1 MiB. */
MUST_CHECK enum abi_status plan_place_reserved(struct plan *p, struct piece piece);

/* After one of them: the code at the reset vector. */
MUST_CHECK enum abi_status reset_x86_plan(struct plan *p);

/*
 * unaccepted_x86.c: RAM that a kernel accepts piece by piece. `known`: it can; boot_params is that
 * piece. `plan`: adds the tables that lead Linux to the bitmap, all bits clear, one for each 2 MiB
 * of address space from 0 on. setup is the last of the setup data; RAM in [start, end), accepted
 * before it starts, is where the kernel unpacks itself.
 */
#define UNACCEPTED_HEADER 24u
#define SETUP_EFI_SIZE    112u
struct unaccepted {
    uint8_t *bits;
    uint64_t count;
};
bool unaccepted_x86_known(const struct piece *kernel, const struct piece *boot_params);
MUST_CHECK enum abi_status unaccepted_x86_plan(struct plan *p, uint8_t *boot_params, uint8_t *setup,
                                               uint64_t start, uint64_t end, struct unaccepted *u);

/* Last: what an SEV-SNP guest needs besides. */
MUST_CHECK enum abi_status snp_x86_plan(struct plan *p);

#endif
