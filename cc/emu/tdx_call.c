/*
 * A leaf's beginning and end: locks, operands that name pages, and the dispatcher. Locks are tried
 * once; who does not get one answers OPERAND_BUSY, and the host tries again. BASE 18.
 */
#include "tdx_module.h"

#include "hv/check.h"
#include "hv/string.h"

#define EXCLUSIVE 0x8000u

static bool try_lock(uint16_t *lock, bool exclusive)
{
    uint16_t now = __atomic_load_n(lock, __ATOMIC_RELAXED);
    uint16_t then;

    do {
        if ((exclusive && now != 0) || now >= EXCLUSIVE - 1) {
            return false;
        }
        then = exclusive ? EXCLUSIVE : (uint16_t)(now + 1);
    } while (!__atomic_compare_exchange_n(lock, &now, then, false, __ATOMIC_ACQUIRE,
                                          __ATOMIC_RELAXED));
    return true;
}

static void note(struct tdx_call *c, void *at, enum tdx_hold_kind kind)
{
    CHECK(c->holds < TDX_HOLDS);
    c->hold[c->holds].at = at;
    c->hold[c->holds].kind = kind;
    c->holds++;
}

bool tdx_hold(struct tdx_call *c, uint16_t *lock, bool exclusive)
{
    if (!try_lock(lock, exclusive)) {
        return false;
    }
    note(c, lock, exclusive ? HOLD_EXCLUSIVE : HOLD_SHARED);
    return true;
}

bool tdx_hold_entry(struct tdx_call *c, uint64_t *entry)
{
    if ((__atomic_fetch_or(entry, SEPT_LOCK, __ATOMIC_ACQUIRE) & SEPT_LOCK) != 0) {
        return false;
    }
    note(c, entry, HOLD_ENTRY);
    return true;
}

static void release(void *at, enum tdx_hold_kind kind)
{
    switch (kind) {
    case HOLD_SHARED:
        (void)__atomic_fetch_sub((uint16_t *)at, 1, __ATOMIC_RELEASE);
        break;
    case HOLD_EXCLUSIVE:
        __atomic_store_n((uint16_t *)at, 0, __ATOMIC_RELEASE);
        break;
    case HOLD_ENTRY:
        (void)__atomic_fetch_and((uint64_t *)at, ~SEPT_LOCK, __ATOMIC_RELEASE);
        break;
    }
}

void tdx_drop(struct tdx_call *c, const void *lock)
{
    for (unsigned int i = 0; i < c->holds; i++) {
        if (c->hold[i].at == lock) {
            release(c->hold[i].at, c->hold[i].kind);
            c->hold[i] = c->hold[--c->holds];
            return;
        }
    }
}

void tdx_drop_all(struct tdx_call *c)
{
    while (c->holds > 0) {
        c->holds--;
        release(c->hold[c->holds].at, c->hold[c->holds].kind);
    }
}

bool tdx_shared_hpa_ok(uint64_t at, uint64_t align)
{
    uint64_t key = at >> EMU_TDX_KEY_SHIFT;
    uint64_t plain = at & (BIT(EMU_TDX_KEY_SHIFT) - 1);

    return IS_ALIGNED(at, align) && key < EMU_TDX_KEY_FIRST && emu_mem(pa(plain)) != NULL;
}

uint64_t tdx_take_tdr(struct tdx_call *c, uint64_t at, uint32_t operand, bool exclusive,
                      enum tdx_page_type type)
{
    struct tdx_pamt *e;
    uint64_t st = tdx_pamt_explicit(c, at, TDX_4K, exclusive, type, &e);

    if (st == TDX_SUCCESS) {
        c->tdr_pa = at;
        c->tdr = emu_mem(pa(at));
    }
    return tdx_at(st, operand);
}

struct tdx_tdcs *tdx_tdcs_of(const struct tdx_tdr *tdr)
{
    return emu_mem(pa(tdr->tdcx[0]));
}

/* A leaf by the states of a TD that it is allowed in: the module's own table is ABI 5.2. */
#define UNINIT   BIT(TDX_OP_UNINITIALIZED)
#define INIT     BIT(TDX_OP_INITIALIZED)
#define RUNNABLE BIT(TDX_OP_RUNNABLE)
static const uint8_t op_table[] = {
    [TDH_VP_ENTER] = RUNNABLE,
    [TDH_MNG_ADDCX] = UNINIT,
    [TDH_MEM_PAGE_ADD] = INIT,
    [TDH_MEM_SEPT_ADD] = INIT | RUNNABLE,
    [TDH_VP_ADDCX] = INIT,
    [TDH_MEM_PAGE_AUG] = INIT | RUNNABLE,
    [TDH_MEM_RANGE_BLOCK] = INIT | RUNNABLE,
    [TDH_VP_CREATE] = INIT,
    [TDH_MNG_RD] = INIT | RUNNABLE,
    [TDH_MEM_PAGE_DEMOTE] = INIT | RUNNABLE,
    [TDH_MR_EXTEND] = INIT,
    [TDH_MR_FINALIZE] = INIT,
    [TDH_VP_FLUSH] = UNINIT | INIT | RUNNABLE,
    [TDH_MNG_INIT] = UNINIT,
    [TDH_VP_INIT] = INIT,
    [TDH_MEM_PAGE_PROMOTE] = INIT | RUNNABLE,
    [TDH_MEM_SEPT_RD] = INIT | RUNNABLE,
    [TDH_VP_RD] = INIT | RUNNABLE,
    [TDH_MEM_PAGE_REMOVE] = INIT | RUNNABLE,
    [TDH_MEM_SEPT_REMOVE] = INIT | RUNNABLE,
    [TDH_MEM_TRACK] = INIT | RUNNABLE,
    [TDH_MEM_RANGE_UNBLOCK] = INIT | RUNNABLE,
    [TDH_VP_WR] = INIT | RUNNABLE,
};

bool tdx_op_allowed(unsigned int leaf, uint32_t op_state)
{
    return leaf < ARRAY_SIZE(op_table) && (op_table[leaf] & BIT(op_state)) != 0;
}

uint64_t tdx_take_tdcs(struct tdx_call *c, bool lock_op_state)
{
    const struct tdx_tdr *tdr = c->tdr;

    if (tdr->fatal != 0) {
        return tdx_error(TDX_TD_FATAL, 0);
    }
    if (tdr->lifecycle != TDX_KEYS_CONFIGURED) {
        return tdx_error(TDX_TD_KEYS_NOT_CONFIGURED, 0);
    }
    if (tdr->num_tdcx < TDX_TDCS_PAGES) {
        return tdx_error(TDX_TDCS_NOT_ALLOCATED, 0);
    }
    c->tdcs = tdx_tdcs_of(tdr);
    if (lock_op_state && !tdx_hold(c, &c->tdcs->op_lock, false)) {
        return tdx_error(TDX_OPERAND_BUSY, TDX_OP_STATE);
    }
    if (!tdx_op_allowed(c->leaf, c->tdcs->op_state)) {
        return tdx_error(TDX_OP_STATE_INCORRECT, 0);
    }
    return TDX_SUCCESS;
}

uint64_t tdx_take_vp(struct tdx_call *c, uint64_t at, uint32_t operand, bool exclusive)
{
    struct tdx_pamt *e, *owner;
    uint64_t st = tdx_pamt_explicit(c, at, TDX_4K, exclusive, TDX_PT_TDVPR, &e);

    if (st != TDX_SUCCESS) {
        return tdx_at(st, operand);
    }
    c->tdr_pa = tdx_owner_of(e);
    owner = tdx_pamt_of(c->tdr_pa, TDX_4K);
    if (!tdx_hold(c, &owner->lock, false)) {
        return tdx_error(TDX_OPERAND_BUSY, TDX_TDR);
    }
    c->tdr = emu_mem(pa(c->tdr_pa));
    c->vp = emu_mem(pa(at));
    return TDX_SUCCESS;
}

uint64_t tdx_take_free(struct tdx_call *c, uint64_t at, uint32_t operand, unsigned int level,
                       struct tdx_pamt **e)
{
    uint64_t st = tdx_pamt_explicit(c, at, level, true, TDX_PT_NDA, e);

    if (st == TDX_SUCCESS && level == TDX_2M && !tdx_pamt_2m_free(at)) {
        st = tdx_error(TDX_PAGE_METADATA_INCORRECT, 0);
    }
    return tdx_at(st, operand);
}

void tdx_own(struct tdx_call *c, struct tdx_pamt *e, enum tdx_page_type type, unsigned int level)
{
    e->type = (uint8_t)type;
    tdx_set_owner(e, c->tdr_pa);
    e->bepoch = 0;
    (void)__atomic_fetch_add(&c->tdr->children, BIT(9 * level), __ATOMIC_RELAXED);
}

static uint64_t (*const handlers[])(struct tdx_call *) = {
    [TDH_VP_ENTER] = tdh_vp_enter,
    [TDH_MNG_ADDCX] = tdh_mng_addcx,
    [TDH_MEM_PAGE_ADD] = tdh_mem_page_add,
    [TDH_MEM_SEPT_ADD] = tdh_mem_sept_add,
    [TDH_VP_ADDCX] = tdh_vp_addcx,
    [TDH_MEM_PAGE_AUG] = tdh_mem_page_aug,
    [TDH_MEM_RANGE_BLOCK] = tdh_mem_range_block,
    [TDH_MNG_KEY_CONFIG] = tdh_mng_key_config,
    [TDH_MNG_CREATE] = tdh_mng_create,
    [TDH_VP_CREATE] = tdh_vp_create,
    [TDH_MNG_RD] = tdh_mng_rd,
    [TDH_MEM_PAGE_DEMOTE] = tdh_mem_page_demote,
    [TDH_MR_EXTEND] = tdh_mr_extend,
    [TDH_MR_FINALIZE] = tdh_mr_finalize,
    [TDH_VP_FLUSH] = tdh_vp_flush,
    [TDH_MNG_VPFLUSHDONE] = tdh_mng_vpflushdone,
    [TDH_MNG_KEY_FREEID] = tdh_mng_key_freeid,
    [TDH_MNG_INIT] = tdh_mng_init,
    [TDH_VP_INIT] = tdh_vp_init,
    [TDH_MEM_PAGE_PROMOTE] = tdh_mem_page_promote,
    [TDH_PHYMEM_PAGE_RDMD] = tdh_phymem_page_rdmd,
    [TDH_MEM_SEPT_RD] = tdh_mem_sept_rd,
    [TDH_VP_RD] = tdh_vp_rd,
    [TDH_PHYMEM_PAGE_RECLAIM] = tdh_phymem_page_reclaim,
    [TDH_MEM_PAGE_REMOVE] = tdh_mem_page_remove,
    [TDH_MEM_SEPT_REMOVE] = tdh_mem_sept_remove,
    [TDH_SYS_KEY_CONFIG] = tdh_sys_key_config,
    [TDH_SYS_INIT] = tdh_sys_init,
    [TDH_SYS_RD] = tdh_sys_rd,
    [TDH_SYS_LP_INIT] = tdh_sys_lp_init,
    [TDH_SYS_TDMR_INIT] = tdh_sys_tdmr_init,
    [TDH_MEM_TRACK] = tdh_mem_track,
    [TDH_MEM_RANGE_UNBLOCK] = tdh_mem_range_unblock,
    [TDH_PHYMEM_CACHE_WB] = tdh_phymem_cache_wb,
    [TDH_PHYMEM_PAGE_WBINVD] = tdh_phymem_page_wbinvd,
    [TDH_VP_WR] = tdh_vp_wr,
    [TDH_SYS_LP_SHUTDOWN] = tdh_sys_lp_shutdown,
    [TDH_SYS_CONFIG] = tdh_sys_config,
    [TDH_SYS_SHUTDOWN] = tdh_sys_shutdown,
};

static bool early(unsigned int leaf)
{
    return leaf == TDH_SYS_INIT || leaf == TDH_SYS_LP_INIT || leaf == TDH_SYS_RD ||
           leaf == TDH_SYS_CONFIG || leaf == TDH_SYS_KEY_CONFIG || leaf == TDH_SYS_LP_SHUTDOWN;
}

static uint64_t dispatch(struct tdx_call *c)
{
    uint64_t rax = c->r->rax;
    enum tdx_sys_state state;

    c->leaf = TDX_LEAF(rax);
    c->version = TDX_VERSION(rax);
    if ((rax & ~0xffffffull) != 0) {
        return tdx_error(TDX_OPERAND_INVALID, TDX_RAX);
    }
    /* Versions above 0 are those of L2 guests, and of lists that SEPT.ADD takes: not modelled. */
    if (c->version > 0 || c->leaf >= ARRAY_SIZE(handlers) || handlers[c->leaf] == NULL) {
        return tdx_error(TDX_OPERAND_INVALID, TDX_RAX);
    }
    state = __atomic_load_n(&tdx_module.state, __ATOMIC_SEQ_CST);
    if (state == SYS_SHUT_DOWN && c->leaf != TDH_SYS_LP_SHUTDOWN) {
        return tdx_error(TDX_SYS_SHUTDOWN, 0);
    }
    if (state != SYS_READY && !early(c->leaf)) {
        return tdx_error(TDX_SYS_NOT_READY, 0);
    }
    return handlers[c->leaf](c);
}

uint64_t emu_tdx_seamcall(struct tdx_regs *r)
{
    struct tdx_call c = {.r = r};
    uint64_t st = emu_tdx_fault(r->rax);

    if (st == TDX_SUCCESS && (r->rax & SEAMLDR_LEAF) != 0) {
        st = emu_seamldr_call(r);
    } else if (st == TDX_SUCCESS) {
        (void)__atomic_fetch_add(&tdx_module.inside, 1, __ATOMIC_SEQ_CST);
        st = dispatch(&c);
        tdx_drop_all(&c);
        (void)__atomic_fetch_sub(&tdx_module.inside, 1, __ATOMIC_SEQ_CST);
    }
    r->rax = st;
    return st;
}
