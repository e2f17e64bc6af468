#ifndef ARCH_IMPL_CPU_H
#define ARCH_IMPL_CPU_H

struct arch_cpu {
    struct vcpu *loaded; /* whose state this CPU holds */
};

/* The CPU that this thread plays. */
extern _Thread_local struct cpu *fake_self;
void fake_relax(void);

static ALWAYS_INLINE struct cpu *this_cpu(void)
{
    return fake_self;
}

static ALWAYS_INLINE void cpu_relax(void)
{
    fake_relax();
}

#endif
