/* One CPU's own block. Its owner writes it; what others read is said beside the field. */
#ifndef HV_CPU_H
#define HV_CPU_H

#include "arch/cpu.h"
#include "arch/lock.h"
#include "hv/types.h"

struct vcpu;
struct timer;

/* vCPUs that want to run here, by virtual run time; others put theirs in and steal. */
struct run_queue {
    struct lock lock;
    struct vcpu *head;
    uint64_t min_vruntime; /* never goes back; read by anyone */
    uint64_t first;        /* virtual run time of the head, UINT64_MAX: empty; read by anyone */
    uint64_t wanted;       /* CPUs that those in it may run on; read by anyone */
};

struct cpu {
    struct cpu *self;
    uint64_t entry[4]; /* what the architecture's entry code must find */
    uint64_t canary; /* at 28h: the compiler's stack protector reads it there */
    unsigned int index;
    bool online;     /* read by anyone */
    bool resched;    /* somebody wants this CPU to choose again; written by anyone */
    struct vcpu *current;
    uint64_t slice_start; /* ns; when current began to run */
    uint64_t accounted;   /* ns; until when its time is booked; read by anyone */
    uint32_t weight;      /* of current; 0: nobody runs; read by anyone */
    uint64_t slice_end;   /* ns; UINT64_MAX: nobody waits; read by anyone */
    struct run_queue queue;
    struct lock timer_lock;
    struct timer *timers; /* sorted by deadline */
    struct timer *timer_running; /* read by timer_cancel elsewhere */
    uint64_t alarm;       /* ns; what the hardware is set to */
    struct arch_cpu arch;
};
_Static_assert(offsetof(struct cpu, canary) == 0x28, "-fstack-protector reads it there");

/* The core's part of a new block. */
void cpu_init(struct cpu *c);

/* The hardware timer fired on this CPU. */
void timer_interrupt(void);

/* Where every CPU ends up once it can run guests. */
NORETURN void cpu_main(void);

#endif
