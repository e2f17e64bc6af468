/* The files of virt/, to each other. */
#ifndef AARCH64_VIRT_H
#define AARCH64_VIRT_H

#include "hv/types.h"
#include "arch_impl/realm.h"
#include "hv/vm_priv.h"

/* entry.S */
uint64_t aarch64_enter(struct guest_regs *regs);
enum { GUEST_SYNC, GUEST_IRQ, GUEST_FIQ, GUEST_SERROR };

/* fpu.S */
void fp_save(struct fp_regs *fp);
void fp_load(const struct fp_regs *fp);

/* vcpu.c: EL1 as after a reset, at pc with x0. */
void vcpu_reset(struct vcpu *v, uint64_t pc, uint64_t x0);

/* exit.c: handles what the guest exited for. */
void guest_exit(struct vcpu *v, uint64_t why);
void guest_skip(struct vcpu *v); /* past the instruction that exited */
/* An exception of EL1: undefined instruction. */
void inject_undefined(struct vcpu *v);

/* sysreg.c. False: the guest has no such register. */
void sysreg_init(void);
bool guest_sysreg(struct vcpu *v, uint32_t iss);
unsigned int guest_pa_bits(void);

/* smccc.c: HVC or SMC, by the guest's registers. */
void guest_smccc(struct vcpu *v);
void vcpu_take_start(struct vcpu *v); /* REQ_SIPI: another CPU turned it on */

/* A register of the guest as an access names it: 31 is XZR. */
static inline uint64_t guest_reg(const struct vcpu *v, unsigned int n)
{
    return n == 31 ? 0 : v->arch.regs.x[n];
}

static inline void set_guest_reg(struct vcpu *v, unsigned int n, uint64_t value)
{
    if (n != 31) {
        v->arch.regs.x[n] = value;
    }
}

/* vgic.c: what is pending, and the list registers. */
void vgic_init(void); /* each CPU */
void vgic_reset(struct vcpu *v);
void vgic_save(struct vcpu *v);
void vgic_load(struct vcpu *v);
void vgic_flush(struct vcpu *v); /* before an entry with events */
void vgic_sync(struct vcpu *v);  /* after an exit with list registers in use */
bool vgic_pending(struct vcpu *v);
void vgic_raise(struct vcpu *v, unsigned int intid); /* private, an edge; any CPU */
void vgic_latch(struct vm *vm, unsigned int line); /* a shared one, an edge; any CPU */
void vgic_set_line(struct vcpu *v, unsigned int intid, bool high); /* private, a level */
/* Of a private interrupt: is it enabled, and neither pending nor active? Is it one of these? */
bool vgic_would_take(struct vcpu *v, unsigned int intid);
bool vgic_has(struct vcpu *v, unsigned int intid);
/* A private one that is not active is not pending either from now on. False: it is active. */
bool vgic_withdraw(struct vcpu *v, unsigned int intid);
/* Some vCPU may have something to take, and shall look. */
void vgic_tell(struct vm *vm, uint64_t vcpus);

/* vgic_mmio.c: false when the address is not the GIC's. */
bool vgic_access(struct vcpu *v, uint64_t at, bool write, unsigned int size, uint64_t *value);

/* vtimer.c */
void vtimer_reset(struct vcpu *v);
void vtimer_save(struct vcpu *v);
void vtimer_load(struct vcpu *v);
void vtimer_sleep(struct vcpu *v); /* a vCPU that waits: it wakes in time */
void vtimer_destroy(struct vcpu *v);
/* Has one of the timers come due that the vCPU would take? Of one that is away, and here. */
bool vtimer_due(struct vcpu *v);
bool vtimer_fires(struct vcpu *v);
void vtimer_drop_stale(struct vcpu *v); /* before vgic_flush */

#endif
