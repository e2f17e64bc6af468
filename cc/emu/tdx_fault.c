/* Faults that tests inject into the emulated TDX module. */
#include "tdx_emu.h"

static struct {
    unsigned int left; /* counts down to the call that fails; 0: none */
    uint64_t status;
} any, one;
static enum tdh_leaf one_leaf;
static unsigned int calls;

void emu_tdx_fail_nth(unsigned int n, uint64_t status)
{
    any.status = status;
    __atomic_store_n(&any.left, n, __ATOMIC_RELEASE);
}

void emu_tdx_fail_leaf(enum tdh_leaf leaf, unsigned int n, uint64_t status)
{
    one_leaf = leaf;
    one.status = status;
    __atomic_store_n(&one.left, n, __ATOMIC_RELEASE);
}

unsigned int emu_tdx_calls(void)
{
    return __atomic_load_n(&calls, __ATOMIC_RELAXED);
}

void emu_tdx_fault_reset(void)
{
    emu_tdx_fail_nth(0, 0);
    emu_tdx_fail_leaf(TDH_VP_ENTER, 0, 0);
    __atomic_store_n(&calls, 0, __ATOMIC_RELAXED);
}

static bool step(unsigned int *left)
{
    unsigned int now = __atomic_load_n(left, __ATOMIC_ACQUIRE);

    do {
        if (now == 0) {
            return false;
        }
    } while (!__atomic_compare_exchange_n(left, &now, now - 1, false, __ATOMIC_ACQ_REL,
                                          __ATOMIC_ACQUIRE));
    return now == 1;
}

uint64_t emu_tdx_fault(uint64_t rax)
{
    uint64_t st = step(&any.left) ? any.status : TDX_SUCCESS;

    (void)__atomic_fetch_add(&calls, 1, __ATOMIC_RELAXED);
    if ((rax & SEAMLDR_LEAF) == 0 && TDX_LEAF(rax) == (unsigned int)one_leaf && step(&one.left)) {
        st = one.status;
    }
    return st;
}
