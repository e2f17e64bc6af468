/* An encrypted vCPU: its VMCB has controls only; its registers are in the guest's save area. */
#include "hv/check.h"
#include "hv/cpu.h"
#include "hv/log.h"
#include "hv/page.h"
#include "hv/string.h"
#include "snp.h"

/* At its next entry. What is asked for stays until one has happened. */
static void forget_translations(struct vcpu *v)
{
    struct vmcb *b = v->arch.vmcb;

    b->tlb_control = b->tlb_control == TLB_FLUSH_ALL ? TLB_FLUSH_ALL : TLB_FLUSH_ASID;
    b->clean = 0;
}

/*
 * A guest's vCPUs share its ASID, and with it what a CPU's TLB holds for that: none may find what
 * another of them left there, or itself before it ran elsewhere. APM 15.16. Nobody else runs on
 * this CPU before the vCPU leaves it.
 */
static void snp_load(struct vcpu *v)
{
    struct cpu *here = this_cpu();
    struct vcpu **last = &snp_of(v->vm)->last_on[here->index];

    if (*last != v || v->arch.last_cpu != here) {
        *last = v;
        v->arch.last_cpu = here;
        forget_translations(v);
    }
}

static void snp_enter(struct vcpu *v, uint64_t host_vmcb)
{
    snp_hw_vmrun(v->arch.vmcb, v->arch.vmcb_pa, host_vmcb);
}

/* APM 15.36.7: what VMPL 0 did not give, only VMPL 0 can; and it does not hear of it here. */
static void lacks_rights(struct vcpu *v, uint64_t at, uint64_t info)
{
    vcpu_end(v, "its VMPL has no right to %s memory at %lx",
             (info & NPF_FETCH) != 0   ? "execute"
             : (info & NPF_WRITE) != 0 ? "write to"
                                       : "read",
             (unsigned long)at);
}

static void exit_npf(struct vcpu *v)
{
    struct vmcb *b = v->arch.vmcb;
    enum abi_status st;

    if ((b->exit_info1 & NPF_VMPL) != 0) {
        lacks_rights(v, b->exit_info2, b->exit_info1);
        return;
    }
    st = snp_fault(v, gpa(b->exit_info2), b->exit_info1);
    if (st == ABI_BAD_STATE) {
        vcpu_end(v, "uses memory at %lx as private that is registered as a buffer",
                 (unsigned long)b->exit_info2);
    } else if (st != ABI_OK) {
        vcpu_end(v, "cannot give it memory at %lx (%lx)", (unsigned long)b->exit_info2,
                 (unsigned long)b->exit_info1);
    }
}

__attribute__((noinline)) static void other_exit(struct vcpu *v)
{
    struct vmcb *b = v->arch.vmcb;

    switch (b->exit_code) {
    case EXIT_VMGEXIT:
        snp_vmgexit_msr(v, b->ghcb_gpa);
        break;
    case EXIT_INTR:
        svm_take_interrupt(v);
        break;
    case EXIT_NPF:
        exit_npf(v);
        break;
    case EXIT_HLT: /* the chip has moved RIP on */
        v->arch.wait = WAIT_HLT;
        v->arch.events = true;
        break;
    case EXIT_NMI:
    case EXIT_SMI:
        break;
    case EXIT_SHUTDOWN:
        vm_end(v->vm, VM_TRIPLE_FAULT, "vCPU %u", v->index);
        break;
    case EXIT_INVALID:
        vcpu_end(v, "VMRUN refuses its save area");
        break;
    default:
        vcpu_end(v, "exit %lx (%lx, %lx)", (unsigned long)b->exit_code,
                 (unsigned long)b->exit_info1, (unsigned long)b->exit_info2);
    }
}

static void snp_handle_exit(struct vcpu *v)
{
    struct vmcb *b = v->arch.vmcb;

    if (LIKELY(b->exit_code == EXIT_VMGEXIT && GHCB_INFO(b->ghcb_gpa) == 0)) {
        snp_vmgexit_page(v, b->ghcb_gpa);
    } else {
        other_exit(v);
    }
}

static bool set_held(struct vcpu *v, bool held)
{
    struct snp_vm *s = snp_of(v->vm);
    bool was;

    lock(&s->lock);
    was = snp_vcpu_of(v)->held;
    snp_vcpu_of(v)->held = held;
    unlock(&s->lock);
    return was;
}

/* Until SIPI, or until AP creation gives it another state: GHCB 4.1. */
void snp_hold(struct vcpu *v)
{
    (void)set_held(v, true);
    v->arch.wait = WAIT_SIPI;
    v->arch.events = true;
}

/* What the guest made for this vCPU with AP creation becomes what it runs, from now on. */
static void take_next(struct vcpu *v)
{
    struct snp_vm *s = snp_of(v->vm);
    struct snp_vcpu *sv = snp_vcpu_of(v);
    uint64_t at;
    pa_t to;

    lock(&s->lock);
    at = sv->next_vmsa;
    sv->next_vmsa = 0;
    sv->held = sv->held && at == 0;
    unlock(&s->lock);
    if (at == 0) {
        return;
    }
    /* Not under that lock: the memory lock is an outer one. */
    if (vm_mem_populate(v->vm, gpa(at), &to) != ABI_OK) {
        vcpu_end(v, "its save area at %lx is no memory", (unsigned long)at);
        return;
    }
    v->arch.vmcb->vmsa = to.v;
    forget_translations(v);
    v->arch.wait = WAIT_NONE;
}

/* INIT stops it, until AP creation gives it a state to go on with: GHCB 4.1.9. */
static void snp_reset(struct vcpu *v)
{
    v->arch.reinject = 0;
    v->arch.nmi_pending = false;
    v->arch.nmi_masked = false;
    take_next(v);
}

/* The vector is not for it: its state goes on where it was held. */
static void snp_sipi(struct vcpu *v)
{
    if (set_held(v, false)) {
        v->arch.wait = WAIT_NONE;
    }
}

static const struct svm_encrypted encrypted = {
    .load = snp_load,
    .enter = snp_enter,
    .handle_exit = snp_handle_exit,
    .reset = snp_reset,
    .sipi = snp_sipi,
};

enum abi_status snp_vcpu_create(struct vcpu *v)
{
    struct snp_vm *s = snp_of(v->vm);
    struct snp_vcpu *sv = vm_alloc(v->vm, sizeof(*sv));
    struct vmcb *b = v->arch.vmcb;

    if (sv == NULL) {
        return ABI_NO_MEMORY;
    }
    v->arch.cc_data = sv;
    v->arch.encrypted = &encrypted;
    b->nested = NESTED_NP | NESTED_SEV | NESTED_SEV_ES;
    b->asid = s->asid;
    b->msrpm = svm_encrypted_msrpm();
    /* As for plain guests, delivered without end they would keep the CPU; here they become #VC. */
    b->exceptions = BIT(VEC_DB) | BIT(VEC_AC) | BIT(VEC_MC);
    b->dr_reads = BIT(7);
    b->dr_writes = BIT(7);
    b->intercept2 &= (uint32_t)~ICPT2_XSETBV; /* XCR0 is in the save area */
    b->ghcb_gpa = snp_sev_info(); /* GHCB 2.3.1: what the MSR holds after reset */
    sv->dr7 = 0x400;
    return ABI_OK;
}
