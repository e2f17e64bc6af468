/* A TD's memory, page by page: TDH.MEM.*, TDH.MR.*. ABI 5.3. */
#include "tdx_module.h"

#include "hv/string.h"

static uint64_t take_td(struct tdx_call *c, bool exclusive)
{
    uint64_t st = tdx_take_tdr(c, c->r->rdx, TDX_RDX, exclusive, TDX_PT_TDR);

    return st == TDX_SUCCESS ? tdx_take_tdcs(c, !exclusive) : st;
}

static uint64_t take_entry(struct tdx_call *c, unsigned int min, unsigned int max, bool exclusive,
                           struct sept_at *at)
{
    uint64_t st = take_td(c, false);

    return st == TDX_SUCCESS ? sept_take(c, min, max, exclusive, at) : st;
}

static struct tdx_pamt *pamt_under(uint64_t entry, unsigned int level)
{
    return tdx_pamt_of(entry & SEPT_PA, sept_is_leaf(entry) ? level : TDX_4K);
}

static void give_back(struct tdx_call *c, struct tdx_pamt *e, uint64_t at, unsigned int level)
{
    tdx_page_give_back(e, at, level, true);
    (void)__atomic_fetch_sub(&c->tdr->children, BIT(9 * level), __ATOMIC_RELAXED);
}

TDX_HANDLER(tdh_mem_sept_add)
{
    uint64_t page = c->r->r8;
    struct tdx_pamt *e;
    struct sept_at at;
    uint64_t st = take_entry(c, TDX_2M, TDX_512G, false, &at);

    st = st == TDX_SUCCESS ? tdx_take_free(c, page, TDX_R8, TDX_4K, &e) : st;
    if (st != TDX_SUCCESS) {
        return st;
    }
    memset(emu_mem(pa(page)), 0, PAGE_SIZE);
    tdx_own(c, e, TDX_PT_EPT, TDX_4K);
    sept_set(at.entry, sept_entry(SEPT_NL_MAPPED, page));
    return TDX_SUCCESS;
}

static bool all_free(const uint64_t *entries)
{
    for (unsigned int i = 0; i < 512; i++) {
        if (__atomic_load_n(&entries[i], __ATOMIC_ACQUIRE) != 0) {
            return false;
        }
    }
    return true;
}

/* An entry, and the page or the table below it: held, blocked, and forgotten by every CPU. */
struct below {
    struct sept_at at;
    uint64_t now, page;
    struct tdx_pamt *e;
};

static uint64_t take_below(struct tdx_call *c, unsigned int min, unsigned int max, bool exclusive,
                           struct below *b)
{
    uint64_t st = take_entry(c, min, max, exclusive, &b->at);

    if (st != TDX_SUCCESS) {
        return st;
    }
    b->now = sept_get(b->at.entry);
    b->page = b->now & SEPT_PA;
    b->e = pamt_under(b->now, b->at.level);
    if (!tdx_hold(c, &b->e->lock, true)) {
        return tdx_error(TDX_OPERAND_BUSY, TDX_RCX);
    }
    return sept_tracked(c, b->now, b->at.level, b->e->bepoch);
}

TDX_HANDLER(tdh_mem_sept_remove)
{
    struct below b;
    uint64_t st = take_below(c, TDX_2M, TDX_512G, true, &b);

    if (st != TDX_SUCCESS) {
        return st;
    }
    if (!all_free(emu_mem(pa(b.page)))) {
        sept_details(c, b.now, b.at.level);
        return tdx_error(TDX_EPT_PAGE_NOT_FREE, TDX_RCX);
    }
    sept_set(b.at.entry, 0);
    give_back(c, b.e, b.page, TDX_4K);
    c->r->rcx = b.page;
    return TDX_SUCCESS;
}

TDX_HANDLER(tdh_mem_sept_rd)
{
    struct sept_at at;
    uint64_t st = take_entry(c, TDX_4K, TDX_512G, false, &at);

    if (st == TDX_SUCCESS) {
        sept_details(c, sept_get(at.entry), at.level);
    }
    return st;
}

/* BASE 12.1: a name, the address at 16; for the contents of 256 bytes these follow. */
static void measure(struct tdx_tdcs *t, const char *name, uint64_t gpa, const void *data)
{
    uint8_t record[128] = {0};

    memcpy(record, name, strlen(name));
    memcpy(&record[16], &gpa, sizeof(gpa));
    emu_fpu_begin();
    emu_sha384_add(&t->mrtd_hash, record, sizeof(record));
    if (data != NULL) {
        emu_sha384_add(&t->mrtd_hash, data, TDX_EXTEND_CHUNK);
    }
    emu_fpu_end();
}

TDX_HANDLER(tdh_mem_page_add)
{
    uint64_t page = c->r->r8, source = c->r->r9;
    struct tdx_pamt *e;
    struct sept_at at;
    uint64_t st = take_td(c, true);

    st = st == TDX_SUCCESS ? sept_take(c, TDX_4K, TDX_4K, false, &at) : st;
    if (st == TDX_SUCCESS && !tdx_shared_hpa_ok(source, PAGE_SIZE)) {
        st = tdx_error(TDX_OPERAND_INVALID, TDX_R9);
    }
    st = st == TDX_SUCCESS ? tdx_take_free(c, page, TDX_R8, TDX_4K, &e) : st;
    if (st != TDX_SUCCESS) {
        return st;
    }
    memcpy(emu_mem(pa(page)), emu_mem(pa(source & (BIT(EMU_TDX_KEY_SHIFT) - 1))), PAGE_SIZE);
    measure(c->tdcs, "MEM.PAGE.ADD", at.gpa, NULL);
    tdx_own(c, e, TDX_PT_REG, TDX_4K);
    sept_set(at.entry, sept_entry(SEPT_MAPPED, page));
    return TDX_SUCCESS;
}

TDX_HANDLER(tdh_mr_extend)
{
    uint64_t gpa = c->r->rcx, now = 0, *entry;
    unsigned int level;
    uint64_t st = take_td(c, true);

    c->r->rcx = c->r->rdx = 0;
    if (st != TDX_SUCCESS) {
        return st;
    }
    if (!IS_ALIGNED(gpa, TDX_EXTEND_CHUNK) || !sept_gpa_ok(c->tdcs, gpa)) {
        return tdx_error(TDX_OPERAND_INVALID, TDX_RCX);
    }
    entry = sept_walk(c->tdr, gpa, TDX_4K, &level, &now);
    if (entry == NULL) {
        sept_details(c, now, level);
        return tdx_error(TDX_EPT_ENTRY_NOT_PRESENT, TDX_RCX);
    }
    if (!sept_allowed(c->leaf, now)) {
        return tdx_error(TDX_EPT_ENTRY_NOT_PRESENT, 0);
    }
    measure(c->tdcs, "MR.EXTEND", gpa, emu_mem(pa((now & SEPT_PA) + gpa % PAGE_SIZE)));
    return TDX_SUCCESS;
}

TDX_HANDLER(tdh_mr_finalize)
{
    uint64_t st = tdx_take_tdr(c, c->r->rcx, TDX_RCX, true, TDX_PT_TDR);

    st = st == TDX_SUCCESS ? tdx_take_tdcs(c, false) : st;
    if (st != TDX_SUCCESS) {
        return st;
    }
    if (c->tdcs->num_vcpus == 0) {
        return tdx_error(TDX_NO_VCPUS, 0);
    }
    emu_fpu_begin();
    emu_sha384_value(&c->tdcs->mrtd_hash, c->tdcs->mrtd);
    emu_fpu_end();
    c->tdcs->op_state = TDX_OP_RUNNABLE;
    return TDX_SUCCESS;
}

TDX_HANDLER(tdh_mem_page_aug)
{
    uint64_t page = c->r->r8;
    struct tdx_pamt *e;
    struct sept_at at;
    uint64_t st = take_entry(c, TDX_4K, TDX_2M, false, &at);

    st = st == TDX_SUCCESS ? tdx_take_free(c, page, TDX_R8, at.level, &e) : st;
    if (st != TDX_SUCCESS) {
        return st;
    }
    tdx_own(c, e, TDX_PT_REG, at.level);
    sept_set(at.entry, sept_entry(SEPT_PENDING, page));
    return TDX_SUCCESS;
}

TDX_HANDLER(tdh_mem_range_block)
{
    static const uint8_t to[] = {
        [SEPT_MAPPED] = SEPT_BLOCKED,
        [SEPT_PENDING] = SEPT_PENDING_BLOCKED,
        [SEPT_NL_MAPPED] = SEPT_NL_BLOCKED,
    };
    uint64_t now;
    struct sept_at at;
    uint64_t st = take_entry(c, TDX_4K, TDX_512G, true, &at);

    if (st != TDX_SUCCESS) {
        return st;
    }
    now = sept_get(at.entry);
    sept_set(at.entry, sept_entry((enum sept_state)to[sept_state_of(now)], now));
    pamt_under(now, at.level)->bepoch = __atomic_load_n(&c->tdcs->epoch, __ATOMIC_ACQUIRE);
    emu_tdx_forget(c->tdr_pa, at.gpa, TDX_LEVEL_SIZE(at.level));
    return TDX_SUCCESS;
}

static uint64_t unblocked(uint64_t entry)
{
    switch (sept_state_of(entry)) {
    case SEPT_BLOCKED:
        return sept_entry(SEPT_MAPPED, entry);
    case SEPT_PENDING_BLOCKED:
        return sept_entry(SEPT_PENDING, entry);
    case SEPT_NL_BLOCKED:
        return sept_entry(SEPT_NL_MAPPED, entry);
    case SEPT_FREE:
    case SEPT_MAPPED:
    case SEPT_PENDING:
    case SEPT_NL_MAPPED:
        break;
    }
    return entry;
}

TDX_HANDLER(tdh_mem_range_unblock)
{
    uint64_t now;
    struct sept_at at;
    uint64_t st = take_entry(c, TDX_4K, TDX_512G, true, &at);

    if (st != TDX_SUCCESS) {
        return st;
    }
    now = sept_get(at.entry);
    st = sept_tracked(c, now, at.level, pamt_under(now, at.level)->bepoch);
    if (st == TDX_SUCCESS) {
        sept_set(at.entry, unblocked(now));
    }
    return st;
}

TDX_HANDLER(tdh_mem_page_remove)
{
    struct below b;
    uint64_t st = take_below(c, TDX_4K, TDX_1G, false, &b);

    if (st != TDX_SUCCESS) {
        return st;
    }
    sept_set(b.at.entry, 0);
    emu_tdx_forget(c->tdr_pa, b.at.gpa, TDX_LEVEL_SIZE(b.at.level));
    give_back(c, b.e, b.page, b.at.level);
    c->r->rcx = b.page;
    return TDX_SUCCESS;
}

/* A big page becomes 512 parts below a new page of the tree: ABI 5.3.14. */
TDX_HANDLER(tdh_mem_page_demote)
{
    uint64_t table = c->r->r8, now, part, *parts;
    struct tdx_pamt *e;
    struct sept_at at;
    uint64_t st = take_entry(c, TDX_2M, TDX_1G, false, &at);

    if (st != TDX_SUCCESS) {
        return st;
    }
    now = sept_get(at.entry);
    st = sept_tracked(c, now, at.level, pamt_under(now, at.level)->bepoch);
    st = st == TDX_SUCCESS ? tdx_take_free(c, table, TDX_R8, TDX_4K, &e) : st;
    st = st == TDX_SUCCESS ? tdx_at(tdx_pamt_split(c, now & SEPT_PA, at.level), TDX_RCX) : st;
    if (st != TDX_SUCCESS) {
        return st;
    }
    part = unblocked(now);
    parts = emu_mem(pa(table));
    for (unsigned int i = 0; i < 512; i++) {
        parts[i] = part + i * TDX_LEVEL_SIZE(at.level - 1);
    }
    emu_tdx_forget(c->tdr_pa, at.gpa, TDX_LEVEL_SIZE(at.level));
    tdx_own(c, e, TDX_PT_EPT, TDX_4K);
    sept_set(at.entry, sept_entry(SEPT_NL_MAPPED, table));
    return TDX_SUCCESS;
}

/* All of one owner, in order, mapped or pending alike, nobody at work on one. */
static bool joinable(const uint64_t *parts, unsigned int level)
{
    uint64_t first = __atomic_load_n(&parts[0], __ATOMIC_ACQUIRE);
    enum sept_state s = sept_state_of(first);

    if ((s != SEPT_MAPPED && s != SEPT_PENDING) ||
        !IS_ALIGNED(first & SEPT_PA, TDX_LEVEL_SIZE(level))) {
        return false;
    }
    for (unsigned int i = 0; i < 512; i++) {
        if (__atomic_load_n(&parts[i], __ATOMIC_ACQUIRE) !=
            first + i * TDX_LEVEL_SIZE(level - 1)) {
            return false;
        }
    }
    return true;
}

TDX_HANDLER(tdh_mem_page_promote)
{
    /* Exclusively, where the real one locks 512 entries: no TD accepts a part meanwhile. */
    struct below b;
    uint64_t st = take_below(c, TDX_2M, TDX_1G, true, &b), first;

    if (st != TDX_SUCCESS) {
        return st;
    }
    if (!joinable(emu_mem(pa(b.page)), b.at.level)) {
        sept_details(c, b.now, b.at.level);
        return tdx_error(TDX_EPT_INVALID_PROMOTE_CONDITIONS, TDX_RCX);
    }
    first = *(const uint64_t *)emu_mem(pa(b.page));
    st = tdx_at(tdx_pamt_join(c, first & SEPT_PA, b.at.level), TDX_RCX);
    if (st != TDX_SUCCESS) {
        return st;
    }
    sept_set(b.at.entry, first);
    emu_tdx_forget(c->tdr_pa, b.at.gpa, TDX_LEVEL_SIZE(b.at.level));
    give_back(c, b.e, b.page, TDX_4K);
    c->r->rcx = b.page;
    return TDX_SUCCESS;
}

TDX_HANDLER(tdh_mem_track)
{
    uint64_t st = tdx_take_tdr(c, c->r->rcx, TDX_RCX, false, TDX_PT_TDR);
    uint64_t epoch;

    st = st == TDX_SUCCESS ? tdx_take_tdcs(c, true) : st;
    if (st != TDX_SUCCESS) {
        return st;
    }
    if (!tdx_hold(c, &c->tdcs->epoch_lock, true)) {
        return tdx_error(TDX_OPERAND_BUSY, TDX_TD_EPOCH);
    }
    epoch = c->tdcs->epoch;
    if (__atomic_load_n(&c->tdcs->refcount[1 - (epoch & 1)], __ATOMIC_ACQUIRE) != 0) {
        return tdx_error(TDX_PREVIOUS_TLB_EPOCH_BUSY, 0);
    }
    __atomic_store_n(&c->tdcs->epoch, epoch + 1, __ATOMIC_RELEASE);
    return TDX_SUCCESS;
}
