/* The guest ABI's calls, whatever instruction carried them. */
#ifndef HV_CALL_H
#define HV_CALL_H

#include "hv/types.h"

struct vcpu;

struct call {
    uint64_t arg[4];
    uint64_t value[3]; /* undefined before, all set after */
};

uint64_t call_dispatch(struct vcpu *v, uint64_t number, struct call *c);

#endif
