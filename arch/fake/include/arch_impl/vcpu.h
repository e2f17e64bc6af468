#ifndef ARCH_IMPL_VCPU_H
#define ARCH_IMPL_VCPU_H

#include "hv/types.h"

struct vcpu;
struct cpu;

/*
 * A guest is how long it wants the CPU before it halts. When an event comes in it wants on_event
 * more; a test may also take over with `run`. Fields without a note belong to the vCPU.
 */
struct arch_vcpu {
    uint64_t want;     /* ns until it halts; UINT64_MAX: never */
    uint64_t on_event; /* ns it wants after each event */
    enum run_end (*run)(struct vcpu *v); /* instead of the above, or NULL; one step at a time */
    struct cpu *on;    /* whose state holds it; atomic */
    uint32_t events;   /* REQ_EVENT seen */
    uint32_t flushes;  /* REQ_FLUSH seen */
    uint32_t stops;    /* REQ_STOP seen */
    uint32_t halts;
    uint32_t runs;     /* times it came to a CPU */
    uint64_t irqs[4];  /* raised by events; atomic */
    uint32_t raised;   /* how often; atomic */
    uint32_t waits;    /* EVENT_WAIT that found nothing */
    bool wakeable;     /* an interrupt that is not a request; atomic */
    void *memory;      /* as a real one has; charged to the VM */
    const void *entry;
};

struct arch_vm {
    bool made;
    uint64_t clock_zero; /* ns */
    uint32_t flushes; /* atomic */
};

#endif
