/* CPUs of test programs: each thread is one. */
#ifndef TESTS_CCA_CPU_H
#define TESTS_CCA_CPU_H

#define VMIDS 64u

extern _Thread_local char fake_cpu;

static ALWAYS_INLINE struct cpu *this_cpu(void)
{
    return (struct cpu *)(void *)&fake_cpu;
}

static ALWAYS_INLINE void cpu_relax(void)
{
    __asm__ volatile("" ::: "memory");
}

#endif
