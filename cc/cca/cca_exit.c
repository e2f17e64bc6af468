/* What a REC exits for (RMM A4). The exit record is the RMM's word; the realm can lie in it. */
#include "cca.h"

#include "hv/log.h"
#include "hv/string.h"

/* Arm ARM, ESR_EL2 */
#define ESR_EC(esr)  ((unsigned int)((esr) >> 26 & 63))
#define ESR_ISV      BIT(24)
#define ESR_SAS(esr) (1u << ((esr) >> 22 & 3))
#define ESR_WNR      BIT(6)
#define ESR_WFE      1u
#define EC_WFX               0x01u
#define EC_SYSREG            0x18u
#define EC_INSTRUCTION_ABORT 0x20u
#define EC_DATA_ABORT        0x24u
#define SYSREG_NAME  0x3ffc1eu
#define ICC_SGI1R    (3u << 20 | 5u << 17 | 12u << 10 | 11u << 1)

static void no_answer(struct vcpu *v, uint64_t at, uint64_t esr)
{
    vcpu_end(v, "access to %lx that nothing answers, syndrome %lx", (unsigned long)at,
             (unsigned long)esr);
}

/* True: a device was there; the RMM puts what was read into the right register. */
static bool device(struct vcpu *v, const struct rmi_rec_exit *x, uint64_t at)
{
    struct rmi_rec_enter *e = &cca_vcpu_of(v)->run->enter;
    uint64_t value = x->gprs[0];

    if ((x->esr & ESR_ISV) == 0 || at < RAM_BELOW_4G || at >= GiB(4) ||
        !guest_device_access(v, at, (x->esr & ESR_WNR) != 0, ESR_SAS(x->esr), &value)) {
        return false;
    }
    e->flags |= REC_ENTER_EMUL_MMIO;
    e->gprs[0] = value;
    return true;
}

/* Where nothing is: the realm takes an abort, as on a machine. */
static void on_abort(struct vcpu *v, const struct rmi_rec_exit *x)
{
    uint64_t at = (x->hpfar & ~15ull) << 8 | (x->far & (PAGE_SIZE - 1));
    uint64_t plain = at & ~CCA_SHARED_BIT;
    enum abi_status st;

    if ((at & CCA_SHARED_BIT) == 0) {
        st = cca_fault_private(v->vm, at);
    } else if (device(v, x, plain)) {
        return;
    } else {
        st = cca_fault_shared(v->vm, at);
    }
    if (st == ABI_BAD_ADDRESS && (x->esr & ESR_ISV) != 0) {
        cca_vcpu_of(v)->run->enter.flags |= REC_ENTER_INJECT_SEA;
    } else if (st != ABI_OK) {
        no_answer(v, at, x->esr);
    }
}

static void on_sync(struct vcpu *v, const struct rmi_rec_exit *x)
{
    switch (ESR_EC(x->esr)) {
    case EC_WFX:
        if ((x->esr & ESR_WFE) == 0) {
            v->arch.wait = WAIT_WFI;
            v->arch.events = true;
        }
        return;
    case EC_SYSREG:
        if ((x->esr & SYSREG_NAME) == ICC_SGI1R) {
            vgic_send_sgi(v, x->gprs[0]);
        }
        return;
    case EC_INSTRUCTION_ABORT:
    case EC_DATA_ABORT:
        on_abort(v, x);
        return;
    default:
        vcpu_end(v, "exit with syndrome %lx", (unsigned long)x->esr);
    }
}

/* The guest ABI, by the registers that a plain guest's HVC has; all others come back zero. */
static void on_host_call(struct vcpu *v, const struct rmi_rec_exit *x)
{
    uint64_t *out = cca_vcpu_of(v)->run->enter.gprs;
    uint64_t regs[CALL_REGS];

    memcpy(regs, x->gprs, sizeof(regs));
    guest_vendor_call(v, regs);
    memset(out, 0, sizeof(cca_vcpu_of(v)->run->enter.gprs));
    memcpy(out, regs, sizeof(regs[0]) * CALL_RESULTS);
}

/* Ranges are the RMM's, checked by it; those outside RAM are refused. */
static void on_ripas(struct vcpu *v, const struct rmi_rec_exit *x)
{
    enum abi_status st = ABI_BAD_ADDRESS;

    if (x->ripas_base < x->ripas_top && x->ripas_top <= v->vm->ram_low) {
        st = cca_ripas_change(v, x->ripas_base, x->ripas_top, (enum rmi_ripas)x->ripas_value);
    } else if (x->ripas_base >= GiB(4) && x->ripas_top <= GiB(4) + v->vm->ram_high) {
        st = cca_ripas_change(v, x->ripas_base, x->ripas_top, (enum rmi_ripas)x->ripas_value);
    }
    if (st == ABI_NO_MEMORY) {
        vcpu_end(v, "no memory for its translation tables");
    } else if (st != ABI_OK) {
        cca_vcpu_of(v)->run->enter.flags |= REC_ENTER_RIPAS_REJECT;
    }
}

void cca_exit(struct vcpu *v, const struct rmi_rec_exit *x)
{
    switch ((enum rmi_exit)x->exit_reason) {
    case RMI_EXIT_SYNC:
        on_sync(v, x);
        return;
    case RMI_EXIT_IRQ:
    case RMI_EXIT_FIQ:
        gic_take();
        return;
    case RMI_EXIT_PSCI:
        cca_psci(v, x);
        return;
    case RMI_EXIT_RIPAS_CHANGE:
        on_ripas(v, x);
        return;
    case RMI_EXIT_HOST_CALL:
        on_host_call(v, x);
        return;
    case RMI_EXIT_SERROR:
        vcpu_end(v, "SError, syndrome %lx", (unsigned long)x->esr);
        return;
    }
    vcpu_end(v, "exit reason %u", x->exit_reason);
}
