/* The clock, and the one-shot timer each CPU has. */
#ifndef ARCH_TIMER_H
#define ARCH_TIMER_H

#include "hv/types.h"

/* Nanoseconds since the hypervisor started, the same on every CPU. */
uint64_t clock_ns(void);

/* Calls timer_interrupt() on this CPU at or soon after that time; UINT64_MAX disarms it. */
void clock_set_alarm(uint64_t ns);

/* Seconds since 1970 from the machine's own clock, read once at boot. */
uint64_t clock_wall_at_boot(void);

#endif
