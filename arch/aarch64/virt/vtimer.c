/*
 * The guest's timers, virtual and physical. They are the CPU's own while the vCPU is on it, and
 * their interrupts go to the guest as the hardware's: it deactivates them itself. While a vCPU is
 * away and waits, one of our timers stands in for them.
 */
#include "../cpu/aarch64.h"
#include "arch_impl/insn.h"
#include "hv/check.h"
#include "virt.h"

#define CTL_ENABLE 1u
#define CTL_MASKED 2u
#define CTL_FIRES  4u

static uint64_t due_ns(const struct vtimer *t, uint64_t offset)
{
    return (t->ctl & (CTL_ENABLE | CTL_MASKED)) == CTL_ENABLE ? clock_from_count(t->cval + offset)
                                                              : UINT64_MAX;
}

static void wake(struct timer *t)
{
    vcpu_request(container_of(t, struct vcpu, arch.wake), REQ_EVENT);
}

void vtimer_reset(struct vcpu *v)
{
    v->arch.virt = (struct vtimer){0};
    v->arch.phys = (struct vtimer){0};
    v->arch.wake.fn = wake;
}

void vtimer_destroy(struct vcpu *v)
{
    timer_cancel(&v->arch.wake);
}

void vtimer_save(struct vcpu *v)
{
    struct arch_vcpu *a = &v->arch;

    a->virt.ctl = sysreg_read(cntv_ctl_el0);
    a->virt.cval = sysreg_read(cntv_cval_el0);
    a->phys.ctl = sysreg_read(cntp_ctl_el0);
    a->phys.cval = sysreg_read(cntp_cval_el0);
    sysreg_write(cntv_ctl_el0, 0);
    sysreg_write(cntp_ctl_el0, 0);
    isb();
    vtimer_sleep(v);
}

void vtimer_sleep(struct vcpu *v)
{
    struct arch_vcpu *a = &v->arch;
    uint64_t next;

    next = MIN(due_ns(&a->virt, v->vm->arch.cntvoff), due_ns(&a->phys, 0));
    if ((a->wait == WAIT_WFI || a->wait == WAIT_EVENT) && next != UINT64_MAX) {
        timer_arm(&a->wake, next);
    }
}

/* What is on its way to the guest is active in the GIC, lest it comes again and again. */
void vtimer_load(struct vcpu *v)
{
    struct arch_vcpu *a = &v->arch;

    timer_cancel(&a->wake);
    gic_set_active(PPI_GUEST_VIRT, vgic_has(v, PPI_GUEST_VIRT));
    gic_set_active(PPI_GUEST_PHYS, vgic_has(v, PPI_GUEST_PHYS));
    sysreg_write(cntvoff_el2, v->vm->arch.cntvoff);
    sysreg_write(cntv_cval_el0, a->virt.cval);
    sysreg_write(cntv_ctl_el0, a->virt.ctl);
    sysreg_write(cntp_cval_el0, a->phys.cval);
    sysreg_write(cntp_ctl_el0, a->phys.ctl);
    isb();
}

void vtimer_told(struct vcpu *v, uint64_t cntv_ctl, uint64_t cntv_cval, uint64_t cntp_ctl,
                 uint64_t cntp_cval)
{
    v->arch.virt = (struct vtimer){cntv_ctl, cntv_cval};
    v->arch.phys = (struct vtimer){cntp_ctl, cntp_cval};
}

static bool expired(const struct vtimer *t, uint64_t offset, uint64_t now)
{
    return (t->ctl & (CTL_ENABLE | CTL_MASKED)) == CTL_ENABLE && t->cval + offset <= now;
}

void vtimer_lines(struct vcpu *v)
{
    uint64_t now = clock_now();

    vgic_set_line(v, PPI_GUEST_VIRT, expired(&v->arch.virt, v->vm->arch.cntvoff, now));
    vgic_set_line(v, PPI_GUEST_PHYS, expired(&v->arch.phys, 0, now));
}

void vtimer_fired(unsigned int ppi)
{
    struct vcpu *v = this_cpu()->arch.loaded;

    if (v == NULL) { /* it left while the interrupt was on its way */
        gic_set_active(ppi, false);
        return;
    }
    vgic_raise(v, ppi);
    v->arch.events = true;
}

bool vtimer_due(struct vcpu *v)
{
    uint64_t now = clock_from_count(clock_now());

    return (due_ns(&v->arch.virt, v->vm->arch.cntvoff) <= now &&
            vgic_would_take(v, PPI_GUEST_VIRT)) ||
           (due_ns(&v->arch.phys, 0) <= now && vgic_would_take(v, PPI_GUEST_PHYS));
}

static bool fires(uint64_t ctl)
{
    return (ctl & (CTL_ENABLE | CTL_MASKED | CTL_FIRES)) == (CTL_ENABLE | CTL_FIRES);
}

/* The line is level-sensitive: what was pending goes when the guest sets its timer anew. */
static void drop_stale(struct vcpu *v, unsigned int ppi, uint64_t ctl)
{
    if (!fires(ctl) && vgic_withdraw(v, ppi)) {
        gic_set_active(ppi, false);
    }
}

void vtimer_drop_stale(struct vcpu *v)
{
    if (vgic_has(v, PPI_GUEST_VIRT)) {
        drop_stale(v, PPI_GUEST_VIRT, sysreg_read(cntv_ctl_el0));
    }
    if (vgic_has(v, PPI_GUEST_PHYS)) {
        drop_stale(v, PPI_GUEST_PHYS, sysreg_read(cntp_ctl_el0));
    }
}

bool vtimer_fires(struct vcpu *v)
{
    return (fires(sysreg_read(cntv_ctl_el0)) && vgic_would_take(v, PPI_GUEST_VIRT)) ||
           (fires(sysreg_read(cntp_ctl_el0)) && vgic_would_take(v, PPI_GUEST_PHYS));
}
