/* A TD's memory on the emulated TDX module: secure EPT, tracking, sizes, measurement. */
#include "cu.h"
#include "tdx_host.h"

#include <attest/measure_tdx.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GPA 0x200000ull

static struct host_td td;

static void start(bool finalize)
{
    tdx_host_ready();
    host_td_make(&td, HOST_KEY, finalize);
    host_td_tables(&td, GPA, TDX_4K);
}

static uint64_t block(uint64_t gpa, unsigned int level)
{
    return host_call(TDH_MEM_RANGE_BLOCK, TDX_PAGE(gpa, level), td.tdr, 0, 0);
}

static uint64_t remove_page(uint64_t gpa, unsigned int level)
{
    return host_call(TDH_MEM_PAGE_REMOVE, TDX_PAGE(gpa, level), td.tdr, 0, 0);
}

static uint64_t track(void)
{
    return host_call(TDH_MEM_TRACK, td.tdr, 0, 0, 0);
}

static uint64_t aug(uint64_t gpa, unsigned int level)
{
    return host_call(TDH_MEM_PAGE_AUG, TDX_PAGE(gpa, level), td.tdr,
                     level == TDX_2M ? host_page_2m() : host_page(), 0);
}

static uint64_t accepted_gpa;
static unsigned int accepted_level;

static void accept(struct tdx_vp *vp)
{
    vp->regs.rax = TDG_MEM_PAGE_ACCEPT;
    vp->regs.rcx = TDX_PAGE(accepted_gpa, accepted_level);
    if (tdx_tdcall(vp) == TDX_RESUME) {
        tdx_exit_async(vp, TDX_EXIT_HLT, 0, 0, 0);
    }
}

/* The TD accepts; what it was told, or all ones when it exited instead. */
static uint64_t accept_of(uint64_t gpa, unsigned int level)
{
    accepted_gpa = gpa;
    accepted_level = level;
    host_td_code = accept;
    return TDX_EXIT_REASON(host_enter(&td, 0)) == TDX_EXIT_HLT ? host_vp(&td, 0)->regs.rax
                                                                : ~0ull;
}

static enum sept_state state_at(uint64_t gpa)
{
    uint64_t entry;
    unsigned int level;

    (void)sept_walk(host_at(td.tdr), gpa, TDX_4K, &level, &entry);
    return sept_state_of(entry);
}

static void a_page_needs_its_tables_first(void)
{
    start(false);
    CU_ASSERT_EQUAL(host_call(TDH_MEM_PAGE_ADD, SIZE_1G, td.tdr, host_page(), 0x4000),
                    ST(EPT_WALK_FAILED, TDX_RCX));
    CU_ASSERT_EQUAL(host_regs.rdx, TDX_1G | TDX_SEPT_FREE << 8);
    CU_ASSERT_EQUAL(host_call(TDH_MEM_SEPT_ADD, TDX_PAGE(SIZE_1G, TDX_2M), td.tdr, host_page(), 0),
                    ST(EPT_WALK_FAILED, TDX_RCX));
    CU_ASSERT_EQUAL(host_call(TDH_MEM_SEPT_ADD, TDX_PAGE(0, TDX_1G), td.tdr, host_page(), 0),
                    ST(EPT_ENTRY_STATE_INCORRECT, TDX_RCX));
    CU_ASSERT_EQUAL(host_regs.rdx, TDX_1G | TDX_SEPT_NL_MAPPED << 8);
}

static void no_address_beyond_the_shared_bit_is_private(void)
{
    start(false);
    CU_ASSERT_EQUAL(host_call(TDH_MEM_PAGE_ADD, BIT(47), td.tdr, host_page(), 0x4000),
                    ST(OPERAND_INVALID, TDX_RCX));
    CU_ASSERT_EQUAL(host_call(TDH_MEM_PAGE_ADD, BIT(52), td.tdr, host_page(), 0x4000),
                    ST(OPERAND_INVALID, TDX_RCX));
    CU_ASSERT_EQUAL(host_call(TDH_MEM_PAGE_ADD, BIT(3), td.tdr, host_page(), 0x4000),
                    ST(OPERAND_INVALID, TDX_RCX));
    CU_ASSERT_EQUAL(aug(GPA + PAGE_SIZE, TDX_2M), ST(OPERAND_INVALID, TDX_RCX));
}

static void a_page_is_added_once(void)
{
    uint64_t at;

    start(false);
    at = host_td_add(&td, GPA, "contents", 8);
    CU_ASSERT_STRING_EQUAL(host_at(at), "contents");
    CU_ASSERT_EQUAL(host_call(TDH_MEM_PAGE_ADD, GPA, td.tdr, host_page(), 0x4000),
                    ST(EPT_ENTRY_STATE_INCORRECT, TDX_RCX));
    CU_ASSERT_EQUAL(host_regs.rdx, TDX_4K | TDX_SEPT_MAPPED << 8);
    CU_ASSERT_EQUAL(host_regs.rcx & PAGE_MASK, at);
    CU_ASSERT_EQUAL(host_call(TDH_MEM_PAGE_ADD, GPA + PAGE_SIZE, td.tdr, at, 0x4000),
                    ST(PAGE_METADATA_INCORRECT, TDX_R8));
    CU_ASSERT_EQUAL(host_call(TDH_MEM_PAGE_ADD, GPA + PAGE_SIZE, td.tdr, td.tdcx[0], 0x4000),
                    ST(PAGE_METADATA_INCORRECT, TDX_R8));
}

static void a_page_cannot_be_two_tds(void)
{
    struct host_td other;
    uint64_t at;

    start(false);
    at = host_page_2m() + 7 * PAGE_SIZE;
    CU_ASSERT_EQUAL(host_call(TDH_MEM_PAGE_ADD, GPA, td.tdr, at, 0x4000), TDX_SUCCESS);
    host_td_make(&other, HOST_KEY + 1, false);
    CU_ASSERT_EQUAL(host_call(TDH_MEM_PAGE_ADD, 0, other.tdr, at, 0x4000),
                    ST(PAGE_METADATA_INCORRECT, TDX_R8));
    CU_ASSERT_EQUAL(host_call(TDH_MEM_PAGE_AUG, TDX_PAGE(0, TDX_2M), other.tdr,
                              ALIGN_DOWN(at, SIZE_2M), 0),
                    ST(EPT_ENTRY_STATE_INCORRECT, TDX_RCX)); /* tables are there */
    host_td_tables(&other, SIZE_1G, TDX_2M);
    CU_ASSERT_EQUAL(host_call(TDH_MEM_PAGE_AUG, TDX_PAGE(SIZE_1G, TDX_2M), other.tdr,
                              ALIGN_DOWN(at, SIZE_2M), 0),
                    ST(PAGE_METADATA_INCORRECT, TDX_R8)); /* a part of it is somebody's */
}

static void pages_are_added_before_the_end_only_and_augmented_after(void)
{
    start(true);
    CU_ASSERT_EQUAL(host_call(TDH_MEM_PAGE_ADD, GPA, td.tdr, host_page(), 0x4000),
                    ST(OP_STATE_INCORRECT, 0));
    CU_ASSERT_EQUAL(host_call(TDH_MR_EXTEND, GPA, td.tdr, 0, 0), ST(OP_STATE_INCORRECT, 0));
    CU_ASSERT_EQUAL(aug(GPA, TDX_4K), TDX_SUCCESS);
}

static void a_page_given_later_is_nothing_until_it_is_accepted(void)
{
    uint64_t at, size, where;
    struct tdx_vp *vp;

    start(true);
    CU_ASSERT_EQUAL(aug(GPA, TDX_4K), TDX_SUCCESS);
    vp = host_vp(&td, 0);
    vp->tdr = host_at(td.tdr);
    vp->tdcs = tdx_tdcs_of(vp->tdr);
    CU_ASSERT_EQUAL(tdx_access(vp, GPA + 5, EPT_VIOLATION_READ, &where, &size), TDX_ACCESS_EXIT);
    CU_ASSERT_EQUAL(vp->exit.extended, TDX_EEQ_PENDING);
    at = sept_get(sept_walk(vp->tdr, GPA, TDX_4K, &(unsigned int){0}, &size)) & SEPT_PA;
    memset(host_at(at), 0x77, PAGE_SIZE); /* what the host left there */
    CU_ASSERT_EQUAL(accept_of(GPA, TDX_4K), TDX_SUCCESS);
    CU_ASSERT_EQUAL(tdx_access(vp, GPA + 5, EPT_VIOLATION_READ, &where, &size), TDX_ACCESS_OK);
    CU_ASSERT_EQUAL(where, at + 5);
    CU_ASSERT_EQUAL(*(uint64_t *)host_at(at), 0);
    memset(host_at(at), 0x66, PAGE_SIZE); /* only once does it become zeros */
    CU_ASSERT_EQUAL(tdx_access(vp, GPA + 5, EPT_VIOLATION_READ, &where, &size), TDX_ACCESS_OK);
    CU_ASSERT_EQUAL(*(uint8_t *)host_at(at), 0x66);
    CU_ASSERT_EQUAL(accept_of(GPA, TDX_4K), ST(PAGE_ALREADY_ACCEPTED, TDX_4K));
    CU_ASSERT_EQUAL(block(GPA, TDX_4K), TDX_SUCCESS);
    CU_ASSERT_EQUAL(tdx_access(vp, GPA, EPT_VIOLATION_WRITE, &where, &size), TDX_ACCESS_EXIT);
    CU_ASSERT_EQUAL(vp->exit.extended, TDX_EEQ_NONE);
}

static void a_td_may_ask_for_ve_instead(void)
{
    struct tdx_vp *vp;
    uint64_t at, size;

    tdx_host_ready();
    host_td_create(&td, HOST_KEY);
    td.params.attributes = 0;
    CU_ASSERT_EQUAL(host_td_init(&td), TDX_SUCCESS);
    host_td_vcpu(&td, 0);
    host_td_tables(&td, GPA, TDX_4K);
    CU_ASSERT_EQUAL(host_call(TDH_MR_FINALIZE, td.tdr, 0, 0, 0), TDX_SUCCESS);
    CU_ASSERT_EQUAL(aug(GPA, TDX_4K), TDX_SUCCESS);
    vp = host_vp(&td, 0);
    vp->tdr = host_at(td.tdr);
    vp->tdcs = tdx_tdcs_of(vp->tdr);
    CU_ASSERT_EQUAL(tdx_access(vp, GPA, EPT_VIOLATION_READ, &at, &size), TDX_ACCESS_VE);
    CU_ASSERT_EQUAL(tdx_access(vp, GPA + PAGE_SIZE, EPT_VIOLATION_READ, &at, &size),
                    TDX_ACCESS_EXIT);
}

static void acceptance_minds_the_size(void)
{
    start(true);
    CU_ASSERT_EQUAL(aug(GPA, TDX_4K), TDX_SUCCESS);
    CU_ASSERT_EQUAL(accept_of(GPA, TDX_2M), ST(PAGE_SIZE_MISMATCH, TDX_2M));
    host_td_tables(&td, SIZE_1G, TDX_2M);
    CU_ASSERT_EQUAL(aug(SIZE_1G, TDX_2M), TDX_SUCCESS);
    CU_ASSERT_EQUAL(accept_of(SIZE_1G, TDX_4K), ~0ull); /* exits: the host may split it */
    CU_ASSERT_EQUAL(host_regs.rdx, TDX_EEQ_ACCEPT | (uint64_t)TDX_4K << 32);
    CU_ASSERT_EQUAL(host_regs.r8, SIZE_1G);
    CU_ASSERT_EQUAL(accept_of(SIZE_1G, TDX_2M), TDX_SUCCESS);
    CU_ASSERT_EQUAL(accept_of(SIZE_1G + PAGE_SIZE, TDX_4K), ST(PAGE_ALREADY_ACCEPTED, TDX_2M));
    CU_ASSERT_EQUAL(accept_of(SIZE_1G, TDX_1G), ST(OPERAND_INVALID, TDX_RCX));
}

static void a_page_is_removed_only_when_no_cpu_can_reach_it(void)
{
    start(true);
    CU_ASSERT_EQUAL(aug(GPA, TDX_4K), TDX_SUCCESS);
    CU_ASSERT_EQUAL(accept_of(GPA, TDX_4K), TDX_SUCCESS);
    CU_ASSERT_EQUAL(remove_page(GPA, TDX_4K), ST(GPA_RANGE_NOT_BLOCKED, TDX_RCX));
    CU_ASSERT_EQUAL(block(GPA, TDX_4K), TDX_SUCCESS);
    CU_ASSERT_EQUAL(host_core.forgot_gpa, GPA);
    CU_ASSERT_EQUAL(block(GPA, TDX_4K), ST(GPA_RANGE_ALREADY_BLOCKED, TDX_RCX));
    CU_ASSERT_EQUAL(remove_page(GPA, TDX_4K), ST(TLB_TRACKING_NOT_DONE, TDX_RCX));
    CU_ASSERT_EQUAL(track(), TDX_SUCCESS);
    CU_ASSERT_EQUAL(remove_page(GPA, TDX_4K), TDX_SUCCESS);
    CU_ASSERT_EQUAL(state_at(GPA), SEPT_FREE);
    CU_ASSERT_EQUAL(remove_page(GPA, TDX_4K), ST(EPT_ENTRY_STATE_INCORRECT, TDX_RCX));
}

static uint64_t inner;

static void removed_while_it_runs(struct tdx_vp *vp)
{
    host_lp = 1;
    CU_ASSERT_EQUAL(block(GPA, TDX_4K), TDX_SUCCESS);
    CU_ASSERT_EQUAL(track(), TDX_SUCCESS);
    inner = remove_page(GPA, TDX_4K);
    host_lp = 0;
    tdx_exit_async(vp, TDX_EXIT_INTERRUPT, 0, 0, 0);
}

static void a_cpu_that_still_runs_the_td_keeps_a_page_alive(void)
{
    start(true);
    CU_ASSERT_EQUAL(aug(GPA, TDX_4K), TDX_SUCCESS);
    CU_ASSERT_EQUAL(accept_of(GPA, TDX_4K), TDX_SUCCESS);
    host_td_code = removed_while_it_runs;
    (void)host_enter(&td, 0);
    CU_ASSERT_EQUAL(inner, ST(TLB_TRACKING_NOT_DONE, TDX_RCX));
    CU_ASSERT_EQUAL(remove_page(GPA, TDX_4K), TDX_SUCCESS); /* it has left: an IPI does that */
    host_td_code = NULL;
    host_core.flushes = 0;
    (void)host_enter(&td, 0);
    CU_ASSERT_EQUAL(host_core.flushes, 1); /* a new epoch begins with a clean TLB */
    (void)host_enter(&td, 0);
    CU_ASSERT_EQUAL(host_core.flushes, 1);
}

static void a_blocked_page_can_come_back(void)
{
    start(true);
    CU_ASSERT_EQUAL(aug(GPA, TDX_4K), TDX_SUCCESS);
    CU_ASSERT_EQUAL(block(GPA, TDX_4K), TDX_SUCCESS);
    CU_ASSERT_EQUAL(accept_of(GPA, TDX_4K), ~0ull);
    CU_ASSERT_EQUAL(host_call(TDH_MEM_RANGE_UNBLOCK, GPA, td.tdr, 0, 0),
                    ST(TLB_TRACKING_NOT_DONE, TDX_RCX));
    CU_ASSERT_EQUAL(track(), TDX_SUCCESS);
    CU_ASSERT_EQUAL(host_call(TDH_MEM_RANGE_UNBLOCK, GPA, td.tdr, 0, 0), TDX_SUCCESS);
    CU_ASSERT_EQUAL(state_at(GPA), SEPT_PENDING);
    CU_ASSERT_EQUAL(accept_of(GPA, TDX_4K), TDX_SUCCESS);
}

static void blocking_a_table_blocks_what_is_below(void)
{
    start(true);
    CU_ASSERT_EQUAL(aug(GPA, TDX_4K), TDX_SUCCESS);
    CU_ASSERT_EQUAL(block(GPA, TDX_2M), TDX_SUCCESS);
    CU_ASSERT_EQUAL(host_core.forgot_size, SIZE_2M);
    CU_ASSERT_EQUAL(accept_of(GPA, TDX_4K), ~0ull);
    CU_ASSERT_EQUAL(aug(GPA + PAGE_SIZE, TDX_4K), ST(EPT_WALK_FAILED, TDX_RCX));
    CU_ASSERT_EQUAL(host_regs.rdx, TDX_2M | TDX_SEPT_NL_BLOCKED << 8);
    CU_ASSERT_EQUAL(track(), TDX_SUCCESS);
    CU_ASSERT_EQUAL(host_call(TDH_MEM_SEPT_REMOVE, TDX_PAGE(GPA, TDX_2M), td.tdr, 0, 0),
                    ST(EPT_PAGE_NOT_FREE, TDX_RCX));
    CU_ASSERT_EQUAL(host_call(TDH_MEM_RANGE_UNBLOCK, TDX_PAGE(GPA, TDX_2M), td.tdr, 0, 0),
                    TDX_SUCCESS);
    CU_ASSERT_EQUAL(accept_of(GPA, TDX_4K), TDX_SUCCESS);
}

static void an_empty_table_can_be_taken_away(void)
{
    start(true);
    CU_ASSERT_EQUAL(block(GPA, TDX_2M), TDX_SUCCESS);
    CU_ASSERT_EQUAL(host_call(TDH_MEM_SEPT_REMOVE, TDX_PAGE(GPA, TDX_2M), td.tdr, 0, 0),
                    ST(TLB_TRACKING_NOT_DONE, TDX_RCX));
    CU_ASSERT_EQUAL(track(), TDX_SUCCESS);
    CU_ASSERT_EQUAL(host_call(TDH_MEM_SEPT_REMOVE, TDX_PAGE(GPA, TDX_2M), td.tdr, 0, 0),
                    TDX_SUCCESS);
    CU_ASSERT_EQUAL(aug(GPA, TDX_2M), TDX_SUCCESS);
}

/* A big page that the TD accepted, split and joined again. */
static void a_big_page_can_be_split_and_joined(void)
{
    uint64_t page, table, st;

    start(true);
    host_td_tables(&td, SIZE_1G, TDX_2M);
    CU_ASSERT_EQUAL(aug(SIZE_1G, TDX_2M), TDX_SUCCESS);
    CU_ASSERT_EQUAL(accept_of(SIZE_1G, TDX_2M), TDX_SUCCESS);
    table = host_page();
#define DEMOTE host_call(TDH_MEM_PAGE_DEMOTE, TDX_PAGE(SIZE_1G, TDX_2M), td.tdr, table, 0)
    CU_ASSERT_EQUAL(DEMOTE, ST(GPA_RANGE_NOT_BLOCKED, TDX_RCX));
    page = host_regs.rcx & SEPT_PA;
    CU_ASSERT_EQUAL(block(SIZE_1G, TDX_2M), TDX_SUCCESS);
    CU_ASSERT_EQUAL(DEMOTE, ST(TLB_TRACKING_NOT_DONE, TDX_RCX));
    CU_ASSERT_EQUAL(track(), TDX_SUCCESS);
    CU_ASSERT_EQUAL(DEMOTE, TDX_SUCCESS);
#undef DEMOTE
    CU_ASSERT_EQUAL(state_at(SIZE_1G + 511 * PAGE_SIZE), SEPT_MAPPED);
    CU_ASSERT_EQUAL(host_call(TDH_PHYMEM_PAGE_RDMD, page + PAGE_SIZE, 0, 0, 0), TDX_SUCCESS);
    CU_ASSERT(host_regs.rcx == TDX_PT_REG && host_regs.rdx == td.tdr && host_regs.r8 == 0);
    CU_ASSERT_EQUAL(block(SIZE_1G, TDX_2M), TDX_SUCCESS);
    CU_ASSERT_EQUAL(track(), TDX_SUCCESS);
    st = host_call(TDH_MEM_PAGE_PROMOTE, TDX_PAGE(SIZE_1G, TDX_2M), td.tdr, 0, 0);
    CU_ASSERT_EQUAL(st, TDX_SUCCESS);
    CU_ASSERT_EQUAL(host_regs.rcx, table);
    CU_ASSERT_EQUAL(host_call(TDH_PHYMEM_PAGE_RDMD, page + PAGE_SIZE, 0, 0, 0), TDX_SUCCESS);
    CU_ASSERT(host_regs.rcx == TDX_PT_REG && host_regs.r8 == TDX_2M);
    CU_ASSERT_EQUAL(state_at(SIZE_1G), SEPT_MAPPED);
}

static void pages_that_do_not_fit_are_not_joined(void)
{
    start(true);
    CU_ASSERT_EQUAL(aug(GPA, TDX_4K), TDX_SUCCESS);
    CU_ASSERT_EQUAL(block(GPA, TDX_2M), TDX_SUCCESS);
    CU_ASSERT_EQUAL(track(), TDX_SUCCESS);
    CU_ASSERT_EQUAL(host_call(TDH_MEM_PAGE_PROMOTE, TDX_PAGE(GPA, TDX_2M), td.tdr, 0, 0),
                    ST(EPT_INVALID_PROMOTE_CONDITIONS, TDX_RCX));
}

static void a_lock_that_is_held_answers_busy(void)
{
    struct tdx_tdcs *t;
    struct tdx_pamt *e;
    uint64_t *entry, now;
    unsigned int level;

    start(true);
    t = tdx_tdcs_of(host_at(td.tdr));
    t->sept_lock = 1;
    CU_ASSERT_EQUAL(block(GPA, TDX_4K), ST(OPERAND_BUSY, TDX_SEPT_TREE));
    CU_ASSERT_EQUAL(aug(GPA, TDX_4K), TDX_SUCCESS); /* shared with others */
    t->sept_lock = 0;
    t->op_lock = 0x8000;
    CU_ASSERT_EQUAL(track(), ST(OPERAND_BUSY, TDX_OP_STATE));
    t->op_lock = 0;
    t->epoch_lock = 1;
    CU_ASSERT_EQUAL(track(), ST(OPERAND_BUSY, TDX_TD_EPOCH));
    t->epoch_lock = 0x8000;
    CU_ASSERT_EQUAL(host_enter(&td, 0), ST(OPERAND_BUSY, TDX_TD_EPOCH));
    t->epoch_lock = 0;
    entry = sept_walk(host_at(td.tdr), GPA, TDX_4K, &level, &now);
    *entry |= SEPT_LOCK;
    CU_ASSERT_EQUAL(block(GPA, TDX_4K), ST(OPERAND_BUSY, TDX_RCX));
    CU_ASSERT_EQUAL(accept_of(GPA, TDX_4K), ST(OPERAND_BUSY, TDX_RCX));
    *entry &= ~SEPT_LOCK;
    e = tdx_pamt_of(td.tdr, TDX_4K);
    e->lock = 0x8000;
    CU_ASSERT_EQUAL(block(GPA, TDX_4K), ST(OPERAND_BUSY, TDX_RDX));
    CU_ASSERT_EQUAL(host_enter(&td, 0), ST(OPERAND_BUSY, TDX_TDR));
    e->lock = 0;
    CU_ASSERT_EQUAL(block(GPA, TDX_4K), TDX_SUCCESS);
    CU_ASSERT(t->sept_lock == 0 && t->op_lock == 0 && t->epoch_lock == 0 && e->lock == 0);
}

static void no_leaf_keeps_a_lock(void)
{
    start(true);
    (void)aug(GPA, TDX_4K);
    (void)accept_of(GPA, TDX_4K);
    (void)block(GPA, TDX_4K);
    (void)remove_page(GPA, TDX_4K);
    (void)host_enter(&td, 0);
    for (uint64_t at = 0; at < SIZE_1G; at += PAGE_SIZE) {
        CU_ASSERT_EQUAL_FATAL(tdx_pamt_of(at, TDX_4K)->lock, 0);
        CU_ASSERT_EQUAL_FATAL(tdx_pamt_of(at, TDX_2M)->lock, 0);
        CU_ASSERT_EQUAL_FATAL(tdx_pamt_of(at, TDX_1G)->lock, 0);
    }
    CU_ASSERT(tdx_module.lock == 0 && tdx_module.kot_lock == 0);
}

/* ---- measurement ---- */

static void build(const struct tdx_region *r)
{
    uint8_t page[4096];

    for (uint64_t at = 0; at < r->size; at += sizeof(page)) {
        uint64_t have = at < r->data_len ? r->data_len - at : 0, place;

        memset(page, 0, sizeof(page));
        if (have > 0) {
            memcpy(page, r->data + at, MIN(have, sizeof(page)));
        }
        host_td_tables(&td, r->gpa + at, TDX_4K);
        if (r->extend) {
            (void)host_td_add(&td, r->gpa + at, page, sizeof(page));
            continue;
        }
        place = host_page();
        memcpy(host_at(0x4000), page, sizeof(page));
        CU_ASSERT_EQUAL(host_call(TDH_MEM_PAGE_ADD, r->gpa + at, td.tdr, place, 0x4000),
                        TDX_SUCCESS);
    }
}

static void check_mrtd(const struct tdx_region *r, size_t n)
{
    uint8_t want[MRTD_SIZE];
    struct attest_error err;

    tdx_host_ready();
    host_td_make(&td, HOST_KEY, false);
    for (size_t i = 0; i < n; i++) {
        build(&r[i]);
    }
    CU_ASSERT_EQUAL(host_call(TDH_MR_FINALIZE, td.tdr, 0, 0, 0), TDX_SUCCESS);
    CU_ASSERT_EQUAL(tdx_mrtd(r, n, TDX_ORDER_PAGE, want, &err), ATTEST_OK);
    CU_ASSERT_EQUAL(memcmp(tdx_tdcs_of(host_at(td.tdr))->mrtd, want, sizeof(want)), 0);
}

static void the_measurement_is_the_one_that_the_library_predicts(void)
{
    static const uint8_t text[5000] = "a firmware, more than a page of it";
    const struct tdx_region r[] = {
        {.gpa = 0xffc00000, .size = 0x2000, .data = text, .data_len = sizeof(text), .extend = true},
        {.gpa = 0x1000, .size = 0x3000, .data = text, .data_len = 0, .extend = false},
        {.gpa = SIZE_1G * 5, .size = 0x1000, .data = text, .data_len = 10, .extend = true},
    };

    check_mrtd(r, ARRAY_SIZE(r));
    check_mrtd(r, 1);
}

static void the_measurement_of_a_real_firmware_is_predicted(void)
{
    static const char path[] = "/usr/share/ovmf/OVMF.fd";
    struct tdx_region r[TDVF_SECTIONS_MAX];
    struct attest_error err;
    struct tdvf t;
    FILE *f = fopen(path, "rb");
    uint8_t *fw = malloc(MiB(16));
    size_t len = f == NULL ? 0 : fread(fw, 1, MiB(16), f);

    if (len == 0) {
        cu_skip(1, "no /usr/share/ovmf/OVMF.fd: install the package ovmf");
    } else {
        CU_ASSERT_EQUAL_FATAL(tdvf_parse(fw, len, &t, &err), ATTEST_OK);
        check_mrtd(r, tdvf_regions(&t, r));
    }
    if (f != NULL) {
        fclose(f);
    }
    free(fw);
}

static const struct cu_test tests[] = {
    CU(a_page_needs_its_tables_first),
    CU(no_address_beyond_the_shared_bit_is_private),
    CU(a_page_is_added_once),
    CU(a_page_cannot_be_two_tds),
    CU(pages_are_added_before_the_end_only_and_augmented_after),
    CU(a_page_given_later_is_nothing_until_it_is_accepted),
    CU(a_td_may_ask_for_ve_instead),
    CU(acceptance_minds_the_size),
    CU(a_page_is_removed_only_when_no_cpu_can_reach_it),
    CU(a_cpu_that_still_runs_the_td_keeps_a_page_alive),
    CU(a_blocked_page_can_come_back),
    CU(blocking_a_table_blocks_what_is_below),
    CU(an_empty_table_can_be_taken_away),
    CU(a_big_page_can_be_split_and_joined),
    CU(pages_that_do_not_fit_are_not_joined),
    CU(a_lock_that_is_held_answers_busy),
    CU(no_leaf_keeps_a_lock),
    CU(the_measurement_is_the_one_that_the_library_predicts),
    CU(the_measurement_of_a_real_firmware_is_predicted),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("tdx_mem", tests, argc, argv);
}
