/* The silicon line, answered by the model. */
#include "../../snp/snp_hw.h"
#include "arch_impl/insn.h"
#include "hv/check.h"
#include "hv/cpu.h"
#include "snp_core.h"

#define CPUID_EAX                                                                                  \
    (SNP_CPUID_SEV | SNP_CPUID_ES | SNP_CPUID_SNP | SNP_CPUID_TSC_AUX | SNP_CPUID_COHERENT)
#define REDUCTION (1u << 6) /* the C-bit costs one address bit */

static uint64_t syscfg;
static bool rmp_zeroed;
static uint64_t without_save_area; /* CPUs: a hypervisor that runs guests has one on each */

static void encryption_leaf(uint32_t out[4])
{
    out[0] = (uint32_t)CPUID_EAX;
    out[1] = EMU_C_BIT | REDUCTION;
    out[2] = EMU_SNP_ASIDS;
    out[3] = EMU_SNP_ASIDS + 1;
}

void snp_hw_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    emu_core_cpuid(leaf, subleaf, out);
}

/* This CPU's, with what SNP chips have and it may lack: x2APIC, invariant TSC, XSAVEC and XSAVES
 * (snp_xsave.c); no TSC deadline. */
void emu_core_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    struct cpuid_regs r = cpuid(leaf, subleaf);

    out[0] = r.eax;
    out[1] = r.ebx;
    out[2] = r.ecx;
    out[3] = r.edx;
    if (leaf == 1) {
        out[2] |= BIT(21);
        out[2] &= (uint32_t)~BIT(24);
    } else if (leaf == 0x80000007) {
        out[3] |= BIT(8);
    } else if (leaf == SNP_CPUID_LEAF) {
        encryption_leaf(out);
    } else if (leaf == 0xd && subleaf == 1 && out[0] != 0 && emu_core_xsave()) {
        out[0] |= (uint32_t)(XSAVE_XSAVEC | XSAVE_XSAVES);
    }
}

uint64_t snp_hw_rdmsr(uint32_t msr)
{
    uint64_t base, end;

    emu_rmp_range(&base, &end);
    return msr == MSR_RMP_BASE      ? base
           : msr == MSR_RMP_END     ? end
           : msr == MSR_SYSCFG_     ? syscfg
           : msr == MSR_VM_HSAVE_PA ? (uint64_t)PAGE_SIZE /* as good as any, and put back */
                                    : 0;
}

bool emu_core_has_save_area(void)
{
    uint64_t without = __atomic_load_n(&without_save_area, __ATOMIC_RELAXED);

    return (without | ~0ull << (cpu_count() - 1) << 1) != ~0ull;
}

void snp_hw_wrmsr(uint32_t msr, uint64_t value)
{
    if (msr == MSR_SYSCFG_) {
        syscfg |= value; /* SNP_EN cannot be cleared but by reset */
        if ((syscfg & SYSCFG_SNP_EN) != 0) {
            CHECK(rmp_zeroed); /* or what memory held by chance is owned by chance */
            emu_rmp_enable();
        }
    } else if (msr == MSR_VM_HSAVE_PA && value == 0) {
        (void)__atomic_fetch_or(&without_save_area, BIT(this_cpu()->index), __ATOMIC_RELAXED);
    } else if (msr == MSR_VM_HSAVE_PA) {
        (void)__atomic_fetch_and(&without_save_area, ~BIT(this_cpu()->index), __ATOMIC_RELAXED);
    }
}

void snp_hw_rmp_clear(void)
{
    CHECK((syscfg & SYSCFG_SNP_EN) == 0);
    emu_rmp_clear();
    rmp_zeroed = true;
}

uint32_t snp_hw_rmpupdate(pa_t at, const struct rmp_entry *e)
{
    uint64_t from = emu_meter_in();
    uint32_t r = emu_rmpupdate(at, e);

    emu_meter_out(from);
    return r;
}

uint32_t snp_hw_psmash(pa_t at)
{
    uint64_t from = emu_meter_in();
    uint32_t r = emu_psmash(at);

    emu_meter_out(from);
    return r;
}

bool snp_hw_rmpread(pa_t at, struct rmp_entry *out)
{
    uint64_t from = emu_meter_in();
    struct emu_rmp e;
    bool covered = emu_rmp_get(at, &e);

    emu_meter_out(from);
    if (!covered) {
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
    emu_psp_cpus(cpu_count());
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

/* Nothing is cached here that memory does not have; but the firmware wants to see it done. */
void snp_hw_wbinvd(void)
{
    emu_psp_wbinvd(this_cpu()->index);
}
