/* Hypercalls of the legacy Xen ABI, by the instruction. */
#ifndef GUEST_XEN_H
#define GUEST_XEN_H

#include "../../../hv/xenpv/xen_abi.h"
#include "guest.h"

static inline int64_t xen(uint64_t number, uint64_t a0, const volatile void *a1, uint64_t a2)
{
    register uint64_t r10 __asm__("r10") = 0;
    uint64_t rax = number, rdi = a0, rsi = (uint64_t)a1, rdx = a2;

    __asm__ volatile("vmmcall"
                     : "+a"(rax), "+D"(rdi), "+S"(rsi), "+d"(rdx), "+r"(r10)
                     : : "r8", "memory");
    return (int64_t)rax;
}

extern volatile struct xen_shared_info *const xen_shared;

/* shared_info to *xen_shared, and an upcall vector for vCPU 0; 0: none. */
void xen_setup(uint8_t vector);
uint32_t xen_bind_ipi(uint32_t vcpu);

#endif
