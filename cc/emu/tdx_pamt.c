/*
 * Page ownership: BASE 10. A page has its entry in the PAMT of its size; the entries above it say
 * NDA, as do those of pages that are nobody's. Who walks holds shared locks on the way down.
 */
#include "tdx_module.h"

#include "hv/string.h"

#define INIT_STEP (1024 * (uint64_t)PAGE_SIZE) /* TDR.INIT does so much at a time */

static struct tdx_tdmr *tdmr_of(uint64_t at)
{
    for (unsigned int i = 0; i < tdx_module.tdmrs; i++) {
        struct tdx_tdmr *t = &tdx_module.tdmr[i];

        if (at >= t->info.base && at < t->initialized) {
            return t;
        }
    }
    return NULL;
}

static struct tdx_pamt *entry_in(const struct tdx_tdmr *t, uint64_t at, unsigned int level)
{
    const uint64_t base[] = {t->info.pamt_4k_base, t->info.pamt_2m_base, t->info.pamt_1g_base};
    struct tdx_pamt *table = emu_mem(pa(base[level]));

    return &table[(at - t->info.base) / TDX_LEVEL_SIZE(level)];
}

struct tdx_pamt *tdx_pamt_of(uint64_t at, unsigned int level)
{
    struct tdx_tdmr *t = tdmr_of(at);

    return t == NULL ? NULL : entry_in(t, at, level);
}

uint64_t tdx_owner_of(const struct tdx_pamt *e)
{
    return (uint64_t)e->owner << PAGE_SHIFT;
}

void tdx_set_owner(struct tdx_pamt *e, uint64_t tdr_pa)
{
    e->owner = (uint32_t)(tdr_pa >> PAGE_SHIFT);
}

uint64_t tdx_pamt_leaf(struct tdx_call *c, uint64_t at, bool exclusive, struct tdx_pamt **e,
                       unsigned int *level)
{
    struct tdx_tdmr *t = tdmr_of(at);

    if (t == NULL) {
        return tdx_error(TDX_OPERAND_ADDR_RANGE_ERROR, 0);
    }
    for (unsigned int l = TDX_1G;; l--) {
        bool leaf = l == TDX_4K || entry_in(t, at, l)->type != TDX_PT_NDA;

        *e = entry_in(t, at, l);
        *level = l;
        if (!tdx_hold(c, &(*e)->lock, leaf && exclusive)) {
            return tdx_error(TDX_OPERAND_BUSY, 0);
        }
        if (leaf) {
            return TDX_SUCCESS;
        }
    }
}

uint64_t tdx_pamt_explicit(struct tdx_call *c, uint64_t at, unsigned int want, bool exclusive,
                           enum tdx_page_type type, struct tdx_pamt **e)
{
    struct tdx_tdmr *t;

    if (!IS_ALIGNED(at, TDX_LEVEL_SIZE(want)) || at >= BIT(EMU_TDX_KEY_SHIFT)) {
        return tdx_error(TDX_OPERAND_INVALID, 0);
    }
    t = tdmr_of(at);
    if (t == NULL) {
        return tdx_error(TDX_OPERAND_ADDR_RANGE_ERROR, 0);
    }
    for (unsigned int l = TDX_1G; l > want; l--) {
        struct tdx_pamt *up = entry_in(t, at, l);

        if (!tdx_hold(c, &up->lock, false)) {
            return tdx_error(TDX_OPERAND_BUSY, 0);
        }
        if (up->type != TDX_PT_NDA) {
            return tdx_error(TDX_PAGE_METADATA_INCORRECT, 0);
        }
    }
    *e = entry_in(t, at, want);
    if (!tdx_hold(c, &(*e)->lock, exclusive)) {
        return tdx_error(TDX_OPERAND_BUSY, 0);
    }
    return (*e)->type == type ? TDX_SUCCESS : tdx_error(TDX_PAGE_METADATA_INCORRECT, 0);
}

/* The entry of the 2 MiB is held exclusively: nobody can be below it. */
bool tdx_pamt_2m_free(uint64_t at)
{
    const struct tdx_pamt *e = tdx_pamt_of(at, TDX_4K);

    for (unsigned int i = 0; i < 512; i++) {
        if (e[i].type != TDX_PT_NDA) {
            return false;
        }
    }
    return true;
}

static uint64_t hold_above(struct tdx_call *c, uint64_t at, unsigned int level)
{
    for (unsigned int l = TDX_1G; l > level; l--) {
        if (!tdx_hold(c, &tdx_pamt_of(at, l)->lock, false)) {
            return tdx_error(TDX_OPERAND_BUSY, 0);
        }
    }
    return tdx_hold(c, &tdx_pamt_of(at, level)->lock, true) ? TDX_SUCCESS
                                                           : tdx_error(TDX_OPERAND_BUSY, 0);
}

/* A big page becomes 512 smaller ones of the same owner. */
uint64_t tdx_pamt_split(struct tdx_call *c, uint64_t at, unsigned int level)
{
    struct tdx_pamt *big = tdx_pamt_of(at, level), *small = tdx_pamt_of(at, level - 1);
    uint64_t st = hold_above(c, at, level);

    if (st != TDX_SUCCESS) {
        return st;
    }
    for (unsigned int i = 0; i < 512; i++) {
        small[i].type = big->type;
        small[i].blank = big->blank;
        small[i].owner = big->owner;
        small[i].bepoch = big->bepoch;
    }
    big->type = TDX_PT_NDA;
    return TDX_SUCCESS;
}

uint64_t tdx_pamt_join(struct tdx_call *c, uint64_t at, unsigned int level)
{
    struct tdx_pamt *big = tdx_pamt_of(at, level), *small = tdx_pamt_of(at, level - 1);
    uint64_t st = hold_above(c, at, level);

    if (st != TDX_SUCCESS) {
        return st;
    }
    big->type = small[0].type;
    big->blank = BLANK_NO;
    big->owner = small[0].owner;
    big->bepoch = 0;
    for (unsigned int i = 0; i < 512; i++) {
        tdx_page_fill(at + i * TDX_LEVEL_SIZE(level - 1), level - 1);
        small[i].type = TDX_PT_NDA;
    }
    return TDX_SUCCESS;
}

void tdx_page_blank(uint64_t at, unsigned int level)
{
    __atomic_store_n(&tdx_pamt_of(at, level)->blank, BLANK_YES, __ATOMIC_RELEASE);
}

/* Whoever comes second waits for the first. */
void tdx_page_fill(uint64_t at, unsigned int level)
{
    uint8_t *blank = &tdx_pamt_of(at, level)->blank, now = BLANK_YES;

    if (__atomic_compare_exchange_n(blank, &now, BLANK_FILLING, false, __ATOMIC_ACQ_REL,
                                    __ATOMIC_ACQUIRE)) {
        memset(emu_mem(pa(at)), 0, TDX_LEVEL_SIZE(level));
        __atomic_store_n(blank, BLANK_NO, __ATOMIC_RELEASE);
    }
    while (__atomic_load_n(blank, __ATOMIC_ACQUIRE) == BLANK_FILLING) {
    }
}

bool tdx_page_is_blank(uint64_t at, unsigned int level)
{
    return __atomic_load_n(&tdx_pamt_of(at, level)->blank, __ATOMIC_ACQUIRE) != BLANK_NO;
}

void tdx_page_give_back(struct tdx_pamt *e, uint64_t at, unsigned int level, bool scramble)
{
    if (scramble && e->blank == BLANK_NO) {
        memset(emu_mem(pa(at)), 0xc5, TDX_LEVEL_SIZE(level));
    }
    e->blank = BLANK_NO;
    e->type = TDX_PT_NDA;
}

/* What of [from, from + INIT_STEP) is reserved. */
static void mark_reserved(struct tdx_tdmr *t, uint64_t from)
{
    const struct tdx_tdmr_info *i = &t->info;

    for (unsigned int j = 0; j < TDX_MAX_RESERVED && i->reserved[j].size != 0; j++) {
        uint64_t base = i->base + i->reserved[j].offset, end = base + i->reserved[j].size;

        for (uint64_t at = MAX(base, from); at < MIN(end, from + INIT_STEP); at += PAGE_SIZE) {
            entry_in(t, at, TDX_4K)->type = TDX_PT_RSVD;
        }
    }
}

/* The next 4 MiB of a TDMR: its entries are clear from now on, which is NDA. */
void tdx_tdmr_init_step(struct tdx_tdmr *t)
{
    uint64_t from = t->initialized;

    memset(entry_in(t, from, TDX_4K), 0, INIT_STEP / PAGE_SIZE * sizeof(struct tdx_pamt));
    memset(entry_in(t, from, TDX_2M), 0, INIT_STEP / SIZE_2M * sizeof(struct tdx_pamt));
    if (IS_ALIGNED(from, SIZE_1G)) {
        memset(entry_in(t, from, TDX_1G), 0, sizeof(struct tdx_pamt));
    }
    mark_reserved(t, from);
    __atomic_store_n(&t->initialized, from + INIT_STEP, __ATOMIC_RELEASE);
}
