/* An encrypted vCPU: its VMCB has controls only; its registers are in the guest's save area. */
#include "hv/check.h"
#include "hv/cpu.h"
#include "hv/log.h"
#include "hv/page.h"
#include "hv/string.h"
#include "snp.h"

void snp_end(struct vcpu *v, const char *fmt, ...)
{
    char text[100];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    vm_end(v->vm, VM_ERROR, "vCPU %u: %s", v->index, text);
}

/* What the guest made for this vCPU with AP creation becomes what it runs. */
__attribute__((noinline)) static void take_next(struct vcpu *v, struct snp_vcpu *sv)
{
    struct snp_vm *s = snp_of(v->vm);
    gpa_t at;
    bool set;
    pa_t to;

    lock(&s->lock);
    at = gpa(sv->next_vmsa);
    set = sv->next_set;
    sv->next_set = false;
    unlock(&s->lock);
    /* The memory lock is an outer one. */
    if (set && vm_mem_populate(v->vm, at, &to) == ABI_OK) {
        sv->vmsa = to;
        v->arch.vmcb->vmsa = to.v;
    }
}

static void snp_enter(struct vcpu *v, uint64_t host_vmcb)
{
    struct snp_vcpu *sv = snp_vcpu_of(v);
    struct vmcb *b = v->arch.vmcb;

    if (UNLIKELY(sv->next_set)) {
        take_next(v, sv);
    }
    if (v->arch.last_cpu != this_cpu()) {
        v->arch.last_cpu = this_cpu();
        b->tlb_control = TLB_FLUSH_ASID;
        b->clean = 0;
    }
    snp_hw_vmrun(b, v->arch.vmcb_pa, host_vmcb);
}

/* APM 15.36.7: what VMPL 0 did not give, only VMPL 0 can; and it does not hear of it here. */
static void lacks_rights(struct vcpu *v, uint64_t at, uint64_t info)
{
    snp_end(v, "its VMPL has no right to %s memory at %lx",
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
        snp_end(v, "uses memory at %lx as private that is registered as a buffer",
                (unsigned long)b->exit_info2);
    } else if (st != ABI_OK) {
        snp_end(v, "cannot give it memory at %lx (%lx)", (unsigned long)b->exit_info2,
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
        snp_end(v, "VMRUN refuses its save area");
        break;
    default:
        snp_end(v, "exit %lx (%lx, %lx)", (unsigned long)b->exit_code,
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

/* It has nothing to do until AP creation gives it another state. */
void snp_hold(struct vcpu *v)
{
    v->arch.wait = WAIT_SIPI;
    v->arch.events = true;
}

/* INIT only stops it: its next state comes from AP creation. */
static void snp_reset(struct vcpu *v)
{
    v->arch.reinject = 0;
    v->arch.nmi_pending = false;
    v->arch.nmi_masked = false;
}

static const struct svm_encrypted encrypted = {
    .enter = snp_enter,
    .handle_exit = snp_handle_exit,
    .reset = snp_reset,
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
    b->exceptions = BIT(18);
    b->dr_reads = BIT(7);
    b->dr_writes = BIT(7);
    b->intercept2 &= (uint32_t)~ICPT2_XSETBV; /* XCR0 is in the save area */
    b->ghcb_gpa = snp_sev_info(); /* GHCB 2.3.1: what the MSR holds after reset */
    sv->dr7 = 0x400;
    return ABI_OK;
}
