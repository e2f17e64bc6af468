/* SEAMCALL with the module's rules for trying again: ABI 4.2.2, BASE 18.1. */
#include "tdx.h"

#include "hv/check.h"

#define TRIES 10000u

static bool again(uint64_t rax)
{
    switch (TDX_STATUS_OF(rax)) {
    case TDX_OPERAND_BUSY:
    case TDX_SYS_BUSY:
    case TDX_RND_NO_ENTROPY:
    case TDX_KEY_GENERATION_FAILED:
    case TDX_INTERRUPTED_RESTARTABLE:
        return true;
    default:
        return false;
    }
}

uint64_t tdx_call(enum tdh_leaf leaf, struct tdx_regs *r)
{
    const struct tdx_regs in = *r;
    uint64_t rax = 0;

    for (unsigned int i = 0; i < TRIES; i++) {
        *r = in;
        r->rax = leaf;
        rax = tdx_hw_seamcall(r);
        if (!again(rax)) {
            break;
        }
        cpu_relax();
    }
    return rax;
}

uint64_t tdx_call2(enum tdh_leaf leaf, uint64_t rcx, uint64_t rdx)
{
    struct tdx_regs r = {.rcx = rcx, .rdx = rdx};

    return tdx_call(leaf, &r);
}

bool tdx_metadata(uint64_t field, uint64_t *value)
{
    struct tdx_regs r = {.rdx = field};
    uint64_t rax = tdx_call(TDH_SYS_RD, &r);

    *value = r.r8;
    return tdx_fail("tdx", TDH_SYS_RD, rax) == ABI_OK;
}
