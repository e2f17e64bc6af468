/*
 * The legacy Xen module on the fake machine: a guest with page tables of its own, and what became
 * of its interrupts. Implements arch/guest_abi.h.
 */
#ifndef TESTS_LIB_XENPV_HOST_H
#define TESTS_LIB_XENPV_HOST_H

#include "../../hv/xenpv/xenpv.h"
#include "arch/guest_abi.h"
#include "core_host.h"

/* The guest's RAM is [0, 4 MiB), mapped one to one; below 2 MiB in 4 KiB pages, but for these: */
#define XEN_MEMORY   MiB(4)
#define VA_ABSENT    0x50000u
#define VA_READ_ONLY 0x51000u
#define VA_USER      0x52000u
#define VA_OUTSIDE   0x53000u /* its page is not in RAM */
#define VA_LARGE     0x200000u
#define VA_LOOP      0x400000u /* a table that is its own root */
#define VA_NOWHERE   0x600000u /* a table outside RAM */
/* Free for tests. */
#define GPA_SHARED   0x60000u
#define GPA_ARGUMENT 0x70000u

extern struct arch_paging xen_paging;

/* Boots the machine and makes a domain of that abi; a second one beside it. */
struct vm *xen_vm(uint32_t vcpus);
struct vm *xen_vm_again(uint32_t vcpus);
/* shared_info to GPA_SHARED, vector F3h for every vCPU. */
void xen_bring_up(struct vm *vm);

int64_t xen_call(struct vm *vm, uint64_t number, uint64_t a0, uint64_t a1, uint64_t a2);
/* The same with a structure at GPA_ARGUMENT, which is read back. */
int64_t xen_call_with(struct vm *vm, uint64_t number, uint64_t op, void *arg, size_t len);

/* Interrupts of all VMs since the last call, and the last one's vector. */
unsigned int xen_interrupts(void);
extern uint8_t xen_last_vector;
extern struct vcpu *xen_last_vcpu;

void *xen_ram(struct vm *vm, uint64_t at);

#endif
