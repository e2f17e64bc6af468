/*
 * What one vCPU taught the branch predictors serves no other, nor steers the hypervisor. AMD,
 * "Software Techniques for Managing Speculation on AMD Processors"; APM Vol. 2, 3.2.9.
 *
 * Between vCPUs: a barrier on the switch, and STIBP against the sibling thread, where another guest
 * may run. Into the hypervisor: Automatic IBRS where the chip has it; for older ones every indirect
 * branch is a retpoline (hv/build.mk). What returns would find: arch_impl/returns.h.
 */
#include "arch_impl/insn.h"
#include "arch_impl/svm.h"
#include "hv/cpu.h"
#include "hv/log.h"

/* CPUID Fn8000_0008 EBX, Fn8000_0021 EAX */
#define HAS_IBPB      BIT(12)
#define HAS_STIBP     BIT(15)
#define HAS_AUTO_IBRS BIT(8)

void speculation_init(struct cpu *c)
{
    uint32_t max = cpuid(0x80000000, 0).eax;
    uint32_t has = max >= 0x80000008 ? cpuid(0x80000008, 0).ebx : 0;

    c->arch.ibpb = (has & HAS_IBPB) != 0;
    if (!c->arch.ibpb && c->index == 0) {
        log_info("this CPU has no IBPB: no barrier keeps its guests' branch predictions apart");
    }
    if ((has & HAS_STIBP) != 0) {
        wrmsr(MSR_SPEC_CTRL, rdmsr(MSR_SPEC_CTRL) | SPEC_CTRL_STIBP);
    }
    if (max >= 0x80000021 && (cpuid(0x80000021, 0).eax & HAS_AUTO_IBRS) != 0) {
        wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_AIBRSE);
    }
}

/*
 * Between two vCPUs of one guest as well, as KVM and Xen have it: a guest takes them for CPUs that
 * share nothing. By number, since a vCPU made later can have the address of one that is gone.
 */
void speculation_switch(struct cpu *c, const struct vcpu *v)
{
    if (c->arch.last_vcpu == v->arch.number) {
        return;
    }
    c->arch.last_vcpu = v->arch.number;
    if (c->arch.ibpb) {
        wrmsr(MSR_PRED_CMD, PRED_CMD_IBPB);
    }
}
