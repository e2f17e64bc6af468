/* A TD's life and its key: TDH.MNG.*, TDH.PHYMEM.*. ABI 5.3; BASE 7, 9. */
#include "tdx_module.h"

#include "hv/string.h"

#define WB_STEPS 4u /* a write-back of all caches, in parts that interrupts may come between */
#define WB_START 0u
#define WB_RESUME 1u

static uint64_t package_bit(void)
{
    return BIT(emu_tdx_package(emu_tdx_lp()));
}

TDX_HANDLER(tdh_mng_create)
{
    uint64_t at = c->r->rcx, key = c->r->rdx;
    struct tdx_pamt *e;
    uint64_t st;

    if (key < EMU_TDX_KEY_FIRST || key >= EMU_TDX_KEYS) {
        return tdx_error(TDX_OPERAND_INVALID, TDX_RDX);
    }
    st = tdx_take_tdr(c, at, TDX_RCX, true, TDX_PT_NDA);
    if (st != TDX_SUCCESS) {
        return st;
    }
    if (!tdx_hold(c, &tdx_module.kot_lock, true)) {
        return tdx_error(TDX_OPERAND_BUSY, TDX_KOT);
    }
    if (tdx_module.key[key].state != KEY_FREE) {
        return tdx_error(TDX_HKID_NOT_FREE, 0);
    }
    tdx_module.key[key].state = KEY_ASSIGNED;
    memset(c->tdr, 0, PAGE_SIZE);
    c->tdr->hkid = (uint32_t)key;
    c->tdr->lifecycle = TDX_HKID_ASSIGNED;
    e = tdx_pamt_of(at, TDX_4K);
    e->type = TDX_PT_TDR;
    tdx_set_owner(e, 0);
    return TDX_SUCCESS;
}

TDX_HANDLER(tdh_mng_key_config)
{
    uint64_t st = tdx_take_tdr(c, c->r->rcx, TDX_RCX, true, TDX_PT_TDR);

    if (st != TDX_SUCCESS) {
        return st;
    }
    if (c->tdr->fatal != 0) {
        return tdx_error(TDX_TD_FATAL, 0);
    }
    if (c->tdr->lifecycle != TDX_HKID_ASSIGNED) {
        return tdx_error(TDX_LIFECYCLE_STATE_INCORRECT, 0);
    }
    if ((c->tdr->pkg_config & package_bit()) != 0) {
        return tdx_error(TDX_KEY_CONFIGURED, 0);
    }
    c->tdr->pkg_config |= package_bit();
    if (c->tdr->pkg_config == tdx_module.pkg_config) {
        c->tdr->lifecycle = TDX_KEYS_CONFIGURED;
    }
    return TDX_SUCCESS;
}

TDX_HANDLER(tdh_mng_addcx)
{
    uint64_t at = c->r->rcx;
    uint64_t st = tdx_take_tdr(c, c->r->rdx, TDX_RDX, true, TDX_PT_TDR);
    struct tdx_pamt *e;

    if (st != TDX_SUCCESS) {
        return st;
    }
    if (c->tdr->fatal != 0) {
        return tdx_error(TDX_TD_FATAL, 0);
    }
    if (c->tdr->lifecycle != TDX_KEYS_CONFIGURED) {
        return tdx_error(TDX_TD_KEYS_NOT_CONFIGURED, 0);
    }
    if (c->tdr->num_tdcx >= TDX_TDCS_PAGES) {
        return tdx_error(TDX_TDCX_NUM_INCORRECT, 0);
    }
    st = tdx_take_free(c, at, TDX_RCX, TDX_4K, &e);
    if (st != TDX_SUCCESS) {
        return st;
    }
    memset(emu_mem(pa(at)), 0, PAGE_SIZE);
    c->tdr->tdcx[c->tdr->num_tdcx++] = at;
    tdx_own(c, e, TDX_PT_TDCX, TDX_4K);
    return TDX_SUCCESS;
}

/* None of its vCPUs has anything cached in a CPU any more. */
TDX_HANDLER(tdh_mng_vpflushdone)
{
    uint64_t st = tdx_take_tdr(c, c->r->rcx, TDX_RCX, true, TDX_PT_TDR);
    const struct tdx_tdcs *t;

    if (st != TDX_SUCCESS) {
        return st;
    }
    if (!tdx_hold(c, &tdx_module.kot_lock, true)) {
        return tdx_error(TDX_OPERAND_BUSY, TDX_KOT);
    }
    if (c->tdr->lifecycle != TDX_KEYS_CONFIGURED && c->tdr->lifecycle != TDX_HKID_ASSIGNED) {
        return tdx_error(TDX_LIFECYCLE_STATE_INCORRECT, 0);
    }
    if (c->tdr->num_tdcx >= TDX_TDCS_PAGES) {
        t = tdx_tdcs_of(c->tdr);
        if (t->op_state != TDX_OP_UNINITIALIZED && t->num_assoc != 0) {
            return tdx_error(TDX_FLUSHVP_NOT_DONE, 0);
        }
    }
    tdx_module.key[c->tdr->hkid].state = KEY_FLUSHED;
    tdx_module.key[c->tdr->hkid].to_flush = tdx_module.pkg_config;
    c->tdr->lifecycle = TDX_BLOCKED;
    return TDX_SUCCESS;
}

TDX_HANDLER(tdh_mng_key_freeid)
{
    uint64_t st = tdx_take_tdr(c, c->r->rcx, TDX_RCX, true, TDX_PT_TDR);

    if (st != TDX_SUCCESS) {
        return st;
    }
    if (c->tdr->lifecycle != TDX_BLOCKED) {
        return tdx_error(TDX_LIFECYCLE_STATE_INCORRECT, 0);
    }
    if (!tdx_hold(c, &tdx_module.kot_lock, true)) {
        return tdx_error(TDX_OPERAND_BUSY, TDX_KOT);
    }
    if (tdx_module.key[c->tdr->hkid].to_flush != 0) {
        return tdx_error(TDX_WBCACHE_NOT_COMPLETE, 0);
    }
    tdx_module.key[c->tdr->hkid].state = KEY_FREE;
    c->tdr->lifecycle = TDX_TEARDOWN;
    return TDX_SUCCESS;
}

static uint64_t flushed_keys(void)
{
    uint64_t keys = 0;

    for (unsigned int k = EMU_TDX_KEY_FIRST; k < EMU_TDX_KEYS; k++) {
        keys |= tdx_module.key[k].state == KEY_FLUSHED ? BIT(k) : 0;
    }
    return keys;
}

static uint64_t wb_begin(uint64_t command, unsigned int package, unsigned int *point)
{
    *point = tdx_module.wb[package].point;
    if (command == WB_RESUME) {
        return *point == 0 ? tdx_error(TDX_WBCACHE_RESUME_ERROR, 0) : TDX_SUCCESS;
    }
    *point = 0;
    tdx_module.wb[package].point = 0;
    tdx_module.wb[package].keys = flushed_keys();
    return tdx_module.wb[package].keys == 0 ? tdx_error(TDX_NO_HKID_READY_TO_WBCACHE, 0)
                                            : TDX_SUCCESS;
}

TDX_HANDLER(tdh_phymem_cache_wb)
{
    unsigned int package = emu_tdx_package(emu_tdx_lp()), point;
    uint64_t st;

    if (c->r->rcx > WB_RESUME) {
        return tdx_error(TDX_OPERAND_INVALID, TDX_RCX);
    }
    if (!tdx_hold(c, &tdx_module.wb[package].lock, true)) {
        return tdx_error(TDX_OPERAND_BUSY, TDX_WBCACHE);
    }
    if (!tdx_hold(c, &tdx_module.kot_lock, false)) {
        return tdx_error(TDX_OPERAND_BUSY, TDX_KOT);
    }
    st = wb_begin(c->r->rcx, package, &point);
    if (st != TDX_SUCCESS) {
        return st;
    }
    while (++point < WB_STEPS) {
        if (emu_tdx_interrupt()) {
            tdx_module.wb[package].point = point;
            return tdx_error(TDX_INTERRUPTED_RESUMABLE, 0);
        }
    }
    tdx_module.wb[package].point = 0;
    for (unsigned int k = EMU_TDX_KEY_FIRST; k < EMU_TDX_KEYS; k++) {
        if ((tdx_module.wb[package].keys & BIT(k)) != 0) {
            (void)__atomic_fetch_and(&tdx_module.key[k].to_flush, ~BIT(package),
                                     __ATOMIC_RELAXED);
        }
    }
    return TDX_SUCCESS;
}

TDX_HANDLER(tdh_phymem_page_wbinvd)
{
    struct tdx_pamt *e;
    uint64_t at = c->r->rcx;

    if (at >= BIT(EMU_TDX_PA_BITS)) {
        return tdx_error(TDX_OPERAND_INVALID, TDX_RCX);
    }
    at &= BIT(EMU_TDX_KEY_SHIFT) - 1;
    return tdx_at(tdx_pamt_explicit(c, at, TDX_4K, false, TDX_PT_NDA, &e), TDX_RCX);
}

static void tell(struct tdx_call *c, const struct tdx_pamt *e, unsigned int level)
{
    c->r->rcx = e->type;
    c->r->rdx = tdx_owner_of(e);
    c->r->r8 = level;
}

static uint64_t find_page(struct tdx_call *c, uint64_t at, bool exclusive, struct tdx_pamt **e,
                          unsigned int *level)
{
    c->r->rcx = c->r->rdx = c->r->r8 = c->r->r9 = c->r->r10 = c->r->r11 = 0;
    if (!IS_ALIGNED(at, PAGE_SIZE) || at >= BIT(EMU_TDX_KEY_SHIFT)) {
        return tdx_error(TDX_OPERAND_INVALID, TDX_RCX);
    }
    return tdx_at(tdx_pamt_leaf(c, at, exclusive, e, level), TDX_RCX);
}

TDX_HANDLER(tdh_phymem_page_rdmd)
{
    struct tdx_pamt *e;
    unsigned int level;
    uint64_t st = find_page(c, c->r->rcx, false, &e, &level);

    if (st == TDX_SUCCESS) {
        tell(c, e, level);
    }
    return st;
}

static uint64_t reclaim_tdr(uint64_t at)
{
    const struct tdx_tdr *tdr = emu_mem(pa(at));

    if (tdr->lifecycle != TDX_TEARDOWN) {
        return tdx_error(TDX_LIFECYCLE_STATE_INCORRECT, 0);
    }
    return tdr->children != 0 ? tdx_error(TDX_TD_ASSOCIATED_PAGES_EXIST, 0) : TDX_SUCCESS;
}

static uint64_t reclaim_child(struct tdx_call *c, const struct tdx_pamt *e, unsigned int level)
{
    struct tdx_pamt *owner = tdx_pamt_of(tdx_owner_of(e), TDX_4K);
    struct tdx_tdr *tdr = emu_mem(pa(tdx_owner_of(e)));

    if (!tdx_hold(c, &owner->lock, false)) {
        return tdx_error(TDX_OPERAND_BUSY, TDX_TDR);
    }
    if (tdr->lifecycle != TDX_TEARDOWN) {
        return tdx_error(TDX_LIFECYCLE_STATE_INCORRECT, 0);
    }
    (void)__atomic_fetch_sub(&tdr->children, BIT(9 * level), __ATOMIC_RELAXED);
    return TDX_SUCCESS;
}

TDX_HANDLER(tdh_phymem_page_reclaim)
{
    uint64_t at = c->r->rcx;
    struct tdx_pamt *e;
    unsigned int level;
    uint64_t st = find_page(c, at, true, &e, &level);

    if (st != TDX_SUCCESS) {
        return st;
    }
    if (e->type == TDX_PT_NDA || e->type == TDX_PT_RSVD) {
        return tdx_error(TDX_PAGE_METADATA_INCORRECT, TDX_RCX);
    }
    tell(c, e, level);
    if (!IS_ALIGNED(at, TDX_LEVEL_SIZE(level))) {
        return tdx_error(TDX_OPERAND_INVALID, TDX_RCX);
    }
    st = e->type == TDX_PT_TDR ? reclaim_tdr(at) : reclaim_child(c, e, level);
    if (st == TDX_SUCCESS) {
        if (e->type == TDX_PT_TDR) {
            emu_tdx_gone(at);
        }
        /* A dead TD's RAM stays as it is: QEMU takes half a second to forget the code in it. */
        tdx_page_give_back(e, at, level, e->type != TDX_PT_REG);
    }
    return st;
}
