/* What SYS.CONFIG checks of each TDMR_INFO: ABI 5.3.54, 3.5.4. */
#include "tdx_module.h"

#define AREAS 3u

struct span {
    uint64_t base, size;
};

static uint64_t bad(enum tdx_status st, unsigned int i, unsigned int second)
{
    return tdx_error(st, i | second << 8);
}

static bool overlap(struct span a, struct span b)
{
    return a.size != 0 && b.size != 0 && a.base < b.base + b.size && b.base < a.base + a.size;
}

static bool fits(struct span s)
{
    return s.size <= BIT(EMU_TDX_KEY_SHIFT) && s.base <= BIT(EMU_TDX_KEY_SHIFT) - s.size;
}

static bool convertible(struct span s)
{
    uint64_t at = s.base;

    for (unsigned int i = 0; i < tdx_module.machine.cmrs; i++) {
        uint64_t base = tdx_module.machine.cmr[i].base;
        uint64_t end = base + tdx_module.machine.cmr[i].size;

        if (at >= base && at < end) {
            at = end; /* the next may go on right there */
        }
        if (at >= s.base + s.size) {
            return true;
        }
    }
    return false;
}

static struct span pamt(const struct tdx_tdmr_info *t, unsigned int level)
{
    const struct span s[AREAS] = {{t->pamt_4k_base, t->pamt_4k_size},
                                  {t->pamt_2m_base, t->pamt_2m_size},
                                  {t->pamt_1g_base, t->pamt_1g_size}};

    return s[level];
}

/* The j-th piece that is not reserved; false: no more. */
static bool available(const struct tdx_tdmr_info *t, unsigned int j, struct span *out)
{
    uint64_t from = t->base, to = t->base + t->size;

    if (j > TDX_MAX_RESERVED) {
        return false;
    }
    if (j > 0) {
        if (t->reserved[j - 1].size == 0) {
            return false;
        }
        from = t->base + t->reserved[j - 1].offset + t->reserved[j - 1].size;
    }
    if (j < TDX_MAX_RESERVED && t->reserved[j].size != 0) {
        to = t->base + t->reserved[j].offset;
    }
    *out = (struct span){from, to - from};
    return true;
}

static bool hits_available(const struct tdx_tdmr_info *t, struct span s)
{
    struct span a;

    for (unsigned int j = 0; available(t, j, &a); j++) {
        if (overlap(a, s)) {
            return true;
        }
    }
    return false;
}

static uint64_t check_range(const struct tdx_tdmr_info *all, unsigned int i)
{
    const struct tdx_tdmr_info *t = &all[i];

    if (!IS_ALIGNED(t->base, SIZE_1G) || !IS_ALIGNED(t->size, SIZE_1G) || t->size == 0 ||
        !fits((struct span){t->base, t->size})) {
        return bad(TDX_INVALID_TDMR, i, 0);
    }
    if (i > 0 && t->base < all[i - 1].base + all[i - 1].size) {
        return bad(TDX_NON_ORDERED_TDMR, i, 0);
    }
    return TDX_SUCCESS;
}

static uint64_t check_reserved(const struct tdx_tdmr_info *t, unsigned int i)
{
    uint64_t end = 0;
    bool ended = false;

    for (unsigned int j = 0; j < TDX_MAX_RESERVED; j++) {
        uint64_t offset = t->reserved[j].offset, size = t->reserved[j].size;

        if (size == 0) {
            ended = true;
            continue;
        }
        if (ended || offset < end) {
            return bad(TDX_NON_ORDERED_RESERVED_IN_TDMR, i, j);
        }
        if (!IS_ALIGNED(offset | size, PAGE_SIZE) || size > t->size || offset > t->size - size) {
            return bad(TDX_INVALID_RESERVED_IN_TDMR, i, j);
        }
        end = offset + size;
    }
    return TDX_SUCCESS;
}

static uint64_t check_pamt(const struct tdx_tdmr_info *all, unsigned int i, unsigned int level)
{
    struct span s = pamt(&all[i], level);

    if (!IS_ALIGNED(s.base | s.size, PAGE_SIZE) || !fits(s) ||
        s.size < all[i].size / TDX_LEVEL_SIZE(level) * sizeof(struct tdx_pamt)) {
        return bad(TDX_INVALID_PAMT, i, level);
    }
    for (unsigned int j = 0; j <= i; j++) {
        for (unsigned int l = 0; l < AREAS; l++) {
            if ((j < i || l < level) && overlap(s, pamt(&all[j], l))) {
                return bad(TDX_PAMT_OVERLAP, i, level);
            }
            if (hits_available(&all[i], pamt(&all[j], l))) {
                return bad(TDX_PAMT_OVERLAP, j, l);
            }
        }
        if (hits_available(&all[j], s)) {
            return bad(TDX_PAMT_OVERLAP, i, level);
        }
    }
    return convertible(s) ? TDX_SUCCESS : bad(TDX_PAMT_OUTSIDE_CMRS, i, level);
}

uint64_t tdx_tdmr_check(const struct tdx_tdmr_info *all, unsigned int i)
{
    uint64_t st = check_range(all, i);
    struct span a;

    st = st == TDX_SUCCESS ? check_reserved(&all[i], i) : st;
    for (unsigned int level = AREAS; level-- > 0 && st == TDX_SUCCESS;) {
        st = check_pamt(all, i, level);
    }
    for (unsigned int j = 0; st == TDX_SUCCESS && available(&all[i], j, &a); j++) {
        if (a.size != 0 && !convertible(a)) {
            st = bad(TDX_TDMR_OUTSIDE_CMRS, i, 0);
        }
    }
    return st;
}
