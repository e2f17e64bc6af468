/*
 * TDVMCALL: what a TD asks of its host. GHCI 3. R10 0, R11 the subfunction; R10 is the answer. Any
 * other R10 is a vendor's: the number of a call of the guest ABI (include/abi/call.def).
 */
#include "hv/call.h"
#include "hv/log.h"
#include "hv/string.h"
#include "tdx_vm.h"

#define FATAL_TEXT 64u
#define INFO_EVENT_NOTIFY BIT(1) /* SetupEventNotifyInterrupt */
#define KVM_FEATURES_LEAF 0x40000001u
#define TD_KVM_FEATURES   (BIT(1) | BIT(15)) /* no I/O delay, MSI extended destination: no clock */
#define MSR_X2APIC_ICR    0x830u
#define ICR_MODE(icr)     ((unsigned int)((icr) >> 8) & 7)

static uint64_t do_cpuid(struct vcpu *v, struct tdx_regs *r)
{
    uint32_t leaf = (uint32_t)r->r12, out[4] = {0};

    if (leaf >= 0x40000000 && leaf < 0x50000000) {
        guest_cpuid(v, leaf, (uint32_t)r->r13, out);
    }
    if (leaf == KVM_FEATURES_LEAF) {
        out[0] &= (uint32_t)TD_KVM_FEATURES;
    }
    r->r12 = out[0];
    r->r13 = out[1];
    r->r14 = out[2];
    r->r15 = out[3];
    return TDVMCALL_SUCCESS;
}

static uint64_t do_io(struct vcpu *v, struct tdx_regs *r)
{
    unsigned int size = (unsigned int)r->r12;
    uint32_t value = UINT32_MAX;
    uint64_t mask;

    if ((r->r12 != 1 && r->r12 != 2 && r->r12 != 4) || r->r13 > 1 || r->r14 > 0xffff) {
        return TDVMCALL_INVALID_OPERAND;
    }
    mask = BIT(size * 8) - 1;
    if (r->r13 == 0) {
        (void)vm_io_read(v->vm, IO_PORT, r->r14, size, &value);
        r->r11 = value & mask;
    } else {
        (void)vm_io_write(v->vm, IO_PORT, r->r14, size, (uint32_t)(r->r15 & mask));
    }
    return TDVMCALL_SUCCESS;
}

static uint64_t do_rdmsr(struct vcpu *v, struct tdx_regs *r)
{
    uint64_t value;

    if (r->r12 > UINT32_MAX || !guest_rdmsr(v, (uint32_t)r->r12, &value)) {
        log_vm(v->vm, LOG_DEBUG, "read of unknown MSR %lx", (unsigned long)r->r12);
        return TDVMCALL_INVALID_OPERAND;
    }
    r->r11 = value;
    return TDVMCALL_SUCCESS;
}

/* INIT and start-up interrupts do nothing to a TD's vCPUs. */
static bool is_startup(const struct tdx_regs *r)
{
    return r->r12 == MSR_X2APIC_ICR && (ICR_MODE(r->r13) == 5 || ICR_MODE(r->r13) == 6);
}

static uint64_t do_wrmsr(struct vcpu *v, struct tdx_regs *r)
{
    if (is_startup(r)) {
        return TDVMCALL_SUCCESS;
    }
    if (r->r12 > UINT32_MAX || !guest_wrmsr(v, (uint32_t)r->r12, r->r13)) {
        log_vm(v->vm, LOG_DEBUG, "write of unknown MSR %lx", (unsigned long)r->r12);
        return TDVMCALL_INVALID_OPERAND;
    }
    return TDVMCALL_SUCCESS;
}

/* No device of this platform is reached by memory: reads give ones, writes go nowhere. Private
 * addresses are none of ours to emulate. */
static uint64_t do_mmio(struct tdx_regs *r)
{
    if (r->r14 >> 47 != 1) { /* SHARED, and nothing above it */
        return TDVMCALL_INVALID_OPERAND;
    }
    if ((r->r12 != 1 && r->r12 != 2 && r->r12 != 4 && r->r12 != 8) || r->r13 > 1) {
        return TDVMCALL_INVALID_OPERAND;
    }
    if (r->r13 == 0) {
        r->r11 = r->r12 == 8 ? ~0ull : BIT(r->r12 * 8) - 1;
    }
    return TDVMCALL_SUCCESS;
}

static uint64_t do_map_gpa(struct vcpu *v, struct tdx_regs *r)
{
    uint64_t next = r->r12;
    uint64_t st = tdx_map_gpa(v->vm, r->r12, r->r13, &next);

    r->r11 = next;
    return st;
}

/* GHCI 3.4: 64 bytes of text in eight registers. */
static void fatal(struct vcpu *v, const struct tdx_regs *r)
{
    const uint64_t words[FATAL_TEXT / 8] = {r->r14, r->r15, r->rbx, r->rdi,
                                            r->rsi, r->r8,  r->r9,  r->rdx};
    char text[FATAL_TEXT + 1] = {0};

    memcpy(text, words, FATAL_TEXT);
    for (unsigned int i = 0; text[i] != '\0'; i++) {
        if (text[i] < ' ' || text[i] > '~') {
            text[i] = '?';
        }
    }
    vcpu_end(v, "reports a fatal error %lx: %s", (unsigned long)r->r12, text);
}

/* GHCI 3.1: leaf 0 is for the base calls, which all hosts have; leaf 1 tells which others. */
static uint64_t get_info(struct tdx_regs *r)
{
    uint64_t leaf = r->r12;

    r->r11 = leaf == 1 ? INFO_EVENT_NOTIFY : 0;
    r->r12 = r->r13 = r->r14 = 0;
    return leaf <= 1 ? TDVMCALL_SUCCESS : TDVMCALL_INVALID_OPERAND;
}

static uint64_t call(struct vcpu *v, struct tdx_regs *r)
{
    switch (r->r11) {
    case TDX_EXIT_CPUID:
        return do_cpuid(v, r);
    case TDX_EXIT_HLT:
        tdx_halt(v, r->r12 != 0);
        return TDVMCALL_SUCCESS;
    case TDX_EXIT_IO:
        return do_io(v, r);
    case TDX_EXIT_RDMSR:
        return do_rdmsr(v, r);
    case TDX_EXIT_WRMSR:
        return do_wrmsr(v, r);
    case TDX_EXIT_EPT_VIOLATION:
        return do_mmio(r);
    case TDVMCALL_GET_INFO:
        return get_info(r);
    case TDVMCALL_MAP_GPA:
        return do_map_gpa(v, r);
    case TDVMCALL_REPORT_FATAL_ERROR:
        fatal(v, r);
        return TDVMCALL_SUCCESS;
    case TDVMCALL_GET_QUOTE:
        return tdx_get_quote(v->vm, r->r12, r->r13);
    case TDVMCALL_SETUP_EVENT_NOTIFY:
        return tdx_event_notify(v, r->r12);
    default:
        log_vm(v->vm, LOG_DEBUG, "TDVMCALL %lx is not known", (unsigned long)r->r11);
        return TDVMCALL_NOT_SUPPORTED;
    }
}

static void own_call(struct vcpu *v, struct tdx_regs *r)
{
    struct call *c = &v->call;

    c->arg[0] = r->r11;
    c->arg[1] = r->r12;
    c->arg[2] = r->r13;
    c->arg[3] = r->r14;
    r->r10 = call_dispatch(v, r->r10, c);
    r->r11 = c->value[0];
    r->r12 = c->value[1];
    r->r13 = c->value[2];
    if (v->arch.wait == WAIT_EVENT && tdx_has_interrupt(v)) {
        v->arch.wait = WAIT_NONE; /* its virtual APIC has what ours no longer has */
    }
}

void tdx_vmcall(struct vcpu *v)
{
    struct tdx_regs *r = &tdx_vcpu_of(v)->regs;

    if (r->r10 == 0) {
        r->r10 = call(v, r);
    } else {
        own_call(v, r);
    }
}
