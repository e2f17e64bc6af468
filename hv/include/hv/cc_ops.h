/*
 * A confidential technology, as the core sees it. Every operation is there; one that fails has
 * changed nothing. "none" is a technology, too.
 */
#ifndef HV_CC_OPS_H
#define HV_CC_OPS_H

#include "hv/domain.h"
#include "hv/layout.h"
#include "hv/types.h"

struct vm;
struct vcpu;

struct cc_ops {
    enum cc_kind kind;
    /* Boot CPU, before any guest: makes the platform ready; false, with a line in the log that
     * says why, when this machine cannot do it. */
    bool (*start)(void);
    /* No VM is left, nor will be one: the platform goes to rest. Only where start succeeded. */
    void (*stop)(void);
    /* Adds what the machine, not the description, decides. */
    void (*configure)(struct domain_config *cfg);
    /* After vm_mem_init; vCPUs do not exist yet. */
    enum abi_status (*vm_create)(struct vm *vm, const struct domain_config *cfg);
    /* No vCPU runs any more; all its memory goes back to the host, unreadable or cleared. */
    void (*vm_destroy)(struct vm *vm);
    /* After the architecture made the vCPU. */
    enum abi_status (*vcpu_create)(struct vcpu *v);
    /* Puts the pieces into memory (measured, where the technology measures) and sets the state
     * that vCPU 0 starts in. */
    enum abi_status (*launch)(struct vm *vm, const struct layout *l);
    /* May the hypervisor touch that page of the guest's RAM? The memory lock is not held. */
    bool (*shared)(struct vm *vm, pa_t at);
    /* A page outside RAM is not in the second stage any more (hv/vm_priv.h): nor in tables of the
     * technology's own from now on. No memory lock is held; the vCPUs are told afterwards. */
    void (*forget)(struct vm *vm, gpa_t at);
};

extern const struct cc_ops *const cc_registry[];
extern const unsigned int cc_registry_count;

extern const struct cc_ops cc_none_ops;

/* Those of the registry that this machine can run; called once at boot. */
void cc_start(void);
/* After the last guest: each of them goes to rest. */
void cc_stop(void);
/* The names of those, quoted and separated by commas. */
void cc_list(char *buf, size_t size);
const struct cc_ops *cc_ops_of(enum cc_kind kind); /* NULL: not in this image, or not possible */

#endif
