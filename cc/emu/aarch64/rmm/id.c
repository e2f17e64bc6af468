/*
 * System registers that realms trap on. A realm is shown the features of this list and no others:
 * each nibble is the least of what the machine has and what stands here; 8 is for signed fields.
 */
#include "image.h"

#include "arch_impl/insn.h"

#define NAME(crm, op2) (3u << 20 | (op2) << 17 | (crm) << 1)

static struct {
    uint32_t name;
    uint64_t most, shown;
} regs[] = {
    {NAME(4u, 0u), 0x1101000001880011, 0}, /* PFR0 */
    {NAME(4u, 1u), 0x21, 0},               /* PFR1 */
    {NAME(6u, 0u), 0x1221111110212120, 0}, /* ISAR0 */
    {NAME(6u, 1u), 0x0011101100211002, 0}, /* ISAR1 */
    {NAME(7u, 0u), 0x88111125, 0},         /* MMFR0 */
    {NAME(7u, 1u), 0x1000302002, 0},       /* MMFR1 */
    {NAME(7u, 2u), 0x1021000110100111, 0}, /* MMFR2 */
    {NAME(5u, 0u), 0, 1 << 20 | 1 << 12 | 6}, /* DFR0: WRPs, BRPs, less one; DebugVer */
};

#define OSLSR_EL1 (2u << 20 | 4u << 17 | 1u << 10 | 1u << 1)

static uint64_t least(uint64_t has, uint64_t most)
{
    uint64_t out = 0;

    for (unsigned int shift = 0; shift < 64; shift += 4) {
        uint64_t h = has >> shift & 15, m = most >> shift & 15;

        out |= (m == 8 ? (h >= 8 ? 15ull : 0ull) : MIN(h, m)) << shift;
    }
    return out;
}

void id_init(void)
{
    uint64_t machine[] = {
        sysreg_read(id_aa64pfr0_el1),  sysreg_read(id_aa64pfr1_el1),
        sysreg_read(id_aa64isar0_el1), sysreg_read(id_aa64isar1_el1),
        sysreg_read(id_aa64mmfr0_el1), sysreg_read(id_aa64mmfr1_el1),
        sysreg_read(id_aa64mmfr2_el1),
    };

    for (size_t i = 0; i < ARRAY_SIZE(machine); i++) {
        regs[i].shown = least(machine[i], regs[i].most);
    }
}

uint64_t port_sysreg_read(uint32_t name)
{
    for (size_t i = 0; i < ARRAY_SIZE(regs); i++) {
        if (regs[i].name == name) {
            return regs[i].shown;
        }
    }
    return name == OSLSR_EL1 ? BIT(3) : 0;
}

/* Breakpoints, monitors and locks: written, and forgotten. */
void port_sysreg_write(uint32_t name, uint64_t value)
{
    (void)name;
    (void)value;
}
