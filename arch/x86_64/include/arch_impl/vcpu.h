#ifndef ARCH_IMPL_VCPU_H
#define ARCH_IMPL_VCPU_H

#include "hv/timer.h"
#include "hv/types.h"

/* The registers that VMRUN leaves to us, as svm_entry.S has them; RAX and RSP are in the VMCB. */
struct guest_regs {
    uint64_t rbx, rcx, rdx, rsi, rdi, rbp;
    uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
};

/* A virtual x2APIC: registers in MSRs, edge-triggered only, TSC-deadline and counting timer. */
struct vlapic {
    uint64_t irr[4]; /* set by anyone, atomically */
    uint64_t isr[4];
    uint8_t tpr;
    uint32_t svr, lvt[6];
    uint32_t timer_initial, timer_divide;
    uint64_t timer_start; /* ns; the counting modes */
    uint64_t tsc_deadline;
    struct timer timer;
    uint64_t icr;
    uint32_t base_clear; /* bits of APIC_BASE that a guest of another ABI has cleared */
};

enum wait_state { WAIT_NONE, WAIT_HLT, WAIT_NMI, WAIT_EVENT, WAIT_SIPI };

/* APM 2, 7.7.1: enabled, write-back, as firmware leaves them, and INIT keeps them. With E clear
 * Linux 6.1 forgoes the PAT, too, which it cannot do without as an SNP guest. */
#define MTRR_DEF_FIRMWARE 0x806u
struct mtrr_state {
    uint64_t def, fixed[11], var[16];
};

struct vmcb;
struct svm_encrypted;

struct arch_vcpu {
    struct guest_regs regs; /* first: svm_entry.S */
    struct vmcb *vmcb;
    uint64_t vmcb_pa;
    uint64_t number;      /* from 1 on, never used again */
    struct vlapic apic;
    enum wait_state wait;
    bool events;          /* something may have to be injected, waited for or flushed */
    bool in_flight;       /* this entry carries an event or V_IRQ */
    bool irq_armed;       /* this entry's V_IRQ is for irq_vector */
    uint8_t irq_vector;
    bool nmi_pending, nmi_masked;
    bool nmi_returning;   /* at iret_rip, about to leave the NMI handler */
    bool nmi_step;        /* RFLAGS.TF is ours */
    uint64_t iret_rip;
    uint8_t sipi_vector;
    uint64_t reinject;    /* EXITINTINFO to deliver again, or 0 */
    uint64_t asid_generation;
    struct cpu *last_cpu; /* whose ASID it has */
    bool dr_live;         /* DR0-3 are the guest's own for now */
    uint64_t dr[4];
    uint64_t xcr0;
    uint64_t tsc_aux;
    uint64_t pvclock, pvwall; /* MSR values */
    uint64_t hwcr;
    struct mtrr_state mtrr;
    uint8_t *fpu;         /* XSAVE area, 64-byte aligned */
    const struct svm_encrypted *encrypted; /* NULL: a plain vCPU */
    void *cc_data;        /* the technology's own */
};

struct arch_vm {
    uint64_t tsc_offset;
    uint8_t no_eoi; /* a vector that is over when it is taken; 0: none */
};

#endif
