/*
 * The virtual local APIC: always in x2APIC mode, so every access is an MSR that says what it is
 * (APM Vol. 2, 16.9 to 16.11). Interrupts are messages: edge-triggered, no level, no lines.
 */
#include "arch_impl/svm.h"

#include "../cpu/x86.h"
#include "arch/timer.h"
#include "arch_impl/insn.h"
#include "hv/check.h"
#include "hv/log.h"
#include "hv/string.h"

enum { /* MSR numbers */
    X2_ID = 0x802,
    X2_VERSION = 0x803,
    X2_TPR = 0x808,
    X2_PPR = 0x80a,
    X2_EOI = 0x80b,
    X2_LDR = 0x80d,
    X2_SVR = 0x80f,
    X2_ISR0 = 0x810,
    X2_TMR0 = 0x818,
    X2_IRR0 = 0x820,
    X2_ESR = 0x828,
    X2_ICR = 0x830,
    X2_LVT_TIMER = 0x832,
    X2_LVT_ERROR = 0x837,
    X2_TIMER_INITIAL = 0x838,
    X2_TIMER_NOW = 0x839,
    X2_TIMER_DIVIDE = 0x83e,
    X2_SELF_IPI = 0x83f,
};

#define VERSION    0x00050014u /* 14h, six LVT entries */
#define SVR_ENABLE BIT(8)
#define LVT_MASK   BIT(16)
#define LVT_MODE   (3u << 17)
#define LVT_PERIODIC (1u << 17)
#define LVT_DEADLINE (2u << 17)
#define TIMER_HZ   1000000000u

static struct vcpu *of_timer(struct timer *t)
{
    return container_of(t, struct vcpu, arch.apic.timer);
}

static int highest(const uint64_t *bits)
{
    for (int i = 3; i >= 0; i--) {
        uint64_t word = load_once(&bits[i]);

        if (word != 0) {
            return i * 64 + 63 - __builtin_clzll(word);
        }
    }
    return -1;
}

void vlapic_set(struct vcpu *v, uint8_t vector)
{
    if (vector < 16) {
        return; /* 16.6.3: illegal, and never delivered */
    }
    atomic_or(&v->arch.apic.irr[vector / 64], BIT(vector % 64));
    vcpu_request(v, REQ_EVENT);
}

int vlapic_next(struct vcpu *v)
{
    int irr = highest(v->arch.apic.irr);
    int isr;

    if (irr < 0 || (v->arch.apic.svr & SVR_ENABLE) == 0) {
        return -1;
    }
    isr = highest(v->arch.apic.isr);
    return isr >= 0 && irr >> 4 <= isr >> 4 ? -1 : irr;
}

bool vlapic_wakes(struct vcpu *v)
{
    int next = vlapic_next(v);

    vlapic_sync_tpr(v);
    return next >= 0 && next >> 4 > v->arch.apic.tpr >> 4;
}

void vlapic_offer(struct vcpu *v, uint8_t vector)
{
    atomic_and(&v->arch.apic.irr[vector / 64], ~BIT(vector % 64));
}

void vlapic_take_back(struct vcpu *v, uint8_t vector)
{
    atomic_or(&v->arch.apic.irr[vector / 64], BIT(vector % 64));
}

void vlapic_accept(struct vcpu *v, uint8_t vector)
{
    if (LIKELY(vector != v->vm->arch.no_eoi)) {
        v->arch.apic.isr[vector / 64] |= BIT(vector % 64);
    }
}

/* CR8 writes do not exit: they change V_TPR. */
void vlapic_sync_tpr(struct vcpu *v)
{
    uint8_t cr8 = v->arch.vmcb->vintr & 15;

    if (v->arch.apic.tpr >> 4 != cr8) {
        v->arch.apic.tpr = (uint8_t)(cr8 << 4);
    }
}

/* A write of a reserved bit is refused, and changes nothing: these are the registers with some. */
static bool set_tpr(struct vcpu *v, uint32_t tpr)
{
    struct vmcb *b = v->arch.vmcb;

    if (tpr > 0xff) {
        return false;
    }
    v->arch.apic.tpr = (uint8_t)tpr;
    b->vintr = (b->vintr & ~VINTR_TPR) | tpr >> 4;
    vmcb_dirty(b, CLEAN_TPR);
    v->arch.events = true;
    return true;
}

static bool eoi(struct vcpu *v, uint32_t value)
{
    int isr = highest(v->arch.apic.isr);

    if (value == 0 && isr >= 0) {
        v->arch.apic.isr[isr / 64] &= ~BIT(isr % 64);
        v->arch.events = true;
    }
    return value == 0;
}

static bool self_ipi(struct vcpu *v, uint32_t vector)
{
    if (vector <= 0xff) {
        vlapic_set(v, (uint8_t)vector);
    }
    return vector <= 0xff;
}

static uint8_t ppr(struct vcpu *v)
{
    int isr = highest(v->arch.apic.isr);
    uint8_t served = isr < 0 ? 0 : (uint8_t)(isr & 0xf0);

    vlapic_sync_tpr(v);
    return v->arch.apic.tpr >> 4 >= served >> 4 ? v->arch.apic.tpr : served;
}

/* 16.14.2: the logical id that x2APIC mode derives. */
static uint32_t ldr(const struct vcpu *v)
{
    return v->index >> 4 << 16 | 1u << (v->index & 15);
}

/* ---- timer ---- */

static uint64_t period_ns(const struct vlapic *l)
{
    static const uint8_t shift[8] = {1, 2, 3, 4, 5, 6, 7, 0};
    unsigned int code = (l->timer_divide & 3) | (l->timer_divide >> 1 & 4);

    return ((uint64_t)l->timer_initial << shift[code]) * (1000000000u / TIMER_HZ);
}

#define PERIOD_LEAST 100000u /* ns; a faster one would be all the guest, and the host, ever did */

static void timer_fire(struct timer *t)
{
    struct vcpu *v = of_timer(t);
    struct vlapic *l = &v->arch.apic;
    uint32_t lvt = load_once(&l->lvt[0]);

    store_once(&l->tsc_deadline, 0ul);
    if ((lvt & LVT_MASK) == 0) {
        vlapic_set(v, (uint8_t)lvt);
    }
    if ((lvt & LVT_MODE) == LVT_PERIODIC && l->timer_initial != 0) {
        l->timer_start = t->deadline;
        timer_arm(t, MAX(t->deadline + MAX(period_ns(l), PERIOD_LEAST), clock_ns()));
    }
}

/* Our TSC runs ahead of the guest's: a value that this one never reaches must not wrap. */
static uint64_t deadline_ns(const struct vcpu *v, uint64_t guest_tsc)
{
    uint64_t now = rdtsc();
    uint64_t guest_now = now + v->arch.vmcb->tsc_offset;
    uint64_t ahead = guest_tsc <= guest_now ? 0 : guest_tsc - guest_now;

    return clock_from_count(MIN(ahead, UINT64_MAX - now) + now);
}

static void set_deadline(struct vcpu *v, uint64_t guest_tsc)
{
    struct vlapic *l = &v->arch.apic;

    if ((l->lvt[0] & LVT_MODE) != LVT_DEADLINE) {
        return; /* 16.4.1: the write is ignored */
    }
    l->tsc_deadline = guest_tsc;
    if (guest_tsc == 0) {
        timer_cancel(&l->timer);
    } else {
        timer_arm(&l->timer, deadline_ns(v, guest_tsc));
    }
}

static void set_count(struct vcpu *v, uint32_t count)
{
    struct vlapic *l = &v->arch.apic;

    if ((l->lvt[0] & LVT_MODE) == LVT_DEADLINE) {
        return;
    }
    timer_cancel(&l->timer);
    l->timer_initial = count;
    l->timer_start = clock_ns();
    if (count != 0) {
        timer_arm(&l->timer, l->timer_start + period_ns(l));
    }
}

static uint32_t count_now(const struct vlapic *l)
{
    uint64_t period = period_ns(l);
    uint64_t gone = clock_ns() - l->timer_start;

    if (l->timer_initial == 0 || gone >= period) {
        return 0;
    }
    return (uint32_t)((uint64_t)l->timer_initial * (period - gone) / period);
}

static void set_lvt(struct vcpu *v, unsigned int index, uint32_t value)
{
    struct vlapic *l = &v->arch.apic;

    if (index == 0 && ((value ^ l->lvt[0]) & LVT_MODE) != 0) {
        timer_cancel(&l->timer); /* changing the mode stops it */
        l->timer_initial = 0;
        l->tsc_deadline = 0;
    }
    l->lvt[index] = value & (index == 0 ? 0x700ffu : 0x107ffu);
    if ((l->svr & SVR_ENABLE) == 0) {
        l->lvt[index] |= LVT_MASK;
    }
}

/* ---- inter-processor interrupts ---- */

#define ICR_VECTOR(icr)    ((uint8_t)(icr))
#define ICR_MODE(icr)      ((unsigned int)((icr) >> 8) & 7)
#define ICR_LOGICAL(icr)   (((icr) & BIT(11)) != 0)
#define ICR_SHORTHAND(icr) ((unsigned int)((icr) >> 18) & 3)
#define ICR_ASSERT(icr)    (((icr) & BIT(14)) != 0)
#define BROADCAST          0xffffffffu

static bool addressed(const struct vcpu *from, const struct vcpu *to, uint64_t icr)
{
    uint32_t dest = (uint32_t)(icr >> 32);

    switch (ICR_SHORTHAND(icr)) {
    case 1:
        return to == from;
    case 2:
        return true;
    case 3:
        return to != from;
    default:
        break;
    }
    if (dest == BROADCAST) {
        return true;
    }
    if (ICR_LOGICAL(icr)) {
        return dest >> 16 == ldr(to) >> 16 && (dest & ldr(to) & 0xffff) != 0;
    }
    return dest == to->index;
}

static void send_to(struct vcpu *to, uint64_t icr)
{
    switch (ICR_MODE(icr)) {
    case 0: /* fixed */
    case 1: /* lowest priority: the first that is addressed */
        vlapic_set(to, ICR_VECTOR(icr));
        break;
    case 4:
        vcpu_request(to, REQ_NMI);
        break;
    case 5:
        if (ICR_ASSERT(icr)) {
            (void)atomic_and(&to->requests, ~REQ_SIPI); /* it came to one that runs */
            vcpu_request(to, REQ_INIT);
        }
        break;
    case 6:
        store_once(&to->arch.sipi_vector, ICR_VECTOR(icr));
        vcpu_request(to, REQ_SIPI);
        break;
    default:
        log_vm(to->vm, LOG_DEBUG, "IPI of mode %u dropped", ICR_MODE(icr));
    }
}

static void send_ipi(struct vcpu *v, uint64_t icr)
{
    struct vm *vm = v->vm;
    uint32_t dest = (uint32_t)(icr >> 32);

    v->arch.apic.icr = icr;
    if (ICR_SHORTHAND(icr) == 0 && !ICR_LOGICAL(icr) && dest != BROADCAST) {
        if (dest < vm->vcpus) {
            send_to(vm->vcpu[dest], icr);
        }
        return;
    }
    for (uint32_t i = 0; i < vm->vcpus; i++) {
        if (addressed(v, vm->vcpu[i], icr)) {
            send_to(vm->vcpu[i], icr);
            if (ICR_MODE(icr) == 1) {
                return;
            }
        }
    }
}

/* 16.11.1 / PCI MSI for APICs: FEExxxxxh, physical or logical, bits 11:5 extend the id (KVM). */
void vm_msi(struct vm *vm, uint64_t address, uint32_t data)
{
    uint32_t dest = (address >> 12 & 0xff) | (address >> 5 & 0x7f) << 8;
    bool logical = (address & BIT(2)) != 0;

    if (address >> 20 != 0xfee || (data & 0xff) < 16 || ((data >> 8 & 7) > 1)) {
        log_vm(vm, LOG_WARN, "MSI to %lx with data %x dropped", (unsigned long)address, data);
        return;
    }
    for (uint32_t i = 0; i < vm->vcpus; i++) {
        bool hit = logical ? i < 8 && (dest & BIT(i)) != 0 : i == dest;

        if (hit) {
            vlapic_set(vm->vcpu[i], (uint8_t)data);
            return;
        }
    }
    log_vm(vm, LOG_WARN, "MSI for vCPU %u that does not exist dropped", dest);
}

/* ---- registers ---- */

void vlapic_reset(struct vcpu *v)
{
    struct vlapic *l = &v->arch.apic;

    if (l->timer.fn != NULL) {
        timer_cancel(&l->timer);
    }
    memset(l, 0, sizeof(*l));
    l->timer.fn = timer_fire;
    l->svr = 0xff;
    for (unsigned int i = 0; i < ARRAY_SIZE(l->lvt); i++) {
        l->lvt[i] = LVT_MASK;
    }
    v->arch.irq_armed = false;
    v->arch.vmcb->vintr = VINTR_MASKING;
    vmcb_dirty(v->arch.vmcb, CLEAN_TPR);
}

void vlapic_destroy(struct vcpu *v)
{
    if (v->arch.apic.timer.fn != NULL) {
        timer_cancel(&v->arch.apic.timer);
    }
}

static uint32_t bitmap_word(const uint64_t *bits, uint32_t i)
{
    return (uint32_t)(bits[i / 2] >> (i % 2 * 32));
}

bool vlapic_read(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    struct vlapic *l = &v->arch.apic;

    if (msr >= X2_ISR0 && msr < X2_ISR0 + 8) {
        *value = bitmap_word(l->isr, msr - X2_ISR0);
    } else if (msr >= X2_IRR0 && msr < X2_IRR0 + 8) {
        *value = bitmap_word(l->irr, msr - X2_IRR0);
    } else if (msr >= X2_TMR0 && msr < X2_TMR0 + 8) {
        *value = 0;
    } else if (msr >= X2_LVT_TIMER && msr <= X2_LVT_ERROR) {
        *value = l->lvt[msr - X2_LVT_TIMER];
    } else {
        switch (msr) {
        case X2_ID: *value = v->index; break;
        case X2_VERSION: *value = VERSION; break;
        case X2_TPR: vlapic_sync_tpr(v); *value = l->tpr; break;
        case X2_PPR: *value = ppr(v); break;
        case X2_LDR: *value = ldr(v); break;
        case X2_SVR: *value = l->svr; break;
        case X2_ESR: *value = 0; break;
        case X2_ICR: *value = l->icr; break;
        case X2_TIMER_INITIAL: *value = l->timer_initial; break;
        case X2_TIMER_NOW: *value = count_now(l); break;
        case X2_TIMER_DIVIDE: *value = l->timer_divide; break;
        default: return false;
        }
    }
    return true;
}

bool vlapic_write(struct vcpu *v, uint32_t msr, uint64_t value)
{
    struct vlapic *l = &v->arch.apic;
    uint32_t low = (uint32_t)value;

    if (msr == X2_ICR) {
        send_ipi(v, value);
        return true;
    }
    if (msr == MSR_TSC_DEADLINE) {
        set_deadline(v, value);
        return true;
    }
    if (value >> 32 != 0) {
        return false;
    }
    if (msr >= X2_LVT_TIMER && msr <= X2_LVT_ERROR) {
        set_lvt(v, msr - X2_LVT_TIMER, low);
        return true;
    }
    switch (msr) {
    case X2_TPR: return set_tpr(v, low);
    case X2_EOI: return eoi(v, low);
    case X2_SVR: l->svr = low & 0x1ff; v->arch.events = true; return true;
    case X2_ESR: return low == 0; /* no error is ever reported */
    case X2_TIMER_INITIAL: set_count(v, low); return true;
    case X2_TIMER_DIVIDE: l->timer_divide = low & 0xb; return true;
    case X2_SELF_IPI: return self_ipi(v, low);
    default: return false;
    }
}
