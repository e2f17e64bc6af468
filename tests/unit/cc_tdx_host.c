/*
 * A hostile hypervisor against the TDX module (BASE, ABI): the TD was launched by the production
 * driver; then the hypervisor makes any SEAMCALL it likes.
 */
#include "cc_host.h"
#include "cu.h"

#include "hv/page.h"

#include <stdio.h>
#include <string.h>

#define A LAY_FREE
#define B (LAY_FREE + PAGE_SIZE)
#define C (LAY_FREE + 2 * PAGE_SIZE) /* nothing is there */

static unsigned int attacks;
static struct vm *guest, *other;
static pa_t spare;

static uint64_t tdr(const struct vm *vm)
{
    return tdx_of(vm)->td.tdr.v;
}

static uint64_t tdvpr(const struct vm *vm, unsigned int i)
{
    return tdx_vcpu_of(vm->vcpu[i])->tdvpr.v;
}

static void private_page(struct vm *vm, uint64_t at, int byte)
{
    CU_ASSERT_EQUAL_FATAL(cc_tdx_accept(vm->vcpu[0], at, TDX_4K), TDX_SUCCESS);
    CU_ASSERT_TRUE_FATAL(cc_tdx_touch(vm->vcpu[0], at));
    memset(snp_ram(vm, at), byte, PAGE_SIZE);
}

static void begin(void)
{
    snp_boot(MiB(64));
    guest = snp_guest(CC_TDX, 2);
    other = snp_guest(CC_TDX, 1);
    private_page(guest, A, 0xaa);
    private_page(guest, B, 0xbb);
    private_page(other, A, 0xcc);
    CU_ASSERT_TRUE_FATAL(page_alloc(ORDER_4K, PAGE_HV, 0, &spare));
}

/* What belongs to nobody goes with the machine: snp_boot starts another. */
static void end(void)
{
    const uint8_t *a = snp_ram(guest, A);

    CU_ASSERT(a[0] == 0xaa && a[PAGE_SIZE - 1] == 0xaa);
    CU_ASSERT_EQUAL(*(uint8_t *)snp_ram(other, A), 0xcc);
    CU_ASSERT_TRUE(cc_tdx_touch(other->vcpu[0], A));
}

/* One SEAMCALL as it is: no retries. */
static uint64_t seamcall(enum tdh_leaf leaf, uint64_t rcx, uint64_t rdx, uint64_t r8, uint64_t r9)
{
    struct tdx_regs r = {.rax = leaf, .rcx = rcx, .rdx = rdx, .r8 = r8, .r9 = r9};

    attacks++;
    return tdx_hw_seamcall(&r);
}

#define REFUSED(status, ...) CU_ASSERT_EQUAL(TDX_STATUS_OF(seamcall(__VA_ARGS__)), TDX_##status)
#define DONE(...) CU_ASSERT_EQUAL(seamcall(__VA_ARGS__), TDX_SUCCESS)

static uint64_t at_of(struct vm *vm, uint64_t gpa)
{
    return snp_pa(vm, gpa).v;
}

static void a_page_that_is_mapped_is_not_replaced(void)
{
    begin();
    REFUSED(EPT_ENTRY_STATE_INCORRECT, TDH_MEM_PAGE_AUG, A, tdr(guest), spare.v, 0);
    REFUSED(EPT_ENTRY_STATE_INCORRECT, TDH_MEM_PAGE_AUG, A, tdr(guest), at_of(guest, B), 0);
    REFUSED(EPT_WALK_FAILED, TDH_MEM_PAGE_AUG, GiB(1), tdr(guest), spare.v, 0);
    REFUSED(EPT_ENTRY_STATE_INCORRECT, TDH_MEM_SEPT_ADD, TDX_PAGE(0, TDX_2M), tdr(guest), spare.v,
            0);
    end();
}

static void a_page_of_a_td_is_given_to_nobody_else(void)
{
    uint64_t page[4];

    begin();
    page[0] = at_of(guest, A);
    page[1] = tdr(guest);
    page[2] = tdvpr(guest, 0);
    page[3] = tdx_of(guest)->td.pages->pa[0];
    for (unsigned int i = 0; i < ARRAY_SIZE(page); i++) {
        REFUSED(PAGE_METADATA_INCORRECT, TDH_MEM_PAGE_AUG, C, tdr(other), page[i], 0);
        if (page[i] != tdr(guest)) { /* which is busy then */
            REFUSED(PAGE_METADATA_INCORRECT, TDH_MEM_PAGE_AUG, C, tdr(guest), page[i], 0);
        }
        REFUSED(PAGE_METADATA_INCORRECT, TDH_MNG_CREATE, page[i], EMU_TDX_KEYS - 1, 0, 0);
    }
    REFUSED(PAGE_METADATA_INCORRECT, TDH_MEM_PAGE_AUG, C, tdr(guest),
            tdx_module.tdmr[0].info.pamt_4k_base, 0);
    end();
}

static void a_page_is_not_taken_before_every_cpu_has_forgotten_it(void)
{
    begin();
    REFUSED(GPA_RANGE_NOT_BLOCKED, TDH_MEM_PAGE_REMOVE, A, tdr(guest), 0, 0);
    DONE(TDH_MEM_RANGE_BLOCK, A, tdr(guest), 0, 0);
    REFUSED(TLB_TRACKING_NOT_DONE, TDH_MEM_PAGE_REMOVE, A, tdr(guest), 0, 0);
    REFUSED(TLB_TRACKING_NOT_DONE, TDH_MEM_RANGE_UNBLOCK, A, tdr(guest), 0, 0);
    REFUSED(GPA_RANGE_ALREADY_BLOCKED, TDH_MEM_RANGE_BLOCK, A, tdr(guest), 0, 0);
    DONE(TDH_MEM_TRACK, tdr(guest), 0, 0, 0);
    DONE(TDH_MEM_RANGE_UNBLOCK, A, tdr(guest), 0, 0);
    CU_ASSERT_TRUE(cc_tdx_touch(guest->vcpu[0], A));
    end();
}

static uint64_t while_inside[3];

/* The host's other CPU acts while the TD runs. */
static void is_attacked(struct tdx_vp *vp)
{
    while_inside[0] = seamcall(TDH_MEM_RANGE_BLOCK, B, tdr(guest), 0, 0);
    (void)seamcall(TDH_MEM_TRACK, tdr(guest), 0, 0, 0);
    while_inside[1] = seamcall(TDH_MEM_PAGE_REMOVE, B, tdr(guest), 0, 0);
    while_inside[2] = seamcall(TDH_MEM_TRACK, tdr(guest), 0, 0, 0);
    tdx_exit_async(vp, TDX_EXIT_INTERRUPT, 0, 0, 0);
}

static void a_vcpu_that_runs_holds_the_epoch(void)
{
    begin();
    tdx_cpu_code = is_attacked;
    snp_run(guest->vcpu[0]);
    tdx_cpu_code = NULL;
    CU_ASSERT_EQUAL(while_inside[0], TDX_SUCCESS);
    CU_ASSERT_EQUAL(TDX_STATUS_OF(while_inside[1]), TDX_TLB_TRACKING_NOT_DONE);
    CU_ASSERT_EQUAL(TDX_STATUS_OF(while_inside[2]), TDX_PREVIOUS_TLB_EPOCH_BUSY);
    DONE(TDH_MEM_PAGE_REMOVE, B, tdr(guest), 0, 0); /* it has left */
    end();
}

/* Replay: what comes back is not accepted, and zero when it is. */
static void a_page_that_was_away_is_not_accepted_when_it_returns(void)
{
    uint64_t page;

    begin();
    page = at_of(guest, B);
    DONE(TDH_MEM_RANGE_BLOCK, B, tdr(guest), 0, 0);
    DONE(TDH_MEM_TRACK, tdr(guest), 0, 0, 0);
    DONE(TDH_MEM_PAGE_REMOVE, B, tdr(guest), 0, 0);
    memset(fake_chip(pa(page)), 0xbb, PAGE_SIZE); /* the very same content */
    DONE(TDH_MEM_PAGE_AUG, B, tdr(guest), page, 0);
    CU_ASSERT_FALSE(cc_tdx_touch(guest->vcpu[0], B));
    CU_ASSERT_TRUE(guest->end_asked);
    CU_ASSERT_EQUAL(cc_tdx_agrees(guest), true);
    end();
}

static void a_td_that_runs_takes_no_more_launch_calls(void)
{
    begin();
    REFUSED(OP_STATE_INCORRECT, TDH_MEM_PAGE_ADD, C, tdr(guest), spare.v, spare.v);
    REFUSED(OP_STATE_INCORRECT, TDH_MR_EXTEND, A, tdr(guest), 0, 0);
    REFUSED(OP_STATE_INCORRECT, TDH_MR_FINALIZE, tdr(guest), 0, 0, 0);
    REFUSED(OP_STATE_INCORRECT, TDH_MNG_INIT, tdr(guest), spare.v, 0, 0);
    REFUSED(OP_STATE_INCORRECT, TDH_VP_CREATE, spare.v, tdr(guest), 0, 0);
    REFUSED(TDCX_NUM_INCORRECT, TDH_MNG_ADDCX, spare.v, tdr(guest), 0, 0);
    REFUSED(LIFECYCLE_STATE_INCORRECT, TDH_MNG_KEY_CONFIG, tdr(guest), 0, 0, 0);
    end();
}

static void a_td_that_is_not_finalised_is_not_entered(void)
{
    struct domain_config cfg = snp_config(CC_TDX, MiB(4), 1);
    struct vm *vm;

    begin();
    CU_ASSERT_EQUAL_FATAL(vm_create(&cfg, &vm), ABI_OK);
    REFUSED(OP_STATE_INCORRECT, TDH_VP_ENTER, tdvpr(vm, 0), 0, 0, 0);
    vm_destroy(vm);
    end();
}

static uint64_t nested;

static void is_entered_twice(struct tdx_vp *vp)
{
    nested = seamcall(TDH_VP_ENTER, vp->tdvpr_pa, 0, 0, 0);
    tdx_exit_async(vp, TDX_EXIT_INTERRUPT, 0, 0, 0);
}

static void what_is_no_vcpu_or_runs_already_is_not_entered(void)
{
    begin();
    REFUSED(PAGE_METADATA_INCORRECT, TDH_VP_ENTER, tdr(guest), 0, 0, 0);
    REFUSED(PAGE_METADATA_INCORRECT, TDH_VP_ENTER, at_of(guest, A), 0, 0, 0);
    REFUSED(PAGE_METADATA_INCORRECT, TDH_VP_ENTER, spare.v, 0, 0, 0);
    REFUSED(OPERAND_INVALID, TDH_VP_ENTER, tdvpr(guest, 0) + 8, 0, 0, 0);
    REFUSED(OPERAND_INVALID, TDH_VP_ENTER, tdvpr(guest, 0) | BIT(52), 0, 0, 0);
    tdx_cpu_code = is_entered_twice;
    snp_run(guest->vcpu[0]);
    tdx_cpu_code = NULL;
    CU_ASSERT_EQUAL(TDX_STATUS_OF(nested), TDX_VCPU_STATE_INCORRECT);
    end();
}

static void a_key_id_is_used_again_only_after_every_cache_was_written_back(void)
{
    uint32_t key;

    begin();
    key = tdx_of(guest)->td.key;
    REFUSED(HKID_NOT_FREE, TDH_MNG_CREATE, spare.v, key, 0, 0);
    REFUSED(HKID_NOT_FREE, TDH_MNG_CREATE, spare.v, EMU_TDX_KEY_FIRST, 0, 0);
    REFUSED(OPERAND_INVALID, TDH_MNG_CREATE, spare.v, EMU_TDX_KEY_FIRST - 1, 0, 0);
    REFUSED(FLUSHVP_NOT_DONE, TDH_MNG_VPFLUSHDONE, tdr(guest), 0, 0, 0);
    REFUSED(LIFECYCLE_STATE_INCORRECT, TDH_MNG_KEY_FREEID, tdr(guest), 0, 0, 0);
    REFUSED(LIFECYCLE_STATE_INCORRECT, TDH_PHYMEM_PAGE_RECLAIM, at_of(guest, A), 0, 0, 0);
    REFUSED(LIFECYCLE_STATE_INCORRECT, TDH_PHYMEM_PAGE_RECLAIM, tdr(guest), 0, 0, 0);
    DONE(TDH_VP_FLUSH, tdvpr(guest, 0), 0, 0, 0);
    DONE(TDH_MNG_VPFLUSHDONE, tdr(guest), 0, 0, 0);
    REFUSED(TD_KEYS_NOT_CONFIGURED, TDH_VP_ENTER, tdvpr(guest, 0), 0, 0, 0);
    REFUSED(WBCACHE_NOT_COMPLETE, TDH_MNG_KEY_FREEID, tdr(guest), 0, 0, 0);
    REFUSED(HKID_NOT_FREE, TDH_MNG_CREATE, spare.v, key, 0, 0);
    end();
}

static void a_tds_tables_are_not_taken_from_under_it(void)
{
    begin();
    REFUSED(GPA_RANGE_NOT_BLOCKED, TDH_MEM_SEPT_REMOVE, TDX_PAGE(0, TDX_2M), tdr(guest), 0, 0);
    DONE(TDH_MEM_RANGE_BLOCK, TDX_PAGE(0, TDX_2M), tdr(guest), 0, 0);
    DONE(TDH_MEM_TRACK, tdr(guest), 0, 0, 0);
    REFUSED(EPT_PAGE_NOT_FREE, TDH_MEM_SEPT_REMOVE, TDX_PAGE(0, TDX_2M), tdr(guest), 0, 0);
    REFUSED(EPT_INVALID_PROMOTE_CONDITIONS, TDH_MEM_PAGE_PROMOTE, TDX_PAGE(0, TDX_2M), tdr(guest),
            0, 0);
    DONE(TDH_MEM_RANGE_UNBLOCK, TDX_PAGE(0, TDX_2M), tdr(guest), 0, 0);
    CU_ASSERT_TRUE(cc_tdx_touch(guest->vcpu[0], A));
    end();
}

static void the_host_writes_no_more_of_a_vcpu_than_is_its_own(void)
{
    static const uint64_t fields[] = {MD_VP_STATE_DETAILS, MD_VP_VMCS(0x681e), MD_VP_VMCS(0x6800),
                                      BIT(63) | 16ull << MD_CLASS_SHIFT, ~0ull};

    begin();
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
        CU_ASSERT_NOT_EQUAL(seamcall(TDH_VP_WR, tdvpr(guest, 0), fields[i], 1, ~0ull), TDX_SUCCESS);
    }
    REFUSED(METADATA_FIELD_VALUE_NOT_VALID, TDH_VP_WR, tdvpr(guest, 0),
            MD_VP_VMCS(VMCS_SHARED_EPTP), BIT(EMU_TDX_KEY_SHIFT) * EMU_TDX_KEY_FIRST, ~0ull);
    end();
}

static void the_module_is_set_up_once(void)
{
    begin();
    REFUSED(SYS_INIT_NOT_PENDING, TDH_SYS_INIT, 0, 0, 0, 0);
    REFUSED(SYS_LP_INIT_NOT_PENDING, TDH_SYS_LP_INIT, 0, 0, 0, 0);
    REFUSED(SYS_CONFIG_NOT_PENDING, TDH_SYS_CONFIG, spare.v, 1, EMU_TDX_KEY_FIRST, 0);
    REFUSED(SYS_KEY_CONFIG_NOT_PENDING, TDH_SYS_KEY_CONFIG, 0, 0, 0, 0);
    REFUSED(TDMR_ALREADY_INITIALIZED, TDH_SYS_TDMR_INIT, tdx_module.tdmr[0].info.base, 0, 0, 0);
    for (unsigned int leaf = 46; leaf < 300; leaf++) {
        REFUSED(OPERAND_INVALID, (enum tdh_leaf)leaf, tdr(guest), tdr(guest), spare.v, 0);
    }
    end();
}

/* As core's restart does: the old one is destroyed whole before the new one is made. */
static void a_td_that_restarts_gives_back_every_page_and_its_key_id(void)
{
    uint64_t free;

    begin();
    snp_drop(guest);
    free = page_count_free();
    for (unsigned int i = 0; i < EMU_TDX_KEYS; i++) { /* more than there are */
        guest = snp_guest(CC_TDX, 2);
        CU_ASSERT_EQUAL_FATAL(tdx_of(guest)->td.key, EMU_TDX_KEY_FIRST + 1);
        private_page(guest, A, 0xaa);
        cc_tdx_halt_all(guest);
        DONE(TDH_MEM_RANGE_BLOCK, A, tdr(guest), 0, 0); /* it ends in the middle of something */
        snp_drop(guest);
        CU_ASSERT_EQUAL_FATAL(page_count_free(), free);
    }
    guest = snp_guest(CC_TDX, 2);
    private_page(guest, A, 0xaa);
    end();
}

int main(int argc, char **argv)
{
    static const struct cu_test tests[] = {
        CU(a_page_that_is_mapped_is_not_replaced),
        CU(a_page_of_a_td_is_given_to_nobody_else),
        CU(a_page_is_not_taken_before_every_cpu_has_forgotten_it),
        CU(a_vcpu_that_runs_holds_the_epoch),
        CU(a_page_that_was_away_is_not_accepted_when_it_returns),
        CU(a_td_that_runs_takes_no_more_launch_calls),
        CU(a_td_that_is_not_finalised_is_not_entered),
        CU(what_is_no_vcpu_or_runs_already_is_not_entered),
        CU(a_key_id_is_used_again_only_after_every_cache_was_written_back),
        CU(a_tds_tables_are_not_taken_from_under_it),
        CU(the_host_writes_no_more_of_a_vcpu_than_is_its_own),
        CU(the_module_is_set_up_once),
        CU(a_td_that_restarts_gives_back_every_page_and_its_key_id),
        CU_END,
    };
    int status = cu_main("cc_tdx_host", tests, argc, argv);

    fprintf(stderr, "attack: %u cases\n", attacks);
    return status;
}
