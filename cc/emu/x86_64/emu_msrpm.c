/* Permission maps of MSRs: two bits each, read and write, in three ranges (APM Vol. 2, 15.11). */
#include "emu_x86_64.h"

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
