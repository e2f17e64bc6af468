#include "xen.h"

/* A page of its own: all of it becomes Xen's. */
static union {
    volatile struct xen_shared_info info;
    uint8_t page[PAGE_SIZE];
} shared __attribute__((aligned(4096)));
volatile struct xen_shared_info *const xen_shared = &shared.info;

void xen_setup(uint8_t vector)
{
    struct xen_add_to_physmap a = {.domid = DOMID_SELF, .gpfn = (uint64_t)&shared >> 12};
    struct xen_upcall_vector u = {.vcpu = 0, .vector = vector};

    expect_eq(xen(HC_MEMORY_OP, XENMEM_ADD_TO_PHYSMAP, &a, 0), 0);
    if (vector != 0) {
        expect_eq(xen(HC_HVM_OP, HVMOP_SET_UPCALL_VECTOR, &u, 0), 0);
    }
}

uint32_t xen_bind_ipi(uint32_t vcpu)
{
    struct xen_evtchn_ipi a = {.vcpu = vcpu};

    expect_eq(xen(HC_EVENT_CHANNEL_OP, EVTCHN_BIND_IPI, &a, 0), 0);
    return a.port;
}
