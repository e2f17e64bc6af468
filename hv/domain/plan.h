/* A layout in the making: what layout.c offers to the boot protocols. */
#ifndef HV_DOMAIN_PLAN_H
#define HV_DOMAIN_PLAN_H

#include "hv/layout.h"

/* No piece lies in this hole, on any platform: on some it is backed, but reserved. */
#define GPA_LOW_END    0xa0000u
#define GPA_HIGH_START 0x100000u

struct plan {
    const struct domain_config *cfg;
    struct layout *l;
    uint8_t *scratch;
    size_t scratch_left;
    uint64_t ram_end; /* of the RAM below 4 GiB */
    char *err;
    size_t err_size;
};

/* Begins layout_domain(): nothing is laid out yet. */
struct plan plan_begin(const struct domain_config *cfg, void *scratch, struct layout *l, char *err,
                       size_t err_size);

/* Writes "guest0: ..." to err and answers st. */
MUST_CHECK enum abi_status plan_fail(const struct plan *p, enum abi_status st, const char *fmt, ...)
    PRINTF(3, 4);

/* Zeroed scratch memory, 16-byte aligned. */
void *plan_take(struct plan *p, size_t size);

/* Adds a piece. An error when it is not in RAM or overlaps another; `what` names it. */
MUST_CHECK enum abi_status plan_place(struct plan *p, const char *what, struct piece piece);

/* The same for a piece between the RAM below 4 GiB and 4 GiB. */
MUST_CHECK enum abi_status plan_place_high(struct plan *p, const char *what, struct piece piece);

/* The first piece of a kind that the layout has for sure; its data are the plan's to change when
 * they came from plan_take(). */
const struct piece *plan_piece(const struct plan *p, enum piece_kind kind);
uint8_t *plan_data(const struct plan *p, enum piece_kind kind);

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

/* Adds a piece where the map has no RAM: between 640 KiB and 1 MiB, or at the end of 4 GiB. */
MUST_CHECK enum abi_status plan_place_reserved(struct plan *p, struct piece piece);

#endif
