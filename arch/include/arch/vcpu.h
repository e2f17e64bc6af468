/*
 * What a virtual CPU is on this architecture. The core schedules; the architecture runs guest code
 * and answers its exits until the core is needed.
 */
#ifndef ARCH_VCPU_H
#define ARCH_VCPU_H

#include "arch_impl/vcpu.h"
#include "hv/types.h"

struct vcpu;
struct vm;
struct vcpu_entry;

/* Can this CPU run guests at all? Called on each CPU as it comes up; panics when it cannot. */
void arch_virt_init(void);

MUST_CHECK enum abi_status arch_vm_init(struct vm *vm);
/* Also of a VM that arch_vm_init never saw, or whose last arch_vcpu_init failed. */
void arch_vm_destroy(struct vm *vm);
MUST_CHECK enum abi_status arch_vcpu_init(struct vcpu *v);

/* The state that vCPU 0 starts in. The others wait for their start-up interrupt. */
void arch_vcpu_set_entry(struct vcpu *v, const struct vcpu_entry *entry);

/*
 * Runs the guest on this CPU until the core must decide: the slice ended, a request came that is
 * not the architecture's, or the vCPU waits for an interrupt.
 */
enum run_end { RUN_RESCHED, RUN_BLOCKED, RUN_STOPPED };
enum run_end arch_vcpu_run(struct vcpu *v);

/* The vCPU leaves, or comes to, this CPU: state that the hardware holds is saved, or loaded. */
void arch_vcpu_save(struct vcpu *v);
void arch_vcpu_load(struct vcpu *v);

/* Is there an interrupt that would wake it? */
bool arch_vcpu_wakeable(struct vcpu *v);

/* Second-stage translations were removed: no vCPU of the VM uses them from its next entry on. */
void arch_vm_flush(struct vm *vm);


/* May a guest choose that interrupt (x86-64: a vector, AArch64: an SPI) for its events? */
bool arch_vcpu_irq_valid(uint32_t irq);
/* It becomes pending. Any CPU; no queue lock held. */
void arch_vcpu_irq(struct vcpu *v, uint32_t irq);

/* The vCPU, in a call, sleeps when the call is over until v->event_due or an interrupt. */
void arch_vcpu_wait(struct vcpu *v);

/* The hypervisor's clock when the VM's counter was 0, in ns. */
uint64_t arch_vm_clock_zero(const struct vm *vm);
/* Ticks of that counter to ns: (ticks << shift) * mul >> 32; to the right when negative. */
void arch_clock_scale(uint32_t *mul, int8_t *shift);

#endif
