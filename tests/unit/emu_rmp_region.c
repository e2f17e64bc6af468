/* The emulated RMP's regions: what INIT left in the table, before and after an entry is written. */
#include "cu.h"
#include "emu_host.h"

#include <stdlib.h>
#include <string.h>

#define GPA  0x12345000ull
#define GPA2 0x40000000ull

static const struct rmp_entry nobodys, nobodys_2m = {.page_size = RMP_2M};

static struct emu_rmp entry(uint64_t at)
{
    struct emu_rmp e;

    CU_ASSERT_FATAL(emu_rmp_get(pa(at), &e));
    return e;
}

static bool is_hypervisors(uint64_t at)
{
    struct emu_rmp e = entry(at);

    return !e.assigned && !e.validated && !e.immutable && !e.vmsa && !e.in_use && e.asid == 0 &&
           e.gpa == 0 && e.page_size == RMP_4K && e.perms[0] == 0;
}

/* The frame fills the table's memory with A5h. */
static void what_the_tables_memory_held_is_nobodys_page(void)
{
    uint64_t at, base;
    unsigned int strange = 0;

    emu_host_reset();
    for (at = 0; at < HOST_MEMORY; at += PAGE_SIZE) {
        strange += !is_hypervisors(at);
    }
    CU_ASSERT_EQUAL(strange, 0);
    CU_ASSERT(!emu_rmp_has_asid(0xa5a5a5a5));
    base = host_page(RMP_2M);
    CU_ASSERT_EQUAL(host_assign(base + 9 * PAGE_SIZE, RMP_4K, GPA, 1, false), RMP_OK);
    for (at = 0; at < HOST_MEMORY; at += PAGE_SIZE) {
        strange += at != base + 9 * PAGE_SIZE && !is_hypervisors(at);
    }
    CU_ASSERT_EQUAL(strange, 0);
    CU_ASSERT(emu_rmp_has_asid(1) && !emu_rmp_has_asid(0xa5a5a5a5));
    emu_rmp_clear(); /* what was written there is as good as chance */
    CU_ASSERT(is_hypervisors(base + 9 * PAGE_SIZE) && !emu_rmp_has_asid(1));
    CU_ASSERT_EQUAL(host_assign(base, RMP_2M, GPA2, 2, false), RMP_OK);
    CU_ASSERT_EQUAL(emu_rmpupdate(pa(base), &nobodys_2m), RMP_OK);
    CU_ASSERT(is_hypervisors(base + 9 * PAGE_SIZE));
}

static const struct emu_rmp fixed = {.immutable = true};
static const struct emu_rmp firmware = {.assigned = true, .immutable = true};

/* Pages of 4 KiB in these states, wherever the range begins and ends. */
static void a_filled_range_ends_at_its_last_page(void)
{
    static const unsigned int edge[] = {0, 1, 511, 512, 513, 1024, 1535};

    for (size_t i = 0; i < ARRAY_SIZE(edge); i++) {
        for (size_t j = i; j < ARRAY_SIZE(edge); j++) {
            unsigned int wrong = 0;

            emu_host_reset();
            emu_rmp_fill(MiB(16) + edge[i] * PAGE_SIZE, MiB(16) + edge[j] * PAGE_SIZE, &fixed);
            for (unsigned int n = 0; n < 2048; n++) {
                struct emu_rmp e = entry(MiB(16) + n * PAGE_SIZE);

                wrong += e.immutable != (n >= edge[i] && n < edge[j]);
                wrong += e.assigned || e.page_size != RMP_4K;
            }
            CU_ASSERT_EQUAL(wrong, 0);
        }
    }
}

static void the_later_of_two_filled_ranges_holds(void)
{
    unsigned int wrong = 0;

    emu_host_reset();
    emu_rmp_fill(MiB(16), MiB(20), &fixed);
    emu_rmp_fill(MiB(16), MiB(16) + PAGE_SIZE, &firmware); /* the first page of a whole region */
    emu_rmp_fill(MiB(18) + 7 * PAGE_SIZE, MiB(20), &firmware);
    emu_rmp_fill(MiB(20), MiB(20) + PAGE_SIZE, &firmware);
    emu_rmp_fill(MiB(20), MiB(22), &fixed); /* a whole region with a page in it */
    for (uint64_t at = MiB(16); at < MiB(24); at += PAGE_SIZE) {
        struct emu_rmp e = entry(at);

        wrong += e.immutable != (at < MiB(22));
        wrong += e.assigned !=
                 (at == MiB(16) || (at >= MiB(18) + 7 * PAGE_SIZE && at < MiB(20)));
    }
    CU_ASSERT_EQUAL(wrong, 0);
    emu_rmp_fill(HOST_MEMORY - PAGE_SIZE, ~0ull & PAGE_MASK, &fixed); /* the table ends before */
    CU_ASSERT(entry(HOST_MEMORY - PAGE_SIZE).immutable);
    CU_ASSERT(is_hypervisors(HOST_MEMORY - 2 * PAGE_SIZE));
    emu_rmp_fill(~0ull & PAGE_MASK, PAGE_SIZE, &fixed); /* the sum passed its end */
    CU_ASSERT(is_hypervisors(0));
    ASSERT_PANICS(emu_rmp_fill(1, MiB(16), &fixed));
    ASSERT_PANICS(emu_rmp_fill(0, MiB(16), &(const struct emu_rmp){.asid = 1}));
    ASSERT_PANICS(emu_rmp_fill(0, MiB(16), &(const struct emu_rmp){.page_size = RMP_2M}));
}

static void the_last_region_may_be_a_part_of_2_mib(void)
{
    const uint64_t end = MiB(4) + 5 * PAGE_SIZE;
    struct emu_rmp e;
    void *table = malloc(emu_rmp_bytes(end)); /* the sanitizer knows where it ends */

    CU_ASSERT_PTR_NOT_NULL_FATAL(table);
    memset(table, 0xa5, emu_rmp_bytes(end));
    emu_rmp_init(table, end);
    emu_rmp_enable();
    emu_rmp_fill(MiB(2), end - PAGE_SIZE, &fixed);
    CU_ASSERT(is_hypervisors(MiB(2) - PAGE_SIZE) && entry(MiB(2)).immutable);
    CU_ASSERT(entry(end - 2 * PAGE_SIZE).immutable && is_hypervisors(end - PAGE_SIZE));
    CU_ASSERT_EQUAL(host_assign(end - PAGE_SIZE, RMP_4K, GPA, 1, false), RMP_OK);
    CU_ASSERT(emu_rmp_has_asid(1) && !emu_rmp_get(pa(end), &e));
    CU_ASSERT_EQUAL(host_assign(end, RMP_4K, GPA, 1, false), RMP_FAIL_INPUT);
    CU_ASSERT_EQUAL(host_assign(MiB(4), RMP_2M, GPA2, 1, false), RMP_FAIL_INPUT);
    emu_host_reset();
    free(table);
}

/* As AMD's published firmware writes them: 4 KiB each, however long the range. */
static void a_filled_range_is_out_of_the_hypervisors_reach(void)
{
    const struct emu_rmp *const states[] = {&fixed, &firmware};
    bool changed;

    for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
        uint64_t at = MiB(20);

        emu_host_reset();
        emu_rmp_fill(at, at + SIZE_2M, states[i]);
        CU_ASSERT_EQUAL(emu_rmpupdate(pa(at), &nobodys), RMP_FAIL_PERMISSION);
        CU_ASSERT_EQUAL(emu_rmpupdate(pa(at), &nobodys_2m), RMP_FAIL_PERMISSION);
        CU_ASSERT_EQUAL(host_assign(at, RMP_2M, GPA2, 1, false), RMP_FAIL_PERMISSION);
        CU_ASSERT_EQUAL(host_assign(at + 5 * PAGE_SIZE, RMP_4K, GPA, 1, false),
                        RMP_FAIL_PERMISSION);
        CU_ASSERT_EQUAL(emu_psmash(pa(at)), RMP_FAIL_INPUT);
        CU_ASSERT_EQUAL(emu_pvalidate(pa(at), GPA, 1, 0, RMP_4K, true, &changed), EMU_RMP_FAULT);
        CU_ASSERT_EQUAL(emu_pvalidate(pa(at), GPA2, 1, 0, RMP_2M, false, &changed), EMU_RMP_FAULT);
        CU_ASSERT(!changed && !emu_rmp_use(pa(at), 1) && !emu_rmp_has_asid(1));
        for (uint64_t n = 0; n < SIZE_2M; n += PAGE_SIZE) {
            struct emu_rmp e = entry(at + n);

            CU_ASSERT(e.immutable && e.assigned == (i == 1) && e.page_size == RMP_4K);
        }
        CU_ASSERT(is_hypervisors(at - PAGE_SIZE) && is_hypervisors(at + SIZE_2M));
    }
}

static const struct cu_test tests[] = {
    CU(what_the_tables_memory_held_is_nobodys_page),
    CU(a_filled_range_ends_at_its_last_page),
    CU(the_later_of_two_filled_ranges_holds),
    CU(the_last_region_may_be_a_part_of_2_mib),
    CU(a_filled_range_is_out_of_the_hypervisors_reach),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("emu_rmp_region", tests, argc, argv);
}
