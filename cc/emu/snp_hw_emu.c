/* The silicon line, answered by the model. */
#include "../snp/snp_hw.h"
#include "emu_x86_64.h"

#define CPUID_EAX (SNP_CPUID_SEV | SNP_CPUID_ES | SNP_CPUID_SNP)
#define REDUCTION (1u << 6) /* the C-bit costs one address bit */

static uint64_t syscfg;

void snp_hw_cpuid(uint32_t out[4])
{
    out[0] = (uint32_t)CPUID_EAX;
    out[1] = EMU_C_BIT | REDUCTION;
    out[2] = EMU_ASIDS - 1;
    out[3] = EMU_ASIDS;
}

uint64_t snp_hw_rdmsr(uint32_t msr)
{
    uint64_t base, end;

    emu_rmp_range(&base, &end);
    return msr == MSR_RMP_BASE  ? base
           : msr == MSR_RMP_END ? end
           : msr == MSR_SYSCFG_ ? syscfg
                                : 0;
}

void snp_hw_wrmsr(uint32_t msr, uint64_t value)
{
    if (msr == MSR_SYSCFG_) {
        syscfg |= value; /* SNP_EN cannot be cleared but by reset */
        if ((syscfg & SYSCFG_SNP_EN) != 0) {
            emu_rmp_enable();
        }
    }
}

uint32_t snp_hw_rmpupdate(pa_t at, const struct rmp_entry *e)
{
    return emu_rmpupdate(at, e);
}

uint32_t snp_hw_psmash(pa_t at)
{
    return emu_psmash(at);
}

bool snp_hw_rmpread(pa_t at, struct rmp_entry *out)
{
    struct emu_rmp e;

    if (!emu_rmp_get(at, &e)) {
        return false;
    }
    *out = (struct rmp_entry){
        .gpa = e.gpa,
        .assigned = e.assigned,
        .page_size = e.page_size,
        .immutable = e.immutable,
        .asid = e.asid,
    };
    return true;
}

bool snp_hw_psp_find(void)
{
    return true;
}

uint32_t snp_hw_psp_read(uint32_t reg)
{
    return emu_psp_read(reg);
}

void snp_hw_psp_write(uint32_t reg, uint32_t value)
{
    emu_psp_write(reg, value);
}

/* Nothing is cached here that memory does not have. */
void snp_hw_wbinvd(void)
{
}
