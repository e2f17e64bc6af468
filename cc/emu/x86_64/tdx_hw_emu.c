/* The TDX silicon line, answered by the model; and what the model wants to know of this machine. */
#include "../../tdx/tdx_hw.h"
#include "arch/boot.h"
#include "arch_impl/insn.h"
#include "hv/cpu.h"
#include "hv/log.h"
#include "hv/string.h"
#include "tdx_core.h"

#define VENDOR_EBX 0x756e6547u /* "Genu" of GenuineIntel */

/* An emulated Intel CPU has an emulated module. Memory is all convertible but what it keeps. */
bool tdx_hw_find(struct tdx_hw_keys *keys)
{
    struct emu_tdx_machine m = {.lps = cpu_count(), .packages = 1};

    if (cpuid(0, 0).ebx != VENDOR_EBX) {
        return false;
    }
    for (unsigned int i = 0; i < boot_info.ram_count && m.cmrs < EMU_TDX_CMRS; i++) {
        m.cmr[m.cmrs].base = boot_info.ram[i].base;
        m.cmr[m.cmrs].size = boot_info.ram[i].len;
        m.cmrs++;
    }
    emu_tdx_reset(&m);
    *keys = (struct tdx_hw_keys){EMU_TDX_KEY_FIRST, EMU_TDX_KEYS - EMU_TDX_KEY_FIRST,
                                 EMU_TDX_KEY_SHIFT};
    log_warn("EMULATED: the TDX module is modelled in software, and protects nothing");
    return true;
}

uint64_t tdx_hw_seamcall(struct tdx_regs *r)
{
    uint64_t from = emu_meter_in();
    uint64_t st = emu_tdx_seamcall(r);

    emu_meter_out(from);
    return st;
}

uint64_t tdx_hw_vp_enter(struct tdx_regs *r)
{
    enum meter_kind kind;
    uint64_t st, units;

    emu_meter_entry();
    st = emu_tdx_seamcall(r);
    kind = core_meter_kind(r, &units);
    emu_meter_exit(kind, units);
    return st;
}

void tdx_hw_notify(uint8_t vector)
{
    core_notify(vector);
}

void tdx_hw_take_nmi(void)
{
    /* SVM leaves it pending: it was taken when #VMEXIT's GIF came back. */
}

void tdx_hw_invept(void)
{
    core_invept();
}

unsigned int tdx_hw_package(void)
{
    return 0;
}

void tdx_hw_clear_page(pa_t at)
{
    memset(emu_mem(at), 0, PAGE_SIZE);
}

void tdx_hw_wbinvd(void)
{
}

unsigned int emu_tdx_lp(void)
{
    return this_cpu()->index;
}

unsigned int emu_tdx_package(unsigned int lp)
{
    (void)lp;
    return 0;
}

bool emu_tdx_interrupt(void)
{
    return false;
}

uint64_t emu_tdx_tsc(void)
{
    return rdtsc();
}

/*
 * What CPUs with TDX have that this one may lack. No TSC can be scaled here: the crystal is such
 * that a TD whose rate is the nearest multiple of 25 MHz knows the true one.
 */
void emu_tdx_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    struct cpuid_regs r = cpuid(leaf, subleaf);
    uint64_t units = (tsc_hz() + TDX_TSC_UNIT_HZ / 2) / TDX_TSC_UNIT_HZ;

    out[0] = r.eax;
    out[1] = r.ebx;
    out[2] = r.ecx;
    out[3] = r.edx;
    if (leaf == 0x15) {
        out[2] = (uint32_t)(tsc_hz() / units);
    } else if (leaf == 0x16) { /* without it Linux measures by the PIT, which is not there */
        out[0] = out[1] = (uint32_t)(tsc_hz() / 1000000);
        out[2] = 100;
    }
}
