/* The local APIC, as x2APIC where the CPU has it, in memory where not. APM Vol. 2, chapter 16. */
#include "x86.h"

#include "arch/boot.h"
#include "arch_impl/insn.h"
#include "hv/check.h"

enum { /* register offsets; the x2APIC MSR is 800h + offset / 10h */
    APIC_TPR = 0x80,
    APIC_EOI = 0xb0,
    APIC_SVR = 0xf0,
    APIC_ICR = 0x300,
    APIC_ICR_HIGH = 0x310,
    APIC_LVT_TIMER = 0x320,
    APIC_LVT_PERF = 0x340,
    APIC_LVT_LINT0 = 0x350,
    APIC_LVT_LINT1 = 0x360,
    APIC_LVT_ERROR = 0x370,
    APIC_TIMER_COUNT = 0x380,
    APIC_TIMER_NOW = 0x390,
    APIC_TIMER_DIVIDE = 0x3e0,
};

#define BASE_X2APIC BIT(10)
#define BASE_ENABLE BIT(11)
#define LVT_MASKED  BIT(16)
#define LVT_NMI     0x400u
#define TIMER_PERIODIC BIT(17)
#define TIMER_DEADLINE BIT(18)
#define DIVIDE_BY_1 0xbu
#define ICR_PENDING BIT(12)

static volatile uint32_t *mmio; /* NULL: x2APIC */

static uint32_t read(uint32_t reg)
{
    return mmio == NULL ? (uint32_t)rdmsr(MSR_X2APIC + reg / 16) : mmio[reg / 4];
}

static void write(uint32_t reg, uint32_t v)
{
    if (mmio == NULL) {
        wrmsr(MSR_X2APIC + reg / 16, v);
    } else {
        mmio[reg / 4] = v;
    }
}

void lapic_init(void)
{
    uint64_t base = rdmsr(MSR_APIC_BASE);

    if (cpu_features.x2apic) {
        wrmsr(MSR_APIC_BASE, base | BASE_ENABLE); /* disabled -> x2APIC is not an edge */
        wrmsr(MSR_APIC_BASE, base | BASE_ENABLE | BASE_X2APIC);
    } else {
        wrmsr(MSR_APIC_BASE, base | BASE_ENABLE);
        if (mmio == NULL) {
            mmio = arch_map_device(pa(base & 0x000ffffffffff000ull), PAGE_SIZE);
        }
    }
    write(APIC_TPR, 0);
    /*
     * Periodic: QEMU's TCG can lose an interrupt (VMRUN and #VMEXIT change the word of pending ones
     * without its lock), and where one CPU waits for it, it must come again.
     */
    write(APIC_LVT_TIMER,
          (uint32_t)(VECTOR_TIMER | (cpu_features.tsc_deadline ? TIMER_DEADLINE : TIMER_PERIODIC)));
    write(APIC_LVT_LINT0, LVT_MASKED);
    write(APIC_LVT_LINT1, LVT_NMI);
    write(APIC_LVT_PERF, LVT_MASKED);
    write(APIC_LVT_ERROR, VECTOR_ERROR);
    write(APIC_TIMER_DIVIDE, DIVIDE_BY_1);
    write(APIC_SVR, BIT(8) | VECTOR_SPURIOUS);
}

uint32_t lapic_id(void)
{
    /* CPUID tells it before the APIC is set up. */
    return cpu_features.x2apic && cpuid(0, 0).eax >= 11 ? cpuid(11, 0).edx : cpuid(1, 0).ebx >> 24;
}

void lapic_eoi(void)
{
    write(APIC_EOI, 0);
}

void lapic_send(uint32_t apic_id, uint32_t icr_low)
{
    if (mmio == NULL) {
        wrmsr(MSR_X2APIC + APIC_ICR / 16, (uint64_t)apic_id << 32 | icr_low);
        return;
    }
    write(APIC_ICR_HIGH, apic_id << 24);
    write(APIC_ICR, icr_low);
    while ((read(APIC_ICR) & ICR_PENDING) != 0) {
        cpu_relax();
    }
}

void lapic_send_others(uint32_t icr_low)
{
    lapic_send(0, icr_low | 3u << 18);
}

void lapic_timer(uint32_t count)
{
    write(APIC_TIMER_COUNT, count);
}

uint32_t lapic_timer_now(void)
{
    return read(APIC_TIMER_NOW);
}
