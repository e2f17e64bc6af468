/* The emulated TDX module as a whole, and its TDMRs: TDH.SYS.* */
#include "cu.h"
#include "../../cc/emu/tdx_chip.h"
#include "tdx_host.h"

#include <string.h>

static void a_module_starts_in_one_order_only(void)
{
    tdx_host_reset();
    CU_ASSERT_EQUAL(host_call(TDH_SYS_LP_INIT, 0, 0, 0, 0), ST(SYS_LP_INIT_NOT_PENDING, 0));
    CU_ASSERT_EQUAL(host_call(TDH_SYS_RD, 0, MD_MAX_TDMRS, 0, 0), ST(SYS_LP_INIT_NOT_DONE, 0));
    CU_ASSERT_EQUAL(host_call(TDH_SYS_INIT, 1, 0, 0, 0), ST(OPERAND_INVALID, TDX_RCX));
    CU_ASSERT_EQUAL(host_call(TDH_SYS_INIT, 0, 0, 0, 0), TDX_SUCCESS);
    CU_ASSERT_EQUAL(host_call(TDH_SYS_INIT, 0, 0, 0, 0), ST(SYS_INIT_NOT_PENDING, 0));
    CU_ASSERT_EQUAL(host_call(TDH_SYS_LP_INIT, 0, 0, 0, 0), TDX_SUCCESS);
    CU_ASSERT_EQUAL(host_call(TDH_SYS_LP_INIT, 0, 0, 0, 0), ST(SYS_LP_INIT_DONE, 0));
    CU_ASSERT_EQUAL(host_call(TDH_SYS_CONFIG, 0x2000, 1, 32, 0), ST(SYS_CONFIG_NOT_PENDING, 0));
    CU_ASSERT_EQUAL(host_call(TDH_SYS_KEY_CONFIG, 0, 0, 0, 0), ST(SYS_KEY_CONFIG_NOT_PENDING, 0));
    CU_ASSERT_EQUAL(host_call(TDH_MNG_CREATE, host_page(), 40, 0, 0), ST(SYS_NOT_READY, 0));
}

static uint64_t handoff_version(void)
{
    CU_ASSERT_EQUAL_FATAL(host_call(TDH_SYS_RD, 0, MD_MODULE_HV, 0, 0), TDX_SUCCESS);
    return host_regs.r8;
}

static void a_module_that_was_shut_down_refuses_all(void)
{
    tdx_host_ready();
    CU_ASSERT_EQUAL(host_call(TDH_SYS_SHUTDOWN, handoff_version(), 0, 0, 0), TDX_SUCCESS);
    for (unsigned int leaf = 0; leaf <= TDH_SYS_SHUTDOWN; leaf++) {
        uint64_t st = host_call((enum tdh_leaf)leaf, 0, 0, 0, 0);

        if (leaf == TDH_SYS_LP_SHUTDOWN) {
            CU_ASSERT_EQUAL(st, TDX_SUCCESS);
        } else if (st != ST(OPERAND_INVALID, TDX_RAX)) { /* that there is no such leaf goes first */
            CU_ASSERT_EQUAL(st, ST(SYS_SHUTDOWN, 0));
        }
    }
    CU_ASSERT_EQUAL(host_call(TDH_MNG_CREATE, host_page(), 40, 0, 0), ST(SYS_SHUTDOWN, 0));
    CU_ASSERT_EQUAL(host_call(TDH_SYS_RD, 0, MD_MAX_TDMRS, 0, 0), ST(SYS_SHUTDOWN, 0));
    CU_ASSERT_EQUAL(host_call(TDH_SYS_SHUTDOWN, 1, 0, 0, 0), ST(SYS_SHUTDOWN, 0));
}

static void a_module_that_cannot_be_shut_down_goes_on(void)
{
    tdx_host_reset();
    CU_ASSERT_EQUAL(host_call(TDH_SYS_SHUTDOWN, 1, 0, 0, 0), ST(SYS_NOT_READY, 0));
    tdx_host_ready();
    CU_ASSERT_EQUAL(host_call(TDH_SYS_LP_SHUTDOWN, 0, 0, 0, 0), TDX_SUCCESS);
    CU_ASSERT_EQUAL(host_call(TDH_SYS_SHUTDOWN, 0, 0, 0, 0), ST(OPERAND_INVALID, TDX_RCX));
    CU_ASSERT_EQUAL(host_call(TDH_SYS_SHUTDOWN, handoff_version() + 1, 0, 0, 0),
                    ST(OPERAND_INVALID, TDX_RCX));
    CU_ASSERT_EQUAL(host_call(TDH_SYS_SHUTDOWN, BIT(32) | handoff_version(), 0, 0, 0),
                    ST(OPERAND_INVALID, TDX_RCX));
    CU_ASSERT_EQUAL(host_call(TDH_SYS_RD, 0, MD_MAX_TDMRS, 0, 0), TDX_SUCCESS);
}

static uint64_t while_inside;

static void is_shut_down(struct tdx_vp *vp)
{
    struct tdx_regs before = host_regs;

    while_inside = host_call(TDH_SYS_SHUTDOWN, 1, 0, 0, 0);
    host_regs = before;
    tdx_exit_async(vp, TDX_EXIT_INTERRUPT, 0, 0, 0);
}

static void a_module_is_not_shut_down_under_a_td_that_runs(void)
{
    struct host_td td;

    tdx_host_ready();
    host_td_make(&td, HOST_KEY, true);
    host_td_code = is_shut_down;
    CU_ASSERT_EQUAL(TDX_STATUS_OF(host_enter(&td, 0)), TDX_SUCCESS);
    CU_ASSERT_EQUAL(while_inside, ST(SYS_BUSY, 0));
    host_td_code = NULL;
    CU_ASSERT_EQUAL(TDX_STATUS_OF(host_enter(&td, 0)), TDX_SUCCESS);
    CU_ASSERT_EQUAL(host_call(TDH_SYS_SHUTDOWN, 1, 0, 0, 0), TDX_SUCCESS);
    CU_ASSERT_EQUAL(host_enter(&td, 0), ST(SYS_SHUTDOWN, 0));
}

/* ---- its loader ---- */

static uint64_t seamldr(uint64_t leaf, uint64_t rcx)
{
    host_regs = (struct tdx_regs){.rax = leaf, .rcx = rcx};
    return emu_tdx_seamcall(&host_regs);
}

static void the_loader_tells_what_it_loaded_at_any_time(void)
{
    const struct tdx_seamldr_info *info = host_at(0x3000);
    uint8_t mrseam[48];

    tdx_host_reset();
    CU_ASSERT_EQUAL(seamldr(SEAMLDR_INFO, 0x3000), SEAMLDR_SUCCESS);
    CU_ASSERT(info->version == 0 && info->attributes == 0 && info->vendor_id == 0x8086);
    CU_ASSERT(info->major == 1 && info->minor == 5 && info->num_remaining_updates > 0);
    CU_ASSERT(info->seamextend.seam_ready == 1 && info->seamextend.p_seamldr_ready == 1);
    tdx_chip_mrseam(mrseam);
    CU_ASSERT_EQUAL(memcmp(info->seamextend.mrseam, mrseam, sizeof(mrseam)), 0);
    tdx_host_ready();
    CU_ASSERT_EQUAL(seamldr(SEAMLDR_INFO, 0x3000), SEAMLDR_SUCCESS);
    CU_ASSERT_EQUAL(host_call(TDH_SYS_SHUTDOWN, handoff_version(), 0, 0, 0), TDX_SUCCESS);
    CU_ASSERT_EQUAL(seamldr(SEAMLDR_INFO, 0x3000), SEAMLDR_SUCCESS);
}

static void the_loader_refuses_what_it_does_not_know(void)
{
    uint64_t private = (uint64_t)EMU_TDX_KEY_FIRST << EMU_TDX_KEY_SHIFT;

    tdx_host_reset();
    CU_ASSERT_EQUAL(seamldr(SEAMLDR_INFO, 0x3080), SEAMLDR_EBADPARAM);
    CU_ASSERT_EQUAL(seamldr(SEAMLDR_INFO, HOST_MEMORY), SEAMLDR_EBADPARAM);
    CU_ASSERT_EQUAL(seamldr(SEAMLDR_INFO, private | 0x3000), SEAMLDR_EBADPARAM);
    for (unsigned int leaf = 1; leaf < 70; leaf++) {
        CU_ASSERT_EQUAL(seamldr(SEAMLDR_LEAF | leaf, 0x3000), SEAMLDR_EBADPARAM);
    }
    CU_ASSERT_EQUAL(seamldr(SEAMLDR_LEAF | BIT(32), 0x3000), SEAMLDR_EBADPARAM);
}

/* TDMR_INFOs in memory, and CONFIG of them on a module that waits for it. */
static struct tdx_tdmr_info *tdmr(unsigned int i)
{
    return host_at(0x8000 + i * sizeof(struct tdx_tdmr_info));
}

static void fill(unsigned int i, uint64_t base, uint64_t pamt)
{
    *tdmr(i) = (struct tdx_tdmr_info){
        .base = base,
        .size = SIZE_1G,
        .pamt_4k_base = pamt,
        .pamt_4k_size = MiB(4),
        .pamt_2m_base = pamt + MiB(4),
        .pamt_2m_size = KiB(8),
        .pamt_1g_base = pamt + MiB(5),
        .pamt_1g_size = KiB(4),
    };
}

/* Memory up to 3 GiB with a hole from 1.5 to 1.75 GiB. */
static void ready_for_config(void)
{
    struct emu_tdx_machine m = {.lps = 1, .packages = 1, .cmrs = 2};

    tdx_host_reset();
    m.cmr[0].size = MiB(1536);
    m.cmr[1].base = MiB(1792);
    m.cmr[1].size = HOST_MEMORY - m.cmr[1].base;
    emu_tdx_reset(&m);
    CU_ASSERT_EQUAL_FATAL(host_call(TDH_SYS_INIT, 0, 0, 0, 0), TDX_SUCCESS);
    CU_ASSERT_EQUAL_FATAL(host_call(TDH_SYS_LP_INIT, 0, 0, 0, 0), TDX_SUCCESS);
    fill(0, 0, GiB(2));
    fill(1, GiB(1), GiB(2) + MiB(16));
    tdmr(1)->reserved[0].offset = MiB(512);
    tdmr(1)->reserved[0].size = MiB(256);
}

static uint64_t config(unsigned int count)
{
    uint64_t *list = host_at(0x7000);

    for (unsigned int i = 0; i < count; i++) {
        list[i] = 0x8000 + i * sizeof(struct tdx_tdmr_info);
    }
    return host_call(TDH_SYS_CONFIG, 0x7000, count, EMU_TDX_KEY_FIRST, 0);
}

static void a_memory_map_with_a_hole_can_be_configured(void)
{
    ready_for_config();
    CU_ASSERT_EQUAL(config(2), TDX_SUCCESS);
    CU_ASSERT_EQUAL(config(2), ST(SYS_CONFIG_NOT_PENDING, 0));
    CU_ASSERT_EQUAL(host_call(TDH_SYS_RD, 0, MD_NUM_CMRS, 0, 0), TDX_SUCCESS);
    CU_ASSERT_EQUAL(host_regs.r8, 2);
    CU_ASSERT_EQUAL(host_call(TDH_SYS_RD, 0, MD_CMR_BASE + 1, 0, 0), TDX_SUCCESS);
    CU_ASSERT_EQUAL(host_regs.r8, MiB(1792));
}

static void reserved_memory_is_never_a_tds(void)
{
    struct host_td td = {0};

    ready_for_config();
    CU_ASSERT_EQUAL_FATAL(config(2), TDX_SUCCESS);
    CU_ASSERT_EQUAL_FATAL(host_call(TDH_SYS_KEY_CONFIG, 0, 0, 0, 0), TDX_SUCCESS);
    CU_ASSERT_EQUAL(host_call(TDH_MNG_CREATE, GiB(1), 40, 0, 0),
                    ST(OPERAND_ADDR_RANGE_ERROR, TDX_RCX));
    while (host_regs.rdx < GiB(2)) {
        CU_ASSERT_EQUAL_FATAL(host_call(TDH_SYS_TDMR_INIT, GiB(1), 0, 0, 0), TDX_SUCCESS);
    }
    CU_ASSERT_EQUAL(host_call(TDH_SYS_TDMR_INIT, GiB(1), 0, 0, 0),
                    ST(TDMR_ALREADY_INITIALIZED, 0));
    td.tdr = GiB(1) + MiB(512);
    CU_ASSERT_EQUAL(host_call(TDH_MNG_CREATE, td.tdr, 40, 0, 0),
                    ST(PAGE_METADATA_INCORRECT, TDX_RCX));
    CU_ASSERT_EQUAL(host_call(TDH_MNG_CREATE, td.tdr - PAGE_SIZE, 40, 0, 0), TDX_SUCCESS);
    CU_ASSERT_EQUAL(host_call(TDH_PHYMEM_PAGE_RDMD, td.tdr, 0, 0, 0), TDX_SUCCESS);
    CU_ASSERT_EQUAL(host_regs.rcx, TDX_PT_RSVD);
}

static void a_bad_memory_map_is_refused_by_what_is_wrong(void)
{
#define REFUSED(change, status)                                                                    \
    do {                                                                                           \
        ready_for_config();                                                                        \
        change;                                                                                    \
        CU_ASSERT_EQUAL(TDX_STATUS_OF(config(2)), TDX_##status);                                   \
        CU_ASSERT_EQUAL(tdx_module.state, SYS_INIT_DONE);                                          \
    } while (0)
    REFUSED(tdmr(0)->base = MiB(1), INVALID_TDMR);
    REFUSED(tdmr(0)->size = 0, INVALID_TDMR);
    REFUSED(tdmr(0)->size = MiB(512), INVALID_TDMR);
    REFUSED(tdmr(1)->base = ~0ull << 30, INVALID_TDMR);
    REFUSED(tdmr(1)->base = 0, NON_ORDERED_TDMR);
    REFUSED(tdmr(1)->reserved[0].size = 0, TDMR_OUTSIDE_CMRS);
    REFUSED(tdmr(1)->reserved[0].size = MiB(128), TDMR_OUTSIDE_CMRS);
    REFUSED(tdmr(1)->reserved[0].offset = MiB(900), INVALID_RESERVED_IN_TDMR);
    REFUSED(tdmr(1)->reserved[0].size = ~0ull - 4095, INVALID_RESERVED_IN_TDMR);
    REFUSED(tdmr(1)->reserved[0].offset += 1, INVALID_RESERVED_IN_TDMR);
    REFUSED(tdmr(1)->reserved[1] = tdmr(1)->reserved[0], NON_ORDERED_RESERVED_IN_TDMR);
    REFUSED(tdmr(0)->reserved[1].size = PAGE_SIZE, NON_ORDERED_RESERVED_IN_TDMR);
    REFUSED(tdmr(0)->pamt_4k_size -= PAGE_SIZE, INVALID_PAMT);
    REFUSED(tdmr(0)->pamt_2m_base += 1, INVALID_PAMT);
    REFUSED(tdmr(0)->pamt_1g_size = 0, INVALID_PAMT);
    REFUSED(tdmr(1)->pamt_4k_base = GiB(2), PAMT_OVERLAP);
    REFUSED(tdmr(0)->pamt_2m_base = GiB(2), PAMT_OVERLAP);
    REFUSED(tdmr(0)->pamt_4k_base = MiB(16), PAMT_OVERLAP);
    REFUSED(tdmr(0)->pamt_4k_base = GiB(1) + MiB(16), PAMT_OVERLAP);
    REFUSED(tdmr(0)->pamt_4k_base = GiB(1) + MiB(600), PAMT_OUTSIDE_CMRS);
    REFUSED(tdmr(0)->pamt_4k_base = GiB(3), PAMT_OUTSIDE_CMRS);
#undef REFUSED
}

static void configs_operands_are_checked(void)
{
    ready_for_config();
    CU_ASSERT_EQUAL(host_call(TDH_SYS_CONFIG, 0x7008, 1, 32, 0), ST(OPERAND_INVALID, TDX_RCX));
    CU_ASSERT_EQUAL(host_call(TDH_SYS_CONFIG, 0x7000, 0, 32, 0), ST(OPERAND_INVALID, TDX_RDX));
    CU_ASSERT_EQUAL(host_call(TDH_SYS_CONFIG, 0x7000, 65, 32, 0), ST(OPERAND_INVALID, TDX_RDX));
    CU_ASSERT_EQUAL(host_call(TDH_SYS_CONFIG, 0x7000, 1, 31, 0), ST(OPERAND_INVALID, TDX_R8));
    CU_ASSERT_EQUAL(host_call(TDH_SYS_CONFIG, 0x7000, 1, 1ull << 32 | 33, 0),
                    ST(OPERAND_INVALID, TDX_R8));
    memset(host_at(0x7000), 0xff, 8);
    CU_ASSERT_EQUAL(host_call(TDH_SYS_CONFIG, 0x7000, 1, 32, 0), ST(OPERAND_INVALID, TDX_RCX));
}

static void a_pamt_may_lie_in_a_reserved_area_of_its_own_tdmr(void)
{
    ready_for_config();
    fill(0, 0, MiB(64));
    tdmr(0)->reserved[0].offset = MiB(64);
    tdmr(0)->reserved[0].size = MiB(8);
    CU_ASSERT_EQUAL(config(2), TDX_SUCCESS);
}

static void a_fault_comes_at_the_call_it_is_armed_for(void)
{
    tdx_host_ready();
    emu_tdx_fault_reset();
    emu_tdx_fail_nth(2, ST(SYS_BUSY, 0));
    emu_tdx_fail_leaf(TDH_SYS_RD, 3, ST(RND_NO_ENTROPY, 0));
    CU_ASSERT_EQUAL(host_call(TDH_SYS_RD, 0, MD_MAX_TDMRS, 0, 0), TDX_SUCCESS);
    CU_ASSERT_EQUAL(host_call(TDH_SYS_RD, 0, MD_MAX_TDMRS, 0, 0), ST(SYS_BUSY, 0));
    CU_ASSERT_EQUAL(host_call(TDH_SYS_RD, 0, MD_MAX_TDMRS, 0, 0), ST(RND_NO_ENTROPY, 0));
    CU_ASSERT_EQUAL(host_call(TDH_SYS_RD, 0, MD_MAX_TDMRS, 0, 0), TDX_SUCCESS);
    CU_ASSERT_EQUAL(emu_tdx_calls(), 4);
}

static const struct cu_test tests[] = {
    CU(a_module_starts_in_one_order_only),
    CU(a_module_that_was_shut_down_refuses_all),
    CU(a_module_that_cannot_be_shut_down_goes_on),
    CU(a_module_is_not_shut_down_under_a_td_that_runs),
    CU(the_loader_tells_what_it_loaded_at_any_time),
    CU(the_loader_refuses_what_it_does_not_know),
    CU(a_memory_map_with_a_hole_can_be_configured),
    CU(reserved_memory_is_never_a_tds),
    CU(a_bad_memory_map_is_refused_by_what_is_wrong),
    CU(configs_operands_are_checked),
    CU(a_pamt_may_lie_in_a_reserved_area_of_its_own_tdmr),
    CU(a_fault_comes_at_the_call_it_is_armed_for),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("tdx_sys", tests, argc, argv);
}
