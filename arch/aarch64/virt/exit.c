/* What a guest exits for. The syndrome says all about an access: no instruction is looked at. */
#include "../cpu/aarch64.h"
#include "arch_impl/insn.h"
#include "hv/check.h"
#include "hv/device.h"
#include "hv/log.h"
#include "virt.h"

/* Arm ARM, ESR_EL2.EC. */
enum {
    EC_WFX = 0x01,
    EC_FP = 0x07,
    EC_PAUTH = 0x09,
    EC_LS64 = 0x0a,
    EC_HVC64 = 0x16,
    EC_SMC64 = 0x17,
    EC_SYSREG = 0x18,
    EC_SVE = 0x19,
    EC_SME = 0x1d,
    EC_INSTRUCTION_ABORT = 0x20,
    EC_DATA_ABORT = 0x24,
};

#define ISS_ISV     BIT(24)
#define ISS_SAS(i)  (1u << field((i), 22, 2)) /* bytes */
#define ISS_SSE     BIT(21)
#define ISS_SRT(i)  ((unsigned int)field((i), 16, 5))
#define ISS_SF      BIT(15)
#define ISS_WNR     BIT(6)
#define FSC(i)      ((i) & 0x3c)
#define FSC_TRANSLATION 0x04u
#define ISS_WFE     1u

#define PSTATE_EL1H      5u
#define PSTATE_DAIF      0x3c0ull
#define PSTATE_KEPT      0xf1000000ull /* N, Z, C, V, DIT */
#define PSTATE_PAN       BIT(22)
#define PSTATE_SS        BIT(21)
#define PSTATE_SSBS      BIT(12)
#define PSTATE_BTYPE     (3ull << 10)
#define SCTLR_SPAN       BIT(23)
#define SCTLR_DSSBS      BIT(44)

/* The instruction that exited is done: a single step has been made, a branch has landed. */
void guest_skip(struct vcpu *v)
{
    v->arch.regs.pc += 4;
    v->arch.regs.pstate &= ~(PSTATE_SS | PSTATE_BTYPE);
}

/* The exception is taken as the CPU would take it: Arm ARM, AArch64.TakeException. */
void inject_undefined(struct vcpu *v)
{
    struct guest_regs *r = &v->arch.regs;
    uint64_t vector = sysreg_read(vbar_el1);
    uint64_t mode = r->pstate & 15;
    uint64_t sctlr = sysreg_read(sctlr_el1);

    vector += mode == PSTATE_EL1H ? 0x200 : mode == 4 ? 0 : 0x400;
    sysreg_write(elr_el1, r->pc);
    sysreg_write(spsr_el1, r->pstate);
    sysreg_write(esr_el1, BIT(25)); /* EC 0, a 32-bit instruction */
    r->pc = vector;
    r->pstate = (r->pstate & (PSTATE_KEPT | PSTATE_PAN)) | PSTATE_DAIF | PSTATE_EL1H |
                ((sctlr & SCTLR_SPAN) == 0 ? PSTATE_PAN : 0) |
                ((sctlr & SCTLR_DSSBS) != 0 ? PSTATE_SSBS : 0);
}

static void exit_wfx(struct vcpu *v, uint64_t iss)
{
    guest_skip(v);
    if ((iss & ISS_WFE) == 0) {
        v->arch.wait = WAIT_WFI;
        v->arch.events = true;
    }
}

/* SMC is trapped before it is done: Arm ARM, HCR_EL2.TSC. */
static void exit_smc(struct vcpu *v)
{
    guest_skip(v);
    guest_smccc(v);
}

static void exit_sysreg(struct vcpu *v, uint64_t iss)
{
    if (guest_sysreg(v, (uint32_t)iss)) {
        guest_skip(v);
    } else {
        log_vm(v->vm, LOG_DEBUG, "no system register s%u_%u_c%u_c%u_%u, pc %lx",
               (unsigned int)field(iss, 20, 2), (unsigned int)field(iss, 14, 3),
               (unsigned int)field(iss, 10, 4), (unsigned int)field(iss, 1, 4),
               (unsigned int)field(iss, 17, 3), (unsigned long)v->arch.regs.pc);
        inject_undefined(v);
    }
}

/* The address of a second-stage fault: HPFAR has the page, FAR the rest. */
static uint64_t fault_address(void)
{
    return (sysreg_read(hpfar_el2) & ~15ull) << 8 | (sysreg_read(far_el2) & (PAGE_SIZE - 1));
}

static uint64_t extend(uint64_t value, uint64_t iss)
{
    unsigned int bits = 8 * ISS_SAS(iss);

    if (bits < 64) {
        value &= BIT(bits) - 1;
        if ((iss & ISS_SSE) != 0 && (value >> (bits - 1) & 1) != 0) {
            value |= ~(BIT(bits) - 1);
        }
    }
    return (iss & ISS_SF) != 0 ? value : (uint32_t)value;
}

bool guest_device_access(struct vcpu *v, uint64_t at, bool write, unsigned int size,
                         uint64_t *value)
{
    uint32_t word = (uint32_t)*value;
    bool found;

    if (vgic_access(v, at, write, size, value)) {
        return true;
    }
    if (size > sizeof(word)) {
        return false; /* no device has registers of 64 bits */
    }
    found = write ? vm_io_write(v->vm, IO_MMIO, at, size, word)
                  : vm_io_read(v->vm, IO_MMIO, at, size, &word);
    *value = word;
    return found;
}

/* Devices lie between RAM and 4 GiB, and nowhere else. */
static bool in_device_hole(uint64_t at)
{
    return at >= RAM_BELOW_4G && at < GiB(4);
}

/* A register that nobody has reads all ones and takes no write. */
static void exit_mmio(struct vcpu *v, uint64_t at, uint64_t iss)
{
    bool write = (iss & ISS_WNR) != 0;
    uint64_t value = guest_reg(v, ISS_SRT(iss));

    if (!guest_device_access(v, at, write, ISS_SAS(iss), &value)) {
        log_vm(v->vm, LOG_DEBUG, "no device at %lx", (unsigned long)at);
        value = UINT64_MAX;
    }
    if (!write) {
        set_guest_reg(v, ISS_SRT(iss), extend(value, iss));
    }
    guest_skip(v);
}

/* Memory that is not there yet is a translation fault; all else is forbidden, or cannot be said. */
static void exit_abort(struct vcpu *v, uint64_t iss, bool fetch)
{
    uint64_t at = fault_address();
    bool device = !fetch && in_device_hole(at);
    enum abi_status st = ABI_BAD_ADDRESS;

    if (FSC(iss) == FSC_TRANSLATION && device && (iss & ISS_ISV) != 0) {
        exit_mmio(v, at, iss);
        return;
    }
    if (FSC(iss) == FSC_TRANSLATION && !device) {
        st = vm_fault(v->vm, gpa(at), fetch);
    }
    if (st != ABI_OK) {
        vcpu_end(v, "%s of address %lx that nothing answers, iss %lx, pc %lx",
                 fetch ? "execution" : (iss & ISS_WNR) != 0 ? "write" : "read", (unsigned long)at,
                 (unsigned long)iss, (unsigned long)v->arch.regs.pc);
    }
}

static void exit_sync(struct vcpu *v)
{
    uint64_t esr = sysreg_read(esr_el2);
    uint64_t iss = esr & (BIT(25) - 1);

    switch (field(esr, 26, 6)) {
    case EC_WFX:
        exit_wfx(v, iss);
        return;
    case EC_HVC64:
        guest_smccc(v);
        return;
    case EC_SMC64:
        exit_smc(v);
        return;
    case EC_SYSREG:
        exit_sysreg(v, iss);
        return;
    case EC_INSTRUCTION_ABORT:
        exit_abort(v, iss, true);
        return;
    case EC_DATA_ABORT:
        exit_abort(v, iss, false);
        return;
    case EC_FP: /* what the ID registers do not show */
    case EC_PAUTH:
    case EC_LS64:
    case EC_SVE:
    case EC_SME:
        inject_undefined(v);
        return;
    default:
        vcpu_end(v, "exit with syndrome %lx, pc %lx", (unsigned long)esr,
                 (unsigned long)v->arch.regs.pc);
    }
}

void guest_exit(struct vcpu *v, uint64_t why)
{
    switch (why) {
    case GUEST_SYNC:
        exit_sync(v);
        return;
    case GUEST_IRQ:
    case GUEST_FIQ:
        gic_take();
        return;
    case GUEST_SERROR:
        vcpu_end(v, "SError, syndrome %lx", (unsigned long)sysreg_read(esr_el2));
        return;
    default:
        vcpu_end(v, "AArch32 state");
    }
}
