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

enum vm_state { VM_CREATED, VM_RUNNING, VM_PAUSED, VM_ENDED };

/* ABI_NOT_SUPPORTED: the machine has none of the CPUs it may run on; ABI_NO_MEMORY; ABI_LIMIT. */
MUST_CHECK enum abi_status vm_create(const struct domain_config *cfg, struct vm **vm);
void vm_set_entry(struct vm *vm, const struct vcpu_entry *entry);
void vm_start(struct vm *vm); /* no effect when it was asked to end meanwhile */
void vm_pause(struct vm *vm);
void vm_resume(struct vm *vm);

/* REQUIREs that no vCPU can run: the VM is created or ended. */
void vm_destroy(struct vm *vm);

/* Where a restart finds its description again. */
void vm_set_origin(struct vm *vm, const struct bundle *b, uint32_t index);

uint64_t vm_memory(const struct vm *vm); /* bytes of RAM */
uint32_t vm_id(const struct vm *vm);

#endif
