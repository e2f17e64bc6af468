/* The guest's other vCPUs: their first context, and the processor that each of them is. */
#include "outside.h"

int64_t smp_initialise(struct vcpu *v, uint64_t context)
{
    (void)v;
    (void)context;
    return -XEN_ENOSYS;
}

int64_t smp_up(struct vcpu *v)
{
    (void)v;
    return -XEN_ENOENT;
}

int64_t smp_down(struct vcpu *self, struct vcpu *v)
{
    (void)self;
    (void)v;
    return -XEN_ENOSYS;
}
