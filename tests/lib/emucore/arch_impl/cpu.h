/* A CPU of a test program beside x86-64's other headers: each thread says which one it is. */
#ifndef ARCH_IMPL_CPU_H
#define ARCH_IMPL_CPU_H

struct arch_cpu {
    unsigned int nothing;
};

extern _Thread_local struct cpu *test_cpu;

static ALWAYS_INLINE struct cpu *this_cpu(void)
{
    return test_cpu;
}

static ALWAYS_INLINE void cpu_relax(void)
{
    __asm__ volatile("pause");
}

#endif
