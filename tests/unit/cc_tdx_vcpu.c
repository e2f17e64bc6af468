/*
 * A TD's vCPU and the hypervisor: exits that are the machine's, interrupts that are posted, NMIs,
 * halting. A plain guest and another TD stand beside it.
 */
#include "cc_host.h"
#include "cu.h"

#include "hv/page.h"

static struct vm *bad, *td, *plain;
static struct vcpu *v;

static void begin(void)
{
    snp_boot(MiB(128));
    plain = snp_guest(CC_NONE, 1);
    td = snp_guest(CC_TDX, 1);
    bad = snp_guest(CC_TDX, 2);
    v = bad->vcpu[0];
}

static void end(void)
{
    tdx_cpu_code = NULL;
    CU_ASSERT(cc_tdx_agrees(bad) && cc_tdx_agrees(td));
    CU_ASSERT(!td->end_asked && !plain->end_asked);
    snp_drop(bad);
    snp_drop(td);
    snp_drop(plain);
    core_done();
    CU_ASSERT_EQUAL(snp_pages_kept(), 0);
}

/* What the CPU tells the host of is not the TD's doing. */
static uint64_t exit_reason;

static void exits(struct tdx_vp *vp)
{
    tdx_exit_async(vp, exit_reason, 0, TDX_EEQ_NONE, 0);
}

static void what_the_machine_does_meanwhile_does_not_end_it(void)
{
    static const uint64_t reasons[] = {TDX_EXIT_EXCEPTION_NMI, TDX_EXIT_SMI, TDX_EXIT_BUS_LOCK,
                                       BIT(26) | TDX_EXIT_INTERRUPT};

    begin();
    tdx_cpu_code = exits;
    for (size_t i = 0; i < ARRAY_SIZE(reasons); i++) {
        exit_reason = reasons[i];
        snp_run(v);
        CU_ASSERT_FALSE(bad->end_asked);
    }
    exit_reason = TDX_EXIT_EPT_MISCONFIG;
    snp_run(v);
    CU_ASSERT_TRUE(bad->end_asked);
    end();
}

static uint64_t blocked;

static void halts(struct tdx_vp *vp)
{
    vp->regs = (struct tdx_regs){.rcx = 0xfc00, .r11 = TDX_EXIT_HLT, .r12 = blocked};
    (void)tdx_tdcall(vp);
}

/* With one posted and not taken HLT ends at once, unless the TD says that it takes none. */
static void it_sleeps_until_an_nmi_where_it_says_so(void)
{
    begin();
    tdx_cpu_code = halts;
    v->arch.apic.irr[1] = BIT(1);
    blocked = 0;
    snp_run(v);
    CU_ASSERT_EQUAL(v->arch.wait, WAIT_NONE);
    blocked = 1;
    snp_run(v);
    CU_ASSERT_EQUAL(v->arch.wait, WAIT_NMI);
    end();
}

static uint64_t exit_info;

static void exits_with(struct tdx_vp *vp)
{
    tdx_exit_async(vp, exit_reason, 0, TDX_EEQ_NONE, 0);
    vp->exit.rax |= exit_info << 32;
    vp->exit.interrupt = TDX_INTR_INFO_NMI;
}

/* It is pending no longer: VMX takes it from the CPU with the exit. */
static void an_nmi_that_ends_an_entry_is_the_hosts_to_take(void)
{
    unsigned int before = tdx_cpu_nmis;

    begin();
    tdx_cpu_code = exits_with;
    exit_info = TDX_SUCCESS;
    exit_reason = TDX_EXIT_EXCEPTION_NMI;
    snp_run(v);
    CU_ASSERT_EQUAL(tdx_cpu_nmis, before + 1);
    exit_reason = TDX_EXIT_INTERRUPT;
    snp_run(v);
    CU_ASSERT_EQUAL(tdx_cpu_nmis, before + 1);
    end();
}

static void a_td_whose_locks_the_host_held_too_long_goes_on(void)
{
    begin();
    tdx_cpu_code = exits_with;
    exit_reason = 0;
    exit_info = TDX_HOST_PRIORITY_BUSY_TIMEOUT;
    snp_run(v);
    CU_ASSERT_FALSE(bad->end_asked);
    exit_info = TDX_NON_RECOVERABLE_TD_NON_ACCESSIBLE;
    snp_run(v);
    CU_ASSERT_TRUE(bad->end_asked);
    end();
}

/* ---- NMIs ---- */

static bool saw_nmi;

static void looks_for_an_nmi(struct tdx_vp *vp)
{
    saw_nmi = vp->pend_nmi;
    vp->pend_nmi = false;
    tdx_exit_async(vp, TDX_EXIT_INTERRUPT, 0, 0, 0);
}

static void offer_nmi(void)
{
    v->arch.vmcb->event_inj = EVENT_VALID | EVENT_NMI | 2;
    v->arch.nmi_masked = true;
}

static bool enters_with_nmi(void)
{
    saw_nmi = false;
    tdx_cpu_code = looks_for_an_nmi;
    snp_run(v);
    tdx_cpu_code = NULL;
    return saw_nmi;
}

static void an_nmi_is_left_to_the_module(void)
{
    begin();
    offer_nmi();
    CU_ASSERT_TRUE(enters_with_nmi());
    CU_ASSERT_EQUAL(v->arch.vmcb->event_inj, 0);
    CU_ASSERT_FALSE(v->arch.nmi_masked); /* when it takes the next, the module knows */
    CU_ASSERT_FALSE(enters_with_nmi());
    end();
}

static void a_td_that_cannot_be_sent_an_nmi_ends_alone(void)
{
    begin();
    offer_nmi();
    emu_tdx_fail_leaf(TDH_VP_WR, 1, tdx_error(TDX_METADATA_FIELD_NOT_WRITABLE, 0));
    (void)enters_with_nmi();
    CU_ASSERT_TRUE(bad->end_asked);
    end();
}

/* ---- interrupts ---- */

static bool saw_posted, saw_notice;

static void looks_for_what_is_posted(struct tdx_vp *vp)
{
    const uint64_t *d = emu_mem(pa(vp->posted_descriptor));

    saw_posted = (d[4] & 1) != 0 && d[1] == BIT(1);
    saw_notice = vp->posting && tdx_cpu_notified() == vp->posted_vector;
    tdx_exit_async(vp, TDX_EXIT_INTERRUPT, 0, 0, 0);
}

/* The CPU looks into the descriptor when the notification comes, not when it enters. */
static void what_is_posted_is_told_to_the_cpu_each_time_until_it_takes_it(void)
{
    begin();
    (void)tdx_cpu_notified();
    tdx_cpu_code = looks_for_what_is_posted;
    snp_run(v);
    CU_ASSERT(!saw_posted && !saw_notice);
    v->arch.apic.irr[1] = BIT(1);
    snp_run(v);
    CU_ASSERT(saw_posted && saw_notice);
    snp_run(v);
    CU_ASSERT(saw_posted && saw_notice);
    end();
}

int main(int argc, char **argv)
{
    static const struct cu_test tests[] = {
        CU(what_the_machine_does_meanwhile_does_not_end_it),
        CU(an_nmi_that_ends_an_entry_is_the_hosts_to_take),
        CU(a_td_whose_locks_the_host_held_too_long_goes_on),
        CU(it_sleeps_until_an_nmi_where_it_says_so),
        CU(an_nmi_is_left_to_the_module),
        CU(a_td_that_cannot_be_sent_an_nmi_ends_alone),
        CU(what_is_posted_is_told_to_the_cpu_each_time_until_it_takes_it),
        CU_END,
    };

    return cu_main("cc_tdx_vcpu", tests, argc, argv);
}
