/*
 * VMRUN of an encrypted guest on a CPU that only knows plain ones: its save area runs in a VMCB of
 * the chip's own, with every event intercepted that SEV-ES turns into #VC. What SEV-ES hands to the
 * hypervisor ("automatic exits", APM 15.35.4) ends the VMRUN; everything else stays in here.
 */
#include "../../snp/snp_hw.h"
#include "snp_core.h"

#include "arch/boot.h"
#include "arch_impl/insn.h"
#include "hv/check.h"
#include "hv/cpu.h"
#include "hv/string.h"

#define VC_NOT_VALIDATED 0x404u /* APM 15.36.10 */
#define EXIT_UD          (EXIT_EXCEPTION + VEC_UD)
#define EXIT_GP          (EXIT_EXCEPTION + VEC_GP)
#define EXCEPTIONS       (BIT(VEC_UD) | BIT(VEC_GP)) /* instructions that only SNP chips have */
#define EXCEPTIONS_VC    (BIT(VEC_DB) | BIT(VEC_AC)) /* #VC, if the hypervisor wants them */
#define VMGEXIT_LEN      4u
#define MSR_XSS          0xda0u
#define NESTED_ALL       (NESTED_NP | NESTED_SEV | NESTED_SEV_ES)
#define STATUS_MSR       7u /* SEV, SEV-ES, SNP */

static struct emu_vcpu vcpus[EMU_VCPUS];
static struct emu_lock vcpus_lock;
static uint8_t msrpm[8192] __attribute__((aligned(4096)));
static uint64_t msrpm_of; /* whose intercepts it has, too */

/* In the save area, so the guest has them for itself (APM table B-4), if the hypervisor agrees. */
static void make_msrpm(uint64_t hosts)
{
    const uint8_t *host = emu_mem(pa(hosts));

    memset(msrpm, 0xff, sizeof(msrpm));
    emu_msrpm_pass(msrpm, 0x10, 0x10, 1);             /* TSC: read */
    emu_msrpm_pass(msrpm, 0x174, 0x176, 3);           /* SYSENTER */
    emu_msrpm_pass(msrpm, 0x277, 0x277, 3);           /* PAT */
    emu_msrpm_pass(msrpm, 0xc0000081, 0xc0000084, 3); /* STAR to SFMASK */
    emu_msrpm_pass(msrpm, 0xc0000100, 0xc0000103, 3); /* FS, GS, KERNEL_GS, TSC_AUX */
    for (size_t i = 0; host != NULL && i < sizeof(msrpm); i++) {
        msrpm[i] |= host[i];
    }
    msrpm_of = hosts;
}

static void set_controls(struct vmcb *b)
{
    b->dr_reads = BIT(7);
    b->dr_writes = BIT(7);
    emu_set_controls(b, msrpm);
}

static bool take_pages(struct emu_vcpu *v)
{
    pa_t shadow, fpu, image;

    if (!emu_page_take(&shadow) || !emu_page_take(&fpu) || !emu_page_take(&image)) {
        return false;
    }
    v->shadow = emu_mem(shadow);
    v->shadow_pa = shadow.v;
    v->fpu = emu_mem(fpu);
    v->image = emu_mem(image);
    set_controls(v->shadow);
    return true;
}

/* The save area must be one: a VMSA page of that ASID, and not in use by another CPU. */
static struct emu_vcpu *find(struct vmcb *host)
{
    struct emu_vcpu *v = NULL;

    if ((host->nested & NESTED_ALL) != NESTED_ALL || !IS_ALIGNED(host->msrpm, PAGE_SIZE) ||
        emu_guest_of(host->asid) == NULL || !emu_rmp_use(pa(host->vmsa), host->asid)) {
        return NULL;
    }
    emu_lock(&vcpus_lock);
    if (msrpm_of != host->msrpm) {
        make_msrpm(host->msrpm);
    }
    for (unsigned int i = 0; i < EMU_VCPUS && v == NULL; i++) {
        if (vcpus[i].vmsa_pa == host->vmsa) {
            v = &vcpus[i];
        }
    }
    for (unsigned int i = 0; i < EMU_VCPUS && v == NULL; i++) {
        if (vcpus[i].vmsa_pa == 0 && (vcpus[i].shadow != NULL || take_pages(&vcpus[i]))) {
            v = &vcpus[i];
            v->vmsa_pa = host->vmsa;
        }
    }
    emu_unlock(&vcpus_lock);
    if (v == NULL) {
        emu_rmp_unuse(pa(host->vmsa));
    } else {
        v->vmsa = emu_mem(pa(host->vmsa));
        v->guest = emu_guest_of(host->asid);
        v->host = host;
    }
    return v;
}

/* A save area that is one no longer: its place can be taken. Called when the RMP says so. */
void emu_core_forget_vmsa(uint64_t vmsa_pa)
{
    emu_lock(&vcpus_lock);
    for (unsigned int i = 0; i < EMU_VCPUS; i++) {
        if (vcpus[i].vmsa_pa == vmsa_pa) {
            vcpus[i].vmsa_pa = 0;
        }
    }
    emu_unlock(&vcpus_lock);
    emu_meter_tell();
}

/* What the hypervisor controls, in and out. */
static void load_controls(struct emu_vcpu *v)
{
    struct vmcb *b = v->shadow;

    b->tsc_offset = v->host->tsc_offset;
    b->vintr = v->host->vintr;
    b->int_state = v->host->int_state & INT_STATE_SHADOW;
    b->event_inj = v->host->event_inj;
    b->exceptions = (uint32_t)(EXCEPTIONS | (v->host->exceptions & EXCEPTIONS_VC));
    b->tlb_control = TLB_FLUSH_ALL;
    b->clean = 0;
    v->guest->ncr3 = v->host->ncr3;
}

static void store_controls(struct emu_vcpu *v)
{
    v->host->vintr = v->shadow->vintr;
    v->host->int_state = v->shadow->int_state;
    v->host->event_inj = 0;
    v->host->exit_int_info = v->shadow->exit_int_info;
}

static bool leave(struct emu_vcpu *v, uint64_t code, uint64_t info1, uint64_t info2)
{
    v->host->exit_code = code;
    v->host->exit_info1 = info1;
    v->host->exit_info2 = info2;
    return true;
}

static bool vc(struct emu_vcpu *v, uint64_t code)
{
    return emu_deliver_vc(v, code) ? false : leave(v, EXIT_SHUTDOWN, 0, 0);
}

static bool raise(struct emu_vcpu *v, unsigned int vector, bool error)
{
    v->shadow->event_inj = EVENT_VALID | EVENT_EXCEPTION | vector | (error ? EVENT_HAS_ERROR : 0);
    return false;
}

static bool raise_trap(struct emu_vcpu *v, const struct emu_trap *t)
{
    bool page_fault = t->vector == EMU_VEC_PF;

    (void)raise(v, t->vector, page_fault || t->vector == VEC_GP);
    v->shadow->event_inj |= (uint64_t)t->error << 32;
    v->shadow->cr2 = page_fault ? t->address : v->shadow->cr2;
    return false;
}

/* An event that an exit cut short happens again when the exit stayed in here. */
static void again(struct emu_vcpu *v)
{
    struct vmcb *b = v->shadow;
    uint64_t info = b->exit_int_info;
    uint64_t vector = info & EVENT_VECTOR;

    b->exit_int_info = 0;
    if ((info & EVENT_VALID) == 0 || (info & EVENT_TYPE) == EVENT_SOFT) {
        return; /* nothing, or an instruction that runs again */
    }
    if ((info & EVENT_TYPE) == EVENT_EXCEPTION && vector >= 32) {
        info &= ~EVENT_TYPE; /* so QEMU's TCG calls an interrupt */
    }
    if ((info & EVENT_TYPE) == EVENT_INTR && (b->vintr & VINTR_IRQ) != 0 &&
        (b->vintr >> 32 & EVENT_VECTOR) == vector) {
        return; /* V_IRQ still stands, and delivers it */
    }
    b->event_inj = info;
}

/* Walks count as writes: so QEMU makes them, for the bits that they leave in the tables. */
static uint8_t needed(const struct emu_vcpu *v, uint64_t info)
{
    if ((info & NPF_WALK) != 0) {
        return EMU_PERM_READ | EMU_PERM_WRITE;
    }
    if ((info & NPF_FETCH) != 0) {
        return v->shadow->cpl == 3 ? EMU_PERM_USER : EMU_PERM_EXEC;
    }
    return EMU_PERM_READ | ((info & NPF_WRITE) != 0 ? EMU_PERM_WRITE : 0);
}

static bool nested_fault(struct emu_vcpu *v)
{
    struct vmcb *b = v->shadow;
    uint64_t gpa = b->exit_info2 & ~BIT(EMU_C_BIT);
    uint64_t flags = b->exit_info1 & (0x1f | NPF_WALK);
    const struct emu_access a = {
        .gpa = ALIGN_DOWN(gpa, PAGE_SIZE),
        .c_bit = (b->exit_info2 & BIT(EMU_C_BIT)) != 0,
        .walk = (b->exit_info1 & NPF_WALK) != 0,
        .unpaged = (b->cr0 & CR0_PG) == 0,
        .fetch = (b->exit_info1 & NPF_FETCH) != 0,
        .vmpl = v->vmpl,
        .need = needed(v, b->exit_info1),
    };

    switch (emu_map(v->guest, &a, &flags)) {
    case EMU_MAPPED:
        again(v);
        return false;
    case EMU_VC_NOT_VALIDATED:
        return vc(v, VC_NOT_VALIDATED);
    default:
        return leave(v, EXIT_NPF, flags, gpa);
    }
}

static bool set_efer(struct emu_vcpu *v, uint64_t value)
{
    struct vmcb *b = v->shadow;

    b->efer = (value & ~EFER_LMA) | (b->efer & EFER_LMA) | EFER_SVME;
    b->rip += 2;
    return false;
}

static bool vmgexit(struct emu_vcpu *v)
{
    v->shadow->rip += VMGEXIT_LEN;
    v->shadow->int_state = 0;
    return leave(v, EXIT_VMGEXIT, 0, 0);
}

/* Guests write the GHCB's address and exit: done here at once, it saves the model an exit. */
static bool wrote_ghcb(struct emu_vcpu *v, uint64_t value)
{
    static const uint8_t insn[VMGEXIT_LEN] = {0xf3, 0x0f, 0x01, 0xd9};
    struct vmcb *b = v->shadow;
    uint8_t bytes[VMGEXIT_LEN];

    v->host->ghcb_gpa = value;
    b->rip += 2;
    b->int_state = 0;
    return b->cpl == 0 && (b->rflags & RFLAGS_TF) == 0 &&
           emu_read_virt(v, b->cs.base + b->rip, bytes, sizeof(bytes)) &&
           memcmp(bytes, insn, sizeof(insn)) == 0 && vmgexit(v);
}

/* APM 15.35.6: EFER and the SEV registers are the chip's; the rest is #VC. */
static bool msr(struct emu_vcpu *v)
{
    struct vmcb *b = v->shadow;
    const uint8_t *map = emu_mem(pa(v->host->msrpm));
    uint64_t value = (uint32_t)b->rax | v->regs.rdx << 32;
    bool write = b->exit_info1 != 0;

    if (map == NULL || emu_msrpm_intercepts(map, (uint32_t)v->regs.rcx, write)) {
        return vc(v, EXIT_MSR);
    }
    switch ((uint32_t)v->regs.rcx) {
    case MSR_EFER:
        if (write) {
            return set_efer(v, value);
        }
        value = b->efer & ~EFER_SVME;
        break;
    case MSR_GHCB:
        if (write) {
            return wrote_ghcb(v, value);
        }
        value = v->host->ghcb_gpa;
        break;
    case MSR_XSS: /* nothing that this CPU has is in there */
        if (write && value != 0) {
            return raise(v, VEC_GP, true);
        }
        value = 0;
        break;
    case MSR_SEV_STATUS:
        if (write) {
            return raise(v, VEC_GP, true);
        }
        value = STATUS_MSR;
        break;
    default:
        return vc(v, EXIT_MSR);
    }
    if (!write) {
        b->rax = (uint32_t)value;
        v->regs.rdx = value >> 32;
    }
    b->rip += 2;
    b->int_state = 0;
    return false;
}

/* VMGEXIT is VMMCALL with a prefix, F3 or F2. */
static bool vmmcall(struct emu_vcpu *v)
{
    uint8_t prefix = 0;

    if (!emu_read_virt(v, v->shadow->cs.base + v->shadow->rip, &prefix, 1) ||
        (prefix != 0xf3 && prefix != 0xf2)) {
        return vc(v, EXIT_VMMCALL);
    }
    if (v->shadow->cpl != 0) {
        return raise(v, VEC_UD, false);
    }
    return vmgexit(v);
}

/* What became of an instruction that this CPU does not have. */
static bool emulated(struct emu_vcpu *v, enum emu_insn r, const struct emu_trap *t)
{
    switch (r) {
    case EMU_INSN_NPF:
        return leave(v, EXIT_NPF, t->flags, t->gpa);
    case EMU_INSN_VC:
        return vc(v, VC_NOT_VALIDATED);
    case EMU_INSN_FAULT:
        return raise_trap(v, t);
    default:
        return false;
    }
}

static bool undefined(struct emu_vcpu *v)
{
    struct emu_trap t;
    enum emu_insn r = emu_instruction(v, &t);

    if (r == EMU_NOT_OURS) {
        r = emu_xsave(v, &t);
    }
    return r == EMU_NOT_OURS ? raise(v, VEC_UD, false) : emulated(v, r, &t);
}

/* Of a fault that comes while another is delivered: APM 8.2.9. */
static bool contributory(uint64_t vector)
{
    return vector == 0 || (vector >= 10 && vector <= 14);
}

static bool protection(struct emu_vcpu *v)
{
    uint64_t first = v->shadow->exit_int_info, error = v->shadow->exit_info1;
    struct emu_trap t;
    enum emu_insn r = EMU_NOT_OURS;

    if ((first & EVENT_VALID) == 0) {
        r = emu_xsave(v, &t);
    } else if ((first & EVENT_TYPE) == EVENT_EXCEPTION && (first & EVENT_VECTOR) == VEC_DF) {
        return leave(v, EXIT_SHUTDOWN, 0, 0);
    } else if ((first & EVENT_TYPE) == EVENT_EXCEPTION && contributory(first & EVENT_VECTOR)) {
        return raise(v, VEC_DF, true);
    }
    if (r != EMU_NOT_OURS) {
        return emulated(v, r, &t);
    }
    (void)raise(v, VEC_GP, true);
    v->shadow->event_inj |= error << 32;
    return false;
}

static bool set_xcr0(struct emu_vcpu *v)
{
    struct emu_trap t;

    return (v->host->intercept2 & ICPT2_XSETBV) != 0 ? vc(v, EXIT_XSETBV)
                                                     : emulated(v, emu_xsetbv(v, &t), &t);
}

static bool other_exit(struct emu_vcpu *v, uint64_t code)
{
    switch (code) {
    case EXIT_EXCEPTION + VEC_DB:
    case EXIT_EXCEPTION + VEC_AC:
    case EXIT_CPUID:
    case EXIT_IOIO:
    case EXIT_RDPMC:
    case EXIT_INVD:
    case EXIT_WBINVD:
    case EXIT_MONITOR:
    case EXIT_MWAIT:
    case EXIT_DR0_READ + 7:
    case EXIT_DR15_WRITE - 8: /* DR7 */
        return vc(v, code);
    case EXIT_INTR:
    case EXIT_NMI:
    case EXIT_SMI:
    case EXIT_INIT:
    case EXIT_SHUTDOWN:
        return leave(v, code, 0, 0);
    case EXIT_INVALID: /* QEMU lets a guest write CRs that a CPU would refuse; and says */
    case UINT32_MAX:   /* so in 32 bits, with the host's own registers in the VMCB */
        return leave(v, EXIT_INVALID, 0, 0);
    default:
        return code >= EXIT_VMRUN && code <= EXIT_SKINIT
                   ? raise(v, VEC_UD, false)
                   : leave(v, code, v->shadow->exit_info1, v->shadow->exit_info2);
    }
}

/* True: the VMRUN is over. */
static bool handle(struct emu_vcpu *v)
{
    struct vmcb *b = v->shadow;

    b->event_inj = 0;
    b->tlb_control = 0;
    switch (b->exit_code) {
    case EXIT_NPF:
        return nested_fault(v);
    case EXIT_MSR:
        return msr(v);
    case EXIT_VMMCALL:
        return vmmcall(v);
    case EXIT_UD:
        return undefined(v);
    case EXIT_GP:
        return protection(v);
    case EXIT_XSETBV:
        return set_xcr0(v);
    case EXIT_HLT:
        b->rip += 1;
        b->int_state = 0;
        return leave(v, EXIT_HLT, 0, 0);
    default:
        return other_exit(v, b->exit_code);
    }
}

/* The roots cannot go while running says that this CPU is on them. */
static void run_once(struct emu_vcpu *v, uint64_t host_vmcb)
{
    struct emu_guest *g = v->guest;
    unsigned int cpu = this_cpu()->index;

    emu_lock(&g->lock);
    CHECK(emu_make_roots(g, v->vmpl));
    v->shadow->ncr3 = (v->shadow->cr0 & CR0_PG) != 0 ? g->paged[v->vmpl].v : g->unpaged[v->vmpl].v;
    store_release(&g->running[cpu], 1u);
    emu_unlock(&g->lock);
    svm_enter(&v->regs, v->shadow_pa, host_vmcb);
    store_release(&g->running[cpu], 0u);
}

static void run(struct emu_vcpu *v, uint64_t host_vmcb)
{
    load_controls(v);
    do {
        run_once(v, host_vmcb);
    } while (!handle(v));
    store_controls(v);
    if (v->host->exit_code != EXIT_INVALID) {
        emu_store_state(v);
    }
}

void snp_hw_vmrun(struct vmcb *host, uint64_t vmcb_pa, uint64_t host_vmcb)
{
    struct emu_vcpu *v;
    enum meter_kind kind;
    uint64_t units;

    (void)vmcb_pa;
    emu_meter_entry();
    v = find(host);
    if (v == NULL) {
        host->exit_code = EXIT_INVALID;
        return;
    }
    if (host->tlb_control != 0) {
        emu_flush(v->guest);
    }
    if (emu_load_state(v)) {
        run(v, host_vmcb);
    } else {
        host->exit_code = EXIT_INVALID;
    }
    emu_rmp_unuse(pa(v->vmsa_pa));
    kind = emu_meter_kind(v, &units);
    emu_meter_exit(kind, units);
}
