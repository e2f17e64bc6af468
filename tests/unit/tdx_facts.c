/*
 * A third source: what Intel's published module (release 1.5.01) and the Linux host's headers say,
 * as facts in tables of ours, against what the emulated module does.
 */
#include "cu.h"
#include "tdx_host.h"

#include <string.h>

/* Status codes, as the module's generated header has them. */
static const struct {
    enum tdx_status st;
    uint64_t raw;
} codes[] = {
    {TDX_NON_RECOVERABLE_VCPU, 0x4000000100000000ull},
    {TDX_NON_RECOVERABLE_TD, 0x6000000200000000ull},
    {TDX_NON_RECOVERABLE_TD_NON_ACCESSIBLE, 0x6000000500000000ull},
    {TDX_NON_RECOVERABLE_TD_WRONG_APIC_MODE, 0xE000000700000000ull},
    {TDX_NON_RECOVERABLE_TD_CORRUPTED_MD, 0x6000000A00000000ull},
    {TDX_HOST_PRIORITY_BUSY_TIMEOUT, 0x9000020500000000ull},
    {TDX_OPERAND_INVALID, 0xC000010000000000ull},
    {TDX_OPERAND_ADDR_RANGE_ERROR, 0xC000010100000000ull},
    {TDX_OPERAND_BUSY, 0x8000020000000000ull},
    {TDX_PREVIOUS_TLB_EPOCH_BUSY, 0x8000020100000000ull},
    {TDX_SYS_BUSY, 0x8000020200000000ull},
    {TDX_RND_NO_ENTROPY, 0x8000020300000000ull},
    {TDX_PAGE_METADATA_INCORRECT, 0xC000030000000000ull},
    {TDX_TD_ASSOCIATED_PAGES_EXIST, 0xC000040000000000ull},
    {TDX_SYS_INIT_NOT_PENDING, 0xC000050000000000ull},
    {TDX_SYS_LP_INIT_NOT_DONE, 0xC000050200000000ull},
    {TDX_SYS_LP_INIT_DONE, 0xC000050300000000ull},
    {TDX_SYS_NOT_READY, 0xC000050500000000ull},
    {TDX_SYS_SHUTDOWN, 0xC000050600000000ull},
    {TDX_SYS_KEY_CONFIG_NOT_PENDING, 0xC000050700000000ull},
    {TDX_SYS_LP_INIT_NOT_PENDING, 0xC000050B00000000ull},
    {TDX_SYS_CONFIG_NOT_PENDING, 0xC000050C00000000ull},
    {TDX_TD_FATAL, 0xE000060400000000ull},
    {TDX_TD_NON_DEBUG, 0xC000060500000000ull},
    {TDX_TDCS_NOT_ALLOCATED, 0xC000060600000000ull},
    {TDX_LIFECYCLE_STATE_INCORRECT, 0xC000060700000000ull},
    {TDX_OP_STATE_INCORRECT, 0xC000060800000000ull},
    {TDX_NO_VCPUS, 0xC000060900000000ull},
    {TDX_TDCX_NUM_INCORRECT, 0xC000061000000000ull},
    {TDX_VCPU_STATE_INCORRECT, 0xC000070000000000ull},
    {TDX_VCPU_ASSOCIATED, 0x8000070100000000ull},
    {TDX_VCPU_NOT_ASSOCIATED, 0x8000070200000000ull},
    {TDX_NO_VALID_VE_INFO, 0xC000070400000000ull},
    {TDX_MAX_VCPUS_EXCEEDED, 0xC000070500000000ull},
    {TDX_TD_VMCS_FIELD_NOT_INITIALIZED, 0xC000073000000000ull},
    {TDX_KEY_GENERATION_FAILED, 0x8000080000000000ull},
    {TDX_TD_KEYS_NOT_CONFIGURED, 0x8000081000000000ull},
    {TDX_KEY_STATE_INCORRECT, 0xC000081100000000ull},
    {TDX_KEY_CONFIGURED, 0x0000081500000000ull},
    {TDX_WBCACHE_NOT_COMPLETE, 0x8000081700000000ull},
    {TDX_HKID_NOT_FREE, 0xC000082000000000ull},
    {TDX_NO_HKID_READY_TO_WBCACHE, 0x0000082100000000ull},
    {TDX_WBCACHE_RESUME_ERROR, 0xC000082300000000ull},
    {TDX_FLUSHVP_NOT_DONE, 0x8000082400000000ull},
    {TDX_INVALID_TDMR, 0xC0000A0000000000ull},
    {TDX_NON_ORDERED_TDMR, 0xC0000A0100000000ull},
    {TDX_TDMR_OUTSIDE_CMRS, 0xC0000A0200000000ull},
    {TDX_TDMR_ALREADY_INITIALIZED, 0x00000A0300000000ull},
    {TDX_INVALID_PAMT, 0xC0000A1000000000ull},
    {TDX_PAMT_OUTSIDE_CMRS, 0xC0000A1100000000ull},
    {TDX_PAMT_OVERLAP, 0xC0000A1200000000ull},
    {TDX_INVALID_RESERVED_IN_TDMR, 0xC0000A2000000000ull},
    {TDX_NON_ORDERED_RESERVED_IN_TDMR, 0xC0000A2100000000ull},
    {TDX_EPT_WALK_FAILED, 0xC0000B0000000000ull},
    {TDX_EPT_ENTRY_NOT_PRESENT, 0xC0000B0300000000ull},
    {TDX_GPA_RANGE_NOT_BLOCKED, 0xC0000B0600000000ull},
    {TDX_GPA_RANGE_ALREADY_BLOCKED, 0x00000B0700000000ull},
    {TDX_TLB_TRACKING_NOT_DONE, 0xC0000B0800000000ull},
    {TDX_EPT_INVALID_PROMOTE_CONDITIONS, 0xC0000B0900000000ull},
    {TDX_PAGE_ALREADY_ACCEPTED, 0x00000B0A00000000ull},
    {TDX_PAGE_SIZE_MISMATCH, 0xC0000B0B00000000ull},
    {TDX_EPT_ENTRY_STATE_INCORRECT, 0xC0000B0D00000000ull},
    {TDX_EPT_PAGE_NOT_FREE, 0xC0000B0E00000000ull},
    {TDX_METADATA_FIELD_ID_INCORRECT, 0xC0000C0000000000ull},
    {TDX_METADATA_FIELD_NOT_WRITABLE, 0xC0000C0100000000ull},
    {TDX_METADATA_FIELD_NOT_READABLE, 0xC0000C0200000000ull},
    {TDX_METADATA_FIELD_VALUE_NOT_VALID, 0xC0000C0300000000ull},
};

static void status_codes_are_those_of_the_published_module(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
        CU_ASSERT_EQUAL(tdx_error(codes[i].st, 0), codes[i].raw);
    }
}

/* Leaf, then the states UNINITIALIZED, INITIALIZED, RUNNABLE: the module's op-state table. */
static void op_states_allow_what_the_published_table_says(void)
{
    static const uint8_t f[][4] = {
        {0, 0, 0, 1},  {1, 1, 0, 0},  {2, 0, 1, 0},  {3, 0, 1, 1},  {4, 0, 1, 0},  {6, 0, 1, 1},
        {7, 0, 1, 1},  {10, 0, 1, 0}, {11, 0, 1, 1}, {15, 0, 1, 1}, {16, 0, 1, 0}, {17, 0, 1, 0},
        {18, 1, 1, 1}, {21, 1, 0, 0}, {22, 0, 1, 0}, {23, 0, 1, 1}, {25, 0, 1, 1}, {26, 0, 1, 1},
        {29, 0, 1, 1}, {30, 0, 1, 1}, {38, 0, 1, 1}, {39, 0, 1, 1}, {43, 0, 1, 1},
    };

    for (size_t i = 0; i < ARRAY_SIZE(f); i++) {
        for (uint32_t s = 0; s < 3; s++) {
            CU_ASSERT_EQUAL(tdx_op_allowed(f[i][0], s), f[i][1 + s] != 0);
        }
    }
}

/* Leaf, then FREE, NL_MAPPED, NL_BLOCKED, MAPPED, BLOCKED, PENDING, PENDING_BLOCKED. */
static void sept_states_allow_what_the_published_table_says(void)
{
    static const enum sept_state column[] = {SEPT_FREE,    SEPT_NL_MAPPED, SEPT_NL_BLOCKED,
                                             SEPT_MAPPED,  SEPT_BLOCKED,   SEPT_PENDING,
                                             SEPT_PENDING_BLOCKED};
    static const uint8_t f[][8] = {
        {2, 1, 0, 0, 0, 0, 0, 0},  {6, 1, 0, 0, 0, 0, 0, 0},  {7, 0, 1, 0, 1, 0, 1, 0},
        {15, 0, 0, 0, 1, 1, 1, 1}, {16, 0, 0, 0, 1, 0, 0, 0}, {23, 0, 1, 1, 0, 0, 0, 0},
        {25, 1, 1, 1, 1, 1, 1, 1}, {29, 0, 0, 0, 1, 1, 1, 1}, {30, 0, 1, 1, 0, 0, 0, 0},
        {39, 0, 0, 1, 0, 1, 0, 1},
        /* SEPT.ADD of version 0: NL_MAPPED is for L2 guests, and refused further in. */
        {3, 1, 0, 0, 0, 0, 0, 0},
    };

    for (size_t i = 0; i < ARRAY_SIZE(f); i++) {
        for (size_t s = 0; s < ARRAY_SIZE(column); s++) {
            CU_ASSERT_EQUAL(sept_allowed(f[i][0], sept_entry(column[s], 0x1000)),
                            f[i][1 + s] != 0);
        }
    }
}

/* The states that a host sees in RDX: the module's public_state column. */
static void sept_states_have_their_public_numbers(void)
{
    static const struct {
        enum sept_state s;
        uint8_t shown;
    } f[] = {{SEPT_FREE, 0},   {SEPT_MAPPED, 4},          {SEPT_BLOCKED, 1},
             {SEPT_PENDING, 2}, {SEPT_PENDING_BLOCKED, 3}, {SEPT_NL_MAPPED, 132},
             {SEPT_NL_BLOCKED, 129}};

    for (size_t i = 0; i < ARRAY_SIZE(f); i++) {
        struct tdx_regs r = {0};
        struct tdx_call c = {.r = &r};

        sept_details(&c, sept_entry(f[i].s, 0x5000), 1);
        CU_ASSERT_EQUAL(r.rdx, 1u | (uint64_t)f[i].shown << 8);
    }
}

/*
 * Operand order, after the dispatcher of the published module: each register in turn carries what
 * no leaf takes there, and the refusal names it.
 */
static void operands_are_where_the_published_dispatcher_reads_them(void)
{
    enum { BAD = 0x123 }; /* no page, no level, no key */
    struct host_td td;
    uint64_t free_page;

    tdx_host_ready();
    host_td_make(&td, HOST_KEY, false);
    free_page = host_page();
#define REFUSED(leaf, a, b, c, d, operand)                                                         \
    CU_ASSERT_EQUAL(host_call(leaf, a, b, c, d), ST(OPERAND_INVALID, operand))
    REFUSED(TDH_MNG_CREATE, BAD, 41, 0, 0, TDX_RCX);
    REFUSED(TDH_MNG_CREATE, free_page, 5, 0, 0, TDX_RDX);
    REFUSED(TDH_MNG_KEY_CONFIG, BAD, 0, 0, 0, TDX_RCX);
    REFUSED(TDH_MNG_ADDCX, free_page, BAD, 0, 0, TDX_RDX);
    REFUSED(TDH_MNG_INIT, BAD, 0x3000, 0, 0, TDX_RCX);
    REFUSED(TDH_MEM_SEPT_ADD, BAD, td.tdr, free_page, 0, TDX_RCX);
    REFUSED(TDH_MEM_SEPT_ADD, TDX_PAGE(SIZE_1G, TDX_1G), BAD, free_page, 0, TDX_RDX);
    REFUSED(TDH_MEM_SEPT_ADD, TDX_PAGE(SIZE_1G, TDX_1G), td.tdr, BAD, 0, TDX_R8);
    REFUSED(TDH_MEM_PAGE_ADD, BAD, td.tdr, free_page, 0x4000, TDX_RCX);
    REFUSED(TDH_MEM_PAGE_ADD, 0, BAD, free_page, 0x4000, TDX_RDX);
    REFUSED(TDH_MEM_PAGE_ADD, 0, td.tdr, BAD, 0x4000, TDX_R8);
    REFUSED(TDH_MEM_PAGE_ADD, 0, td.tdr, free_page, BAD, TDX_R9);
    REFUSED(TDH_MEM_PAGE_AUG, BAD, td.tdr, free_page, 0, TDX_RCX);
    REFUSED(TDH_MEM_PAGE_AUG, 0, BAD, free_page, 0, TDX_RDX);
    REFUSED(TDH_MEM_PAGE_AUG, 0, td.tdr, BAD, 0, TDX_R8);
    REFUSED(TDH_MEM_RANGE_BLOCK, BAD, td.tdr, 0, 0, TDX_RCX);
    REFUSED(TDH_MEM_RANGE_BLOCK, 0, BAD, 0, 0, TDX_RDX);
    REFUSED(TDH_MEM_RANGE_UNBLOCK, 0, BAD, 0, 0, TDX_RDX);
    REFUSED(TDH_MEM_PAGE_REMOVE, 0, BAD, 0, 0, TDX_RDX);
    REFUSED(TDH_MEM_SEPT_REMOVE, TDX_PAGE(0, TDX_2M), BAD, 0, 0, TDX_RDX);
    REFUSED(TDH_MEM_PAGE_DEMOTE, BAD, td.tdr, free_page, 0, TDX_RCX);
    REFUSED(TDH_MEM_TRACK, BAD, 0, 0, 0, TDX_RCX);
    REFUSED(TDH_MR_EXTEND, BAD, td.tdr, 0, 0, TDX_RCX);
    REFUSED(TDH_MR_EXTEND, 0, BAD, 0, 0, TDX_RDX);
    REFUSED(TDH_MR_FINALIZE, BAD, 0, 0, 0, TDX_RCX);
    REFUSED(TDH_VP_CREATE, BAD, td.tdr, 0, 0, TDX_RCX);
    REFUSED(TDH_VP_CREATE, free_page, BAD, 0, 0, TDX_RDX);
    REFUSED(TDH_VP_ADDCX, free_page, BAD, 0, 0, TDX_RDX);
    REFUSED(TDH_VP_INIT, BAD, 0, 0, 0, TDX_RCX);
    REFUSED(TDH_VP_FLUSH, BAD, 0, 0, 0, TDX_RCX);
    REFUSED(TDH_VP_ENTER, BAD, 0, 0, 0, TDX_RCX);
    REFUSED(TDH_VP_WR, BAD, MD_VP_PEND_NMI, 1, 1, TDX_RCX);
    REFUSED(TDH_PHYMEM_PAGE_RECLAIM, BAD, 0, 0, 0, TDX_RCX);
    REFUSED(TDH_PHYMEM_PAGE_RDMD, BAD, 0, 0, 0, TDX_RCX);
    REFUSED(TDH_PHYMEM_PAGE_WBINVD, BAD, 0, 0, 0, TDX_RCX);
    REFUSED(TDH_PHYMEM_CACHE_WB, 2, 0, 0, 0, TDX_RCX);
    REFUSED(TDH_MNG_VPFLUSHDONE, BAD, 0, 0, 0, TDX_RCX);
    REFUSED(TDH_MNG_KEY_FREEID, BAD, 0, 0, 0, TDX_RCX);
    REFUSED(TDH_SYS_TDMR_INIT, BAD, 0, 0, 0, TDX_RCX);
    REFUSED(0x77, 0, 0, 0, 0, TDX_RAX);
    REFUSED((enum tdh_leaf)(TDH_VP_INIT | 1u << 16), td.tdvpr[0], 0, 0, 0, TDX_RAX);
#undef REFUSED
}

/* The field ids that the Linux host reads: its generated list. */
static void the_metadata_a_linux_host_reads_is_there(void)
{
    static const struct {
        uint64_t id, value;
    } f[] = {
        {0x0800000100000003ull, 5},        {0x0800000100000004ull, 1},
        {0x9100000100000008ull, 64},       {0x9100000100000009ull, 16},
        {0x9100000100000010ull, 16},       {0x9100000100000011ull, 16},
        {0x9100000100000012ull, 16},       {0x9800000100000000ull, 4096},
        {0x9800000100000100ull, 6 * 4096}, {0x9800000100000200ull, 6 * 4096},
        {0x1900000300000001ull, 0},        {0x1900000300000003ull, 3},
        {0x8900000100000000ull, 1},
    };

    tdx_host_ready();
    for (size_t i = 0; i < ARRAY_SIZE(f); i++) {
        CU_ASSERT_EQUAL(host_call(TDH_SYS_RD, 0, f[i].id, 0, 0), TDX_SUCCESS);
        CU_ASSERT_EQUAL(host_regs.r8, f[i].value);
    }
    CU_ASSERT_EQUAL(host_call(TDH_SYS_RD, 0, 0x9900000100000004ull, 0, 0), TDX_SUCCESS);
    CU_ASSERT(host_regs.r8 > 0 && host_regs.r8 <= TDX_CPUID_CONFIGS_MAX);
    CU_ASSERT_EQUAL(host_call(TDH_SYS_RD, 0, 0x9900000300000400ull, 0, 0), TDX_SUCCESS);
    CU_ASSERT_EQUAL(host_call(TDH_SYS_RD, 0, 0x9900000300000501ull, 0, 0), TDX_SUCCESS);
    CU_ASSERT_EQUAL(host_call(TDH_SYS_RD, 0, 0x1234, 0, 0), ST(METADATA_FIELD_ID_INCORRECT, 0));
}

static const struct cu_test tests[] = {
    CU(status_codes_are_those_of_the_published_module),
    CU(op_states_allow_what_the_published_table_says),
    CU(sept_states_allow_what_the_published_table_says),
    CU(sept_states_have_their_public_numbers),
    CU(operands_are_where_the_published_dispatcher_reads_them),
    CU(the_metadata_a_linux_host_reads_is_there),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("tdx_facts", tests, argc, argv);
}
