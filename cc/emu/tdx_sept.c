/*
 * The secure EPT: BASE 8, ABI 3.6.3.
 *
 *   FREE --PAGE.ADD--> MAPPED --BLOCK--> BLOCKED --REMOVE--> FREE
 *   FREE --PAGE.AUG--> PENDING --ACCEPT--> MAPPED
 *   PENDING --BLOCK--> PENDING_BLOCKED --REMOVE--> FREE
 *   FREE --SEPT.ADD--> NL_MAPPED --BLOCK--> NL_BLOCKED --SEPT.REMOVE, PROMOTE--> FREE, a big page
 *   UNBLOCK is the way back; DEMOTE makes a blocked big page NL_MAPPED, its parts unblocked.
 *
 * An entry: 2:0 what the TD may do, 51:12 the page, 58:56 its state, 62 its lock. All zero is FREE.
 */
#include "tdx_module.h"

#define STATE_SHIFT 56u
#define LEAF_ARCH   BIT(7)

enum sept_state sept_state_of(uint64_t entry)
{
    return (enum sept_state)(entry >> STATE_SHIFT & 7);
}

uint64_t sept_entry(enum sept_state state, uint64_t at)
{
    bool access = state == SEPT_MAPPED || state == SEPT_NL_MAPPED;

    return (uint64_t)state << STATE_SHIFT | (at & SEPT_PA) | (access ? SEPT_RWX : 0);
}

bool sept_is_leaf(uint64_t entry)
{
    enum sept_state s = sept_state_of(entry);

    return s != SEPT_FREE && s != SEPT_NL_MAPPED && s != SEPT_NL_BLOCKED;
}

bool sept_is_blocked(uint64_t entry)
{
    enum sept_state s = sept_state_of(entry);

    return s == SEPT_BLOCKED || s == SEPT_PENDING_BLOCKED || s == SEPT_NL_BLOCKED;
}

uint64_t sept_get(const uint64_t *at)
{
    return __atomic_load_n(at, __ATOMIC_ACQUIRE) & ~SEPT_LOCK;
}

void sept_set(uint64_t *at, uint64_t entry)
{
    uint64_t was = __atomic_load_n(at, __ATOMIC_RELAXED);

    __atomic_store_n(at, entry | (was & SEPT_LOCK), __ATOMIC_RELEASE);
}

/* A leaf by the states of an entry that it is allowed in: ABI 5.2. */
#define S(state) BIT(SEPT_##state)
static const uint8_t table[] = {
    [TDH_MEM_PAGE_ADD] = S(FREE),
    [TDH_MEM_SEPT_ADD] = S(FREE),
    [TDH_MEM_PAGE_AUG] = S(FREE),
    [TDH_MEM_RANGE_BLOCK] = S(NL_MAPPED) | S(MAPPED) | S(PENDING),
    [TDH_MEM_PAGE_DEMOTE] = S(MAPPED) | S(BLOCKED) | S(PENDING) | S(PENDING_BLOCKED),
    [TDH_MR_EXTEND] = S(MAPPED),
    [TDH_MEM_PAGE_PROMOTE] = S(NL_MAPPED) | S(NL_BLOCKED),
    [TDH_MEM_SEPT_RD] = 0x7f,
    [TDH_MEM_PAGE_REMOVE] = S(MAPPED) | S(BLOCKED) | S(PENDING) | S(PENDING_BLOCKED),
    [TDH_MEM_SEPT_REMOVE] = S(NL_MAPPED) | S(NL_BLOCKED),
    [TDH_MEM_RANGE_UNBLOCK] = S(NL_BLOCKED) | S(BLOCKED) | S(PENDING_BLOCKED),
};
#undef S

bool sept_allowed(unsigned int leaf, uint64_t entry)
{
    return leaf < ARRAY_SIZE(table) && (table[leaf] & BIT(sept_state_of(entry))) != 0;
}

static uint8_t arch_state(uint64_t entry)
{
    static const uint8_t arch[] = {
        [SEPT_FREE] = TDX_SEPT_FREE,
        [SEPT_MAPPED] = TDX_SEPT_MAPPED,
        [SEPT_BLOCKED] = TDX_SEPT_BLOCKED,
        [SEPT_PENDING] = TDX_SEPT_PENDING,
        [SEPT_PENDING_BLOCKED] = TDX_SEPT_PENDING_BLOCKED,
        [SEPT_NL_MAPPED] = TDX_SEPT_NL_MAPPED,
        [SEPT_NL_BLOCKED] = TDX_SEPT_NL_BLOCKED,
    };

    return arch[sept_state_of(entry)];
}

void sept_details(struct tdx_call *c, uint64_t entry, unsigned int level)
{
    c->r->rcx = (entry & (SEPT_PA | SEPT_RWX)) |
                (sept_is_leaf(entry) && level > TDX_4K ? LEAF_ARCH : 0);
    c->r->rdx = level | (uint64_t)arch_state(entry) << 8;
}

uint64_t *sept_walk(const struct tdx_tdr *tdr, uint64_t gpa, unsigned int want,
                    unsigned int *level, uint64_t *entry)
{
    uint64_t *page = emu_mem(pa(tdr->tdcx[TDCX_SEPT_ROOT]));

    for (*level = TDX_512G;; (*level)--) {
        uint64_t *e = &page[gpa >> (PAGE_SHIFT + 9 * *level) & 511];

        *entry = sept_get(e);
        if (*level == want) {
            return e;
        }
        if (sept_state_of(*entry) != SEPT_NL_MAPPED) {
            return NULL;
        }
        page = emu_mem(pa(*entry & SEPT_PA));
    }
}

bool sept_gpa_ok(const struct tdx_tdcs *t, uint64_t gpa)
{
    /* The tree has four levels: GPAW 52 would want five. */
    return gpa < TDX_SHARED_BIT((t->config_flags & TD_CONFIG_GPAW) != 0);
}

uint64_t sept_take(struct tdx_call *c, unsigned int min, unsigned int max, bool exclusive,
                   struct sept_at *at)
{
    uint64_t rcx = c->r->rcx, now;
    unsigned int want = rcx & 7, reached;

    c->r->rcx = c->r->rdx = 0;
    at->gpa = rcx & SEPT_PA;
    at->level = want;
    if ((rcx & ~(SEPT_PA | 7)) != 0 || want < min || want > max ||
        !IS_ALIGNED(at->gpa, TDX_LEVEL_SIZE(want)) || !sept_gpa_ok(c->tdcs, at->gpa)) {
        return tdx_error(TDX_OPERAND_INVALID, TDX_RCX);
    }
    if (!tdx_hold(c, &c->tdcs->sept_lock, exclusive)) {
        return tdx_error(TDX_OPERAND_BUSY, TDX_SEPT_TREE);
    }
    at->entry = sept_walk(c->tdr, at->gpa, want, &reached, &now);
    if (at->entry == NULL) {
        sept_details(c, now, reached);
        return tdx_error(TDX_EPT_WALK_FAILED, TDX_RCX);
    }
    if (!tdx_hold_entry(c, at->entry)) {
        sept_details(c, now, want);
        return tdx_error(TDX_OPERAND_BUSY, TDX_RCX);
    }
    now = sept_get(at->entry);
    if (!sept_allowed(c->leaf, now)) {
        sept_details(c, now, want);
        return tdx_error(c->leaf == TDH_MEM_RANGE_BLOCK && sept_is_blocked(now)
                             ? TDX_GPA_RANGE_ALREADY_BLOCKED
                             : TDX_EPT_ENTRY_STATE_INCORRECT,
                         TDX_RCX);
    }
    return TDX_SUCCESS;
}

/* BASE 8.8: two epochs on, or one and nobody runs since the blocking. */
bool tdx_tracked(const struct tdx_tdcs *t, uint64_t bepoch)
{
    uint64_t epoch = __atomic_load_n(&t->epoch, __ATOMIC_ACQUIRE);

    if (bepoch == epoch - 1) {
        return __atomic_load_n(&t->refcount[bepoch & 1], __ATOMIC_ACQUIRE) == 0;
    }
    return bepoch < epoch - 1;
}

uint64_t sept_tracked(struct tdx_call *c, uint64_t entry, unsigned int level, uint64_t bepoch)
{
    if (c->tdcs->op_state != TDX_OP_RUNNABLE) {
        return TDX_SUCCESS; /* it has never run: there is nothing to forget */
    }
    if (!sept_is_blocked(entry)) {
        sept_details(c, entry, level);
        return tdx_error(TDX_GPA_RANGE_NOT_BLOCKED, TDX_RCX);
    }
    return tdx_tracked(c->tdcs, bepoch) ? TDX_SUCCESS
                                        : tdx_error(TDX_TLB_TRACKING_NOT_DONE, TDX_RCX);
}
