/* A TD's life on the emulated TDX module: keys, control pages, vCPUs, the end. */
#include "cu.h"
#include "tdx_host.h"

#include <string.h>

static void a_td_is_made_in_one_order_only(void)
{
    struct host_td td = {.tdr = 0};

    tdx_host_ready();
    td.tdr = host_page();
    CU_ASSERT_EQUAL(host_call(TDH_MNG_CREATE, td.tdr, HOST_KEY, 0, 0), TDX_SUCCESS);
    CU_ASSERT_EQUAL(host_call(TDH_MNG_CREATE, td.tdr, HOST_KEY + 1, 0, 0),
                    ST(PAGE_METADATA_INCORRECT, TDX_RCX));
    CU_ASSERT_EQUAL(host_call(TDH_MNG_ADDCX, host_page(), td.tdr, 0, 0),
                    ST(TD_KEYS_NOT_CONFIGURED, 0));
    CU_ASSERT_EQUAL(host_call(TDH_MNG_KEY_CONFIG, td.tdr, 0, 0, 0), TDX_SUCCESS);
    CU_ASSERT_EQUAL(host_call(TDH_MNG_KEY_CONFIG, td.tdr, 0, 0, 0), ST(KEY_CONFIGURED, 0));
    CU_ASSERT_EQUAL(host_call(TDH_MNG_ADDCX, host_page(), td.tdr, 0, 0),
                    ST(TD_KEYS_NOT_CONFIGURED, 0)); /* the second package has no key yet */
    host_lp = 2;
    CU_ASSERT_EQUAL(host_call(TDH_MNG_KEY_CONFIG, td.tdr, 0, 0, 0), TDX_SUCCESS);
    CU_ASSERT_EQUAL(host_call(TDH_MNG_KEY_CONFIG, td.tdr, 0, 0, 0),
                    ST(LIFECYCLE_STATE_INCORRECT, 0));
    host_params(&td.params);
    CU_ASSERT_EQUAL(host_td_init(&td), ST(TDCS_NOT_ALLOCATED, 0));
    for (unsigned int i = 0; i < TDX_TDCS_PAGES; i++) {
        CU_ASSERT_EQUAL(host_call(TDH_MNG_ADDCX, host_page(), td.tdr, 0, 0), TDX_SUCCESS);
    }
    CU_ASSERT_EQUAL(host_call(TDH_MNG_ADDCX, host_page(), td.tdr, 0, 0),
                    ST(TDCX_NUM_INCORRECT, 0));
    CU_ASSERT_EQUAL(host_call(TDH_VP_CREATE, host_page(), td.tdr, 0, 0),
                    ST(OP_STATE_INCORRECT, 0));
    CU_ASSERT_EQUAL(host_td_init(&td), TDX_SUCCESS);
    CU_ASSERT_EQUAL(host_td_init(&td), ST(OP_STATE_INCORRECT, 0));
}

static void a_key_belongs_to_one_td_at_a_time(void)
{
    struct host_td td;
    uint64_t other;

    tdx_host_ready();
    host_td_make(&td, HOST_KEY, true);
    other = host_page();
    CU_ASSERT_EQUAL(host_call(TDH_MNG_CREATE, other, HOST_KEY, 0, 0), ST(HKID_NOT_FREE, 0));
    CU_ASSERT_EQUAL(host_call(TDH_MNG_CREATE, other, EMU_TDX_KEY_FIRST, 0, 0),
                    ST(HKID_NOT_FREE, 0)); /* the module's own */
    CU_ASSERT_EQUAL(host_td_kill(&td), TDX_SUCCESS);
    CU_ASSERT_EQUAL(host_call(TDH_MNG_CREATE, other, HOST_KEY, 0, 0), TDX_SUCCESS);
}

static void each_parameter_is_checked(void)
{
    struct host_td td;

    tdx_host_ready();
    host_td_create(&td, HOST_KEY);
#define REFUSED(change, operand)                                                                   \
    do {                                                                                           \
        host_params(&td.params);                                                                   \
        change;                                                                                    \
        CU_ASSERT_EQUAL(host_td_init(&td), ST(OPERAND_INVALID, operand));                          \
    } while (0)
    REFUSED(td.params.attributes |= BIT(1), TDX_ATTRIBUTES);
    REFUSED(td.params.attributes |= TD_ATTR_PERFMON, TDX_ATTRIBUTES);
    REFUSED(td.params.xfam = 1, TDX_XFAM);
    REFUSED(td.params.xfam |= BIT(60), TDX_XFAM);
    REFUSED(td.params.max_vcpus = 0, TDX_MAX_VCPUS);
    REFUSED(td.params.num_l2_vms = 1, TDX_NUM_L2_VMS);
    REFUSED(td.params.config_flags |= BIT(3), TDX_EXEC_CONTROLS);
    REFUSED(td.params.config_flags |= TD_CONFIG_GPAW, TDX_EXEC_CONTROLS);
    REFUSED(td.params.eptp_controls = 0, TDX_EPTP_CONTROLS);
    REFUSED(td.params.tsc_frequency = 3, TDX_TSC_FREQUENCY);
    REFUSED(td.params.tsc_frequency = 401, TDX_TSC_FREQUENCY);
    REFUSED(td.params.reserved0[3] = 1, TDX_RDX);
    REFUSED(td.params.reserved1[37] = 1, TDX_RDX);
    REFUSED(td.params.reserved2[23] = 1, TDX_RDX);
    REFUSED(td.params.msr_config_ctls = 1, TDX_RDX);
    REFUSED(td.params.cpuid[0].eax = 1, TDX_CPUID_CONFIG);
    CU_ASSERT_EQUAL(host_regs.rcx, 1 | 0xffffffffull << 32);
    REFUSED(td.params.cpuid[TDX_CPUID_CONFIGS_MAX - 1].edx = 1, TDX_RDX);
#undef REFUSED
    CU_ASSERT_EQUAL(host_call(TDH_MNG_INIT, td.tdr, 0x3008, 0, 0), ST(OPERAND_INVALID, TDX_RDX));
    host_params(&td.params);
    td.params.cpuid[0].ebx = 4 << 16;
    CU_ASSERT_EQUAL(host_td_init(&td), TDX_SUCCESS);
}

static void a_vcpu_starts_as_the_specification_says(void)
{
    struct host_td td;
    const struct tdx_vp *vp;

    tdx_host_ready();
    host_td_make(&td, HOST_KEY, false);
    host_td_vcpu(&td, 0x1234000);
    vp = host_vp(&td, 1);
    CU_ASSERT_EQUAL(vp->regs.rbx, 48);
    CU_ASSERT_EQUAL(vp->regs.rcx, 0x1234000);
    CU_ASSERT_EQUAL(vp->regs.r8, 0x1234000);
    CU_ASSERT_EQUAL(vp->regs.rdx, HOST_CPUID_1_EAX);
    CU_ASSERT_EQUAL(vp->regs.rsi, 1);
    CU_ASSERT_EQUAL(vp->regs.rax | vp->regs.rbp | vp->regs.r15, 0);
}

static void a_td_has_no_more_vcpus_than_it_said(void)
{
    struct host_td td;
    uint64_t at;

    tdx_host_ready();
    host_td_make(&td, HOST_KEY, false);
    host_td_vcpu(&td, 0);
    at = host_page();
    CU_ASSERT_EQUAL(host_call(TDH_VP_CREATE, at, td.tdr, 0, 0), TDX_SUCCESS);
    CU_ASSERT_EQUAL(host_call(TDH_VP_INIT, at, 0, 0, 0), ST(TDCX_NUM_INCORRECT, 0));
    for (unsigned int i = 1; i < TDX_TDVPS_PAGES; i++) {
        CU_ASSERT_EQUAL(host_call(TDH_VP_ADDCX, host_page(), at, 0, 0), TDX_SUCCESS);
    }
    CU_ASSERT_EQUAL(host_call(TDH_VP_ADDCX, host_page(), at, 0, 0), ST(TDCX_NUM_INCORRECT, 0));
    CU_ASSERT_EQUAL(host_call(TDH_VP_INIT, at, 0, 0, 0), ST(MAX_VCPUS_EXCEEDED, 0));
    CU_ASSERT_EQUAL(host_call(TDH_VP_INIT, td.tdvpr[0], 0, 0, 0), ST(VCPU_STATE_INCORRECT, 0));
}

static void a_td_runs_only_when_it_is_final(void)
{
    struct host_td td;

    tdx_host_ready();
    host_td_make(&td, HOST_KEY, false);
    CU_ASSERT_EQUAL(host_enter(&td, 0), ST(OP_STATE_INCORRECT, 0));
    CU_ASSERT_EQUAL(host_call(TDH_MR_FINALIZE, td.tdr, 0, 0, 0), TDX_SUCCESS);
    CU_ASSERT_EQUAL(host_enter(&td, 0), ST(SUCCESS, TDX_EXIT_INTERRUPT));
    CU_ASSERT_EQUAL(host_call(TDH_MR_FINALIZE, td.tdr, 0, 0, 0), ST(OP_STATE_INCORRECT, 0));
    CU_ASSERT_EQUAL(host_call(TDH_VP_CREATE, host_page(), td.tdr, 0, 0),
                    ST(OP_STATE_INCORRECT, 0));
}

static void a_td_without_a_vcpu_cannot_be_final(void)
{
    struct host_td td;

    tdx_host_ready();
    host_td_create(&td, HOST_KEY);
    CU_ASSERT_EQUAL(host_td_init(&td), TDX_SUCCESS);
    CU_ASSERT_EQUAL(host_call(TDH_MR_FINALIZE, td.tdr, 0, 0, 0), ST(NO_VCPUS, 0));
}

static void a_vcpu_moves_to_another_cpu_by_a_flush(void)
{
    struct host_td td;

    tdx_host_ready();
    host_td_make(&td, HOST_KEY, true);
    CU_ASSERT_EQUAL(host_enter(&td, 0), ST(SUCCESS, TDX_EXIT_INTERRUPT));
    host_lp = 1;
    CU_ASSERT_EQUAL(host_enter(&td, 0), ST(VCPU_ASSOCIATED, 0));
    CU_ASSERT_EQUAL(host_call(TDH_VP_FLUSH, td.tdvpr[0], 0, 0, 0), ST(VCPU_NOT_ASSOCIATED, 0));
    host_lp = 0;
    CU_ASSERT_EQUAL(host_call(TDH_VP_FLUSH, td.tdvpr[0], 0, 0, 0), TDX_SUCCESS);
    host_lp = 1;
    CU_ASSERT_EQUAL(host_enter(&td, 0), ST(SUCCESS, TDX_EXIT_INTERRUPT));
}

static void a_td_ends_in_one_order_only(void)
{
    struct host_td td;

    tdx_host_ready();
    host_td_make(&td, HOST_KEY, true);
    CU_ASSERT_EQUAL(host_call(TDH_PHYMEM_PAGE_RECLAIM, td.tdvpr[0], 0, 0, 0),
                    ST(LIFECYCLE_STATE_INCORRECT, 0));
    CU_ASSERT_EQUAL(host_call(TDH_MNG_KEY_FREEID, td.tdr, 0, 0, 0),
                    ST(LIFECYCLE_STATE_INCORRECT, 0));
    CU_ASSERT_EQUAL(host_call(TDH_MNG_VPFLUSHDONE, td.tdr, 0, 0, 0), ST(FLUSHVP_NOT_DONE, 0));
    CU_ASSERT_EQUAL(host_call(TDH_PHYMEM_CACHE_WB, 0, 0, 0, 0), ST(NO_HKID_READY_TO_WBCACHE, 0));
    CU_ASSERT_EQUAL(host_call(TDH_VP_FLUSH, td.tdvpr[0], 0, 0, 0), TDX_SUCCESS);
    CU_ASSERT_EQUAL(host_call(TDH_MNG_VPFLUSHDONE, td.tdr, 0, 0, 0), TDX_SUCCESS);
    CU_ASSERT_EQUAL(host_enter(&td, 0), ST(TD_KEYS_NOT_CONFIGURED, 0));
    CU_ASSERT_EQUAL(host_call(TDH_PHYMEM_CACHE_WB, 0, 0, 0, 0), TDX_SUCCESS);
    CU_ASSERT_EQUAL(host_call(TDH_MNG_KEY_FREEID, td.tdr, 0, 0, 0),
                    ST(WBCACHE_NOT_COMPLETE, 0)); /* the other package's caches */
    host_lp = 3;
    CU_ASSERT_EQUAL(host_call(TDH_PHYMEM_CACHE_WB, 0, 0, 0, 0), TDX_SUCCESS);
    CU_ASSERT_EQUAL(host_call(TDH_MNG_KEY_FREEID, td.tdr, 0, 0, 0), TDX_SUCCESS);
    CU_ASSERT_EQUAL(host_call(TDH_PHYMEM_PAGE_RECLAIM, td.tdr, 0, 0, 0),
                    ST(TD_ASSOCIATED_PAGES_EXIST, 0));
}

/* Reclaims every page that any TD has, TDRs last; how many. */
static unsigned int reclaim_all(uint64_t tdr)
{
    unsigned int n = 0;

    for (uint64_t at = 0; at < SIZE_1G; at += PAGE_SIZE) {
        if (host_call(TDH_PHYMEM_PAGE_RDMD, at, 0, 0, 0) == TDX_SUCCESS &&
            host_regs.rcx > TDX_PT_RSVD && at != tdr) {
            CU_ASSERT_EQUAL(host_call(TDH_PHYMEM_PAGE_RECLAIM, at, 0, 0, 0), TDX_SUCCESS);
            n++;
        }
    }
    CU_ASSERT_EQUAL(host_call(TDH_PHYMEM_PAGE_RECLAIM, tdr, 0, 0, 0), TDX_SUCCESS);
    CU_ASSERT_EQUAL(host_regs.rcx, TDX_PT_TDR);
    return n + 1;
}

static void every_page_of_a_dead_td_comes_back(void)
{
    struct host_td td;
    uint64_t page;

    tdx_host_ready();
    host_td_make(&td, HOST_KEY, false);
    page = host_td_add(&td, 0, "a secret of the TD", 18);
    CU_ASSERT_EQUAL(host_call(TDH_MR_FINALIZE, td.tdr, 0, 0, 0), TDX_SUCCESS);
    CU_ASSERT_EQUAL(host_td_kill(&td), TDX_SUCCESS);
    CU_ASSERT_EQUAL(host_call(TDH_PHYMEM_PAGE_RDMD, page, 0, 0, 0), TDX_SUCCESS);
    CU_ASSERT_EQUAL(host_regs.rcx, TDX_PT_REG);
    CU_ASSERT_EQUAL(host_regs.rdx, td.tdr);
    /* TDR, TDCS, TDVPS, three pages of tables, one page of its own */
    CU_ASSERT_EQUAL(reclaim_all(td.tdr), 1 + TDX_TDCS_PAGES + TDX_TDVPS_PAGES + 3 + 1);
    CU_ASSERT_EQUAL(*(uint8_t *)host_at(td.tdvpr[0]), 0xc5);
    CU_ASSERT_EQUAL(host_call(TDH_PHYMEM_PAGE_RECLAIM, page, 0, 0, 0),
                    ST(PAGE_METADATA_INCORRECT, TDX_RCX));
}

static uint64_t accepted(struct tdx_vp *vp, uint64_t gpa)
{
    vp->regs.rax = TDG_MEM_PAGE_ACCEPT;
    vp->regs.rcx = gpa;
    return tdx_tdcall(vp) == TDX_RESUME ? vp->regs.rax : ~0ull;
}

/* What the TD wrote is ciphertext; where it never looked is what the host itself left there. */
static void a_page_that_a_td_gives_back_tells_nothing_of_it(void)
{
    uint64_t page, at, size;
    struct host_td td;
    struct tdx_vp *vp;

    tdx_host_ready();
    host_td_make(&td, HOST_KEY, true);
    host_td_tables(&td, 0, TDX_4K);
    vp = host_vp(&td, 0);
    vp->tdr = host_at(td.tdr);
    vp->tdcs = tdx_tdcs_of(vp->tdr);
    for (unsigned int used = 0; used < 2; used++) {
        page = host_page();
        memset(host_at(page), 0x77, PAGE_SIZE);
        CU_ASSERT_EQUAL(host_call(TDH_MEM_PAGE_AUG, 0, td.tdr, page, 0), TDX_SUCCESS);
        CU_ASSERT_EQUAL(accepted(vp, 0), TDX_SUCCESS);
        if (used) {
            CU_ASSERT_EQUAL(tdx_access(vp, 0, EPT_VIOLATION_WRITE, &at, &size), TDX_ACCESS_OK);
            memset(host_at(at), 0x55, PAGE_SIZE);
        }
        CU_ASSERT_EQUAL(host_call(TDH_MEM_RANGE_BLOCK, 0, td.tdr, 0, 0), TDX_SUCCESS);
        CU_ASSERT_EQUAL(host_call(TDH_MEM_TRACK, td.tdr, 0, 0, 0), TDX_SUCCESS);
        CU_ASSERT_EQUAL(host_call(TDH_MEM_PAGE_REMOVE, 0, td.tdr, 0, 0), TDX_SUCCESS);
        CU_ASSERT_EQUAL(*(uint8_t *)host_at(page), used ? 0xc5 : 0x77);
    }
}

static void an_interrupted_write_back_goes_on(void)
{
    struct host_td td;

    tdx_host_ready();
    host_td_make(&td, HOST_KEY, true);
    CU_ASSERT_EQUAL(host_call(TDH_VP_FLUSH, td.tdvpr[0], 0, 0, 0), TDX_SUCCESS);
    CU_ASSERT_EQUAL(host_call(TDH_MNG_VPFLUSHDONE, td.tdr, 0, 0, 0), TDX_SUCCESS);
    CU_ASSERT_EQUAL(host_call(TDH_PHYMEM_CACHE_WB, 1, 0, 0, 0), ST(WBCACHE_RESUME_ERROR, 0));
    host_interrupts = 2;
    CU_ASSERT_EQUAL(host_call(TDH_PHYMEM_CACHE_WB, 0, 0, 0, 0), ST(INTERRUPTED_RESUMABLE, 0));
    CU_ASSERT_EQUAL(host_call(TDH_PHYMEM_CACHE_WB, 1, 0, 0, 0), ST(INTERRUPTED_RESUMABLE, 0));
    CU_ASSERT_EQUAL(host_call(TDH_PHYMEM_CACHE_WB, 1, 0, 0, 0), TDX_SUCCESS);
}

static void a_dead_td_answers_so(void)
{
    struct host_td td;

    tdx_host_ready();
    host_td_make(&td, HOST_KEY, true);
    ((struct tdx_tdr *)host_at(td.tdr))->fatal = 1;
    CU_ASSERT_EQUAL(host_enter(&td, 0), ST(TD_FATAL, 0));
    CU_ASSERT_EQUAL(host_call(TDH_MEM_TRACK, td.tdr, 0, 0, 0), ST(TD_FATAL, 0));
    CU_ASSERT_EQUAL(host_td_kill(&td), TDX_SUCCESS);
}

static struct host_td *inner_td;
static uint64_t inner[5];

/* Meanwhile, on another CPU. */
static void others_while_it_runs(struct tdx_vp *vp)
{
    host_lp = 1;
    inner[0] = host_enter(inner_td, 0);
    inner[1] = host_call(TDH_MNG_VPFLUSHDONE, inner_td->tdr, 0, 0, 0);
    inner[2] = host_call(TDH_VP_FLUSH, inner_td->tdvpr[0], 0, 0, 0);
    inner[3] = host_call(TDH_MEM_TRACK, inner_td->tdr, 0, 0, 0);
    inner[4] = host_call(TDH_MEM_TRACK, inner_td->tdr, 0, 0, 0);
    host_lp = 0;
    tdx_exit_async(vp, TDX_EXIT_INTERRUPT, 0, 0, 0);
}

static void what_runs_is_locked(void)
{
    struct host_td td;

    tdx_host_ready();
    host_td_make(&td, HOST_KEY, true);
    inner_td = &td;
    host_td_code = others_while_it_runs;
    CU_ASSERT_EQUAL(host_enter(&td, 0), ST(SUCCESS, TDX_EXIT_INTERRUPT));
    CU_ASSERT_EQUAL(inner[0], ST(VCPU_STATE_INCORRECT, 0));
    CU_ASSERT_EQUAL(inner[1], ST(OPERAND_BUSY, TDX_RCX));
    CU_ASSERT_EQUAL(inner[2], ST(OPERAND_BUSY, TDX_RCX));
    CU_ASSERT_EQUAL(inner[3], TDX_SUCCESS);
    CU_ASSERT_EQUAL(inner[4], ST(PREVIOUS_TLB_EPOCH_BUSY, 0));
    CU_ASSERT_EQUAL(host_call(TDH_MEM_TRACK, td.tdr, 0, 0, 0), TDX_SUCCESS);
}

/* As the published module has it: the vector and the descriptor first, then the control. */
static void interrupts_are_posted_only_where_it_is_known_how(void)
{
    uint64_t on = MD_VP_VMCS(VMCS_PIN_CONTROLS), vector = MD_VP_VMCS(VMCS_POSTED_VECTOR);
    uint64_t bit = PIN_POSTED_INTERRUPTS;
    struct host_td td;

    tdx_host_ready();
    host_td_make(&td, HOST_KEY, true);
    CU_ASSERT_EQUAL(host_call(TDH_VP_WR, td.tdvpr[0], on, bit, bit),
                    ST(TD_VMCS_FIELD_NOT_INITIALIZED, VMCS_POSTED_VECTOR));
    CU_ASSERT_EQUAL(host_call(TDH_VP_WR, td.tdvpr[0], vector, 0xf2, ~0ull), TDX_SUCCESS);
    CU_ASSERT_EQUAL(host_call(TDH_VP_WR, td.tdvpr[0], on, bit, bit),
                    ST(TD_VMCS_FIELD_NOT_INITIALIZED, VMCS_POSTED_DESCRIPTOR));
    CU_ASSERT_FALSE(host_vp(&td, 0)->posting);
    CU_ASSERT_EQUAL(host_call(TDH_VP_WR, td.tdvpr[0], MD_VP_VMCS(VMCS_POSTED_DESCRIPTOR), 0x5000,
                              ~0ull), TDX_SUCCESS);
    CU_ASSERT_EQUAL(host_call(TDH_VP_WR, td.tdvpr[0], on, bit, bit), TDX_SUCCESS);
    CU_ASSERT_TRUE(host_vp(&td, 0)->posting);
    CU_ASSERT_EQUAL(host_call(TDH_VP_WR, td.tdvpr[0], on, 0, bit), TDX_SUCCESS);
    CU_ASSERT_EQUAL(host_regs.r8, bit);
    CU_ASSERT_FALSE(host_vp(&td, 0)->posting);
}

static void fields_that_the_host_may_set_are_checked(void)
{
    struct host_td td;
    uint64_t eptp = MD_VP_VMCS(VMCS_SHARED_EPTP);

    tdx_host_ready();
    host_td_make(&td, HOST_KEY, true);
    CU_ASSERT_EQUAL(host_call(TDH_VP_WR, td.tdvpr[0], eptp, 0x5000, ~0ull), TDX_SUCCESS);
    CU_ASSERT_EQUAL(host_regs.r8, ~0ull);
    CU_ASSERT_EQUAL(host_call(TDH_VP_WR, td.tdvpr[0], eptp, 0x5001, ~0ull),
                    ST(METADATA_FIELD_VALUE_NOT_VALID, 0));
    CU_ASSERT_EQUAL(host_call(TDH_VP_RD, td.tdvpr[0], eptp, 0, 0), TDX_SUCCESS);
    CU_ASSERT_EQUAL(host_regs.r8, 0x5000);
    CU_ASSERT_EQUAL(host_call(TDH_VP_WR, td.tdvpr[0], MD_VP_PEND_NMI, 1, 1), TDX_SUCCESS);
    CU_ASSERT(host_vp(&td, 0)->pend_nmi);
    CU_ASSERT_EQUAL(host_call(TDH_VP_WR, td.tdvpr[0], MD_VP_VMCS(VMCS_POSTED_VECTOR), 256, ~0ull),
                    ST(METADATA_FIELD_VALUE_NOT_VALID, 0));
    CU_ASSERT_EQUAL(host_call(TDH_VP_WR, td.tdvpr[0], MD_VP_VMCS(0x681e), 0, ~0ull),
                    ST(METADATA_FIELD_ID_INCORRECT, 0)); /* its RIP */
    CU_ASSERT_EQUAL(host_call(TDH_MNG_RD, td.tdr, MD_TD_OP_STATE, 0, 0), TDX_SUCCESS);
    CU_ASSERT_EQUAL(host_regs.r8, TDX_OP_RUNNABLE);
    CU_ASSERT_EQUAL(host_call(TDH_MNG_RD, td.tdr, MD_TD_TD_CTLS, 0, 0),
                    ST(METADATA_FIELD_NOT_READABLE, 0));
}

static const struct cu_test tests[] = {
    CU(a_td_is_made_in_one_order_only),
    CU(a_key_belongs_to_one_td_at_a_time),
    CU(each_parameter_is_checked),
    CU(a_vcpu_starts_as_the_specification_says),
    CU(a_td_has_no_more_vcpus_than_it_said),
    CU(a_td_runs_only_when_it_is_final),
    CU(a_td_without_a_vcpu_cannot_be_final),
    CU(a_vcpu_moves_to_another_cpu_by_a_flush),
    CU(a_td_ends_in_one_order_only),
    CU(every_page_of_a_dead_td_comes_back),
    CU(a_page_that_a_td_gives_back_tells_nothing_of_it),
    CU(an_interrupted_write_back_goes_on),
    CU(a_dead_td_answers_so),
    CU(what_runs_is_locked),
    CU(interrupts_are_posted_only_where_it_is_known_how),
    CU(fields_that_the_host_may_set_are_checked),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("tdx_life", tests, argc, argv);
}
