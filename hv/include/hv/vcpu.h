/* A virtual CPU, and the scheduler's view of it. */
#ifndef HV_VCPU_H
#define HV_VCPU_H

#include "arch/vcpu.h"
#include "hv/call.h"
#include "hv/timer.h"
#include "hv/types.h"

struct cpu;
struct vm;

/*
 *   OFF ------> QUEUED <--> RUNNING ----> BLOCKED --> QUEUED
 *                  `-----------`----------> OFF  (the VM pauses or ends)
 */
enum vcpu_state { VCPU_OFF, VCPU_QUEUED, VCPU_RUNNING, VCPU_BLOCKED };

/* Requests: set by anyone with vcpu_request(), taken by the vCPU before it enters the guest. */
enum {
    REQ_STOP = 1,  /* the VM pauses or ends */
    REQ_EVENT = 2, /* an interrupt may be deliverable */
    REQ_FLUSH = 4, /* forget second-stage translations */
    REQ_NMI = 8,
    REQ_INIT = 16,
    REQ_SIPI = 32,
    REQ_SERVE = 64, /* its devices have work, or its control port: vm_serve_soon */
};

struct vcpu {
    struct arch_vcpu arch; /* first: the entry code has its offsets */
    struct vm *vm;
    unsigned int index;
    uint32_t requests;
    bool event_due; /* for EVENT_WAIT: a port of this vCPU got an event; atomic */
    struct call call; /* the one it makes now */
    /* The scheduler's; guarded by the lock of `cpu`'s queue, whichever that is. */
    enum vcpu_state state;
    struct cpu *cpu; /* where it runs or ran last */
    struct vcpu *next;
    uint64_t vruntime;
    uint64_t affinity;
    uint32_t weight;
    uint64_t ran;  /* ns */
    uint64_t exits;
};

/*
 * Sets request bits, and makes the vCPU see them: kicks or wakes it; a flush alone wakes nobody.
 * No queue lock may be held.
 */
void vcpu_request(struct vcpu *v, uint32_t bits);

/* Puts a vCPU that does not run into a queue. No effect when it runs, is queued, or may not run. */
void sched_wake(struct vcpu *v);

/* Lets a vCPU that is off run. */
void sched_start(struct vcpu *v);

/* The first `count` CPUs are to run no guest. Before the first vCPU. False: none would be left. */
bool sched_spare_cpus(unsigned int count);

/* Is one of these CPUs there, and for guests? Else no vCPU can be made for them. */
bool sched_has_cpu(uint64_t affinity);

void sched_init(struct vcpu *v, uint32_t weight, uint64_t affinity);

/* Gives the running vCPU's slice an end when somebody waits, and programs the timer. */
void sched_set_slice(void);

/* The loop of every CPU. */
NORETURN void sched_loop(void);

#endif
