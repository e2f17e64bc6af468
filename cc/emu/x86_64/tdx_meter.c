/* What a TD leaves for, as the meter counts it (emu_meter.h): GHCI 3, and acceptance. */
#include "tdx_core.h"

static enum meter_kind conversion_of(const struct tdx_regs *r, uint64_t *units)
{
    if (IS_ALIGNED(r->r12 | r->r13, SIZE_2M)) {
        *units = r->r13 / SIZE_2M;
        return METER_2M;
    }
    *units = r->r13 / PAGE_SIZE;
    return METER_4K;
}

static enum meter_kind call_of(const struct tdx_regs *r, uint64_t *units)
{
    switch (r->r10 == 0 ? r->r11 : ~0ull) {
    case TDX_EXIT_CPUID:
        return METER_CPUID;
    case TDX_EXIT_IO:
        return METER_IOIO;
    case TDX_EXIT_RDMSR:
    case TDX_EXIT_WRMSR:
        return METER_MSR;
    case TDVMCALL_MAP_GPA:
        return conversion_of(r, units);
    default:
        return METER_NONE;
    }
}

enum meter_kind core_meter_kind(const struct tdx_regs *r, uint64_t *units)
{
    *units = 1;
    if (TDX_STATUS_OF(r->rax) != TDX_SUCCESS) {
        return METER_NONE;
    }
    switch (TDX_EXIT_REASON(r->rax)) {
    case TDX_EXIT_TDCALL:
        return call_of(r, units);
    case TDX_EXIT_EPT_VIOLATION:
        if ((r->rdx & TDX_EEQ_TYPE) != TDX_EEQ_ACCEPT) {
            return METER_NONE;
        }
        return (r->rdx >> 32 & 7) == TDX_4K ? METER_ACCEPT_4K : METER_ACCEPT_2M;
    default:
        return METER_NONE;
    }
}
