#include "x86.h"

#include "arch/pte.h"
#include "arch_impl/insn.h"
#include "hv/check.h"

struct cpu_features cpu_features;

unsigned int pte_max_leaf(void)
{
    return cpu_features.page_1g ? 2 : 1;
}

void features_read(void)
{
    struct cpu_features *f = &cpu_features;
    struct cpuid_regs l1 = cpuid(1, 0);
    uint32_t max = cpuid(0, 0).eax;
    uint32_t max_ext = cpuid(0x80000000, 0).eax;

    f->x2apic = (l1.ecx & BIT(21)) != 0;
    f->tsc_deadline = (l1.ecx & BIT(24)) != 0;
    f->xsave = (l1.ecx & BIT(26)) != 0;
    f->rdrand = (l1.ecx & BIT(30)) != 0;
    if (max >= 7) {
        f->smep = (cpuid(7, 0).ebx & BIT(7)) != 0;
        f->smap = (cpuid(7, 0).ebx & BIT(20)) != 0;
    }
    f->page_1g = (cpuid(0x80000001, 0).edx & BIT(26)) != 0;
    f->rdtscp = (cpuid(0x80000001, 0).edx & BIT(27)) != 0;
    f->phys_bits = max_ext >= 0x80000008 ? cpuid(0x80000008, 0).eax & 0xff : 36;
}

/* NE so that x87 errors are exceptions; the guests' FPU state is handled in virt/fpu.c. */
void features_enable(void)
{
    uint64_t cr4 = CR4_PAE | CR4_MCE | CR4_OSFXSR | CR4_OSXMM;

    cr4 |= cpu_features.smep ? CR4_SMEP : 0;
    cr4 |= cpu_features.smap ? CR4_SMAP : 0;
    cr4 |= cpu_features.xsave ? CR4_OSXSAVE : 0;
    write_cr4(cr4);
    write_cr0(CR0_PE | BIT(1) | CR0_ET | CR0_NE | CR0_WP | CR0_PG);
}
