/*
 * Calls by HVC and SMC: SMCCC 1.2 (DEN0028), PSCI 1.1 (DEN0022), and the guest ABI in the range of
 * vendor-specific hypervisors.
 */
#include "abi/const.h"
#include "hv/call.h"
#include "hv/check.h"
#include "virt.h"

#include "arch_impl/insn.h"

#define PSCI(n)   (0x84000000u + (n))
#define PSCI64(n) (0xc4000000u + (n))
#define PSCI_VERSION_1_1 0x10001u
#define SMCCC_VERSION    0x80000000u
#define SMCCC_FEATURES   0x80000001u
#define SMCCC_VERSION_1_2 0x10002u
#define VENDOR_CALLS     0xff00u     /* beyond are the service's general queries */

enum psci_status {
    PSCI_SUCCESS = 0,
    PSCI_NOT_SUPPORTED = -1,
    PSCI_INVALID_PARAMETERS = -2,
    PSCI_ALREADY_ON = -4,
    PSCI_ON_PENDING = -5,
    PSCI_INVALID_ADDRESS = -9,
};

enum affinity_state { AFFINITY_ON = 0, AFFINITY_OFF = 1, AFFINITY_ON_PENDING = 2 };

#define MIGRATE_NOT_NEEDED 2
#define SCTLR_EE           BIT(25)

static struct vcpu *vcpu_by_affinity(const struct vm *vm, uint64_t mpidr)
{
    uint64_t index = (mpidr & 0xff) | (mpidr >> 8 & 0xff) << 4;

    if ((mpidr & ~0xffffull) != 0 || (mpidr & 0xff) > 15 || index >= vm->vcpus) {
        return NULL;
    }
    return vm->vcpu[index];
}

static bool can_start_at(const struct vm *vm, uint64_t pc)
{
    return (pc & 3) == 0 && (pc < vm->ram_low || pc - GiB(4) < vm->ram_high);
}

/* Who makes OFF into CLAIMED writes where it starts; the vCPU itself reads that. */
static int64_t cpu_on(struct vcpu *v, uint64_t mpidr, uint64_t pc, uint64_t x0)
{
    struct vcpu *target = vcpu_by_affinity(v->vm, mpidr);
    uint32_t state = POWER_OFF;

    if (target == NULL) {
        return PSCI_INVALID_PARAMETERS;
    }
    if (!can_start_at(v->vm, pc)) {
        return PSCI_INVALID_ADDRESS;
    }
    if (!atomic_cas(&target->arch.power, &state, (uint32_t)POWER_CLAIMED)) {
        return state == POWER_ON ? PSCI_ALREADY_ON : PSCI_ON_PENDING;
    }
    target->arch.start_pc = pc;
    target->arch.start_x0 = x0;
    target->arch.start_sctlr = sysreg_read(sctlr_el1) & SCTLR_EE; /* the caller's byte order */
    store_release(&target->arch.power, (uint32_t)POWER_STARTING);
    vcpu_request(target, REQ_SIPI);
    return PSCI_SUCCESS;
}

/* On the vCPU's own CPU, which has its registers loaded: those are reset, too. */
void vcpu_take_start(struct vcpu *v)
{
    if (load_acquire(&v->arch.power) != POWER_STARTING) {
        return;
    }
    if (v->arch.confidential != NULL) { /* whether it is on, the firmware knows */
        v->arch.wait = v->arch.wait == WAIT_ON ? WAIT_NONE : v->arch.wait;
        return;
    }
    arch_vcpu_save(v);
    vcpu_reset(v, v->arch.start_pc, v->arch.start_x0);
    v->arch.el1.sctlr_el1 |= v->arch.start_sctlr;
    vtimer_reset(v);
    arch_vcpu_load(v);
    v->arch.wait = WAIT_NONE;
    store_release(&v->arch.power, (uint32_t)POWER_ON);
}

static int64_t cpu_off(struct vcpu *v)
{
    v->arch.wait = WAIT_ON;
    v->arch.events = true;
    store_release(&v->arch.power, (uint32_t)POWER_OFF);
    return PSCI_SUCCESS;
}

/* A standby state: it wakes for an interrupt, and goes on behind the call. */
static int64_t cpu_suspend(struct vcpu *v)
{
    v->arch.wait = WAIT_WFI;
    v->arch.events = true;
    return PSCI_SUCCESS;
}

static int64_t affinity_info(struct vcpu *v, uint64_t mpidr, uint64_t level)
{
    const struct vcpu *target = vcpu_by_affinity(v->vm, mpidr);

    if (target == NULL || level != 0) {
        return PSCI_INVALID_PARAMETERS;
    }
    switch (load_acquire(&target->arch.power)) {
    case POWER_OFF:
        return AFFINITY_OFF;
    case POWER_ON:
        return AFFINITY_ON;
    default:
        return AFFINITY_ON_PENDING;
    }
}

static int64_t psci_features(uint32_t function)
{
    switch (function) {
    case PSCI(0):
    case PSCI(1):
    case PSCI64(1):
    case PSCI(2):
    case PSCI(3):
    case PSCI64(3):
    case PSCI(4):
    case PSCI64(4):
    case PSCI(6):
    case PSCI(8):
    case PSCI(9):
    case PSCI(10):
    case SMCCC_VERSION:
        return PSCI_SUCCESS;
    default:
        return PSCI_NOT_SUPPORTED;
    }
}

static int64_t standard_call(struct vcpu *v, uint32_t function, const uint64_t *x)
{
    switch (function) {
    case PSCI(0):
        return PSCI_VERSION_1_1;
    case PSCI(1):
    case PSCI64(1):
        return cpu_suspend(v);
    case PSCI(2):
        return cpu_off(v);
    case PSCI(3):
        return cpu_on(v, (uint32_t)x[1], (uint32_t)x[2], (uint32_t)x[3]);
    case PSCI64(3):
        return cpu_on(v, x[1], x[2], x[3]);
    case PSCI(4):
        return affinity_info(v, (uint32_t)x[1], (uint32_t)x[2]);
    case PSCI64(4):
        return affinity_info(v, x[1], x[2]);
    case PSCI(6):
        return MIGRATE_NOT_NEEDED;
    case PSCI(8):
        vm_end(v->vm, VM_POWER_OFF, "PSCI power-off");
        return PSCI_SUCCESS;
    case PSCI(9):
        vm_end(v->vm, VM_REBOOT, "PSCI reset");
        return PSCI_SUCCESS;
    case PSCI(10):
        return psci_features((uint32_t)x[1]);
    case SMCCC_VERSION:
        return SMCCC_VERSION_1_2;
    case SMCCC_FEATURES:
        return (uint32_t)x[1] == SMCCC_VERSION || (uint32_t)x[1] == SMCCC_FEATURES
                   ? PSCI_SUCCESS
                   : PSCI_NOT_SUPPORTED;
    default:
        return PSCI_NOT_SUPPORTED;
    }
}

/* Before any call: include/abi/const.h. */
static void discover(const struct vm *vm, uint32_t function, uint64_t *x)
{
    x[0] = (uint64_t)PSCI_NOT_SUPPORTED;
    x[1] = x[2] = x[3] = 0;
    switch (function) {
    case ABI_SMCCC_BASE:
        x[0] = ABI_SIGNATURE_EBX;
        x[1] = ABI_SIGNATURE_ECX;
        x[2] = ABI_SIGNATURE_EDX;
        break;
    case ABI_SMCCC_VERSION:
        x[0] = vm->abi_version;
        break;
    case ABI_SMCCC_FEATURES:
        x[0] = vm->abi_features;
        break;
    default:
        break;
    }
}

void guest_vendor_call(struct vcpu *v, uint64_t *x)
{
    uint32_t function = (uint32_t)x[0];
    struct call *c = &v->call;

    if (function - ABI_SMCCC_BASE <= ABI_SMCCC_FEATURES - ABI_SMCCC_BASE ||
        function - ABI_SMCCC_CALL >= VENDOR_CALLS) {
        discover(v->vm, function, x);
        return;
    }
    for (unsigned int i = 0; i < ARRAY_SIZE(c->arg); i++) {
        c->arg[i] = x[1 + i];
    }
    x[0] = call_dispatch(v, ABI_CALL_BASE + function - ABI_SMCCC_CALL, c);
    for (unsigned int i = 0; i < ARRAY_SIZE(c->value); i++) {
        x[1 + i] = c->value[i];
    }
}

void guest_smccc(struct vcpu *v)
{
    uint64_t *x = v->arch.regs.x;
    uint32_t function = (uint32_t)x[0];

    if ((v->arch.regs.pstate & 15) == 0) {
        inject_undefined(v); /* EL0 has no such call; not reached, the CPU says so itself */
    } else if (function - ABI_SMCCC_CALL < VENDOR_CALLS) {
        guest_vendor_call(v, x);
    } else {
        x[0] = (uint64_t)standard_call(v, function, x);
    }
}
