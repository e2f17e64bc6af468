/* Every technology of x86 on one fake machine (snp_host.h), as an emulated image has them. */
#ifndef TESTS_LIB_CC_HOST_H
#define TESTS_LIB_CC_HOST_H

#include "snp_host.h"
#include "tdx_cpu.h"

#include "../../cc/tdx/tdx_vm.h"

/* The guest makes that page of its RAM private, or shared: 4 KiB. */
bool cc_convert(struct vm *vm, uint64_t gpa, bool private);
/*
 * What a TD's vCPU does, then what the driver makes of it. `call`: TDVMCALL with these registers;
 * the answer is in tdx_vcpu_of(v)->regs. `accept`: 0, the module's status, or CC_NEVER when the
 * host did not make it possible; `touch`: did it get there? `reaches`: where in the host's memory,
 * or CC_NEVER.
 */
#define CC_NEVER 0xbadull
void cc_tdx_call(struct vcpu *v, const struct tdx_regs *r);
uint64_t cc_tdx_accept(struct vcpu *v, uint64_t gpa, enum tdx_level level);
uint64_t cc_tdx_reaches(struct vcpu *v, uint64_t gpa);
bool cc_tdx_touch(struct vcpu *v, uint64_t gpa);
/* Does every page of a TD's RAM have one owner, by the hypervisor's table and the PAMT alike? */
bool cc_tdx_agrees(struct vm *vm);
/* All of a TD's vCPUs start at once, know by a register which they are, and halt. */
void cc_tdx_halt_all(struct vm *vm);

#endif
