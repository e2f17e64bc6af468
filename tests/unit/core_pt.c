/* The radix tree, on entries whose encoding it cannot know. */
#include <string.h>

#include "core_host.h"
#include "cu.h"
#include "hv/page.h"
#include "hv/pt.h"

#define VA   0x7640000000ull /* aligned to 1 GiB */
#define TO   GiB(3)
#define ATTR (PT_W | PT_X)

static struct pt t;

static void start(unsigned int max_leaf)
{
    core_boot(MiB(64), 1);
    fake_max_leaf(max_leaf);
    CU_ASSERT_FATAL(pt_init(&t, 7, PT_GUEST));
}

static void finish(void)
{
    pt_destroy(&t);
    CU_ASSERT_EQUAL(t.root.v, 0);
    fake_max_leaf(2);
    core_done();
}

/* Is va mapped to `to` by an entry of that level? */
static bool maps(uint64_t va, uint64_t to, unsigned int level)
{
    unsigned int attr, at_level;
    pa_t got;

    return pt_lookup(&t, va, &got, &attr, &at_level) && got.v == to && at_level == level &&
           attr == (ATTR | PT_GUEST);
}

static bool is_hole(uint64_t va)
{
    unsigned int attr, level;
    pa_t got;

    return !pt_lookup(&t, va, &got, &attr, &level);
}

static enum abi_status map(uint64_t va, uint64_t to, uint64_t len)
{
    return pt_map(&t, va, pa(to), len, ATTR);
}

static void pages_are_as_big_as_alignment_and_length_allow(void)
{
    start(2);
    CU_ASSERT_EQUAL(map(VA, TO, SIZE_1G), ABI_OK);
    CU_ASSERT(maps(VA, TO, 2));
    CU_ASSERT(maps(VA + SIZE_1G - 1, TO + SIZE_1G - 1, 2));
    CU_ASSERT_EQUAL(map(VA + 2 * SIZE_1G, TO + SIZE_2M, SIZE_1G), ABI_OK); /* host only by 2 MiB */
    CU_ASSERT(maps(VA + 2 * SIZE_1G + MiB(5) + 3, TO + SIZE_2M + MiB(5) + 3, 1));
    CU_ASSERT_EQUAL(map(VA + 4 * SIZE_1G, TO + PAGE_SIZE, SIZE_2M), ABI_OK);
    CU_ASSERT(maps(VA + 4 * SIZE_1G, TO + PAGE_SIZE, 0));
    CU_ASSERT_EQUAL(map(VA + 5 * SIZE_1G, TO, SIZE_1G - PAGE_SIZE), ABI_OK);
    CU_ASSERT(maps(VA + 5 * SIZE_1G, TO, 1));
    CU_ASSERT(maps(VA + 6 * SIZE_1G - SIZE_2M, TO + SIZE_1G - SIZE_2M, 0));
    CU_ASSERT(is_hole(VA + 6 * SIZE_1G - PAGE_SIZE));
    finish();
}

/* From a 4 KiB page before a GiB to one behind it. */
static void a_range_grows_and_shrinks_its_pages_at_the_ends(void)
{
    start(2);
    CU_ASSERT_EQUAL(map(VA - SIZE_2M - PAGE_SIZE, TO - SIZE_2M - PAGE_SIZE,
                        SIZE_1G + 2 * SIZE_2M + 2 * PAGE_SIZE),
                    ABI_OK);
    CU_ASSERT(maps(VA - SIZE_2M - PAGE_SIZE, TO - SIZE_2M - PAGE_SIZE, 0));
    CU_ASSERT(maps(VA - SIZE_2M, TO - SIZE_2M, 1));
    CU_ASSERT(maps(VA, TO, 2));
    CU_ASSERT(maps(VA + SIZE_1G, TO + SIZE_1G, 1));
    CU_ASSERT(maps(VA + SIZE_1G + SIZE_2M, TO + SIZE_1G + SIZE_2M, 0));
    CU_ASSERT(is_hole(VA - SIZE_2M - 2 * PAGE_SIZE));
    CU_ASSERT(is_hole(VA + SIZE_1G + SIZE_2M + PAGE_SIZE));
    finish();
}

static void a_cpu_without_1g_pages_gets_2m_pages(void)
{
    start(1);
    CU_ASSERT_EQUAL(map(VA, TO, SIZE_1G), ABI_OK);
    CU_ASSERT(maps(VA, TO, 1));
    CU_ASSERT(maps(VA + SIZE_1G - SIZE_2M, TO + SIZE_1G - SIZE_2M, 1));
    finish();
}

static void attributes_are_kept_page_by_page(void)
{
    static const unsigned int attrs[] = {0, PT_W, PT_X, PT_W | PT_X, PT_DEVICE | PT_W, PT_SHARED};

    start(2);
    for (unsigned int i = 0; i < ARRAY_SIZE(attrs); i++) {
        unsigned int attr, level;
        pa_t got;

        CU_ASSERT_EQUAL(pt_map(&t, i * SIZE_2M, pa(TO), SIZE_2M, attrs[i]), ABI_OK);
        CU_ASSERT(pt_unmap(&t, i * SIZE_2M, PAGE_SIZE)); /* and through a split */
        CU_ASSERT(pt_lookup(&t, i * SIZE_2M + PAGE_SIZE, &got, &attr, &level));
        CU_ASSERT_EQUAL(attr, attrs[i] | PT_GUEST);
    }
    finish();
}

static void what_is_mapped_is_not_mapped_again(void)
{
    start(2);
    CU_ASSERT_EQUAL(map(VA + 5 * PAGE_SIZE, TO, PAGE_SIZE), ABI_OK);
    CU_ASSERT_EQUAL(map(VA + 5 * PAGE_SIZE, TO, PAGE_SIZE), ABI_EXISTS);
    CU_ASSERT_EQUAL(map(VA, TO, SIZE_2M), ABI_EXISTS);
    CU_ASSERT_EQUAL(map(VA, TO, SIZE_1G), ABI_EXISTS);
    CU_ASSERT(is_hole(VA) && is_hole(VA + 4 * PAGE_SIZE) && is_hole(VA + 6 * PAGE_SIZE));
    CU_ASSERT(maps(VA + 5 * PAGE_SIZE, TO, 0));
    CU_ASSERT_EQUAL(map(VA + SIZE_1G, TO, SIZE_1G), ABI_OK);
    CU_ASSERT_EQUAL(map(VA + SIZE_1G + SIZE_2M, TO, SIZE_2M), ABI_EXISTS);
    CU_ASSERT_EQUAL(map(VA + 2 * SIZE_1G - PAGE_SIZE, TO, 2 * PAGE_SIZE), ABI_EXISTS);
    CU_ASSERT(is_hole(VA + 2 * SIZE_1G));
    finish();
}

static void unmapping_a_part_splits_big_pages_and_keeps_the_rest(void)
{
    start(2);
    CU_ASSERT_EQUAL(map(VA, TO, 2 * SIZE_1G), ABI_OK);
    CU_ASSERT(pt_unmap(&t, VA + SIZE_1G - PAGE_SIZE, 2 * PAGE_SIZE));
    CU_ASSERT(maps(VA, TO, 1));
    CU_ASSERT(maps(VA + SIZE_1G - SIZE_2M, TO + SIZE_1G - SIZE_2M, 0));
    CU_ASSERT(maps(VA + SIZE_1G - 2 * PAGE_SIZE, TO + SIZE_1G - 2 * PAGE_SIZE, 0));
    CU_ASSERT(is_hole(VA + SIZE_1G - PAGE_SIZE) && is_hole(VA + SIZE_1G));
    CU_ASSERT(maps(VA + SIZE_1G + PAGE_SIZE, TO + SIZE_1G + PAGE_SIZE, 0));
    CU_ASSERT(maps(VA + SIZE_1G + SIZE_2M, TO + SIZE_1G + SIZE_2M, 1));
    CU_ASSERT_EQUAL(map(VA + SIZE_1G - PAGE_SIZE, TO, 2 * PAGE_SIZE), ABI_OK);
    CU_ASSERT(maps(VA + SIZE_1G, TO + PAGE_SIZE, 0));
    finish();
}

static void unmapping_holes_is_no_error(void)
{
    start(2);
    CU_ASSERT(pt_unmap(&t, 0, 1ull << 47));
    CU_ASSERT_EQUAL(map(VA, TO, PAGE_SIZE), ABI_OK);
    CU_ASSERT(pt_unmap(&t, 0, 1ull << 47));
    CU_ASSERT(is_hole(VA));
    CU_ASSERT(pt_unmap(&t, VA, 0));
    finish();
}

static void a_mapping_that_fails_at_any_allocation_leaves_nothing_mapped(void)
{
    uint64_t len = SIZE_2M + 4 * PAGE_SIZE;
    unsigned int failures = 0;

    start(2);
    for (unsigned int n = 1;; n++) {
        enum abi_status st;

        core_fail_alloc(n, true);
        st = map(VA + SIZE_1G - 2 * PAGE_SIZE, TO - 2 * PAGE_SIZE, len);
        core_fail_alloc(0, false);
        if (st == ABI_OK) {
            break;
        }
        CU_ASSERT_EQUAL(st, ABI_NO_MEMORY);
        for (uint64_t i = 0; i < len; i += PAGE_SIZE) {
            CU_ASSERT(is_hole(VA + SIZE_1G - 2 * PAGE_SIZE + i));
        }
        failures++;
        pt_destroy(&t);
        core_done();
        CU_ASSERT_FATAL(pt_init(&t, 7, PT_GUEST));
    }
    CU_ASSERT(failures >= 4);
    finish();
}

static void an_unmapping_that_cannot_split_changes_nothing(void)
{
    start(2);
    CU_ASSERT_EQUAL(map(VA, TO, 3 * SIZE_1G), ABI_OK);
    for (unsigned int n = 0; n < 3; n++) { /* splits that were made stay: the next gets further */
        core_fail_alloc(n < 2 ? n + 1 : 2, true);
        CU_ASSERT_FALSE(pt_unmap(&t, VA + PAGE_SIZE, 3 * SIZE_1G - 2 * PAGE_SIZE));
        core_fail_alloc(0, false);
        for (uint64_t at = 0; at < 3 * SIZE_1G; at += SIZE_2M / 2) {
            unsigned int attr, level;
            pa_t got;

            CU_ASSERT(pt_lookup(&t, VA + at, &got, &attr, &level) && got.v == TO + at);
        }
    }
    CU_ASSERT(pt_unmap(&t, VA + PAGE_SIZE, 3 * SIZE_1G - 2 * PAGE_SIZE));
    CU_ASSERT(maps(VA, TO, 0));
    CU_ASSERT(maps(VA + 3 * SIZE_1G - PAGE_SIZE, TO + 3 * SIZE_1G - PAGE_SIZE, 0));
    CU_ASSERT(is_hole(VA + PAGE_SIZE) && is_hole(VA + SIZE_1G) && is_hole(VA + 2 * SIZE_1G));
    finish();
}

/* As the hypervisor's own mappings lose memory and get it back (arch/common/map.c). */
static void what_is_unmapped_comes_back_without_a_table(void)
{
    static const uint64_t len[] = {PAGE_SIZE, SIZE_2M};

    start(2);
    CU_ASSERT_EQUAL(map(VA, TO, 2 * SIZE_1G), ABI_OK);
    for (unsigned int n = 0; n < 4; n++) { /* at the beginning of a big page, and at its end */
        uint64_t at = n / 2 * (SIZE_1G - SIZE_2M) + n % 2 * SIZE_1G;

        for (unsigned int i = 0; i < 4; i++) { /* small ones first, or a whole one */
            uint64_t size = len[(n + i) % 2];

            CU_ASSERT(pt_unmap(&t, VA + at, size));
            core_fail_alloc(1, true);
            CU_ASSERT_EQUAL(map(VA + at, TO + at, size), ABI_OK);
            core_fail_alloc(0, false);
            CU_ASSERT(maps(VA + at, TO + at, i == 0 && size == SIZE_2M));
        }
    }
    finish();
}

static void a_part_of_what_is_unmapped_comes_back_once_its_tables_are_reserved(void)
{
    start(2);
    CU_ASSERT_EQUAL(map(VA, TO, SIZE_1G), ABI_OK);
    CU_ASSERT(pt_unmap(&t, VA, SIZE_2M));
    core_fail_alloc(1, true);
    CU_ASSERT_EQUAL(map(VA + 0x5000, TO + 0x5000, PAGE_SIZE), ABI_NO_MEMORY);
    CU_ASSERT_EQUAL(pt_reserve(&t, VA + 0x7000, PAGE_SIZE), ABI_NO_MEMORY);
    core_fail_alloc(0, false);
    CU_ASSERT_EQUAL(pt_reserve(&t, VA + 0x7000, PAGE_SIZE), ABI_OK);
    CU_ASSERT(is_hole(VA + 0x5000) && is_hole(VA + 0x7000));
    core_fail_alloc(1, true);
    CU_ASSERT_EQUAL(pt_reserve(&t, VA + 0x5000, PAGE_SIZE), ABI_OK); /* as often as one likes */
    CU_ASSERT_EQUAL(map(VA + 0x5000, TO + 0x5000, PAGE_SIZE), ABI_OK);
    CU_ASSERT_EQUAL(pt_reserve(&t, VA + 0x5000, PAGE_SIZE), ABI_EXISTS);
    CU_ASSERT_EQUAL(map(VA + 0x6000, TO + 0x6000, SIZE_2M - 0x6000), ABI_OK);
    core_fail_alloc(0, false);
    CU_ASSERT(maps(VA + 0x5000, TO + 0x5000, 0) && is_hole(VA + 0x4000));
    finish();
}

static void a_root_that_cannot_be_had_is_said(void)
{
    core_boot(MiB(64), 1);
    core_fail_alloc(1, false);
    CU_ASSERT_FALSE(pt_init(&t, 1, 0));
    core_done();
}

static void odd_addresses_and_lengths_panic(void)
{
    start(2);
    ASSERT_PANICS((void)!map(VA + 1, TO, PAGE_SIZE));
    ASSERT_PANICS((void)!map(VA, TO + 2048, PAGE_SIZE));
    ASSERT_PANICS((void)!map(VA, TO, PAGE_SIZE - 1));
    ASSERT_PANICS((void)!pt_unmap(&t, VA + 8, PAGE_SIZE));
    finish();
}

static void the_tables_belong_to_their_owner_and_are_counted(void)
{
    uint64_t free;

    start(2);
    free = page_count_free();
    CU_ASSERT_EQUAL(map(VA, TO, PAGE_SIZE), ABI_OK);
    CU_ASSERT_EQUAL(page_count_free(), free - 3);
    CU_ASSERT_EQUAL(page_state_of(t.root), PAGE_TABLE);
    CU_ASSERT_EQUAL(page_owner_of(t.root), 7);
    finish();
}

static const struct cu_test tests[] = {
    CU(pages_are_as_big_as_alignment_and_length_allow),
    CU(a_range_grows_and_shrinks_its_pages_at_the_ends),
    CU(a_cpu_without_1g_pages_gets_2m_pages),
    CU(attributes_are_kept_page_by_page),
    CU(what_is_mapped_is_not_mapped_again),
    CU(unmapping_a_part_splits_big_pages_and_keeps_the_rest),
    CU(unmapping_holes_is_no_error),
    CU(a_mapping_that_fails_at_any_allocation_leaves_nothing_mapped),
    CU(an_unmapping_that_cannot_split_changes_nothing),
    CU(what_is_unmapped_comes_back_without_a_table),
    CU(a_part_of_what_is_unmapped_comes_back_once_its_tables_are_reserved),
    CU(a_root_that_cannot_be_had_is_said),
    CU(odd_addresses_and_lengths_panic),
    CU(the_tables_belong_to_their_owner_and_are_counted),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("core_pt", tests, argc, argv);
}
