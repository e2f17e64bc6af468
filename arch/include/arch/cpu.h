/*
 * The CPUs. Index 0 boots; the others follow in the order of the firmware's table. The hypervisor
 * runs with interrupts off but for the two places that open a window: the idle loop, and the
 * moment after a guest exited for an interrupt.
 */
#ifndef ARCH_CPU_H
#define ARCH_CPU_H

#include "hv/types.h"

#define CPUS_MAX 64u

struct cpu;

/* This CPU's own block; any CPU's by index < cpu_count(). */
static ALWAYS_INLINE struct cpu *this_cpu(void);
struct cpu *cpu_at(unsigned int index);
unsigned int cpu_count(void);

/* A hint inside a spin loop. */
static ALWAYS_INLINE void cpu_relax(void);

/* Sleeps until an interrupt that was allowed in has been handled. Returns with them off. */
void cpu_idle(void);

/* Stops this CPU for good. */
NORETURN void cpu_stop(void);

/* Makes that CPU leave its guest or its idle loop soon. */
void cpu_kick(struct cpu *cpu);

/*
 * Runs fn on every CPU, this one included, and returns when all have. Not with a lock held that
 * another CPU may be waiting for; one caller at a time.
 */
void cpu_run_on_all(void (*fn)(void));

#include "arch_impl/cpu.h"

#endif
