/*
 * vCPUs whose registers are the firmware's: what a driver gives the run loop, and what it uses of
 * the virtual platform. Interrupts are lent to the firmware in list registers of IHI 0069's format.
 */
#ifndef ARCH_IMPL_REALM_H
#define ARCH_IMPL_REALM_H

#include "hv/types.h"

struct vcpu;

struct confidential_vcpu {
    /* Enters the guest once, and handles what it left for. Interrupts are off. */
    void (*run)(struct vcpu *v);
};

/* What the vCPU may take now, at most n: how many, and whether there are more. They come back after
 * each exit. */
unsigned int vgic_lend(struct vcpu *v, uint64_t *lr, unsigned int n, bool *more);
void vgic_give_back(struct vcpu *v, const uint64_t *lr, unsigned int n);
void vgic_send_sgi(struct vcpu *v, uint64_t value);

/* The timers as the firmware told them: their lines follow. */
void vtimer_told(struct vcpu *v, uint64_t cntv_ctl, uint64_t cntv_cval, uint64_t cntp_ctl,
                 uint64_t cntp_cval);
void vtimer_lines(struct vcpu *v);

/* Takes every physical interrupt that is pending. */
void gic_take(void);

/* A device's register, or the GIC's; false when nothing is there. */
bool guest_device_access(struct vcpu *v, uint64_t at, bool write, unsigned int size,
                         uint64_t *value);

/*
 * A call of the guest ABI, or discovery (include/abi/const.h): x[0] to x[4] in, x[0] to x[3] out.
 * x[0] is -1 for a function that is neither.
 */
#define CALL_REGS    5u
#define CALL_RESULTS 4u
void guest_vendor_call(struct vcpu *v, uint64_t *x);

#endif
