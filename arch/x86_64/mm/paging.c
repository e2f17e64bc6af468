/* The hypervisor's own address space. No page is writable and executable, under any address. */
#include "paging.h"

#include "../boot/mbi.h"
#include "../cpu/x86.h"
#include "arch/boot.h"
#include "arch_impl/insn.h"
#include "hv/check.h"
#include "hv/page.h"

static struct pt own;
static uint64_t device_next = DEVICE_BASE;
extern uint64_t boot_pml4[PT_ENTRIES];

void paging_map(uint64_t va, pa_t to, uint64_t len, unsigned int attr)
{
    REQUIRE((attr & (PT_W | PT_X)) != (PT_W | PT_X));
    if (pt_map(&own, va, to, len, attr) != ABI_OK) {
        panic("cannot map %lx", (unsigned long)va);
    }
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
    for (unsigned int i = 0; i < boot_info.ram_count; i++) {
        map_direct(&boot_info.ram[i]);
    }
    write_cr3(own.root.v);
}

uint64_t paging_boot_root(void)
{
    const uint64_t *root = pa_to_hva(own.root);

    for (unsigned int i = PT_ENTRIES / 2; i < PT_ENTRIES; i++) {
        boot_pml4[i] = root[i];
    }
    return hva_to_pa(boot_pml4).v;
}

static struct lock map_lock;

#define INVLPG_MAX 16u /* pages; more are forgotten with all the rest */

void arch_map_hide(pa_t at, uint64_t len)
{
    lock(&map_lock);
    CHECK(pt_unmap(&own, DIRECT_BASE + at.v, len));
    if (len > INVLPG_MAX * PAGE_SIZE) {
        write_cr3(own.root.v);
    }
    for (uint64_t i = 0; i < len && len <= INVLPG_MAX * PAGE_SIZE; i += PAGE_SIZE) {
        invlpg(DIRECT_BASE + at.v + i);
    }
    unlock(&map_lock);
}

void arch_map_show(pa_t at, uint64_t len)
{
    lock(&map_lock);
    CHECK(pt_map(&own, DIRECT_BASE + at.v, at, len, PT_W) == ABI_OK);
    unlock(&map_lock);
}

uint64_t arch_map_table_pages(void)
{
    return own.pages;
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
    write_cr3(own.root.v);
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
