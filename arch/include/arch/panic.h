/* What the architecture does when the hypervisor is broken. */
#ifndef ARCH_PANIC_H
#define ARCH_PANIC_H

#include "hv/types.h"

/* Stops every other CPU, whatever it does. */
void arch_stop_others(void);

/* Calls fn for each return address, innermost first, from a frame pointer (0: the caller's). */
void arch_backtrace(uint64_t frame, void (*fn)(uint64_t address));

#endif
