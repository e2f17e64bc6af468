/*
 * A TD's RAM, and its quotes: tdx_mem.c, tdx_quote.c. They know no architecture, so that they run
 * on the fake one.
 */
#ifndef TDX_TDX_RAM_H
#define TDX_TDX_RAM_H

#include "hv/vm_priv.h"
#include "tdx.h"

#define TDX_SHARED BIT(47) /* GPAW 48: TD_CONFIG_GPAW is not set */

/* Of a 2 MiB chunk of RAM; guarded by td.lock */
#define TDX_CHUNK_LARGE  1u /* one private page */
#define TDX_CHUNK_SHARED 2u /* something of it is in the shared EPT */

/* Quotes that were asked for: guarded by their lock. */
#define TDX_QUOTES 4u
struct tdx_quote {
    uint32_t id;       /* 0: free */
    uint32_t have;     /* bytes of the quote so far */
    uint64_t at, size; /* the buffer, without the SHARED bit */
    uint64_t since;    /* clock_ns() */
};
struct tdx_quotes {
    struct lock lock;
    uint32_t last_id;
    uint32_t vector, vcpu; /* who is told by which interrupt; vector 0: nobody */
    struct tdx_quote slot[TDX_QUOTES];
};

struct tdx_vm {
    struct tdx_td td;
    struct tdx_ept ept;
    uint8_t *chunk;
    void *blank;          /* what a PC's ROMs are, to a TD that looks for them in shared memory */
    uint64_t conversions; /* pages */
    struct tdx_quotes quotes;
};

static inline struct tdx_vm *tdx_of(const struct vm *vm)
{
    return vm->cc_data;
}

bool tdx_shared(struct vm *vm, pa_t at);
void tdx_forget(struct vm *vm, gpa_t at);
/* An EPT violation, with its extended qualification: true when the TD can go on. */
bool tdx_fault(struct vm *vm, uint64_t gpa, uint64_t extended);
/* A page of RAM becomes private, a copy of `source`; to `extend`, its contents are measured. */
MUST_CHECK enum abi_status tdx_mem_add(struct vm *vm, uint64_t gpa, pa_t source, bool extend);
/* TDVMCALL MapGPA: GHCI 3.2; *next is where to go on when the answer is RETRY. */
uint64_t tdx_map_gpa(struct vm *vm, uint64_t gpa, uint64_t size, uint64_t *next);
/* TDVMCALL GetQuote, SetupEventNotify; and what the host answers, for vm->host_answer. */
uint64_t tdx_get_quote(struct vm *vm, uint64_t gpa, uint64_t size);
uint64_t tdx_event_notify(struct vcpu *v, uint64_t vector);
void tdx_quote_answer(struct vm *vm, const uint8_t *p, size_t len);
/* Its end: all RAM is the hypervisor's again, but what the module keeps: all, if it lives on. */
void tdx_mem_release(struct vm *vm);

#endif
