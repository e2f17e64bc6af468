/* Events into the guest: APM Vol. 2, 15.20 and 15.21; which come first, and which come again. */
#include "arch_impl/svm.h"

#include "hv/check.h"

static bool contributory(unsigned int vector)
{
    return vector == 0 || (vector >= 10 && vector <= 13) || vector == 21 || vector == 29;
}

/* APM Vol. 2, 8.2.9: two faults that make a double fault. */
static bool doubles(unsigned int first, unsigned int second)
{
    return (contributory(first) && contributory(second)) ||
           (first == 14 && (contributory(second) || second == 14));
}

static bool is_exception(uint64_t event)
{
    return (event & EVENT_VALID) != 0 && (event & EVENT_TYPE) == EVENT_EXCEPTION;
}

void svm_inject(struct vcpu *v, unsigned int vector, int64_t error)
{
    struct arch_vcpu *a = &v->arch;
    uint64_t event = EVENT_VALID | EVENT_EXCEPTION | vector;

    if (error != NO_ERROR_CODE) {
        event |= EVENT_HAS_ERROR | (uint64_t)error << 32;
    }
    if (is_exception(a->reinject)) {
        unsigned int first = (unsigned int)(a->reinject & EVENT_VECTOR);

        a->reinject = 0; /* it happens again by itself if it must */
        if (first == VEC_DF) {
            vm_end(v->vm, VM_TRIPLE_FAULT, "vCPU %u", v->index);
            return;
        }
        if (doubles(first, vector)) {
            event = EVENT_VALID | EVENT_EXCEPTION | EVENT_HAS_ERROR | VEC_DF;
        }
    }
    a->vmcb->event_inj = event;
    a->events = true;
}

void svm_trap_step(struct vcpu *v)
{
    v->arch.vmcb->dr6 |= DR6_BS;
    vmcb_dirty(v->arch.vmcb, CLEAN_DRX);
    svm_inject(v, VEC_DB, NO_ERROR_CODE);
}

static void inject_nmi(struct arch_vcpu *a)
{
    a->nmi_step = false;
    a->nmi_pending = false;
    a->nmi_masked = true;
    a->vmcb->event_inj = EVENT_VALID | EVENT_NMI | 2;
    a->vmcb->intercept1 |= ICPT_IRET;
    vmcb_dirty(a->vmcb, CLEAN_INTERCEPTS);
}

/*
 * NMIs stay masked until the handler's IRET has run, and the intercept comes before it does. One
 * that is pending then waits for the trap of a single step over it (15.20, and 8.2.2).
 */
static bool nmi_open(struct arch_vcpu *a)
{
    if (a->nmi_returning && a->vmcb->rip != a->iret_rip) {
        a->nmi_returning = false;
        a->nmi_masked = false;
    }
    return !a->nmi_masked;
}

static void offer_nmi(struct arch_vcpu *a)
{
    if (nmi_open(a)) {
        inject_nmi(a);
    } else if (a->nmi_returning) {
        a->nmi_step |= (a->vmcb->rflags & RFLAGS_TF) == 0;
        a->vmcb->rflags |= RFLAGS_TF;
        a->events = true;
    }
}

void svm_nmi_returns(struct vcpu *v)
{
    struct arch_vcpu *a = &v->arch;

    a->nmi_returning = true;
    a->iret_rip = a->vmcb->rip;
    a->vmcb->intercept1 &= (uint32_t)~ICPT_IRET;
    a->events = true;
    vmcb_dirty(a->vmcb, CLEAN_INTERCEPTS);
}

bool svm_nmi_stepped(struct vcpu *v)
{
    struct arch_vcpu *a = &v->arch;
    bool ours = a->nmi_step && a->vmcb->rip != a->iret_rip;

    if (ours) {
        a->nmi_step = false;
        a->vmcb->dr6 &= ~DR6_BS;
        vmcb_dirty(a->vmcb, CLEAN_DRX);
        a->events = true;
    }
    return ours && (a->vmcb->dr6 & 15) == 0;
}

/*
 * The CPU itself waits until the guest can take it: IF, shadow, priority above V_TPR. It leaves IRR
 * for the time of the entry: the same vector may come again while the guest handles the first.
 */
static void arm_irq(struct vcpu *v)
{
    struct arch_vcpu *a = &v->arch;
    int vector = vlapic_next(v);
    uint64_t vintr = VINTR_MASKING | a->apic.tpr >> 4;

    a->irq_armed = vector >= 0;
    if (a->irq_armed) {
        a->irq_vector = (uint8_t)vector;
        vlapic_offer(v, a->irq_vector);
        vintr |= VINTR_IRQ | VINTR_PRIO(vector >> 4) | VINTR_VECTOR(vector);
    }
    if (a->vmcb->vintr != vintr) {
        a->vmcb->vintr = vintr;
        vmcb_dirty(a->vmcb, CLEAN_TPR);
    }
}

void svm_prepare_events(struct vcpu *v)
{
    struct arch_vcpu *a = &v->arch;

    a->events = false;
    vlapic_sync_tpr(v);
    if ((a->vmcb->event_inj & EVENT_VALID) != 0) {
        a->events = a->reinject != 0 || a->nmi_pending;
    } else if (a->reinject != 0) {
        a->vmcb->event_inj = a->reinject;
        a->reinject = 0;
        a->events = a->nmi_pending;
    } else if (a->nmi_pending) {
        offer_nmi(a);
    }
    arm_irq(v);
    a->in_flight = a->irq_armed || (a->vmcb->event_inj & EVENT_VALID) != 0;
}

/* An event whose delivery was cut short by the exit. */
static void keep_interrupted(struct arch_vcpu *a, uint64_t info, bool offered)
{
    uint64_t type = info & EVENT_TYPE;
    unsigned int vector = (unsigned int)(info & EVENT_VECTOR);

    /* INT n, INT3 and INTO happen again when the instruction runs again. */
    if (type == EVENT_SOFT || (type == EVENT_EXCEPTION && (vector == 3 || vector == 4))) {
        return;
    }
    /* QEMU's TCG calls an interrupt so; no exception has such a vector. */
    if (type == EVENT_EXCEPTION && vector >= 32) {
        info &= ~EVENT_TYPE;
        type = EVENT_INTR;
    }
    if (type == EVENT_INTR && offered && vector == a->irq_vector) {
        return; /* V_IRQ still stands: it is offered again */
    }
    a->reinject = info;
    a->events = true;
}

void svm_account_events(struct vcpu *v)
{
    struct arch_vcpu *a = &v->arch;
    struct vmcb *b = a->vmcb;
    bool stands = a->irq_armed && (b->vintr & VINTR_IRQ) != 0;

    b->event_inj = 0;
    if (stands) {
        vlapic_take_back(v, a->irq_vector);
    } else if (a->irq_armed) {
        vlapic_accept(v, a->irq_vector);
    }
    a->events |= a->irq_armed;
    a->irq_armed = false;
    a->in_flight = false;
    if ((b->exit_int_info & EVENT_VALID) != 0) {
        keep_interrupted(a, b->exit_int_info, stands);
    }
}
