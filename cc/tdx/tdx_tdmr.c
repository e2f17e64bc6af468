/*
 * TDMRs from a memory map with holes: BASE 4.2. A TDMR is whole GiB; what in it is no RAM, or is a
 * PAMT, is a reserved area of it, and there are few of those.
 */
#include "tdx.h"

#define PAMTS_EACH 3u /* of its own; others' may lie in it, too */

/* The first byte of RAM at or after `at`, and where that RAM ends. */
static bool next_ram(const struct boot_range *ram, unsigned int count, uint64_t at, uint64_t *start,
                     uint64_t *end)
{
    for (unsigned int i = 0; i < count; i++) { /* sorted, disjoint */
        if (ram[i].base + ram[i].len > at) {
            *start = MAX(at, ram[i].base);
            *end = ram[i].base + ram[i].len;
            return true;
        }
    }
    return false;
}

static unsigned int holes(const struct boot_range *ram, unsigned int count, uint64_t from,
                          uint64_t to)
{
    unsigned int n = 0;
    uint64_t at = from, start, end;

    while (at < to) {
        if (!next_ram(ram, count, at, &start, &end) || start >= to) {
            return n + 1;
        }
        n += start > at;
        at = end;
    }
    return n;
}

unsigned int tdx_tdmr_ranges(const struct boot_range *ram, unsigned int count, unsigned int areas,
                             unsigned int max, struct tdx_tdmr_info *out)
{
    unsigned int room = areas > PAMTS_EACH ? areas - PAMTS_EACH : 0, n = 0;
    uint64_t at = 0, start, end;

    while (next_ram(ram, count, at, &start, &end)) {
        uint64_t base = ALIGN_DOWN(start, SIZE_1G);
        struct tdx_tdmr_info *t = n > 0 ? &out[n - 1] : NULL;
        bool grow = t != NULL && t->base + t->size == base &&
                    holes(ram, count, t->base, base + SIZE_1G) <= room;

        if (holes(ram, count, base, base + SIZE_1G) > room || (!grow && n == max)) {
            return 0;
        }
        if (grow) {
            t->size += SIZE_1G;
        } else {
            out[n++] = (struct tdx_tdmr_info){.base = base, .size = SIZE_1G};
        }
        at = base + SIZE_1G;
    }
    return n;
}

/* RAM that is no PAMT, at or after `at`. */
static bool next_usable(const struct boot_range *ram, unsigned int count,
                        const struct tdx_pamt_block *pamt, unsigned int pamts, uint64_t at,
                        uint64_t *start, uint64_t *end)
{
    while (next_ram(ram, count, at, start, end)) {
        bool moved = false;

        for (unsigned int i = 0; i < pamts; i++) {
            uint64_t base = pamt[i].base, stop = base + pamt[i].size;

            if (*start >= base && *start < stop) {
                at = stop;
                moved = true;
            } else if (base > *start && base < *end) {
                *end = base;
            }
        }
        if (!moved) {
            return true;
        }
    }
    return false;
}

static bool reserve(struct tdx_tdmr_info *t, unsigned int areas, unsigned int *n, uint64_t from,
                    uint64_t to)
{
    if (from >= to) {
        return true;
    }
    if (*n == MIN(areas, TDX_MAX_RESERVED)) {
        return false;
    }
    t->reserved[*n].offset = from - t->base;
    t->reserved[*n].size = to - from;
    (*n)++;
    return true;
}

bool tdx_tdmr_reserve(const struct boot_range *ram, unsigned int count,
                      const struct tdx_pamt_block *pamt, unsigned int pamts, unsigned int areas,
                      struct tdx_tdmr_info *t)
{
    uint64_t at = t->base, stop = t->base + t->size, start, end;
    unsigned int n = 0;

    while (at < stop) {
        if (!next_usable(ram, count, pamt, pamts, at, &start, &end) || start >= stop) {
            return reserve(t, areas, &n, at, stop);
        }
        if (!reserve(t, areas, &n, at, start)) {
            return false;
        }
        at = end;
    }
    return true;
}
