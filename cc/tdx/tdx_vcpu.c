/* A TD's vCPU: its registers are the module's. BASE 13; ABI 5.3.65 (VP.ENTER). */
#include "tdx_vm.h"

#include "hv/check.h"
#include "hv/log.h"
#include "hv/page.h"
#include "hv/string.h"

static enum abi_status set_field(struct vcpu *v, uint64_t field, uint64_t value)
{
    uint64_t mask = field == MD_VP_VMCS(VMCS_PIN_CONTROLS) ? value : ~0ull;
    struct tdx_regs r = {.rcx = tdx_vcpu_of(v)->tdvpr.v, .rdx = field, .r8 = value, .r9 = mask};

    return tdx_fail(v->vm->name, TDH_VP_WR, tdx_call(TDH_VP_WR, &r));
}

enum abi_status tdx_vcpu_flush(struct vcpu *v)
{
    struct tdx_vcpu *t = tdx_vcpu_of(v);
    enum abi_status st;

    if (!t->associated) {
        return ABI_OK;
    }
    st = tdx_fail(v->vm->name, TDH_VP_FLUSH, tdx_call2(TDH_VP_FLUSH, t->tdvpr.v, 0));
    t->associated = st != ABI_OK;
    return st;
}

/* ---- interrupts: what the virtual APIC here has becomes posted ---- */

static void post(struct vcpu *v)
{
    struct tdx_vcpu *t = tdx_vcpu_of(v);
    struct arch_vcpu *a = &v->arch;
    bool any = false;

    if (a->irq_armed) { /* what was offered for this entry goes the same way as the others */
        vlapic_take_back(v, a->irq_vector);
    }
    for (unsigned int i = 0; i < 4; i++) {
        uint64_t bits = atomic_swap(&a->apic.irr[i], 0ul);

        if (bits != 0) {
            (void)atomic_or(&t->posted->requests[i], bits);
            any = true;
        }
    }
    if (any) {
        (void)atomic_or(&t->posted->control, POSTED_ON);
    }
    if ((a->vmcb->event_inj & EVENT_TYPE) == EVENT_NMI) {
        if (set_field(v, MD_VP_PEND_NMI, 1) != ABI_OK) {
            vcpu_end(v, "no NMI can be sent to it");
        }
        a->nmi_masked = false; /* the module knows when it can take the next */
    }
    a->vmcb->event_inj = 0;
    a->vmcb->vintr = VINTR_MASKING;
    a->irq_armed = false;
    a->in_flight = false;
}

/* It halts, or waits: an interrupt that it has not taken yet wakes it at once. */
bool tdx_has_interrupt(struct vcpu *v)
{
    struct tdx_vcpu *t = tdx_vcpu_of(v);
    struct tdx_regs r = {.rcx = t->tdvpr.v, .rdx = MD_VP_STATE_DETAILS};

    if ((load_once(&t->posted->control) & POSTED_ON) != 0) {
        return true;
    }
    return tdx_call(TDH_VP_RD, &r) != TDX_SUCCESS || (r.r8 & VP_DETAILS_INTERRUPT) != 0;
}

/* GHCI 3.8: whether interrupts are blocked the TD alone knows, and says; an NMI ends that, too. */
void tdx_halt(struct vcpu *v, bool blocked)
{
    if (blocked) {
        v->arch.wait = WAIT_NMI;
        v->arch.events = true;
    } else if (!tdx_has_interrupt(v)) {
        v->arch.wait = WAIT_HLT;
        v->arch.events = true;
    }
}

static void enter(struct vcpu *v, uint64_t host_vmcb)
{
    struct tdx_vcpu *t = tdx_vcpu_of(v);

    (void)host_vmcb;
    t->associated = true;
    post(v);
    if ((load_once(&t->posted->control) & POSTED_ON) != 0) {
        tdx_hw_notify(VECTOR_POSTED);
    }
    if (v->arch.vmcb->tlb_control != 0) { /* arch_vm_flush() */
        tdx_hw_invept();
    }
    t->regs.rax = TDH_VP_ENTER;
    t->regs.rcx = t->tdvpr.v;
    (void)tdx_hw_vp_enter(&t->regs);
}

static void exit_ept(struct vcpu *v)
{
    const struct tdx_regs *r = &tdx_vcpu_of(v)->regs;

    if (!tdx_fault(v->vm, r->r8, r->rdx)) {
        vcpu_end(v, "cannot give it memory at %lx (%lx, %lx)", (unsigned long)r->r8,
                 (unsigned long)r->rcx, (unsigned long)r->rdx);
    }
}

/* Not an exit: the module did not let it in. */
static void refused(struct vcpu *v, uint64_t rax)
{
    switch (TDX_STATUS_OF(rax)) {
    case TDX_OPERAND_BUSY:
    case TDX_SYS_BUSY:
    case TDX_VCPU_ASSOCIATED:
    case TDX_HOST_PRIORITY_BUSY_TIMEOUT:
        return; /* it tries again */
    case TDX_NON_RECOVERABLE_VCPU:
        if (TDX_EXIT_REASON(rax) == TDX_EXIT_TRIPLE_FAULT) {
            vm_end(v->vm, VM_TRIPLE_FAULT, "vCPU %u", v->index);
            return;
        }
        break;
    default:
        break;
    }
    vcpu_end(v, "%s (%lx)", tdx_status_text(rax), (unsigned long)rax);
}

static void handle_exit(struct vcpu *v)
{
    uint64_t rax = tdx_vcpu_of(v)->regs.rax;

    if (TDX_STATUS_OF(rax) != TDX_SUCCESS) {
        refused(v, rax);
        return;
    }
    switch (TDX_EXIT_REASON(rax)) {
    case TDX_EXIT_TDCALL:
        tdx_vmcall(v);
        break;
    case TDX_EXIT_INTERRUPT:
        svm_take_interrupt(v);
        break;
    case TDX_EXIT_EPT_VIOLATION:
        exit_ept(v);
        break;
    case TDX_EXIT_EXCEPTION_NMI:
        if (TDX_INTR_INFO_IS(tdx_vcpu_of(v)->regs.r9, TDX_INTR_INFO_NMI)) {
            tdx_hw_take_nmi();
        }
        break;
    case TDX_EXIT_SMI:
    case TDX_EXIT_BUS_LOCK:
        break; /* the machine's affairs, or done: it goes on */
    case TDX_EXIT_TRIPLE_FAULT:
        vm_end(v->vm, VM_TRIPLE_FAULT, "vCPU %u", v->index);
        break;
    default:
        vcpu_end(v, "exit %u (%lx, %lx, %lx)", TDX_EXIT_REASON(rax),
                 (unsigned long)tdx_vcpu_of(v)->regs.rcx, (unsigned long)tdx_vcpu_of(v)->regs.rdx,
                 (unsigned long)tdx_vcpu_of(v)->regs.r8);
    }
}

/* A TD has no INIT: its vCPUs wake each other by a mailbox of their own. */
static void reset(struct vcpu *v)
{
    (void)v;
}

static void leave_cpu(struct vcpu *v)
{
    if (tdx_vcpu_flush(v) != ABI_OK) {
        vcpu_end(v, "is not flushed from this CPU");
    }
}

static const struct svm_encrypted encrypted = {
    .enter = enter,
    .handle_exit = handle_exit,
    .reset = reset,
    .save = leave_cpu,
};

enum abi_status tdx_vcpu_create(struct vcpu *v)
{
    struct tdx_vm *s = tdx_of(v->vm);
    struct tdx_vcpu *t = vm_alloc(v->vm, sizeof(*t));

    if (t == NULL) {
        return ABI_NO_MEMORY;
    }
    t->posted = vm_alloc_page(v->vm);
    if (t->posted == NULL) {
        return ABI_NO_MEMORY;
    }
    v->arch.cc_data = t;
    v->arch.encrypted = &encrypted;
    v->arch.vmcb->tsc_offset = v->vm->arch.tsc_offset;
    return tdx_td_vcpu(&s->td, &t->tdvpr);
}

enum abi_status tdx_vcpu_init(struct vcpu *v, uint64_t rcx)
{
    struct tdx_vm *s = tdx_of(v->vm);
    struct tdx_vcpu *t = tdx_vcpu_of(v);
    enum abi_status st = tdx_td_vcpu_init(&s->td, t->tdvpr, rcx);

    if (st != ABI_OK) {
        return st;
    }
    t->associated = true;
    st = set_field(v, MD_VP_VMCS(VMCS_SHARED_EPTP), s->ept.root.v);
    st = st == ABI_OK ? set_field(v, MD_VP_VMCS(VMCS_POSTED_VECTOR), VECTOR_POSTED) : st;
    st = st == ABI_OK ? set_field(v, MD_VP_VMCS(VMCS_POSTED_DESCRIPTOR), hva_to_pa(t->posted).v)
                      : st;
    st = st == ABI_OK ? set_field(v, MD_VP_VMCS(VMCS_PIN_CONTROLS), PIN_POSTED_INTERRUPTS) : st;
    return st == ABI_OK ? tdx_vcpu_flush(v) : st;
}
