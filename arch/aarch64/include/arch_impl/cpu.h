#ifndef ARCH_IMPL_CPU_H
#define ARCH_IMPL_CPU_H

#define VMIDS 64u /* as many as there can be VMs, from 1 on */

struct vcpu;

struct arch_cpu {
    uint64_t mpidr;     /* affinity fields only */
    uint8_t *gicr;      /* its redistributor */
    struct vcpu *last[VMIDS + 1]; /* of each VM: the vCPU that ran here last */
    struct vcpu *loaded;
};

extern bool aarch64_stopping;
NORETURN void aarch64_stop_here(void);

/* TPIDR_EL2 points at struct cpu. */
static ALWAYS_INLINE struct cpu *this_cpu(void)
{
    struct cpu *c;

    __asm__("mrs %0, tpidr_el2" : "=r"(c));
    return c;
}

/* No interrupt reaches a CPU that waits for a lock: it sees here that all is over. */
static ALWAYS_INLINE void cpu_relax(void)
{
    __asm__ volatile("yield");
    if (__atomic_load_n(&aarch64_stopping, __ATOMIC_RELAXED)) {
        aarch64_stop_here();
    }
}

#endif
