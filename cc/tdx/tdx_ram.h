/* A TD's RAM: tdx_mem.c. It knows no architecture, so that it runs on the fake one. */
#ifndef TDX_TDX_RAM_H
#define TDX_TDX_RAM_H

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

static inline struct tdx_vm *tdx_of(const struct vm *vm)
{
    return vm->cc_data;
}

bool tdx_shared(struct vm *vm, pa_t at);
/* An EPT violation: true when the TD can go on. */
bool tdx_fault(struct vm *vm, uint64_t gpa, uint64_t qualification, uint64_t extended);
/* A page of RAM becomes private, a copy of `source`, before the TD is final. */
MUST_CHECK enum abi_status tdx_mem_add(struct vm *vm, uint64_t gpa, pa_t source);
/* TDVMCALL MapGPA: GHCI 3.2; *next is where to go on when the answer is RETRY. */
uint64_t tdx_map_gpa(struct vm *vm, uint64_t gpa, uint64_t size, uint64_t *next);
/* Its end: all RAM is the hypervisor's again, but what the module keeps: all, if it lives on. */
void tdx_mem_release(struct vm *vm);

#endif
