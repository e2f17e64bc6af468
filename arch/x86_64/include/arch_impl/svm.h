/* The files of virt/, to each other. */
#ifndef X86_SVM_H
#define X86_SVM_H

#include "hv/page.h"
#include "hv/types.h"
#include "hv/vm_priv.h"
#include "arch_impl/vmcb.h"

/* Tells a CPU that runs a guest to look at what is posted to it; otherwise it means nothing. */
#define VECTOR_POSTED 0xf2u

struct svm_features {
    bool nrips, flush_by_asid, decode_assists;
    uint32_t first_asid, asids; /* of plain guests: first_asid to asids - 1 */
};
extern struct svm_features svm_features;

/* Runs the guest until it exits. svm_vmrun (svm_entry.S) keeps RBX, RBP and RSP. */
static ALWAYS_INLINE void svm_enter(struct guest_regs *regs, uint64_t vmcb_pa,
                                    uint64_t host_vmcb_pa)
{
    __asm__ volatile("call svm_vmrun"
                     : "+D"(regs), "+S"(vmcb_pa)
                     : "d"(host_vmcb_pa)
                     : "rax", "rcx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
                       "memory", "cc");
}

static inline void vmcb_dirty(struct vmcb *b, uint32_t bits)
{
    b->clean &= ~bits;
}

/*
 * A page that VMRUN uses is never the first of 2 MiB: by an erratum of chips with SNP a write to
 * anything in the same 2 MiB could fault while it is in use. (Linux: snp_safe_alloc_page.)
 */
static inline bool svm_page_alloc(uint16_t owner, pa_t *at)
{
    if (!page_alloc(ORDER_4K + 1, PAGE_HV, owner, at)) {
        return false;
    }
    page_split(*at, ORDER_4K);
    page_free(*at, PAGE_HV, owner);
    at->v += PAGE_SIZE;
    return true;
}

/* speculation.c: each CPU; a vCPU is about to run on this one */
void speculation_init(struct cpu *c);
void speculation_switch(struct cpu *c, const struct vcpu *v);
/* svm_entry.S: no return prediction is a guest's any more. */
void svm_forget_returns(void);

/* svm.c: the intercepts and the rest of the controls that every guest has. */
void svm_set_controls(struct vcpu *v);

/* How a vCPU runs whose registers the hypervisor does not see; arch_vcpu.encrypted. */
struct svm_encrypted {
    void (*load)(struct vcpu *v);  /* it comes to this CPU; NULL: nothing to do */
    void (*enter)(struct vcpu *v, uint64_t host_vmcb);
    void (*handle_exit)(struct vcpu *v);
    void (*reset)(struct vcpu *v); /* INIT: it waits, unless this says that it does not */
    void (*sipi)(struct vcpu *v);  /* while it waits; NULL: nothing comes of it */
    void (*save)(struct vcpu *v);  /* it leaves this CPU; NULL: nothing to do */
};

uint64_t tsc_hz(void); /* clock.c */

/* exit.c: handles what the guest exited for. */
void svm_handle_exit(struct vcpu *v);
/* The debug registers are the guest's own from now on, until it leaves this CPU. */
void svm_load_debug(struct vcpu *v);
/* Takes the interrupt that made a guest exit, on the hypervisor's own IDT. */
void svm_take_interrupt(struct vcpu *v);

/* inject.c */
#define VEC_DB 1u
#define VEC_UD 6u
#define VEC_DF 8u
#define VEC_GP 13u
#define VEC_AC 17u
#define VEC_MC 18u
#define NO_ERROR_CODE (-1)
void svm_inject(struct vcpu *v, unsigned int vector, int64_t error);
void svm_trap_step(struct vcpu *v); /* the guest single-steps, and we did the step for it */
void svm_nmi_returns(struct vcpu *v); /* the guest is about to run IRET of its NMI handler */
bool svm_nmi_stepped(struct vcpu *v); /* this #DB only says that it has */
void svm_prepare_events(struct vcpu *v); /* before each entry that may have something to inject */
void svm_account_events(struct vcpu *v); /* after an exit: what became of what was in flight */

/* The instruction that exited is done, and the next is there. */
static inline void svm_go_on_at(struct vcpu *v, uint64_t rip)
{
    struct vmcb *b = v->arch.vmcb;

    b->rip = rip;
    b->int_state &= ~INT_STATE_SHADOW;
    if (UNLIKELY((b->rflags & RFLAGS_TF) != 0)) {
        svm_trap_step(v);
    }
}

/* Past the instruction that exited: NRIP where the CPU tells, else its length. */
static inline void svm_skip(struct vcpu *v, unsigned int len)
{
    struct vmcb *b = v->arch.vmcb;

    svm_go_on_at(v, svm_features.nrips ? b->nrip : b->rip + len);
}

/* cpuid.c, msr.c: false -> #GP */
void guest_cpuid(struct vcpu *v, uint32_t leaf, uint32_t sub, uint32_t out[4]);
void cpuid_policy_init(void);
bool guest_rdmsr(struct vcpu *v, uint32_t msr, uint64_t *value);
/* Both find and set values in the VMCB's save area or arch_vcpu; encrypted guests ask for few. */
bool guest_wrmsr(struct vcpu *v, uint32_t msr, uint64_t value);
/* Permission maps, shared by all guests. */
extern uint8_t svm_msrpm[8192], svm_iopm[12288];
/* The MSRs' of all encrypted guests, physical; that MSR is in their save areas. */
uint64_t svm_encrypted_msrpm(void);
void svm_leave_to_encrypted(uint32_t msr);
void msr_init(void);

/* vlapic.c */
void vlapic_reset(struct vcpu *v);
void vlapic_destroy(struct vcpu *v);
bool vlapic_read(struct vcpu *v, uint32_t msr, uint64_t *value);
bool vlapic_write(struct vcpu *v, uint32_t msr, uint64_t value);
void vlapic_set(struct vcpu *v, uint8_t vector); /* any CPU */
/* The vector to deliver next, or -1; it is offered for one entry; the guest took it, or did not. */
int vlapic_next(struct vcpu *v);
void vlapic_offer(struct vcpu *v, uint8_t vector);
void vlapic_accept(struct vcpu *v, uint8_t vector);
void vlapic_take_back(struct vcpu *v, uint8_t vector);
/* Would it wake the vCPU from HLT? */
bool vlapic_wakes(struct vcpu *v);
void vlapic_sync_tpr(struct vcpu *v);

/* pvclock.c: KVM's clock pages */
void pvclock_write(struct vcpu *v, uint64_t msr_value);
void pvwall_write(struct vcpu *v, uint64_t msr_value);

/* fpu.c */
size_t fpu_area_size(void);
void fpu_init(void);
void fpu_reset(struct vcpu *v);
/* All the state that guests may have, in XSAVE's standard form (FXSAVE's without it): 64-byte
 * aligned, fpu_area_size() bytes. After a load XCR0 is the guest's. */
void fpu_save(uint8_t *area);
void fpu_load(const uint8_t *area, uint64_t xcr0);
uint64_t fpu_xcr0_mask(void);
bool fpu_xcr0_valid(uint64_t xcr0);

/* reset.c: initial states */
void svm_reset_state(struct vcpu *v);
void svm_entry_state(struct vcpu *v, const struct vcpu_entry *entry);
void svm_start_at(struct vcpu *v, uint8_t sipi_vector);

#endif
