/*
 * A TD's vCPU on a CPU that only knows SVM: what VMX and the module do between VP.ENTER and a TD
 * exit. Every event is intercepted that the module answers, turns into #VE, or hands to the host.
 */
#include "tdx_core.h"

#include "../../tdx/tdx_hw.h"
#include "../../../arch/x86_64/cpu/x86.h"
#include "arch/boot.h"
#include "arch_impl/insn.h"
#include "hv/cpu.h"
#include "hv/string.h"

#define VEC_VE    20u
#define EXIT_UD   (EXIT_EXCEPTION + VEC_UD)
#define PAT_RESET 0x0007040600070406ull
#define INSN_LEN_TDCALL 4u
#define INSN_LEN_VMCALL 3u

static const uint8_t tdcall_bytes[INSN_LEN_TDCALL] = {0x66, 0x0f, 0x01, 0xcc};
static const uint8_t vmcall_bytes[INSN_LEN_VMCALL] = {0x0f, 0x01, 0xc1};
static uint8_t msrpm[8192] __attribute__((aligned(4096)));
static bool msrpm_ready;

enum { DONE, TD_EXIT }; /* what an intercept comes to */

/* In the VMCB, so the TD has them for itself. */
static void make_msrpm(void)
{
    memset(msrpm, 0xff, sizeof(msrpm));
    emu_msrpm_pass(msrpm, 0x10, 0x10, 1);             /* TSC: read */
    emu_msrpm_pass(msrpm, 0x174, 0x176, 3);           /* SYSENTER */
    emu_msrpm_pass(msrpm, 0x277, 0x277, 3);           /* PAT */
    emu_msrpm_pass(msrpm, 0xc0000081, 0xc0000084, 3); /* STAR to SFMASK */
    emu_msrpm_pass(msrpm, 0xc0000100, 0xc0000102, 3); /* FS, GS, KERNEL_GS */
    msrpm_ready = true;
}

static void set_controls(struct vmcb *b)
{
    b->cr_writes = BIT(8);
    b->exceptions = BIT(VEC_UD); /* TDCALL */
    emu_set_controls(b, msrpm);
    b->vintr = VINTR_MASKING;
}

/*
 * BASE 13.3. CR4.PAE is set where a TD has it clear: QEMU loses the host's CR0.PG on an exit from
 * a guest with LME and without PG and PAE.
 */
static void first_state(struct tdx_vp *vp)
{
    static const struct vmcb_segment data = {0, 0xc93, 0xffffffff, 0};
    struct vmcb *b = core_vmcb(vp);

    set_controls(b);
    b->es = b->ss = b->ds = b->fs = b->gs = data;
    b->cs = (struct vmcb_segment){0, 0xc9b, 0xffffffff, 0};
    b->ldtr = (struct vmcb_segment){0, 0x82, 0xffff, 0};
    b->tr = (struct vmcb_segment){0, 0x8b, 0xffff, 0};
    b->gdtr = (struct vmcb_segment){0, 0, 0xffff, 0};
    b->efer = EFER_SCE | EFER_LME | EFER_NXE | EFER_SVME;
    b->cr0 = CR0_PE | CR0_ET | CR0_NE;
    b->cr4 = CR4_MCE | CR4_PAE;
    b->dr6 = 0xffff0ff0;
    b->dr7 = 0x400;
    b->rflags = 2;
    b->rip = 0xfffffff0;
    b->g_pat = PAT_RESET;
    b->tsc_offset = vp->tdcs->tsc_offset;
    core_of(vp)->fpu[0] = 0x7f; /* FCW 037Fh, MXCSR 1F80h */
    core_of(vp)->fpu[1] = 0x03;
    core_of(vp)->fpu[24] = 0x80;
    core_of(vp)->fpu[25] = 0x1f;
    vp->launched = true;
}

#define GPRS(m)                                                                                    \
    m(rbx) m(rcx) m(rdx) m(rsi) m(rdi) m(rbp) m(r8) m(r9) m(r10) m(r11) m(r12) m(r13) m(r14) m(r15)

static void load_gprs(const struct tdx_vp *vp, struct guest_regs *g)
{
#define LOAD(r) g->r = vp->regs.r;
    GPRS(LOAD)
#undef LOAD
    core_vmcb(vp)->rax = vp->regs.rax;
}

static void store_gprs(struct tdx_vp *vp, const struct guest_regs *g)
{
#define STORE(r) vp->regs.r = g->r;
    GPRS(STORE)
#undef STORE
    vp->regs.rax = core_vmcb(vp)->rax;
}

static void save_fpu(const struct tdx_vp *vp)
{
    __asm__ volatile("fxsave64 (%0)" : : "r"(core_of(vp)->fpu) : "memory");
}

static void load_fpu(const struct tdx_vp *vp)
{
    __asm__ volatile("fxrstor64 (%0)" : : "r"(core_of(vp)->fpu) : "memory");
}

/* ---- events ---- */

static int skip(struct tdx_vp *vp, unsigned int len)
{
    core_vmcb(vp)->rip += len;
    core_vmcb(vp)->int_state = 0;
    return DONE;
}

static int inject(struct tdx_vp *vp, unsigned int vector, bool error)
{
    core_vmcb(vp)->event_inj =
        EVENT_VALID | EVENT_EXCEPTION | vector | (error ? EVENT_HAS_ERROR : 0);
    return DONE;
}

/* BASE 16.3: one at a time; another is a double fault. */
static int ve(struct tdx_vp *vp, uint32_t reason, uint64_t qualification, uint64_t gpa,
              unsigned int len)
{
    if (!tdx_raise_ve(vp, reason, qualification, gpa, len)) {
        return inject(vp, VEC_DF, true);
    }
    return inject(vp, VEC_VE, false);
}

static int leave(struct tdx_vp *vp, enum tdx_exit reason)
{
    tdx_exit_async(vp, reason, 0, TDX_EEQ_NONE, 0);
    return TD_EXIT;
}

/* An event that an exit cut short happens again; an instruction's own does so by itself. */
static uint64_t cut_short(const struct tdx_vp *vp)
{
    const struct vmcb *b = core_vmcb(vp);
    uint64_t info = b->exit_int_info, vector = info & EVENT_VECTOR;

    if ((info & EVENT_VALID) == 0 || (info & EVENT_TYPE) == EVENT_SOFT) {
        return 0;
    }
    if ((info & EVENT_TYPE) == EVENT_EXCEPTION && vector >= 32) {
        info &= ~EVENT_TYPE; /* so QEMU's TCG calls an interrupt */
    }
    if ((info & EVENT_TYPE) == EVENT_INTR && (b->vintr & VINTR_IRQ) != 0 &&
        core_of(vp)->vector == vector) {
        return 0; /* V_IRQ still stands, and delivers it */
    }
    return info;
}

/* The intercept comes before the IRET is done: where RIP has moved, it is. */
static int iret_exit(struct tdx_vp *vp)
{
    core_of(vp)->nmi_returning = true;
    core_of(vp)->iret_rip = core_vmcb(vp)->rip;
    core_vmcb(vp)->intercept1 &= (uint32_t)~ICPT_IRET;
    return DONE;
}

static bool nmi_open(struct tdx_core *c, const struct vmcb *b)
{
    if (c->nmi_returning && b->rip != c->iret_rip) {
        c->nmi_returning = false;
        c->nmi_blocked = false;
    }
    return !c->nmi_blocked;
}

static void prepare_events(struct tdx_vp *vp)
{
    struct tdx_core *c = core_of(vp);
    struct vmcb *b = core_vmcb(vp);
    bool open = nmi_open(c, b);

    if ((b->event_inj & EVENT_VALID) == 0 && c->reinject != 0) {
        b->event_inj = c->reinject;
        c->reinject = 0;
    }
    /* An NMI waits for the one before, and while there is a #VE that the TD has not asked about:
     * BASE 16.3. */
    if ((b->event_inj & EVENT_VALID) == 0 && vp->pend_nmi && open && vp->ve.valid == 0) {
        b->event_inj = EVENT_VALID | EVENT_NMI | 2;
        b->intercept1 |= ICPT_IRET;
        c->nmi_blocked = true;
        vp->pend_nmi = false;
    }
    core_apic_arm(vp);
}

static bool at_insn(struct tdx_vp *vp, const uint8_t *bytes, unsigned int len)
{
    uint8_t insn[4];

    return core_fetch(vp, insn) && memcmp(insn, bytes, len) == 0;
}

/* ---- what is intercepted ---- */

static int undefined(struct tdx_vp *vp, struct guest_regs *g)
{
    enum tdx_then then;

    if (at_insn(vp, vmcall_bytes, INSN_LEN_VMCALL)) { /* not SVM's: it comes here, too */
        return ve(vp, TDX_EXIT_VMCALL, 0, 0, INSN_LEN_VMCALL);
    }
    if (!at_insn(vp, tdcall_bytes, INSN_LEN_TDCALL)) {
        return inject(vp, VEC_UD, false);
    }
    if (core_vmcb(vp)->cpl != 0) {
        return inject(vp, VEC_GP, true);
    }
    store_gprs(vp, g);
    save_fpu(vp); /* the module computes with it */
    then = tdx_tdcall(vp);
    load_fpu(vp);
    load_gprs(vp, g);
    if (then == TDX_INJECT_VE) {
        return inject(vp, VEC_VE, false);
    }
    if (then == TDX_RESUME || vp->exit.tdvmcall) {
        (void)skip(vp, INSN_LEN_TDCALL);
    }
    return then == TDX_RESUME ? DONE : TD_EXIT;
}

static int cpuid_exit(struct tdx_vp *vp, struct guest_regs *g)
{
    struct vmcb *b = core_vmcb(vp);
    uint32_t out[4];

    if (!tdx_cpuid(vp, b->cpl != 0, (uint32_t)b->rax, (uint32_t)g->rcx, out)) {
        return ve(vp, TDX_EXIT_CPUID, 0, 0, 2);
    }
    b->rax = out[0];
    g->rbx = out[1];
    g->rcx = out[2];
    g->rdx = out[3];
    return skip(vp, 2);
}

/* SDM Vol. 3, table 28-5; 2:0 is the size less one. Bit 6, an immediate port, is never said. */
static int io_exit(struct tdx_vp *vp)
{
    const struct vmcb *b = core_vmcb(vp);
    uint64_t info = b->exit_info1;
    uint64_t q = (IOIO_SIZE(info) - 1) | (info & IOIO_IN) << 3 |
                 (info & (IOIO_STRING | IOIO_REP)) << 2 | (uint64_t)IOIO_PORT(info) << 16;

    return ve(vp, TDX_EXIT_IO, q, 0, (unsigned int)(b->exit_info2 - b->rip));
}

static int cr8_exit(struct tdx_vp *vp, const struct guest_regs *g)
{
    uint8_t insn[4];
    uint64_t value;

    if (!core_fetch(vp, insn) || !core_cr8_operand(vp, g, insn, &value)) {
        return inject(vp, VEC_UD, false);
    }
    if (value > 15) {
        return inject(vp, VEC_GP, true);
    }
    core_apic_set_tpr(vp, value);
    return skip(vp, 4);
}

enum { MSR_XAPIC_DISABLED = 0xbd, MSR_ARCH_CAPS = 0x10a, MSR_MISC = 0x1a0,
       MSR_PERF_CAPS = 0x345 };

/* The module's own: BASE 18.5. False: #VE. */
static bool read_msr(struct tdx_vp *vp, uint32_t msr, uint64_t *value)
{
    switch (msr) {
    case MSR_EFER:
        *value = core_vmcb(vp)->efer & ~EFER_SVME;
        return true;
    case MSR_TSC_AUX:
        *value = core_of(vp)->tsc_aux;
        return true;
    case MSR_XAPIC_DISABLED:
        *value = 1;
        return true;
    case MSR_ARCH_CAPS:
    case MSR_PERF_CAPS:
        *value = 0;
        return true;
    case MSR_MISC:
        *value = 1 | BIT(12); /* fast strings, no PEBS */
        return true;
    default:
        return core_apic_read(vp, msr, value);
    }
}

/* SCE is the TD's to change, and nothing else: BASE 18.5. */
static bool write_efer(struct vmcb *b, uint64_t value)
{
    uint64_t fixed = ~(uint64_t)(EFER_SCE | EFER_LMA | EFER_SVME);

    if (((value ^ b->efer) & fixed) != 0 || (value & EFER_SVME) != 0) {
        return false;
    }
    b->efer = (b->efer & ~(uint64_t)EFER_SCE) | (value & EFER_SCE);
    return true;
}

static bool write_msr(struct tdx_vp *vp, uint32_t msr, uint64_t value)
{
    switch (msr) {
    case MSR_EFER:
        return write_efer(core_vmcb(vp), value);
    case MSR_TSC_AUX:
        core_of(vp)->tsc_aux = (uint32_t)value;
        if (cpu_features.rdtscp) {
            wrmsr(MSR_TSC_AUX, (uint32_t)value);
        }
        return true;
    default:
        return core_apic_write(vp, msr, value);
    }
}

static int msr_exit(struct tdx_vp *vp, struct guest_regs *g)
{
    struct vmcb *b = core_vmcb(vp);
    uint64_t value = (uint32_t)b->rax | g->rdx << 32;
    bool write = b->exit_info1 != 0;
    uint32_t msr = (uint32_t)g->rcx;

    if (core_msr_is_none(msr, write)) {
        return inject(vp, VEC_GP, true);
    }
    if (write ? !write_msr(vp, msr, value) : !read_msr(vp, msr, &value)) {
        return ve(vp, write ? TDX_EXIT_WRMSR : TDX_EXIT_RDMSR, 0, 0, 2);
    }
    if (!write) {
        b->rax = (uint32_t)value;
        g->rdx = value >> 32;
    }
    return skip(vp, 2);
}

static int page_fault(struct tdx_vp *vp, struct emu_td *td)
{
    struct tdx_core *c = core_of(vp);
    const struct vmcb *b = core_vmcb(vp);
    uint64_t gpa = b->exit_info2, at, size;
    uint64_t q = (b->exit_info1 & NPF_FETCH) != 0   ? EPT_VIOLATION_EXEC
                 : (b->exit_info1 & NPF_WRITE) != 0 ? EPT_VIOLATION_WRITE
                                                    : EPT_VIOLATION_READ;

    c->reinject = cut_short(vp);
    switch (tdx_access(vp, gpa, q, &at, &size)) {
    case TDX_ACCESS_OK:
        core_map(vp, td, gpa, q);
        return DONE;
    case TDX_ACCESS_VE:
        c->reinject = 0;
        return ve(vp, TDX_EXIT_EPT_VIOLATION, q, gpa, 0);
    case TDX_ACCESS_EXIT:
        break;
    }
    return TD_EXIT;
}

static int other(struct tdx_vp *vp, uint64_t code)
{
    switch (code) {
    case EXIT_INTR:
        return leave(vp, TDX_EXIT_INTERRUPT);
    case EXIT_NMI:
        (void)leave(vp, TDX_EXIT_EXCEPTION_NMI);
        vp->exit.interrupt = TDX_INTR_INFO_NMI;
        return TD_EXIT;
    case EXIT_SMI:
        return leave(vp, TDX_EXIT_SMI);
    case EXIT_SHUTDOWN:
        tdx_exit_dead(vp, TDX_NON_RECOVERABLE_VCPU, TDX_EXIT_TRIPLE_FAULT);
        return TD_EXIT;
    case EXIT_HLT:
        return ve(vp, TDX_EXIT_HLT, 0, 0, 1);
    case EXIT_WBINVD:
        return ve(vp, TDX_EXIT_WBINVD, 0, 0, 2);
    case EXIT_MONITOR:
        return ve(vp, TDX_EXIT_MONITOR, 0, 0, 3);
    case EXIT_MWAIT:
        return ve(vp, TDX_EXIT_MWAIT, 0, 0, 3);
    case EXIT_INVD:
        return ve(vp, TDX_EXIT_INVD, 0, 0, 2);
    case EXIT_RDPMC:
    case EXIT_XSETBV:
        return inject(vp, VEC_GP, true);
    case EXIT_INVALID: /* QEMU lets a guest write CRs that a CPU would refuse; and says */
    case UINT32_MAX:   /* so in 32 bits, with the host's own registers in the VMCB */
        tdx_exit_dead(vp, TDX_NON_RECOVERABLE_TD, BIT(31) | TDX_EXIT_BAD_STATE);
        return TD_EXIT;
    default:
        return inject(vp, VEC_UD, false);
    }
}

static int handle(struct tdx_vp *vp, struct emu_td *td, struct guest_regs *g)
{
    struct vmcb *b = core_vmcb(vp);

    b->event_inj = 0;
    core_apic_account(vp);
    switch (b->exit_code) {
    case EXIT_NPF:
        return page_fault(vp, td);
    case EXIT_UD:
        return undefined(vp, g);
    case EXIT_CPUID:
        return cpuid_exit(vp, g);
    case EXIT_CR8_WRITE:
        return cr8_exit(vp, g);
    case EXIT_IOIO:
        return io_exit(vp);
    case EXIT_MSR:
        return msr_exit(vp, g);
    case EXIT_IRET:
        return iret_exit(vp);
    default:
        core_of(vp)->reinject = cut_short(vp);
        return other(vp, b->exit_code);
    }
}

void emu_tdx_run(struct tdx_vp *vp)
{
    struct emu_td *td = core_td(vp->tdr_pa);
    struct tdx_core *c = core_of(vp);
    struct guest_regs g;
    struct vmcb *b = core_vmcb(vp);

    if (!msrpm_ready) {
        make_msrpm();
    }
    if (!vp->launched) {
        first_state(vp);
    }
    load_gprs(vp, &g);
    if (cpu_features.rdtscp) {
        wrmsr(MSR_TSC_AUX, c->tsc_aux);
    }
    load_fpu(vp);
    core_apic_enter(vp);
    do {
        prepare_events(vp);
        b->tlb_control = TLB_FLUSH_ALL;
        b->clean = 0;
        b->ncr3 = core_enter_tables(td);
        svm_enter(&g, vp->page[TDVPS_CORE], this_cpu()->arch.host_vmcb);
        core_leave_tables(td);
    } while (handle(vp, td, &g) == DONE);
    save_fpu(vp);
    store_gprs(vp, &g);
}
