/* The hypervisor's own address space. No page is writable and executable, under any address. */
#include "arch/boot.h"
#include "arch/lock.h"
#include "arch/panic.h"
#include "common.h"
#include "hv/check.h"

extern char _image_start[], _text_end[], _rodata_end[], _image_end[];

struct pt own_map;
static struct lock map_lock;
static uint64_t device_next = DEVICE_BASE;

void paging_map(uint64_t va, pa_t to, uint64_t len, unsigned int attr)
{
    REQUIRE((attr & (PT_W | PT_X)) != (PT_W | PT_X));
    if (pt_map(&own_map, va, to, len, attr) != ABI_OK) {
        panic("cannot map %lx", (unsigned long)va);
    }
    paging_added();
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

void map_create(void)
{
    if (!pt_init(&own_map, 0, 0)) {
        panic("no memory for page tables");
    }
    map_section(_image_start, _text_end, PT_X);
    map_section(_text_end, _rodata_end, 0);
    map_section(_rodata_end, _image_end, PT_W);
    for (unsigned int i = 0; i < boot_info.ram_count; i++) {
        map_direct(&boot_info.ram[i]);
    }
}

bool arch_map_hide(pa_t at, uint64_t len)
{
    bool ok;

    lock(&map_lock);
    ok = pt_unmap(&own_map, DIRECT_BASE + at.v, len);
    if (ok) {
        paging_forget(DIRECT_BASE + at.v, len);
    }
    unlock(&map_lock);
    return ok;
}

/* The tables for pages, with a hole where its page is. */
bool arch_map_cut(pa_t at)
{
    enum abi_status st;

    lock(&map_lock);
    st = pt_reserve(&own_map, DIRECT_BASE + ALIGN_DOWN(at.v, PAGE_SIZE), PAGE_SIZE);
    unlock(&map_lock);
    return st != ABI_NO_MEMORY;
}

/*
 * Needs no table: to hide a piece, leaves around it were split, and whole ones taken out of tables
 * that stay; it goes back into these, or into those that arch_map_cut() made.
 */
void arch_map_show(pa_t at, uint64_t len)
{
    lock(&map_lock);
    CHECK(pt_map(&own_map, DIRECT_BASE + at.v, at, len, PT_W) == ABI_OK);
    paging_added();
    unlock(&map_lock);
}

uint64_t arch_map_table_pages(void)
{
    return own_map.pages;
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
