/* PSCI (DEN0022) of realms: the RMM decides, and asks us who is who (RMM B6). */
#include "cca.h"

#include "hv/log.h"

#define CPU_SUSPEND32    0x84000001u
#define CPU_SUSPEND64    0xc4000001u
#define CPU_OFF          0x84000002u
#define CPU_ON32         0x84000003u
#define CPU_ON64         0xc4000003u
#define AFFINITY_INFO32  0x84000004u
#define AFFINITY_INFO64  0xc4000004u
#define SYSTEM_OFF       0x84000008u
#define SYSTEM_RESET     0x84000009u

static struct vcpu *vcpu_by_mpidr(const struct vm *vm, uint64_t mpidr)
{
    uint64_t index = (mpidr & 0xf) | (mpidr >> 8 & 0xff) << 4;

    return index < vm->vcpus && (mpidr & ~0xff0full) == 0 ? vm->vcpu[index] : NULL;
}

/*
 * Who is on, the RMM alone knows: it does not tell whether it has turned the target on or has found
 * it on, and the exit by which that one went off may be on its way through another of our CPUs. So
 * the target is told in any case, and tries to enter (cca_run).
 */
static void complete(struct vcpu *v, const struct rmi_rec_exit *x, bool turn_on)
{
    struct vcpu *target = vcpu_by_mpidr(v->vm, x->gprs[1]);
    struct cca_result r;

    if (target == NULL || target == v) {
        vcpu_end(v, "PSCI call about a CPU %lx that it has not", (unsigned long)x->gprs[1]);
        return;
    }
    r = rmi(RMI_PSCI_COMPLETE, cca_vcpu_of(v)->rec.v, cca_vcpu_of(target)->rec.v, 0, 0);
    if (!rmi_ok(r)) {
        vcpu_end(v, "RMI_PSCI_COMPLETE: %lx", (unsigned long)r.code);
        return;
    }
    if (turn_on) {
        (void)atomic_swap(&target->arch.power, (uint32_t)POWER_STARTING);
        vcpu_request(target, REQ_SIPI);
    }
}

void cca_off(struct vcpu *v)
{
    uint32_t on = POWER_ON;

    v->arch.events = true;
    if (atomic_cas(&v->arch.power, &on, (uint32_t)POWER_OFF)) {
        v->arch.wait = WAIT_ON;
    }
}

void cca_psci(struct vcpu *v, const struct rmi_rec_exit *x)
{
    switch ((uint32_t)x->gprs[0]) {
    case CPU_SUSPEND32:
    case CPU_SUSPEND64:
        v->arch.wait = WAIT_WFI;
        v->arch.events = true;
        return;
    case CPU_OFF:
        cca_off(v);
        return;
    case CPU_ON32:
    case CPU_ON64:
        complete(v, x, true);
        return;
    case AFFINITY_INFO32:
    case AFFINITY_INFO64:
        complete(v, x, false);
        return;
    case SYSTEM_OFF:
        vm_end(v->vm, VM_POWER_OFF, "PSCI power-off");
        return;
    case SYSTEM_RESET:
        vm_end(v->vm, VM_REBOOT, "PSCI reset");
        return;
    default:
        vcpu_end(v, "PSCI call %lx", (unsigned long)x->gprs[0]);
    }
}
