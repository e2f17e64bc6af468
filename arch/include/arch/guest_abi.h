/* What a guest ABI that is not ours (hv/guest_abi.h) must know of a vCPU, and do to it. */
#ifndef ARCH_GUEST_ABI_H
#define ARCH_GUEST_ABI_H

#include "hv/types.h"

struct vm;
struct vcpu;

/* How the vCPU that exited sees memory, and from where it called: APM Vol. 2, 5.3 and 5.6. */
struct arch_paging {
    uint64_t cr0, cr3, cr4;
    bool code64;       /* 64-bit code, not compatibility mode */
    bool user;         /* CPL is not 0 */
    bool user_allowed; /* RFLAGS.AC: SMAP lets it touch user pages */
};
void arch_vcpu_paging(const struct vcpu *v, struct arch_paging *p);

/* Raises that vector of a vCPU's local APIC. Any CPU, any lock but a queue's. */
void arch_vcpu_interrupt(struct vcpu *v, uint8_t vector);
/* From now on that vector is over when it is taken, without an EOI; 0: none is. */
void arch_vm_no_eoi(struct vm *vm, uint8_t vector);

/* The vCPU that exited waits for an interrupt, as if it had halted. */
void arch_vcpu_halt(struct vcpu *v);

#endif
