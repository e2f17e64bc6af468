/* One-shot timers. A timer belongs to the CPU that armed it last, and its function runs there. */
#ifndef HV_TIMER_H
#define HV_TIMER_H

#include "hv/types.h"

struct cpu;

struct timer {
    struct timer *next;
    uint64_t deadline; /* ns */
    struct cpu *cpu;   /* where it is armed, or NULL */
    struct cpu *last;  /* where it was armed last; NULL: never */
    void (*fn)(struct timer *t);
};

/* Arms it, or moves it. fn runs with interrupts off and no lock held. */
void timer_arm(struct timer *t, uint64_t deadline);

/*
 * Returns when fn is neither armed nor running elsewhere, though it arms itself again. Not from fn
 * itself, nor while the owner may arm it on another CPU.
 */
void timer_cancel(struct timer *t);

/* Sets the hardware to whatever comes first on this CPU: a timer, or the end of the slice. */
void timer_program(void);

#endif
