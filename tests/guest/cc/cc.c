/* The way from a bzImage's entry to guest_start; which kind of guest this is. */
#include "cc.h"

#define BP_CMDLINE 0x228 /* boot_params: cmd_line_ptr */
#define C_BITS     0x000fff8000000000ull
#define PRIVATE_SLOTS (512u - CPUS_MAX) /* one for each vCPU */

uint64_t private_pte;
uint64_t cc_begin(const uint8_t *boot_params);

volatile void *as_private(uint64_t at)
{
    unsigned int slot = PRIVATE_SLOTS + me()->index;
    uint64_t va = GiB(4) + slot * 4096ull;

    page_window[slot] = (at & ~4095ull) | private_pte | PTE_P | PTE_W;
    invlpg(va);
    return (volatile void *)(va + at % 4096);
}

static void make_private(uint64_t *table, unsigned int n)
{
    for (unsigned int i = 0; i < n; i++) {
        table[i] |= (table[i] & PTE_P) != 0 ? private_pte : 0;
    }
}

/* The library's own tables, by what the tables that the domain was given say of the C-bit. */
static uint64_t page_tables(void)
{
    make_private(page_table4, 512);
    make_private(page_table3, 512);
    make_private(page_table2, 2048);
    make_private((uint64_t *)(page_table3[4] & ~C_BITS & ~4095ull), 1);
    page_table2[(uint64_t)shared_start >> 21] =
        (page_table2[(uint64_t)shared_start >> 21] & ~private_pte) | shared_pte;
    return (uint64_t)page_table4 | private_pte;
}

static bool is_td(void)
{
    struct cpuid_regs r = cpuid(0, 0);

    if (r.eax < 0x21) {
        return false;
    }
    r = cpuid(0x21, 0);
    return r.ebx == 0x65746e49 && r.edx == 0x5844546c && r.ecx == 0x20202020; /* IntelTDX */
}

/* On the tables that the domain was given, which map memory to itself, private. */
uint64_t cc_begin(const uint8_t *boot_params)
{
    static struct start_info info;
    const uint64_t *given = (const uint64_t *)(bz_state.cr3 & ~C_BITS & ~4095ull);

    info.cmdline = *(const uint32_t *)(boot_params + BP_CMDLINE);
    start_info = &info;
    private_pte = given[0] & C_BITS;
    if (private_pte != 0) {
        guest_kind = GUEST_SNP;
        snp_begin(boot_params);
    } else if (is_td()) {
        guest_kind = GUEST_TD;
        tdx_begin();
    }
    __asm__ volatile("mov %0, %%cr3" : : "r"(page_tables()) : "memory");
    memset(shared_start, 0, (size_t)(shared_end - shared_start)); /* of no known content */
    return (uint64_t)page_table4 | private_pte;
}
