/* What outside.c stands on, and offers to the other files of the box's edge. */
#ifndef XENPV_BOX_OUTSIDE_H
#define XENPV_BOX_OUTSIDE_H

#include "abi/abi.h"
#include "page.h"

void outside_vcpu_start(void);
void outside_poll(struct vcpu *v);
void outside_poll_timer(struct vcpu *v, uint64_t ns);
const volatile struct abi_time *outside_time(void);

/* machine.c, snp.c: the instructions, or the GHCB's events in an encrypted guest */
void machine_create(void *shared, size_t len);
void machine_wrmsr(uint32_t msr, uint64_t value);
void machine_outb(uint16_t port, uint8_t value);
NORETURN void machine_fail(void);
/* Starts a vCPU at ap_entry, on its own stack. */
void machine_start_vcpu(struct vcpu *v);

#endif
