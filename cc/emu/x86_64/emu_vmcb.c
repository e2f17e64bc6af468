/*
 * What the model's guests exit for. Permission maps of MSRs: two bits each, read and write, in
 * three ranges (APM Vol. 2, 15.11).
 */
#include "emu_core.h"

#include "arch/boot.h"

void emu_set_controls(struct vmcb *b, const uint8_t *msrpm)
{
    b->intercept1 = (uint32_t)(ICPT_INTR | ICPT_NMI | ICPT_SMI | ICPT_INIT | ICPT_RDPMC |
                               ICPT_CPUID | ICPT_RSM | ICPT_INVD | ICPT_HLT | ICPT_INVLPGA |
                               ICPT_IOIO | ICPT_MSR | ICPT_FERR | ICPT_SHUTDOWN);
    b->intercept2 = (uint32_t)(ICPT2_SVM | ICPT2_WBINVD | ICPT2_MONITOR | ICPT2_MWAIT |
                               ICPT2_XSETBV | ICPT2_RDPRU);
    b->iopm = hva_to_pa(svm_iopm).v;
    b->msrpm = hva_to_pa(msrpm).v;
    b->nested = NESTED_NP;
    b->asid = 1;
}

static uint32_t bit_of(uint32_t msr)
{
    return (msr >= 0xc0010000 ? 4096 * 8 : msr >= 0xc0000000 ? 2048 * 8 : 0) + (msr & 0x1fff) * 2;
}

void emu_msrpm_pass(uint8_t *map, uint32_t first, uint32_t last, unsigned int rights)
{
    for (uint32_t msr = first; msr <= last; msr++) {
        map[bit_of(msr) / 8] &= (uint8_t) ~(rights << bit_of(msr) % 8);
    }
}

bool emu_msrpm_intercepts(const uint8_t *map, uint32_t msr, bool write)
{
    return (map[bit_of(msr) / 8] >> (bit_of(msr) % 8 + write) & 1) != 0;
}
