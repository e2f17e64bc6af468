#ifndef ARCH_IMPL_VCPU_H
#define ARCH_IMPL_VCPU_H

#include "hv/types.h"

/*
 * A fake vCPU (arch/fake/include/arch_impl/vcpu.h) that also has what cc/snp and cc/tdx use of an
 * x86 one: the drivers on the fake machine.
 */
struct vcpu;
struct cpu;
struct vmcb;
struct svm_encrypted;

struct guest_regs {
    uint64_t rbx, rcx, rdx, rsi, rdi, rbp;
    uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
};

struct vlapic {
    uint64_t irr[4];
};

struct mtrr_state {
    uint64_t def, fixed[11], var[16];
};

enum wait_state { WAIT_NONE, WAIT_HLT, WAIT_NMI, WAIT_EVENT, WAIT_SIPI };

struct arch_vcpu {
    uint64_t want;
    uint64_t on_event;
    enum run_end (*run)(struct vcpu *v);
    struct cpu *on;
    uint32_t events;
    uint32_t flushes;
    uint32_t stops;
    uint32_t halts;
    uint32_t runs;
    uint64_t irqs[4];
    uint32_t raised, waits;
    bool wakeable;
    void *memory; /* here: the VMCB */
    const void *entry;

    struct vmcb *vmcb;
    uint64_t vmcb_pa;
    enum wait_state wait;
    bool nmi_pending, nmi_masked;
    struct vlapic apic;
    bool in_flight, irq_armed;
    uint8_t irq_vector;
    uint64_t reinject;
    struct cpu *last_cpu;
    struct mtrr_state mtrr;
    const struct svm_encrypted *encrypted;
    void *cc_data;
};

struct arch_vm {
    bool made;
    uint64_t clock_zero, tsc_offset;
    uint32_t flushes;
};

#endif
