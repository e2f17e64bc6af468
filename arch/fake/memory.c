/* RAM with holes, the direct map onto it, and what a chip sees of it: all, whatever is hidden. */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "arch/barrier.h"
#include "arch/boot.h"
#include "arch/string.h"
#include "fake/fake.h"
#include "hv/check.h"

struct boot_info boot_info;
static uint8_t *span, *chip;
static bool hidden_whole[FAKE_SPAN / SIZE_2M]; /* there is no table for their pages */

static uint8_t *map(int memory, int protection)
{
    void *p = mmap(NULL, FAKE_SPAN, protection, MAP_SHARED | MAP_NORESERVE, memory, 0);

    REQUIRE(p != MAP_FAILED);
    return p;
}

static void map_once(void)
{
    int memory = memfd_create("ram", 0);

    REQUIRE(memory >= 0 && ftruncate(memory, FAKE_SPAN) == 0);
    span = map(memory, PROT_NONE);
    chip = map(memory, PROT_READ | PROT_WRITE);
    close(memory);
}

/* What a test before this one left. The mappings stay: QEMU's user mode pays for each, for ever. */
static void clear(void)
{
    REQUIRE(madvise(chip, FAKE_SPAN, MADV_REMOVE) == 0);
    memset(hidden_whole, 0, sizeof(hidden_whole));
    for (unsigned int i = 0; i < boot_info.ram_count; i++) {
        const struct boot_range *r = &boot_info.ram[i];

        REQUIRE(mprotect(span + r->base, r->len, PROT_NONE) == 0);
    }
}

void fake_ram(const struct boot_range *ranges, unsigned int count)
{
    REQUIRE(count <= BOOT_RANGES_MAX);
    if (span == NULL) {
        map_once();
    } else {
        clear();
    }
    memset(&boot_info, 0, sizeof(boot_info));
    for (unsigned int i = 0; i < count; i++) {
        REQUIRE(ranges[i].base + ranges[i].len <= FAKE_SPAN);
        REQUIRE(mprotect(span + ranges[i].base, ranges[i].len, PROT_READ | PROT_WRITE) == 0);
        boot_info.ram[i] = ranges[i];
    }
    boot_info.ram_count = count;
}

void fake_ram_size(uint64_t bytes)
{
    const struct boot_range ranges[] = {
        {0, KiB(636)},
        {MiB(1), MIN(bytes, GiB(3)) - MiB(1)},
        {GiB(4), bytes - MIN(bytes, GiB(3))},
    };

    fake_ram(ranges, bytes > GiB(3) ? 3 : 2);
    boot_info.low = (struct boot_range){PAGE_SIZE, PAGE_SIZE};
    boot_info.image = (struct boot_range){MiB(2), KiB(260)};
}

void fake_dirty(uint64_t base, uint64_t len, uint8_t byte)
{
    REQUIRE(base + len <= FAKE_SPAN);
    memset(span + base, byte, len);
}

static bool in(const struct boot_range *r, uint64_t at)
{
    return at >= r->base && at - r->base < r->len;
}

static bool is_mapped(uint64_t at)
{
    if (boot_info.image.len != 0 && at >= ALIGN_DOWN(boot_info.image.base, PAGE_SIZE) &&
        at < ALIGN_UP(boot_info.image.base + boot_info.image.len, PAGE_SIZE)) {
        return false;
    }
    for (unsigned int i = 0; i < boot_info.ram_count; i++) {
        if (in(&boot_info.ram[i], at)) {
            return true;
        }
    }
    return false;
}

void *fake_chip(pa_t at)
{
    for (unsigned int i = 0; i < boot_info.ram_count; i++) {
        if (in(&boot_info.ram[i], at.v)) {
            return chip + at.v;
        }
    }
    return NULL;
}

void *fake_hva(pa_t at)
{
    if (!is_mapped(at.v)) {
        panic("the direct map does not hold %lx", (unsigned long)at.v);
    }
    return span + at.v;
}

pa_t fake_pa(const void *hva)
{
    uint64_t at = (uint64_t)((const uint8_t *)hva - span);

    if (at >= FAKE_SPAN || !is_mapped(at)) {
        panic("not in the direct map: %p", hva);
    }
    return pa(at);
}

void arch_map_hypervisor(void)
{
}

/* Upwards, as the contract says: only a destination below an overlapping source is fine. */
void fake_copy(void *dst, const void *src, size_t n)
{
    const uint8_t *s = src;
    uint8_t *d = dst;

    REQUIRE(d <= s || d >= s + n);
    memmove(dst, src, n);
}

void fake_fill(void *dst, uint8_t byte, size_t n)
{
    memset(dst, byte, n);
}

bool fake_map_is_full;

/* What is hidden faults when it is touched, as it does on a machine. */
bool arch_map_hide(pa_t at, uint64_t len)
{
    if (!fake_map_is_full) {
        REQUIRE(mprotect(fake_hva(at), len, PROT_NONE) == 0);
        if (len == SIZE_2M) {
            store_once(&hidden_whole[at.v / SIZE_2M], true);
        }
    }
    return !fake_map_is_full;
}

bool arch_map_cut(pa_t at)
{
    bool *whole = &hidden_whole[at.v / SIZE_2M];

    if (load_once(whole) && fake_map_is_full) {
        return false;
    }
    store_once(whole, false);
    return true;
}

void (*fake_when_shown)(pa_t at);

void arch_map_show(pa_t at, uint64_t len)
{
    REQUIRE(len >= SIZE_2M || !load_once(&hidden_whole[at.v / SIZE_2M]));
    if (len >= SIZE_2M) {
        store_once(&hidden_whole[at.v / SIZE_2M], false);
    }
    REQUIRE(mprotect(fake_hva(at), len, PROT_READ | PROT_WRITE) == 0);
    if (fake_when_shown != NULL) {
        fake_when_shown(at);
    }
}

uint64_t arch_map_table_pages(void)
{
    return 0;
}

uint64_t arch_map_for_silicon(void)
{
    return (uint64_t)chip;
}

const char *silicon_says(void)
{
    return "\"emulated\":false";
}
