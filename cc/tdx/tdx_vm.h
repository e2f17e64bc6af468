/* The TDX driver's upper half: what a VM and its vCPUs have. */
#ifndef TDX_TDX_VM_H
#define TDX_TDX_VM_H

#include "arch_impl/svm.h"
#include "hv/cc_ops.h"
#include "hv/vm_priv.h"
#include "tdx.h"

#define TDX_SHARED BIT(47) /* GPAW 48: TD_CONFIG_GPAW is not set */

/* Of a 2 MiB chunk of RAM; guarded by td.lock */
#define TDX_CHUNK_LARGE  1u /* one private page */
#define TDX_CHUNK_SHARED 2u /* something of it is in the shared EPT */

struct tdx_vm {
    struct tdx_td td;
    struct tdx_ept ept;
    uint8_t *chunk;
    void *blank;          /* what a PC's ROMs are, to a TD that looks for them in shared memory */
    uint64_t conversions; /* pages */
};

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

static inline struct tdx_vm *tdx_of(const struct vm *vm)
{
    return vm->cc_data;
}

static inline struct tdx_vcpu *tdx_vcpu_of(const struct vcpu *v)
{
    return v->arch.cc_data;
}

/* tdx.c */
extern const struct cc_ops cc_tdx_ops;

/* tdx_cpuid.c */
MUST_CHECK bool tdx_cpuid_fill(struct tdx_td_params *p);

/* tdx_mem.c */
bool tdx_shared(struct vm *vm, pa_t at);
/* An EPT violation: true when the TD can go on. */
bool tdx_fault(struct vcpu *v, uint64_t gpa, uint64_t qualification, uint64_t extended);
/* A page of RAM becomes private, measured, a copy of `source`. */
MUST_CHECK enum abi_status tdx_mem_add(struct vm *vm, uint64_t gpa, pa_t source);
/* TDVMCALL MapGPA: GHCI 3.2; *next is where to go on when the answer is RETRY. */
uint64_t tdx_map_gpa(struct vm *vm, uint64_t gpa, uint64_t size, uint64_t *next);
/* The TD is dead: all RAM is the hypervisor's again, but what the module keeps. */
void tdx_mem_release(struct vm *vm);

/* tdx_vcpu.c */
MUST_CHECK enum abi_status tdx_vcpu_create(struct vcpu *v);
MUST_CHECK enum abi_status tdx_vcpu_flush(struct vcpu *v);
void tdx_end(struct vcpu *v, const char *fmt, ...) PRINTF(2, 3);

void tdx_halt(struct vcpu *v);

/* tdx_vmcall.c */
void tdx_vmcall(struct vcpu *v);

#endif
