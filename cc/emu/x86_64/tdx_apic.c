/*
 * A TD's virtual APIC, as a CPU with posted interrupts has it: SDM Vol. 3, chapter 30. What is
 * posted goes to IRR when the notification is pending at an entry; one that comes later is an exit
 * here, for the host kicks by another. Delivery, TPR, EOI and SELF_IPI need no host.
 */
#include "tdx_core.h"

#include "hv/check.h"
#include "hv/cpu.h"

enum {
    X2_TPR = 0x808,
    X2_PPR = 0x80a,
    X2_EOI = 0x80b,
    X2_ISR0 = 0x810,
    X2_TMR0 = 0x818,
    X2_IRR0 = 0x820,
    X2_SELF_IPI = 0x83f,
};

#define POSTED_WORDS 4u

static int highest(const uint64_t bits[4])
{
    for (int i = 3; i >= 0; i--) {
        if (bits[i] != 0) {
            return i * 64 + 63 - __builtin_clzll(bits[i]);
        }
    }
    return -1;
}

/* The descriptor is the host's memory: requests, then the bit that says there are some. */
static void take_posted(struct tdx_vp *vp)
{
    uint64_t *d = vp->posted_descriptor == ~0ull ? NULL : emu_mem(pa(vp->posted_descriptor));

    if (d == NULL || (__atomic_load_n(&d[POSTED_WORDS], __ATOMIC_ACQUIRE) & 1) == 0) {
        return;
    }
    (void)__atomic_fetch_and(&d[POSTED_WORDS], ~1ull, __ATOMIC_ACQ_REL);
    for (unsigned int i = 0; i < POSTED_WORDS; i++) {
        core_of(vp)->irr[i] |= __atomic_exchange_n(&d[i], 0, __ATOMIC_ACQ_REL);
    }
}

static uint16_t notified[CPUS_MAX]; /* the vector pending; 0: none */

void core_notify(uint8_t vector)
{
    notified[this_cpu()->index] = vector;
}

void core_apic_enter(struct tdx_vp *vp)
{
    uint16_t *vector = &notified[this_cpu()->index];

    if (*vector != 0 && vp->posting && *vector == vp->posted_vector) {
        take_posted(vp);
    }
    *vector = 0; /* another's: the host had it meanwhile */
}

/* The one to deliver next, by priority over what is in service; -1: none. */
static int next(const struct tdx_core *c)
{
    int irr = highest(c->irr), isr = highest(c->isr);

    return irr < 16 || (isr >= 0 && irr >> 4 <= isr >> 4) ? -1 : irr;
}

bool emu_tdx_interruptible(struct tdx_vp *vp)
{
    const struct vmcb *b = core_vmcb(vp);
    int vector = next(core_of(vp));

    return vector >= 0 && (uint64_t)vector >> 4 > (b->vintr & 15);
}

void core_apic_arm(struct tdx_vp *vp)
{
    struct tdx_core *c = core_of(vp);
    struct vmcb *b = core_vmcb(vp);
    int vector = next(c);

    b->vintr = VINTR_MASKING | (b->vintr & 15);
    c->armed = vector >= 0;
    if (c->armed) {
        c->vector = (uint8_t)vector;
        b->vintr |= VINTR_IRQ | VINTR_PRIO(vector >> 4) | VINTR_VECTOR(vector);
    }
}

void core_apic_account(struct tdx_vp *vp)
{
    struct tdx_core *c = core_of(vp);

    if (c->armed && (core_vmcb(vp)->vintr & VINTR_IRQ) == 0) {
        c->irr[c->vector / 64] &= ~BIT(c->vector % 64);
        c->isr[c->vector / 64] |= BIT(c->vector % 64);
        c->armed = false;
    }
}

static uint8_t tpr(const struct tdx_vp *vp)
{
    return (uint8_t)((core_vmcb(vp)->vintr & 15) << 4);
}

static uint64_t word(const uint64_t bits[4], uint32_t i)
{
    return (uint32_t)(bits[i / 2] >> (i % 2 * 32));
}

bool core_apic_read(struct tdx_vp *vp, uint32_t msr, uint64_t *value)
{
    const struct tdx_core *c = core_of(vp);
    int isr = highest(c->isr);

    if (msr >= X2_ISR0 && msr < X2_ISR0 + 8) {
        *value = word(c->isr, msr - X2_ISR0);
    } else if (msr >= X2_TMR0 && msr < X2_TMR0 + 8) {
        *value = 0;
    } else if (msr >= X2_IRR0 && msr < X2_IRR0 + 8) {
        *value = word(c->irr, msr - X2_IRR0);
    } else if (msr == X2_TPR) {
        *value = tpr(vp);
    } else if (msr == X2_PPR) {
        *value = isr >= 0 && (isr & 0xf0) > tpr(vp) ? (uint64_t)(isr & 0xf0) : tpr(vp);
    } else {
        return false;
    }
    return true;
}

void core_apic_set_tpr(struct tdx_vp *vp, uint64_t class)
{
    struct vmcb *b = core_vmcb(vp);

    b->vintr = (b->vintr & ~VINTR_TPR) | class;
}

/*
 * MOV to CR8, a write of TPR, is intercepted because QEMU (10.0) asserts when one meets a V_IRQ
 * that waits; EDK II's exception handler is full of them. REX.R, 0F 22, and the register.
 */
bool core_cr8_operand(const struct tdx_vp *vp, const struct guest_regs *g, const uint8_t insn[4],
                      uint64_t *value)
{
    const struct vmcb *b = core_vmcb(vp);
    const uint64_t all[16] = {b->rax, g->rcx, g->rdx, g->rbx, b->rsp, g->rbp, g->rsi, g->rdi,
                              g->r8,  g->r9,  g->r10, g->r11, g->r12, g->r13, g->r14, g->r15};

    if ((insn[0] & 0xf4) != 0x44 || insn[1] != 0x0f || insn[2] != 0x22 ||
        (insn[3] >> 3 & 7) != 0) {
        return false;
    }
    *value = all[(insn[3] & 7u) | (insn[0] & 1u) << 3];
    return true;
}

bool core_apic_write(struct tdx_vp *vp, uint32_t msr, uint64_t value)
{
    struct tdx_core *c = core_of(vp);
    int isr = highest(c->isr);

    switch (msr) {
    case X2_TPR:
        core_apic_set_tpr(vp, value >> 4 & 15);
        return true;
    case X2_EOI:
        if (isr >= 0) {
            c->isr[isr / 64] &= ~BIT(isr % 64);
        }
        return true;
    case X2_SELF_IPI:
        c->irr[value / 64 % 4] |= BIT(value % 64);
        return true;
    default:
        return false;
    }
}
