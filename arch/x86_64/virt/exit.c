/* What a guest exits for. Everything the answer needs is in the VMCB: no instruction is decoded. */
#include "arch_impl/svm.h"

#include "arch_impl/insn.h"
#include "hv/call.h"
#include "hv/check.h"
#include "hv/cpu.h"
#include "hv/log.h"

/* RAX number, RDI RSI RDX R10 arguments; RAX status, RDI RSI RDX values (include/abi/call.def). */
static ALWAYS_INLINE void own_call(struct vcpu *v)
{
    struct guest_regs *r = &v->arch.regs;
    struct vmcb *b = v->arch.vmcb;
    struct call *c = &v->call;

    c->arg[0] = r->rdi;
    c->arg[1] = r->rsi;
    c->arg[2] = r->rdx;
    c->arg[3] = r->r10;
    b->rax = call_dispatch(v, b->rax, c);
    r->rdi = c->value[0];
    r->rsi = c->value[1];
    r->rdx = c->value[2];
    svm_skip(v, 3);
}

/* From an outer ring, or a number that another ABI may have, whose 64-bit registers are these. */
__attribute__((noinline)) static void unusual_call(struct vcpu *v)
{
    const struct guest_regs *r = &v->arch.regs;
    const uint64_t arg[5] = {r->rdi, r->rsi, r->rdx, r->r10, r->r8};
    struct vmcb *b = v->arch.vmcb;

    if (v->vm->legacy_abi != NULL && b->rax < GUEST_ABI_CALLS) {
        b->rax = v->vm->legacy_abi->call(v, b->rax, arg);
        svm_skip(v, 3);
    } else if (b->cpl != 0) {
        svm_inject(v, VEC_UD, NO_ERROR_CODE);
    } else {
        own_call(v);
    }
}

__attribute__((noinline)) static void exit_vmmcall(struct vcpu *v)
{
    if (UNLIKELY(v->arch.vmcb->cpl != 0 || v->arch.vmcb->rax < GUEST_ABI_CALLS)) {
        unusual_call(v);
        return;
    }
    own_call(v);
}

__attribute__((noinline)) static void exit_cpuid(struct vcpu *v)
{
    struct guest_regs *r = &v->arch.regs;
    struct vmcb *b = v->arch.vmcb;
    uint32_t out[4];

    guest_cpuid(v, (uint32_t)b->rax, (uint32_t)r->rcx, out);
    b->rax = out[0];
    r->rbx = out[1];
    r->rcx = out[2];
    r->rdx = out[3];
    svm_skip(v, 2);
}

__attribute__((noinline)) static void exit_ioio(struct vcpu *v)
{
    struct vmcb *b = v->arch.vmcb;
    uint64_t info = b->exit_info1;
    unsigned int size = IOIO_SIZE(info);
    uint64_t mask = BIT(size * 8) - 1;
    uint32_t value = UINT32_MAX;

    if ((info & IOIO_STRING) != 0) {
        vm_end(v->vm, VM_ERROR, "string I/O at port %x, rip %lx: no device here takes it",
               IOIO_PORT(info), (unsigned long)b->rip);
        return;
    }
    if ((info & IOIO_IN) != 0) {
        (void)vm_io_read(v->vm, IO_PORT, IOIO_PORT(info), size, &value);
        /* A 32-bit result clears the upper half of RAX. */
        b->rax = size == 4 ? value : (b->rax & ~mask) | (value & mask);
    } else {
        (void)vm_io_write(v->vm, IO_PORT, IOIO_PORT(info), size, (uint32_t)(b->rax & mask));
    }
    svm_go_on_at(v, b->exit_info2); /* 15.10.2: the next instruction's, prefixes and all */
}

__attribute__((noinline)) static void exit_msr(struct vcpu *v)
{
    struct guest_regs *r = &v->arch.regs;
    struct vmcb *b = v->arch.vmcb;
    uint32_t msr = (uint32_t)r->rcx;
    uint64_t value = (uint32_t)b->rax | r->rdx << 32;
    bool ok;

    if (b->exit_info1 != 0) {
        ok = guest_wrmsr(v, msr, value);
    } else {
        ok = guest_rdmsr(v, msr, &value);
        if (ok) {
            b->rax = (uint32_t)value;
            r->rdx = value >> 32;
        }
    }
    if (ok) {
        svm_skip(v, 2);
    } else {
        log_vm(v->vm, LOG_DEBUG, "%s of unknown MSR %x", b->exit_info1 != 0 ? "write" : "read",
               msr);
        svm_inject(v, VEC_GP, 0);
    }
}

static void exit_hlt(struct vcpu *v)
{
    svm_skip(v, 1);
    v->arch.wait = WAIT_HLT;
    v->arch.events = true;
}

static void exit_npf(struct vcpu *v)
{
    struct vmcb *b = v->arch.vmcb;
    enum abi_status st = vm_fault(v->vm, gpa(b->exit_info2), (b->exit_info1 & NPF_FETCH) != 0);

    if (st != ABI_OK) {
        vcpu_end(v, "%s of address %lx outside its memory, rip %lx",
                 (b->exit_info1 & NPF_FETCH) != 0   ? "execution"
                 : (b->exit_info1 & NPF_WRITE) != 0 ? "write"
                                                    : "read",
                 (unsigned long)b->exit_info2, (unsigned long)b->rip);
    }
}

/* The interrupt that made the guest exit is taken here, on the hypervisor's own IDT. */
void svm_take_interrupt(struct vcpu *v)
{
    (void)v;
    __asm__ volatile("sti; nop; cli" : : : "memory");
}

static void exit_exception(struct vcpu *v, unsigned int vector)
{
    if (vector == VEC_MC) {
        __asm__ volatile("int $18"); /* a machine check is the machine's, whoever ran */
        return;
    }
    if (vector == VEC_DB && svm_nmi_stepped(v)) {
        return;
    }
    svm_inject(v, vector, vector == VEC_AC ? 0 : NO_ERROR_CODE);
}

/* From the first access on, the registers are the guest's until it leaves this CPU. */
void svm_load_debug(struct vcpu *v)
{
    struct arch_vcpu *a = &v->arch;

    write_dr0(a->dr[0]);
    write_dr1(a->dr[1]);
    write_dr2(a->dr[2]);
    write_dr3(a->dr[3]);
    a->dr_live = true;
    a->vmcb->dr_reads = 0;
    a->vmcb->dr_writes = 0;
    vmcb_dirty(a->vmcb, CLEAN_INTERCEPTS);
}

static void exit_xsetbv(struct vcpu *v)
{
    struct guest_regs *r = &v->arch.regs;
    struct vmcb *b = v->arch.vmcb;
    uint64_t value = (uint32_t)b->rax | r->rdx << 32;

    if (b->cpl != 0 || (uint32_t)r->rcx != 0 || !fpu_xcr0_valid(value)) {
        svm_inject(v, VEC_GP, 0);
        return;
    }
    v->arch.xcr0 = value;
    xsetbv(0, value);
    svm_skip(v, 3);
}

/* Not inlined: the frequent exits need none of the registers that it saves. */
__attribute__((noinline)) static void exit_unusual(struct vcpu *v)
{
    struct vmcb *b = v->arch.vmcb;
    uint64_t code = b->exit_code;

    switch (code) {
    case EXIT_NPF:
        exit_npf(v);
        return;
    case EXIT_WBINVD: /* caches are coherent with everything that a guest can reach */
    case EXIT_INVD:
        svm_skip(v, 2);
        return;
    case EXIT_XSETBV:
        exit_xsetbv(v);
        return;
    case EXIT_IRET:
        svm_nmi_returns(v);
        return;
    case EXIT_RDPMC:
        svm_inject(v, VEC_GP, 0);
        return;
    case EXIT_SHUTDOWN: /* the state in the VMCB is undefined: 15.14.3 */
        vm_end(v->vm, VM_TRIPLE_FAULT, "vCPU %u", v->index);
        return;
    case EXIT_NMI: /* taken when the global interrupt flag was set */
    case EXIT_SMI:
        return;
    case EXIT_RSM:
    case EXIT_INVLPGA:
    case EXIT_MONITOR:
    case EXIT_MWAIT:
    case EXIT_RDPRU:
        svm_inject(v, VEC_UD, NO_ERROR_CODE);
        return;
    default:
        if (code >= EXIT_VMRUN && code <= EXIT_SKINIT) {
            svm_inject(v, VEC_UD, NO_ERROR_CODE);
        } else if (code >= EXIT_DR0_READ && code <= EXIT_DR15_WRITE) {
            svm_load_debug(v);
        } else if (code >= EXIT_EXCEPTION && code < EXIT_INTR) {
            exit_exception(v, (unsigned int)(code - EXIT_EXCEPTION));
        } else {
            vcpu_end(v, "exit %lx (%lx, %lx), rip %lx", (unsigned long)code,
                     (unsigned long)b->exit_info1, (unsigned long)b->exit_info2,
                     (unsigned long)b->rip);
        }
    }
}

/*
 * The frequent ones, compared one by one: a jump by a table would be a retpoline, and dearer. The
 * long ones are not inlined, so that each saves only the registers that it needs.
 */
void svm_handle_exit(struct vcpu *v)
{
    uint64_t code = v->arch.vmcb->exit_code;

    if (code == EXIT_VMMCALL) {
        exit_vmmcall(v);
    } else if (code == EXIT_MSR) {
        exit_msr(v);
    } else if (code == EXIT_INTR) {
        svm_take_interrupt(v);
    } else if (code == EXIT_IOIO) {
        exit_ioio(v);
    } else if (code == EXIT_CPUID) {
        exit_cpuid(v);
    } else if (code == EXIT_HLT) {
        exit_hlt(v);
    } else {
        exit_unusual(v);
    }
}
