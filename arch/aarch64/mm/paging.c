/* The hypervisor's own address space: what AArch64 has of its own (arch/common/map.c). */
#include "paging.h"

#include "../cpu/aarch64.h"
#include "arch/boot.h"
#include "arch_impl/insn.h"

#define REACHABLE  GiB(4)
#define FORGET_ALL KiB(64) /* of more, the translations are not named one by one */

extern char _image_start[];
extern uint64_t boot_l0[PT_ENTRIES];

static uint64_t boot_l1[PT_ENTRIES] __attribute__((aligned(4096)));
static uint64_t boot_l2[4][PT_ENTRIES] __attribute__((aligned(4096)));
static uint64_t boot_device_l1[PT_ENTRIES] __attribute__((aligned(4096)));
uint64_t aarch64_image_base;

static uint64_t table_of(const void *table)
{
    return pte_table(hva_to_pa(table), 0);
}

static void set_boot_entry(uint64_t *entry, uint64_t value)
{
    store_release(entry, value);
    paging_added();
}

void paging_boot_map(uint64_t at, uint64_t len)
{
    uint64_t end = MIN(at + len, REACHABLE);

    boot_l0[DIRECT_BASE >> 39 & 511] = table_of(boot_l1);
    for (at = ALIGN_DOWN(at, SIZE_2M); at < end; at += SIZE_2M) {
        boot_l1[at >> 30] = table_of(boot_l2[at >> 30]);
        set_boot_entry(&boot_l2[at >> 30][at >> 21 & 511], pte_leaf(pa(at), 1, PT_W));
    }
}

/* By the GiB: the final mappings are exact. */
void *paging_boot_device(uint64_t at)
{
    uint64_t slot = at >> 30 & 511;

    boot_l0[DEVICE_BASE >> 39 & 511] = table_of(boot_device_l1);
    set_boot_entry(&boot_device_l1[slot],
                   pte_leaf(pa(ALIGN_DOWN(at, SIZE_1G)), 2, PT_W | PT_DEVICE));
    return (void *)(DEVICE_BASE + slot * SIZE_1G + at % SIZE_1G);
}

unsigned int pte_max_leaf(void)
{
    return 2;
}

void arch_map_hypervisor(void)
{
    map_create();
    paging_map(hva_to_pa(_image_start).v, hva_to_pa(_image_start), PAGE_SIZE, PT_X); /* head.S */
}

uint64_t paging_root(void)
{
    return own_map.root.v;
}

void paging_added(void)
{
    dsb(ishst);
    isb();
}

void paging_forget(uint64_t va, uint64_t len)
{
    dsb(ishst);
    if (len > FORGET_ALL) {
        __asm__ volatile("tlbi alle2is" : : : "memory");
    }
    for (uint64_t i = 0; i < len && len <= FORGET_ALL; i += PAGE_SIZE) {
        __asm__ volatile("tlbi vae2is, %0" : : "r"((va + i) >> PAGE_SHIFT));
    }
    dsb(ish);
    isb();
}
