/* The TDX driver's upper half: what a VM and its vCPUs have. */
#ifndef TDX_TDX_VM_H
#define TDX_TDX_VM_H

#include "arch_impl/svm.h"
#include "hv/cc_ops.h"
#include "tdx_ram.h"

/* SDM Vol. 3, 30.6: the posted-interrupt descriptor */
struct tdx_posted {
    uint64_t requests[4];
    uint64_t control; /* bit 0: outstanding notification */
    uint64_t reserved[3];
};
_Static_assert(sizeof(struct tdx_posted) == 64, "SDM table 30-1");
#define POSTED_ON 1ull

struct tdx_vcpu {
    pa_t tdvpr;
    struct tdx_posted *posted;
    bool associated; /* with the CPU that it runs on */
    struct tdx_regs regs;
};

static inline struct tdx_vcpu *tdx_vcpu_of(const struct vcpu *v)
{
    return v->arch.cc_data;
}

/* tdx.c */
extern const struct cc_ops cc_tdx_ops;

/* tdx_cpuid.c */
MUST_CHECK bool tdx_cpuid_fill(struct tdx_td_params *p);

/* tdx_vcpu.c */
MUST_CHECK enum abi_status tdx_vcpu_create(struct vcpu *v);
/* Before the TD is final; it will find that in RCX. */
MUST_CHECK enum abi_status tdx_vcpu_init(struct vcpu *v, uint64_t rcx);
MUST_CHECK enum abi_status tdx_vcpu_flush(struct vcpu *v);

bool tdx_has_interrupt(struct vcpu *v); /* posted, and not taken yet */
void tdx_halt(struct vcpu *v, bool blocked);

/* tdx_vmcall.c */
void tdx_vmcall(struct vcpu *v);

#endif
