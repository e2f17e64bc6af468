/*
 * A VM's life: created -> running <-> paused -> ended -> gone.
 *
 *   vm_create   takes all its memory from the page pool, and makes its vCPUs
 *   vm_start    lets vCPU 0 run from its entry state
 *   vm_end      (io.h) asks every vCPU to stop; the last one that does makes the VM `ended`
 *   vm_destroy  gives every page back, scrubbed before anybody else sees it
 */
#ifndef HV_VM_H
#define HV_VM_H

#include "hv/domain.h"
#include "hv/io.h"
#include "hv/types.h"

struct vm;
struct layout;

enum vm_state { VM_CREATED, VM_RUNNING, VM_PAUSED, VM_ENDED };

/* ABI_NOT_SUPPORTED: the machine has none of the CPUs it may run on; ABI_NO_MEMORY; ABI_LIMIT: too
 * many, or more than its creator may take; ABI_EXISTS: its name is taken. */
MUST_CHECK enum abi_status vm_create(const struct domain_config *cfg, struct vm **vm);
/* Puts what the layout says into its memory, the way its technology does, and sets its entry. */
MUST_CHECK enum abi_status vm_launch(struct vm *vm, const struct layout *l);
void vm_start(struct vm *vm); /* no effect when it was asked to end meanwhile */
/* For one that another domain had built: leaves it alone from now on; then lets it run, once. */
void vm_built(struct vm *vm);
MUST_CHECK enum abi_status vm_start_built(struct vm *vm); /* ABI_BAD_STATE: it is not waiting */
/* For what a vCPU did, or met, that has no answer. */
#define vcpu_end(v, fmt, ...)                                                                      \
    vm_end((v)->vm, VM_ERROR, "vCPU %u: " fmt, (v)->index, ##__VA_ARGS__)
/* Ends it, and keeps it as it was until vm_end(VM_DESTROYED). */
void vm_stop(struct vm *vm, const char *fmt, ...) PRINTF(2, 3);
void vm_pause(struct vm *vm);
void vm_resume(struct vm *vm);

/* REQUIREs that no vCPU can run: the VM is created or ended. */
void vm_destroy(struct vm *vm);

/* Where a restart finds its description again. Its bundle stays as long as it does. */
void vm_set_origin(struct vm *vm, const struct bundle *b, uint32_t index);

uint64_t vm_memory(const struct vm *vm); /* bytes of RAM */
uint32_t vm_id(const struct vm *vm);

#endif
