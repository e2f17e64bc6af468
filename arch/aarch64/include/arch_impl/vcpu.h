#ifndef ARCH_IMPL_VCPU_H
#define ARCH_IMPL_VCPU_H

#include "arch/lock.h"
#include "hv/timer.h"
#include "hv/types.h"

/* As entry.S has them. */
struct guest_regs {
    uint64_t x[31];
    uint64_t pc, pstate;
};

/* EL1_REG(name): what EL1 and EL0 have, and a switch of vCPUs saves and loads. */
#define EL1_REGS(EL1_REG)                                                                          \
    EL1_REG(sctlr_el1)                                                                             \
    EL1_REG(cpacr_el1)                                                                             \
    EL1_REG(ttbr0_el1)                                                                             \
    EL1_REG(ttbr1_el1)                                                                             \
    EL1_REG(tcr_el1)                                                                               \
    EL1_REG(esr_el1)                                                                               \
    EL1_REG(afsr0_el1)                                                                             \
    EL1_REG(afsr1_el1)                                                                             \
    EL1_REG(far_el1)                                                                               \
    EL1_REG(mair_el1)                                                                              \
    EL1_REG(amair_el1)                                                                             \
    EL1_REG(vbar_el1)                                                                              \
    EL1_REG(contextidr_el1)                                                                        \
    EL1_REG(tpidr_el0)                                                                             \
    EL1_REG(tpidrro_el0)                                                                           \
    EL1_REG(tpidr_el1)                                                                             \
    EL1_REG(sp_el0)                                                                                \
    EL1_REG(sp_el1)                                                                                \
    EL1_REG(elr_el1)                                                                               \
    EL1_REG(spsr_el1)                                                                              \
    EL1_REG(cntkctl_el1)                                                                           \
    EL1_REG(par_el1)                                                                               \
    EL1_REG(csselr_el1)                                                                            \
    EL1_REG(mdscr_el1)

struct el1_regs {
#define EL1_FIELD(name) uint64_t name;
    EL1_REGS(EL1_FIELD)
#undef EL1_FIELD
};

struct fp_regs { /* fpu.S */
    uint8_t q[32][16];
    uint64_t fpsr, fpcr;
} __attribute__((aligned(16)));

/* 32 interrupts of a virtual GIC: a bit each. */
struct vgic_bank {
    uint32_t enabled, pending, active; /* pending: the latch of what was an edge */
    uint32_t line;                     /* level-sensitive ones that are asserted */
    uint32_t edge;                     /* else level-sensitive */
    uint8_t priority[32];
    uint8_t target[32]; /* vCPU; SPIs */
};

#define VGIC_LRS_MAX 16u

struct vgic_cpu {
    struct vgic_bank bank; /* SGIs and PPIs */
    uint32_t used;         /* list registers that hold something */
    uint64_t vmcr, ap0r[4], ap1r[4];
    bool asleep; /* GICR_WAKER */
};

#define VGIC_SPI_BANKS 2u

struct vgic {
    struct lock lock; /* every bank's; innermost */
    uint32_t ctlr;
    struct vgic_bank spi[VGIC_SPI_BANKS];
};

/* A timer of the guest while its vCPU is off the CPU. */
struct vtimer {
    uint64_t ctl, cval;
};

enum wait_state { WAIT_NONE, WAIT_WFI, WAIT_EVENT, WAIT_ON };
/* PSCI: who turns a CPU on owns it from CLAIMED to STARTING. */
enum power { POWER_OFF, POWER_CLAIMED, POWER_STARTING, POWER_ON };

struct arch_vcpu {
    struct guest_regs regs; /* first: entry.S */
    struct el1_regs el1;
    struct fp_regs fp;
    struct vgic_cpu gic;
    struct vtimer virt, phys;
    struct timer wake; /* the earlier of them, while the vCPU waits */
    uint64_t mpidr;
    enum wait_state wait;
    uint32_t power; /* enum power, atomic */
    uint64_t start_pc, start_x0, start_sctlr;
    bool events; /* something may have to be injected or waited for */
    const struct confidential_vcpu *confidential; /* arch_impl/realm.h; NULL: an ordinary one */
    void *cc_data;
};

struct arch_vm {
    uint64_t vttbr;
    uint64_t cntvoff;
    struct vgic gic;
};

/* gic.c calls it: a timer of the vCPU that is loaded here fired. */
void vtimer_fired(unsigned int ppi);

#endif
