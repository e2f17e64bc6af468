/*
 * The machine's interrupt controller, GICv3 (IHI 0069). Only private interrupts are used: devices
 * are polled. They are never unmasked at EL2: a guest exits for one, the idle loop wakes for one,
 * and gic_take() takes what there is. EOImode 1: priority drop and deactivation are apart, because
 * a guest deactivates its own timers' interrupts.
 */
#include "../boot/machine.h"
#include "aarch64.h"
#include "arch/boot.h"
#include "arch_impl/insn.h"
#include "arch_impl/vcpu.h"
#include "hv/check.h"
#include "hv/log.h"
#include "hv/vcpu.h"

/* Distributor (12.9), redistributor (12.11): the second page of each of those has SGIs and PPIs. */
#define GICD_CTLR       0x0000u
#define GICD_CTLR_ON    0x13u /* affinity routing, both groups of a Non-secure view */
#define GICD_CTLR_RWP   BIT(31)
#define GICR_TYPER      0x0008u
#define GICR_TYPER_VLPI BIT(1)
#define GICR_TYPER_LAST BIT(4)
#define GICR_WAKER      0x0014u
#define GICR_SGI        0x10000u
#define GICR_IGROUPR0    (GICR_SGI + 0x080u)
#define GICR_ISENABLER0  (GICR_SGI + 0x100u)
#define GICR_ICENABLER0  (GICR_SGI + 0x180u)
#define GICR_ISACTIVER0  (GICR_SGI + 0x300u)
#define GICR_ICACTIVER0  (GICR_SGI + 0x380u)
#define GICR_IPRIORITYR0 (GICR_SGI + 0x400u)
#define GICR_SIZE       0x20000u

#define WAKER_SLEEP  BIT(1)
#define WAKER_ASLEEP BIT(2)
#define PRIORITY     0xa0a0a0a0u
#define ID_SPECIAL   1020u

/* Names that assemblers do not know: ICC registers by number. */
#define ICC_PMR_EL1     s3_0_c4_c6_0
#define ICC_DIR_EL1     s3_0_c12_c11_1
#define ICC_SGI1R_EL1   s3_0_c12_c11_5
#define ICC_IAR1_EL1    s3_0_c12_c12_0
#define ICC_EOIR1_EL1   s3_0_c12_c12_1
#define ICC_BPR1_EL1    s3_0_c12_c12_3
#define ICC_CTLR_EL1    s3_0_c12_c12_4
#define ICC_IGRPEN1_EL1 s3_0_c12_c12_7
#define ICC_SRE_EL2     s3_4_c12_c9_5

#define OUR_PPIS                                                                                   \
    (BIT(PPI_MAINTENANCE) | BIT(PPI_HYP_TIMER) | BIT(PPI_GUEST_VIRT) | BIT(PPI_GUEST_PHYS))
#define OUR_SGIS (BIT(SGI_KICK) | BIT(SGI_CALL) | BIT(SGI_STOP))

static uint8_t *gicd, *gicr;

void gic_init(void)
{
    if (machine.gicd.len == 0 || machine.gicr.len == 0) {
        panic("this machine has no GICv3: in QEMU say -M virt,gic-version=3");
    }
    gicd = arch_map_device(pa(machine.gicd.at), machine.gicd.len);
    gicr = arch_map_device(pa(machine.gicr.at), machine.gicr.len);
    mmio_write32(gicd + GICD_CTLR, GICD_CTLR_ON);
    while ((mmio_read32(gicd + GICD_CTLR) & GICD_CTLR_RWP) != 0) {
    }
}

/* GICR_TYPER has the affinity in bits 63:32, packed. */
static uint8_t *redistributor_of(uint64_t mpidr)
{
    uint32_t wanted = (uint32_t)(mpidr & 0xffffff) | (uint32_t)(mpidr >> 8 & 0xff000000);

    for (uint64_t at = 0; at + GICR_SIZE <= machine.gicr.len;) {
        uint64_t typer = mmio_read64(gicr + at + GICR_TYPER);

        if (typer >> 32 == wanted) {
            return gicr + at;
        }
        if ((typer & GICR_TYPER_LAST) != 0) {
            break;
        }
        at += (typer & GICR_TYPER_VLPI) != 0 ? 2 * GICR_SIZE : GICR_SIZE;
    }
    panic("the GIC has no redistributor for CPU %lx", (unsigned long)mpidr);
}

static void wake(uint8_t *r)
{
    mmio_write32(r + GICR_WAKER, mmio_read32(r + GICR_WAKER) & ~(uint32_t)WAKER_SLEEP);
    while ((mmio_read32(r + GICR_WAKER) & WAKER_ASLEEP) != 0) {
    }
}

void gic_cpu_init(void)
{
    struct cpu *c = this_cpu();
    uint8_t *r = redistributor_of(c->arch.mpidr);

    c->arch.gicr = r;
    wake(r);
    mmio_write32(r + GICR_IGROUPR0, UINT32_MAX);
    mmio_write32(r + GICR_ICENABLER0, UINT32_MAX);
    mmio_write32(r + GICR_ICACTIVER0, UINT32_MAX);
    for (uint32_t i = 0; i < 32; i += 4) {
        mmio_write32(r + GICR_IPRIORITYR0 + i, PRIORITY);
    }
    mmio_write32(r + GICR_ISENABLER0, (uint32_t)(OUR_PPIS | OUR_SGIS));
    sysreg_write(ICC_SRE_EL2, sysreg_read(ICC_SRE_EL2) | 9); /* SRE, Enable for EL1 */
    isb();
    sysreg_write(ICC_PMR_EL1, 0xff);
    sysreg_write(ICC_BPR1_EL1, 0);
    sysreg_write(ICC_CTLR_EL1, BIT(1)); /* EOImode */
    sysreg_write(ICC_IGRPEN1_EL1, 1);
    isb();
}

/* ICC_SGI1R_EL1 (12.2.22): affinity 3.2.1, range selector, and a bit for affinity 0. */
void gic_send(const struct cpu *c, unsigned int sgi)
{
    uint64_t m = c->arch.mpidr;

    dsb(ishst); /* what it is told to look at is there */
    sysreg_write(ICC_SGI1R_EL1, BIT(m & 15) | (m >> 8 & 0xff) << 16 | (uint64_t)sgi << 24 |
                                 (m >> 16 & 0xff) << 32 | (m >> 4 & 15) << 44 |
                                 (m >> 32 & 0xff) << 48);
    isb();
}

void gic_send_others(unsigned int sgi)
{
    dsb(ishst);
    sysreg_write(ICC_SGI1R_EL1, BIT(40) | (uint64_t)sgi << 24);
    isb();
}

void gic_set_active(unsigned int ppi, bool active)
{
    uint8_t *r = this_cpu()->arch.gicr;

    mmio_write32(r + (active ? GICR_ISACTIVER0 : GICR_ICACTIVER0), (uint32_t)BIT(ppi));
}

static void handle(uint32_t id)
{
    switch (id) {
    case PPI_HYP_TIMER:
        sysreg_write(cnthp_ctl_el2, 0); /* one shot */
        isb();
        timer_interrupt();
        return;
    case SGI_KICK:
        sched_set_slice(); /* somebody may have queued behind the one that runs */
        return;
    case SGI_CALL:
        smp_called();
        return;
    case SGI_STOP:
        cpu_stop();
    case PPI_MAINTENANCE: /* it made the guest exit: that is all */
        return;
    default:
        log_warn("unexpected interrupt %u", id);
    }
}

void gic_take(void)
{
    for (;;) {
        uint32_t id = (uint32_t)sysreg_read(ICC_IAR1_EL1) & 0xffffff;

        if (id >= ID_SPECIAL && id < 8192) {
            return;
        }
        dsb(sy);
        sysreg_write(ICC_EOIR1_EL1, id);
        isb();
        if (id == PPI_GUEST_VIRT || id == PPI_GUEST_PHYS) {
            vtimer_fired(id); /* the guest deactivates it */
            continue;
        }
        sysreg_write(ICC_DIR_EL1, id);
        isb();
        handle(id);
    }
}
