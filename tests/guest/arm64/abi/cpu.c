/* Other vCPUs by PSCI, interrupts by a GICv3, time by the virtual counter. */
#include "guest.h"

#include "hv/mmio_map.h"

#define PSCI_CPU_ON 0xc4000003u
#define WAKE_SGI    1u
#define TIMER_PPI   27u
#define GICD_CTLR      0x0000u
#define GICD_IGROUPR   0x0080u
#define GICD_ISENABLER 0x0100u
#define GICD_ICFGR     0x0c00u
#define GICD_IROUTER   0x6000u
#define SGI_FRAME      0x10000u
#define ICC_SGI1R      s3_0_c12_c11_5
#define ICC_IAR1       s3_0_c12_c12_0
#define ICC_EOIR1      s3_0_c12_c12_1
#define ICC_IGRPEN1    s3_0_c12_c12_7
#define ICC_PMR        s3_0_c4_c6_0
#define NO_INTERRUPT   1020u
#define sysreg_read(name) read_sysreg_(name)
#define read_sysreg_(name) read_sysreg(name)
#define sysreg_write(name, v) write_sysreg_(name, v)
#define write_sysreg_(name, v) write_sysreg(name, v)

struct guest_cpu cpus[CPUS_MAX];
static void (*handlers[INTERRUPT_END])(void);
extern char second_start[];
void take_interrupt(void);

void take_interrupt(void)
{
    uint64_t n = sysreg_read(ICC_IAR1);

    if (n >= NO_INTERRUPT) {
        return;
    }
    if (n == TIMER_PPI) {
        write_sysreg(cntv_ctl_el0, 0);
    } else if (n < INTERRUPT_END && handlers[n] != NULL) {
        handlers[n]();
    }
    sysreg_write(ICC_EOIR1, n);
}

static uint64_t redistributor(unsigned int index)
{
    return MMIO_GIC_REDIST + index * MMIO_GIC_REDIST_SIZE + SGI_FRAME;
}

void cpu_begin(unsigned int index)
{
    write_sysreg(tpidr_el1, (uint64_t)&cpus[index]);
    cpus[index].index = index;
    if (index == 0) {
        store32(MMIO_GIC_DIST + GICD_CTLR, 0x12); /* affinity routing, group 1 */
        for (unsigned int bank = 1; bank < INTERRUPT_END / 32; bank++) {
            store32(MMIO_GIC_DIST + GICD_IGROUPR + bank * 4, UINT32_MAX);
            store32(MMIO_GIC_DIST + GICD_ICFGR + bank * 8, 0xaaaaaaaa);
            store32(MMIO_GIC_DIST + GICD_ICFGR + bank * 8 + 4, 0xaaaaaaaa);
        }
    }
    store32(redistributor(index) + GICD_IGROUPR, UINT32_MAX);
    store32(redistributor(index) + GICD_ISENABLER, 1u << TIMER_PPI | 1u << WAKE_SGI);
    sysreg_write(ICC_PMR, 0xff);
    sysreg_write(ICC_IGRPEN1, 1);
}

void on_interrupt(unsigned int n, void (*fn)(void))
{
    handlers[n] = fn;
    store32(MMIO_GIC_DIST + GICD_ISENABLER + n / 32 * 4, 1u << n % 32);
}

void interrupt_to(unsigned int n, unsigned int vcpu)
{
    *(volatile uint64_t *)(uint64_t)(MMIO_GIC_DIST + GICD_IROUTER + n * 8) = vcpu;
}

bool smp_start(unsigned int n)
{
    for (unsigned int i = 1; i < n; i++) {
        struct regs r = {{PSCI_CPU_ON, i, (uint64_t)second_start, i}};

        if (load_acquire(&cpus[i].online)) {
            continue;
        }
        smc(&r);
        if (r.x[0] != 0 || !within_ms(20000, load_acquire(&cpus[i].online))) {
            return false;
        }
    }
    return true;
}

void cpu_run(unsigned int index, void (*fn)(void *arg), void *arg)
{
    cpu_join(index);
    cpus[index].work_arg = arg;
    store_release(&cpus[index].work, fn);
    __asm__ volatile("dsb ish" : : : "memory");
    sysreg_write(ICC_SGI1R, (uint64_t)WAKE_SGI << 24 | 1u << index);
}

void cpu_join(unsigned int index)
{
    if (!within_ms(60000, load_acquire(&cpus[index].work) == NULL)) {
        fatal("vCPU %u does not finish its work", index);
    }
}

void wake_in_us(uint64_t us)
{
    irqs_window();
    write_sysreg(cntv_cval_el0, counter() + ticks_of_us(us));
    write_sysreg(cntv_ctl_el0, 1);
}

uint64_t ticks_of_us(uint64_t us)
{
    return us * read_sysreg(cntfrq_el0) / 1000000;
}

uint64_t us_of_ticks(uint64_t ticks)
{
    return ticks * 1000000 / read_sysreg(cntfrq_el0);
}

void delay_us(uint64_t us)
{
    uint64_t end = counter() + ticks_of_us(us);

    while (counter() < end) {
    }
}
