/* Memory maps of boot loaders: what there is too much of, and what contradicts itself. */
#include "../../arch/x86_64/boot/mbi.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "../../arch/common/common.h"
#include "arch_impl/string.h"
#include "cu.h"
#include "hv/check.h"
#include "hv/log.h"

#define MB1 0x2badb002u
#define RAM 1u
#define GAP (2 * PAGE_SIZE) /* from one range to the next */

char _image_start[1], _image_end[1];
static uint8_t low[64 * 1024]; /* physical memory, from 0 on */
static jmp_buf out;
static char said[200];
static unsigned int warnings;

void *fake_hva(pa_t at)
{
    return &low[at.v];
}

pa_t fake_pa(const void *hva)
{
    return pa((uint64_t)hva);
}

void fake_copy(void *dst, const void *src, size_t n)
{
    memmove(dst, src, n);
}

void fake_fill(void *dst, uint8_t byte, size_t n)
{
    memset(dst, byte, n);
}

static void keep(const char *fmt, va_list list)
{
    vsnprintf(said, sizeof(said), fmt, list);
}

void panic(const char *fmt, ...)
{
    va_list list;

    va_start(list, fmt);
    keep(fmt, list);
    va_end(list);
    longjmp(out, 1);
}

void log_at(enum log_level level, const char *fmt, ...)
{
    va_list list;

    CU_ASSERT_EQUAL(level, LOG_WARN);
    warnings++;
    va_start(list, fmt);
    keep(fmt, list);
    va_end(list);
}

/* ---- a map of Multiboot 1 ---- */

struct entry {
    uint32_t size;
    uint64_t base, len;
    uint32_t type;
} __attribute__((packed));

static unsigned int entries;

static void begin(void)
{
    memset(&boot_info, 0, sizeof(boot_info));
    entries = 0;
    warnings = 0;
    said[0] = '\0';
}

static void entry(uint32_t type, uint64_t base, uint64_t len)
{
    const struct entry e = {sizeof(e) - 4, base, len, type};

    memcpy(&low[0x1000 + entries++ * sizeof(e)], &e, sizeof(e));
}

/* False: it ended with a panic. */
static bool read_map(void)
{
    const uint32_t info[] = {64, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                             entries * (uint32_t)sizeof(struct entry), 0x1000};

    memcpy(&low[0x100], info, sizeof(info));
    if (setjmp(out) != 0) {
        return false;
    }
    mbi_read(MB1, 0x100);
    return true;
}

static bool is(const struct boot_range *r, uint64_t base, uint64_t end)
{
    return r->base == base && r->base + r->len == end;
}

static void ranges_that_touch_are_one_in_any_order(void)
{
    begin();
    entry(RAM, 0x9000, 0x1000);
    entry(RAM, 0x5000, 0x1000);
    entry(RAM, 0x7000, 0x2000);
    entry(RAM, 0x6000, 0x1800);
    entry(2, 0x20000, 0x1000);
    entry(3, 0x21000, 0x800);
    CU_ASSERT_TRUE(read_map());
    CU_ASSERT(boot_info.ram_count == 1 && is(&boot_info.ram[0], 0x5000, 0xa000));
    CU_ASSERT(boot_info.reserved_count == 1 && is(&boot_info.reserved[0], 0x20000, 0x22000));
}

static void what_is_listed_as_both_is_ram_and_the_rest_stays_reserved(void)
{
    begin();
    entry(2, 0x10000, 0x10000);
    entry(RAM, 0x14000, 0x4000);
    entry(RAM, 0x30000, 0x1000);
    entry(2, 0x30000, 0x1000);
    CU_ASSERT_TRUE(read_map());
    CU_ASSERT_EQUAL_FATAL(boot_info.reserved_count, 2);
    CU_ASSERT_TRUE(is(&boot_info.reserved[0], 0x10000, 0x14000));
    CU_ASSERT_TRUE(is(&boot_info.reserved[1], 0x18000, 0x20000));
}

static void ram_that_is_too_scattered_is_left_out_with_a_warning(void)
{
    begin();
    for (unsigned int i = 0; i < BOOT_RANGES_MAX; i++) {
        entry(RAM, 0x10000 + i * GAP, PAGE_SIZE);
    }
    entry(RAM, 0x8000, 0x2000);                      /* no room */
    entry(RAM, 0x10000 + PAGE_SIZE, PAGE_SIZE);      /* joins two: room again */
    entry(RAM, GiB(1), PAGE_SIZE);
    CU_ASSERT_TRUE(read_map());
    CU_ASSERT_EQUAL(warnings, 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(said, "more than 128 ranges of RAM: 8 KiB at 8000"));
    CU_ASSERT_EQUAL(boot_info.ram_count, BOOT_RANGES_MAX);
    CU_ASSERT_TRUE(is(&boot_info.ram[0], 0x10000, 0x13000));
    CU_ASSERT_TRUE(is(&boot_info.ram[BOOT_RANGES_MAX - 1], GiB(1), GiB(1) + PAGE_SIZE));
}

static void a_reserved_range_is_never_left_out(void)
{
    for (unsigned int more = 0; more < 2; more++) {
        begin();
        entry(RAM, GiB(2), MiB(2));
        for (unsigned int i = 0; i < BOOT_RANGES_MAX + more; i++) {
            entry(2, 0x10000 + i * GAP, PAGE_SIZE);
        }
        CU_ASSERT_EQUAL(read_map(), more == 0);
    }
    CU_ASSERT_PTR_NOT_NULL(strstr(said, "more than 128 reserved ranges"));
}

static void a_reserved_range_that_ram_cuts_in_two_needs_room_as_well(void)
{
    begin();
    for (unsigned int i = 0; i < BOOT_RANGES_MAX; i++) {
        entry(2, GiB(1) + i * 4 * GAP, 3 * PAGE_SIZE);
    }
    entry(RAM, GiB(1) + PAGE_SIZE, PAGE_SIZE);
    CU_ASSERT_FALSE(read_map());
    CU_ASSERT_PTR_NOT_NULL(strstr(said, "more than 128 reserved ranges"));
}

static void a_range_that_ends_beyond_64_bits_ends_with_them(void)
{
    begin();
    entry(RAM, 0x1000, 0x1000);
    entry(2, UINT64_MAX - 0x2fff, UINT64_MAX);
    entry(RAM, UINT64_MAX - 0x1fff, 0x2000);
    CU_ASSERT_TRUE(read_map());
    CU_ASSERT_EQUAL(boot_info.ram_count, 1);
    CU_ASSERT(boot_info.reserved_count == 1 &&
              is(&boot_info.reserved[0], UINT64_MAX - 0x2fff, RANGE_LAST));
}

/* As a Device Tree's reservations are cut out of its RAM. */
static void what_is_cut_out_is_gone_even_without_room_for_what_is_behind(void)
{
    begin();
    for (unsigned int i = 0; i < BOOT_RANGES_MAX; i++) {
        CU_ASSERT_TRUE(range_add(RANGES_RAM, MiB(1) + i * MiB(1), MiB(1) + i * MiB(1) + 0x8000));
    }
    CU_ASSERT_FALSE(range_cut(RANGES_RAM, MiB(4) + 0x2000, MiB(4) + 0x3000));
    CU_ASSERT_TRUE(is(&boot_info.ram[3], MiB(4), MiB(4) + 0x2000));
    CU_ASSERT_TRUE(is(&boot_info.ram[4], MiB(5), MiB(5) + 0x8000));
    CU_ASSERT_TRUE(range_cut(RANGES_RAM, MiB(5) + 0x1000, MiB(8) + 0x1000));
    CU_ASSERT_EQUAL(boot_info.ram_count, BOOT_RANGES_MAX - 2);
    CU_ASSERT_TRUE(is(&boot_info.ram[4], MiB(5), MiB(5) + 0x1000));
    CU_ASSERT_TRUE(is(&boot_info.ram[5], MiB(8) + 0x1000, MiB(8) + 0x8000));
}

static const struct cu_test tests[] = {
    CU(ranges_that_touch_are_one_in_any_order),
    CU(what_is_listed_as_both_is_ram_and_the_rest_stays_reserved),
    CU(ram_that_is_too_scattered_is_left_out_with_a_warning),
    CU(a_reserved_range_is_never_left_out),
    CU(a_reserved_range_that_ram_cuts_in_two_needs_room_as_well),
    CU(a_range_that_ends_beyond_64_bits_ends_with_them),
    CU(what_is_cut_out_is_gone_even_without_room_for_what_is_behind),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("x86_mbi", tests, argc, argv);
}
