/* What outside.c stands on, and offers to the other files of the box's edge. */
#ifndef XENPV_BOX_OUTSIDE_H
#define XENPV_BOX_OUTSIDE_H

#include "abi/abi.h"
#include "page.h"

void outside_vcpu_start(struct vcpu *v);
void outside_poll(struct vcpu *v);
void outside_poll_timer(struct vcpu *v, uint64_t ns);
const volatile struct abi_time *outside_time(void);

/* machine.c, ghcb.c: the instructions, or the GHCB's events in an encrypted guest */
/* Zeroed pages that the hypervisor reads and writes, too; and their address for it. */
void *machine_create(uint64_t pages);
uint64_t machine_pa(const void *shared);
/* Once on each processor, before it talks to the hypervisor. */
void machine_begin(uint32_t vcpu);
/* Is the box an encrypted guest? Then no instruction may ask the hypervisor. */
bool machine_private(void);
void machine_wrmsr(uint32_t msr, uint64_t value);
void machine_outb(uint16_t port, uint8_t value);
NORETURN void machine_fail(void);
/* Starts a vCPU's processor at smp_entry. */
void machine_start_vcpu(struct vcpu *v);
extern uint64_t smp_table, smp_stack; /* what it begins with */

#endif
