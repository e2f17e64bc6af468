/* The hypervisor's own address space: what x86 has of its own (arch/common/map.c). */
#include "paging.h"

#include "../cpu/x86.h"
#include "arch/boot.h"
#include "arch_impl/insn.h"

extern uint64_t boot_pml4[PT_ENTRIES];

#define INVLPG_MAX 16u /* pages; more are forgotten with all the rest */

void arch_map_hypervisor(void)
{
    map_create();
    paging_load();
}

uint64_t paging_boot_root(void)
{
    const uint64_t *root = pa_to_hva(own_map.root);

    for (unsigned int i = PT_ENTRIES / 2; i < PT_ENTRIES; i++) {
        boot_pml4[i] = root[i];
    }
    return hva_to_pa(boot_pml4).v;
}

/* A processor does not remember that nothing was there. */
void paging_added(void)
{
}

void paging_forget(uint64_t va, uint64_t len)
{
    if (len > INVLPG_MAX * PAGE_SIZE) {
        paging_load();
        return;
    }
    for (uint64_t i = 0; i < len; i += PAGE_SIZE) {
        invlpg(va + i);
    }
}

uint64_t arch_map_for_silicon(void)
{
    for (unsigned int i = 0; i < boot_info.ram_count; i++) {
        const struct boot_range *r = &boot_info.ram[i];

        paging_map(SILICON_BASE + r->base, pa(r->base), r->len, PT_W);
    }
    return SILICON_BASE;
}

void arch_map_more_for_silicon(pa_t at, uint64_t len)
{
    paging_map(SILICON_BASE + at.v, at, len, PT_W);
}

void paging_load(void)
{
    write_cr3(own_map.root.v);
}
