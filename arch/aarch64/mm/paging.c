/* The hypervisor's own address space. No page is writable and executable, under any address. */
#include "paging.h"

#include "../cpu/aarch64.h"
#include "arch/boot.h"
#include "arch_impl/insn.h"
#include "hv/check.h"
#include "hv/page.h"

#define REACHABLE  GiB(4)
#define FORGET_ALL KiB(64) /* of more, the translations are not named one by one */

extern char _image_start[], _text_end[], _rodata_end[], _image_end[];
extern uint64_t boot_l0[PT_ENTRIES];

static uint64_t boot_l1[PT_ENTRIES] __attribute__((aligned(4096)));
static uint64_t boot_l2[4][PT_ENTRIES] __attribute__((aligned(4096)));
static uint64_t boot_device_l1[PT_ENTRIES] __attribute__((aligned(4096)));
static struct pt own;
static struct lock map_lock;
static uint64_t device_next = DEVICE_BASE;
uint64_t aarch64_image_base;

static uint64_t table_of(const void *table)
{
    return pte_table(hva_to_pa(table), 0);
}

static void set_boot_entry(uint64_t *entry, uint64_t value)
{
    store_release(entry, value);
    dsb(ishst);
    isb();
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

void paging_map(uint64_t va, pa_t to, uint64_t len, unsigned int attr)
{
    REQUIRE((attr & (PT_W | PT_X)) != (PT_W | PT_X));
    if (pt_map(&own, va, to, len, attr) != ABI_OK) {
        panic("cannot map %lx", (unsigned long)va);
    }
    dsb(ishst);
    isb();
}

static void map_section(const char *from, const char *to, unsigned int attr)
{
    paging_map((uint64_t)from, hva_to_pa(from), (uint64_t)(to - from), attr);
}

/* All RAM but the image, which has mappings of its own. */
static void map_direct(const struct boot_range *r)
{
    uint64_t image = boot_info.image.base;
    uint64_t image_end = image + boot_info.image.len;
    uint64_t end = r->base + r->len;
    uint64_t before = MIN(end, image);
    uint64_t after = MAX(r->base, image_end);

    if (r->base < before) {
        paging_map(DIRECT_BASE + r->base, pa(r->base), before - r->base, PT_W);
    }
    if (after < end) {
        paging_map(DIRECT_BASE + after, pa(after), end - after, PT_W);
    }
}

void arch_map_hypervisor(void)
{
    if (!pt_init(&own, 0, 0)) {
        panic("no memory for page tables");
    }
    map_section(_image_start, _text_end, PT_X);
    map_section(_text_end, _rodata_end, 0);
    map_section(_rodata_end, _image_end, PT_W);
    paging_map(hva_to_pa(_image_start).v, hva_to_pa(_image_start), PAGE_SIZE, PT_X); /* head.S */
    for (unsigned int i = 0; i < boot_info.ram_count; i++) {
        map_direct(&boot_info.ram[i]);
    }
}

uint64_t paging_root(void)
{
    return own.root.v;
}

void arch_map_hide(pa_t at, uint64_t len)
{
    lock(&map_lock);
    CHECK(pt_unmap(&own, DIRECT_BASE + at.v, len));
    dsb(ishst);
    if (len > FORGET_ALL) {
        __asm__ volatile("tlbi alle2is" : : : "memory");
    }
    for (uint64_t i = 0; i < len && len <= FORGET_ALL; i += PAGE_SIZE) {
        __asm__ volatile("tlbi vae2is, %0" : : "r"((DIRECT_BASE + at.v + i) >> PAGE_SHIFT));
    }
    dsb(ish);
    isb();
    unlock(&map_lock);
}

void arch_map_show(pa_t at, uint64_t len)
{
    lock(&map_lock);
    CHECK(pt_map(&own, DIRECT_BASE + at.v, at, len, PT_W) == ABI_OK);
    dsb(ishst);
    isb();
    unlock(&map_lock);
}

uint64_t arch_map_table_pages(void)
{
    return own.pages;
}

void *arch_map_device(pa_t at, uint64_t len)
{
    uint64_t first = ALIGN_DOWN(at.v, PAGE_SIZE);
    uint64_t size = ALIGN_UP(at.v + len, PAGE_SIZE) - first;
    uint64_t va = device_next;

    device_next += size + PAGE_SIZE;
    paging_map(va, pa(first), size, PT_W | PT_DEVICE);
    return (void *)(va + at.v - first);
}

void arch_image_constant(const void **at, size_t *len)
{
    *at = _image_start;
    *len = (size_t)(_rodata_end - _image_start);
}
