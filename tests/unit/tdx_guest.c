/* What a TD asks of the emulated module: TDCALL, CPUID, its shared memory. */
#include "cu.h"
#include "tdx_host.h"

#include <openssl/evp.h>
#include <string.h>

#define DATA 0x0ull /* a page of the TD's own, added at launch */
#define SHARED BIT(47)

static struct host_td td;
static struct tdx_vp *vp;
static uint8_t *page;

static void start(void)
{
    tdx_host_ready();
    host_td_make(&td, HOST_KEY, false);
    page = host_at(host_td_add(&td, DATA, "48 bytes that the TD wants to extend a register!", 48));
    CU_ASSERT_EQUAL(host_call(TDH_MR_FINALIZE, td.tdr, 0, 0, 0), TDX_SUCCESS);
    vp = host_vp(&td, 0);
    vp->tdr = host_at(td.tdr);
    vp->tdcs = tdx_tdcs_of(vp->tdr);
}

static uint64_t tdcall(enum tdg_leaf leaf, uint64_t rcx, uint64_t rdx, uint64_t r8, uint64_t r9)
{
    vp->regs = (struct tdx_regs){.rax = leaf, .rcx = rcx, .rdx = rdx, .r8 = r8, .r9 = r9};
    return tdx_tdcall(vp) == TDX_RESUME ? vp->regs.rax : ~0ull;
}

static void a_td_learns_what_it_is(void)
{
    start();
    CU_ASSERT_EQUAL(tdcall(TDG_VP_INFO, 0, 0, 0, 0), TDX_SUCCESS);
    CU_ASSERT_EQUAL(vp->regs.rcx, 48);
    CU_ASSERT_EQUAL(vp->regs.rdx, TD_ATTR_SEPT_VE_DISABLE);
    CU_ASSERT_EQUAL(vp->regs.r8, 1 | 2ull << 32);
    CU_ASSERT_EQUAL(vp->regs.r9, 0);
}

static void registers_extend_as_the_specification_says(void)
{
    uint8_t both[96] = {0}, want[48];

    start();
    memcpy(&both[48], page, 48);
    EVP_Digest(both, sizeof(both), want, NULL, EVP_sha384(), NULL);
    CU_ASSERT_EQUAL(tdcall(TDG_MR_RTMR_EXTEND, DATA, 2, 0, 0), TDX_SUCCESS);
    CU_ASSERT_EQUAL(memcmp(vp->tdcs->rtmr[2], want, 48), 0);
    memcpy(both, want, 48);
    EVP_Digest(both, sizeof(both), want, NULL, EVP_sha384(), NULL);
    CU_ASSERT_EQUAL(tdcall(TDG_MR_RTMR_EXTEND, DATA, 2, 0, 0), TDX_SUCCESS);
    CU_ASSERT_EQUAL(memcmp(vp->tdcs->rtmr[2], want, 48), 0);
    CU_ASSERT_EQUAL(tdcall(TDG_MR_RTMR_EXTEND, DATA, 4, 0, 0), ST(OPERAND_INVALID, TDX_RDX));
    CU_ASSERT_EQUAL(tdcall(TDG_MR_RTMR_EXTEND, DATA + 1, 0, 0, 0), ST(OPERAND_INVALID, TDX_RCX));
    CU_ASSERT_EQUAL(tdcall(TDG_MR_RTMR_EXTEND, SHARED, 0, 0, 0), ST(OPERAND_INVALID, TDX_RCX));
    vp->tdcs->rtmr_lock = 1;
    CU_ASSERT_EQUAL(tdcall(TDG_MR_RTMR_EXTEND, DATA, 0, 0, 0), ST(OPERAND_BUSY, TDX_RTMR));
}

static void a_report_says_what_the_td_is(void)
{
    const struct tdx_report *r;
    uint8_t hash[48];

    start();
    CU_ASSERT_EQUAL(tdcall(TDG_MR_RTMR_EXTEND, DATA, 0, 0, 0), TDX_SUCCESS);
    CU_ASSERT_EQUAL(tdcall(TDG_MR_REPORT, DATA + 1024, DATA, 0, 0), TDX_SUCCESS);
    r = (const struct tdx_report *)(void *)(page + 1024);
    CU_ASSERT(r->mac.type == 0x81 && r->mac.subtype == 0 && r->mac.version == 0);
    CU_ASSERT_EQUAL(memcmp(r->mac.report_data, page, 64), 0);
    CU_ASSERT_EQUAL(memcmp(r->info.mrtd, vp->tdcs->mrtd, 48), 0);
    CU_ASSERT_EQUAL(memcmp(r->info.rtmr[0], vp->tdcs->rtmr[0], 48), 0);
    CU_ASSERT_EQUAL(memcmp(r->info.mrconfigid, td.params.mrconfigid, 48), 0);
    CU_ASSERT_EQUAL(memcmp(r->info.mrowner, td.params.mrowner, 48), 0);
    CU_ASSERT_EQUAL(memcmp(r->info.mrownerconfig, td.params.mrownerconfig, 48), 0);
    CU_ASSERT_EQUAL(r->info.attributes, TD_ATTR_SEPT_VE_DISABLE);
    EVP_Digest(&r->info, sizeof(r->info), hash, NULL, EVP_sha384(), NULL);
    CU_ASSERT_EQUAL(memcmp(r->mac.tee_info_hash, hash, 48), 0);
    EVP_Digest(&r->tcb, 239, hash, NULL, EVP_sha384(), NULL);
    CU_ASSERT_EQUAL(memcmp(r->mac.tee_tcb_info_hash, hash, 48), 0);
}

static void another_report_has_another_mac(void)
{
    uint8_t first[32];

    start();
    CU_ASSERT_EQUAL(tdcall(TDG_MR_REPORT, DATA + 1024, DATA, 0, 0), TDX_SUCCESS);
    memcpy(first, page + 1024 + 224, 32);
    CU_ASSERT_EQUAL(tdcall(TDG_MR_REPORT, DATA + 1024, DATA, 0, 0), TDX_SUCCESS);
    CU_ASSERT_EQUAL(memcmp(first, page + 1024 + 224, 32), 0);
    page[0] ^= 1;
    CU_ASSERT_EQUAL(tdcall(TDG_MR_REPORT, DATA + 1024, DATA, 0, 0), TDX_SUCCESS);
    CU_ASSERT(memcmp(first, page + 1024 + 224, 32) != 0);
    CU_ASSERT_EQUAL(tdcall(TDG_MR_REPORT, DATA + 512, DATA, 0, 0), ST(OPERAND_INVALID, TDX_RCX));
    CU_ASSERT_EQUAL(tdcall(TDG_MR_REPORT, DATA + 1024, DATA + 8, 0, 0),
                    ST(OPERAND_INVALID, TDX_RDX));
    CU_ASSERT_EQUAL(tdcall(TDG_MR_REPORT, DATA + 1024, DATA, 1, 0), ST(OPERAND_INVALID, TDX_R8));
}

static void a_buffer_that_is_not_there_is_the_hosts_to_give(void)
{
    start();
    CU_ASSERT_EQUAL(tdcall(TDG_MR_REPORT, 0x8000, DATA, 0, 0), ~0ull);
    CU_ASSERT_EQUAL(TDX_EXIT_REASON(vp->exit.rax), TDX_EXIT_EPT_VIOLATION);
    CU_ASSERT_EQUAL(vp->exit.gpa, 0x8000);
    CU_ASSERT_EQUAL(vp->exit.qualification, EPT_VIOLATION_WRITE);
    CU_ASSERT(!vp->exit.tdvmcall);
}

/* The host's own tables, in EPT form: three tables and a leaf, or not. */
static uint64_t *shared_tables(uint64_t target)
{
    uint64_t at[4];

    for (unsigned int i = 0; i < 4; i++) {
        at[i] = host_page_2m();
        for (unsigned int j = 0; j < 512; j++) {
            ((uint64_t *)host_at(at[i]))[j] = BIT(63);
        }
    }
    ((uint64_t *)host_at(at[0]))[SHARED >> 39] = at[1] | 7;
    ((uint64_t *)host_at(at[1]))[0] = at[2] | 7;
    ((uint64_t *)host_at(at[2]))[0] = at[3] | 7;
    ((uint64_t *)host_at(at[3]))[0] = target | 0x30 | 7;
    CU_ASSERT_EQUAL(host_call(TDH_VP_WR, td.tdvpr[0], MD_VP_VMCS(VMCS_SHARED_EPTP), at[0], ~0ull),
                    TDX_SUCCESS);
    return host_at(at[3]);
}

static void shared_memory_is_where_the_hosts_tables_say(void)
{
    uint64_t at, size, *leaf;

    start();
    leaf = shared_tables(0x6000);
    CU_ASSERT_EQUAL(tdx_access(vp, SHARED + 8, EPT_VIOLATION_WRITE, &at, &size), TDX_ACCESS_OK);
    CU_ASSERT(at == 0x6008 && size == PAGE_SIZE);
    leaf[0] &= ~2ull;
    CU_ASSERT_EQUAL(tdx_access(vp, SHARED, EPT_VIOLATION_WRITE, &at, &size), TDX_ACCESS_EXIT);
    CU_ASSERT_EQUAL(tdx_access(vp, SHARED, EPT_VIOLATION_READ, &at, &size), TDX_ACCESS_OK);
    CU_ASSERT_EQUAL(tdx_access(vp, SHARED + PAGE_SIZE, EPT_VIOLATION_READ, &at, &size),
                    TDX_ACCESS_EXIT);
    leaf[1] = 0; /* the host wants #VE there: a device */
    CU_ASSERT_EQUAL(tdx_access(vp, SHARED + PAGE_SIZE, EPT_VIOLATION_READ, &at, &size),
                    TDX_ACCESS_VE);
    CU_ASSERT_EQUAL(tdcall(TDG_MR_REPORT, SHARED, DATA, 0, 0), ~0ull);
    leaf[0] |= 7;
    CU_ASSERT_EQUAL(tdcall(TDG_MR_REPORT, SHARED, DATA, 0, 0), TDX_SUCCESS);
    CU_ASSERT_EQUAL(*(uint8_t *)host_at(0x6000), 0x81);
    leaf[0] = BIT(45) | 7; /* leads nowhere */
    CU_ASSERT_EQUAL(tdcall(TDG_MR_REPORT, SHARED, DATA, 0, 0), ~0ull);
    CU_ASSERT_EQUAL(TDX_EXIT_REASON(vp->exit.rax), TDX_EXIT_EPT_MISCONFIG);
}

static void a_ve_is_told_once(void)
{
    start();
    CU_ASSERT_EQUAL(tdcall(TDG_VP_VEINFO_GET, 0, 0, 0, 0), ST(NO_VALID_VE_INFO, 0));
    CU_ASSERT(tdx_raise_ve(vp, TDX_EXIT_IO, 0x3f8, 0, 1));
    CU_ASSERT(!tdx_raise_ve(vp, TDX_EXIT_IO, 0x3f9, 0, 1));
    CU_ASSERT_EQUAL(tdcall(TDG_VP_VEINFO_GET, 0, 0, 0, 0), TDX_SUCCESS);
    CU_ASSERT_EQUAL(vp->regs.rcx, TDX_EXIT_IO);
    CU_ASSERT_EQUAL(vp->regs.rdx, 0x3f8);
    CU_ASSERT_EQUAL(vp->regs.r10, 1);
    CU_ASSERT_EQUAL(tdcall(TDG_VP_VEINFO_GET, 0, 0, 0, 0), ST(NO_VALID_VE_INFO, 0));
    CU_ASSERT(tdx_raise_ve(vp, TDX_EXIT_HLT, 0, 0, 1));
}

static void hypercall(struct tdx_vp *v)
{
    v->regs = (struct tdx_regs){.rax = TDG_VP_VMCALL,
                                .rcx = BIT(2) | BIT(11) | BIT(15),
                                .rdx = 2,
                                .rbx = 3,
                                .rbp = 5,
                                .r11 = 11,
                                .r12 = 12,
                                .r15 = 15};
    CU_ASSERT_EQUAL(tdx_tdcall(v), TDX_TD_EXIT);
}

static void a_tdvmcall_shows_what_the_td_chose_and_nothing_else(void)
{
    start();
    host_td_code = hypercall;
    CU_ASSERT_EQUAL(host_enter(&td, 0), TDX_EXIT_TDCALL);
    CU_ASSERT_EQUAL(host_regs.rcx, BIT(2) | BIT(11) | BIT(15));
    CU_ASSERT(host_regs.rdx == 2 && host_regs.r11 == 11 && host_regs.r15 == 15);
    CU_ASSERT(host_regs.rbx == 0 && host_regs.rbp == 0 && host_regs.r12 == 0);
    /* the answer: chosen registers come in, the others stay */
    host_td_code = NULL;
    host_regs = (struct tdx_regs){.rax = TDH_VP_ENTER,
                                  .rcx = td.tdvpr[0],
                                  .rdx = 22,
                                  .rbx = 33,
                                  .r11 = 111,
                                  .r12 = 122,
                                  .r15 = 155};
    CU_ASSERT_EQUAL(TDX_EXIT_REASON(emu_tdx_seamcall(&host_regs)), TDX_EXIT_INTERRUPT);
    CU_ASSERT(vp->regs.rax == TDX_SUCCESS && vp->regs.rdx == 22 && vp->regs.r11 == 111);
    CU_ASSERT(vp->regs.rbx == 3 && vp->regs.r12 == 12 && vp->regs.r15 == 155);
    CU_ASSERT(host_regs.rbx == 0 && host_regs.r12 == 0);
    /* after an exit that was no TDVMCALL nothing comes in */
    (void)host_enter(&td, 0);
    CU_ASSERT(vp->regs.rdx == 22 && vp->regs.r15 == 155);
}

static void a_tdvmcall_cannot_give_what_is_not_its_to_give(void)
{
    start();
    CU_ASSERT_EQUAL(tdcall(TDG_VP_VMCALL, BIT(0), 0, 0, 0), ST(OPERAND_INVALID, TDX_RCX));
    CU_ASSERT_EQUAL(tdcall(TDG_VP_VMCALL, BIT(1), 0, 0, 0), ST(OPERAND_INVALID, TDX_RCX));
    CU_ASSERT_EQUAL(tdcall(TDG_VP_VMCALL, BIT(4), 0, 0, 0), ST(OPERAND_INVALID, TDX_RCX));
    CU_ASSERT_EQUAL(tdcall(TDG_VP_VMCALL, BIT(5), 0, 0, 0), ST(OPERAND_INVALID, TDX_RCX));
    CU_ASSERT_EQUAL(tdcall(TDG_VP_VMCALL, BIT(32), 0, 0, 0), ST(OPERAND_INVALID, TDX_RCX));
}

static void fields_are_read_by_any_form_of_their_id(void)
{
    start();
    CU_ASSERT_EQUAL(tdcall(TDG_VM_RD, 0, MD_TD_ATTRIBUTES, 0, 0), TDX_SUCCESS);
    CU_ASSERT_EQUAL(vp->regs.r8, TD_ATTR_SEPT_VE_DISABLE);
    CU_ASSERT_EQUAL(tdcall(TDG_VM_RD, 0, 0x1110000300000017ull, 0, 0), TDX_SUCCESS);
    CU_ASSERT_EQUAL(vp->regs.r8, 1);
    CU_ASSERT_EQUAL(tdcall(TDG_VM_RD, 0, MD_TD_OP_STATE, 0, 0),
                    ST(METADATA_FIELD_ID_INCORRECT, 0)); /* the host's */
    CU_ASSERT_EQUAL(vp->regs.r8, 0);
    CU_ASSERT_EQUAL(tdcall(TDG_VM_RD, 1, MD_TD_ATTRIBUTES, 0, 0), ST(OPERAND_INVALID, TDX_RCX));
    CU_ASSERT_EQUAL(tdcall(TDG_VM_WR, 0, 0x9100000000000010ull, 1, 1), TDX_SUCCESS);
    CU_ASSERT_EQUAL(vp->tdcs->notify_enables, 1);
    CU_ASSERT_EQUAL(tdcall(TDG_VM_WR, 0, 0x9100000000000010ull, 2, 2),
                    ST(METADATA_FIELD_VALUE_NOT_VALID, 0));
    CU_ASSERT_EQUAL(tdcall(TDG_VM_WR, 0, MD_TD_TD_CTLS, 0, 1),
                    ST(METADATA_FIELD_NOT_WRITABLE, 0)); /* the host did not allow it */
    CU_ASSERT_EQUAL(tdcall(TDG_VM_WR, 0, MD_TD_ATTRIBUTES, 0, 1),
                    ST(METADATA_FIELD_NOT_WRITABLE, 0));
}

static void unknown_leaves_and_versions_are_refused(void)
{
    start();
    for (unsigned int leaf = 0; leaf < 64; leaf++) {
        if (leaf > TDG_VM_WR) {
            CU_ASSERT_EQUAL(tdcall((enum tdg_leaf)leaf, 0, 0, 0, 0), ST(OPERAND_INVALID, TDX_RAX));
        }
    }
    CU_ASSERT_EQUAL(tdcall((enum tdg_leaf)(TDG_VP_INFO | 1 << 16), 0, 0, 0, 0),
                    ST(OPERAND_INVALID, TDX_RAX));
    CU_ASSERT_EQUAL(tdcall((enum tdg_leaf)(TDG_VP_INFO | 1 << 24), 0, 0, 0, 0),
                    ST(OPERAND_INVALID, TDX_RAX));
}

static void cpuid_is_the_modules_to_say(void)
{
    uint32_t r[4];

    start();
    CU_ASSERT(tdx_cpuid(vp, false, 0, 0, r));
    CU_ASSERT(r[0] >= 0x21 && r[1] == 0x756e6547);
    CU_ASSERT(tdx_cpuid(vp, false, 0x21, 0, r));
    CU_ASSERT_EQUAL(memcmp(&r[1], "Inte", 4) | memcmp(&r[3], "lTDX", 4) | memcmp(&r[2], "    ", 4),
                    0);
    CU_ASSERT(tdx_cpuid(vp, false, 0x15, 0, r));
    CU_ASSERT(r[0] == 1 && r[1] == 100 && r[2] == 25000000);
    CU_ASSERT(tdx_cpuid(vp, false, 1, 0, r));
    CU_ASSERT((r[2] & BIT(31)) != 0 && (r[2] & BIT(21)) != 0); /* hypervisor, x2APIC */
    CU_ASSERT((r[2] & (BIT(3) | BIT(5) | BIT(24) | BIT(26))) == 0);
    CU_ASSERT(!tdx_cpuid(vp, false, 0x40000000, 0, r)); /* #VE */
    CU_ASSERT(tdx_cpuid(vp, false, 0xb, 7, r) && r[2] == 7); /* no such level of topology */
    CU_ASSERT(tdx_cpuid(vp, false, 0x12345, 0, r)); /* beyond the last */
    CU_ASSERT_EQUAL(r[0], 0);
    CU_ASSERT_EQUAL(tdcall(TDG_VP_CPUIDVE_SET, 2, 0, 0, 0), TDX_SUCCESS);
    CU_ASSERT(tdx_cpuid(vp, false, 1, 0, r) && !tdx_cpuid(vp, true, 1, 0, r));
    CU_ASSERT_EQUAL(tdcall(TDG_VP_CPUIDVE_SET, 4, 0, 0, 0), ST(OPERAND_INVALID, TDX_RCX));
}

static const struct cu_test tests[] = {
    CU(a_td_learns_what_it_is),
    CU(registers_extend_as_the_specification_says),
    CU(a_report_says_what_the_td_is),
    CU(another_report_has_another_mac),
    CU(a_buffer_that_is_not_there_is_the_hosts_to_give),
    CU(shared_memory_is_where_the_hosts_tables_say),
    CU(a_ve_is_told_once),
    CU(a_tdvmcall_shows_what_the_td_chose_and_nothing_else),
    CU(a_tdvmcall_cannot_give_what_is_not_its_to_give),
    CU(fields_are_read_by_any_form_of_their_id),
    CU(unknown_leaves_and_versions_are_refused),
    CU(cpuid_is_the_modules_to_say),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("tdx_guest", tests, argc, argv);
}
