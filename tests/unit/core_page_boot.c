/* Page ownership at boot: what of the memory map is taken, and what is free. */
#include <stdio.h>

#include "core_host.h"
#include "cu.h"
#include "hv/page.h"

static bool inside(const struct boot_range *r, pa_t at)
{
    return r->len != 0 && at.v + PAGE_SIZE > r->base && at.v < r->base + r->len;
}

static bool is_ram(pa_t at)
{
    for (unsigned int i = 0; i < boot_info.ram_count; i++) {
        if (inside(&boot_info.ram[i], at)) {
            return true;
        }
    }
    return false;
}

/* Takes every page there is: all of it RAM, none of it reserved, and the table says the same. */
static void check_pool(void)
{
    uint64_t free = page_count_free();
    uint64_t n = 0;
    pa_t at;

    while (page_alloc(0, PAGE_GUEST, 1, &at)) {
        n++;
        CU_ASSERT(is_ram(at) && at.v != 0 && !inside(&boot_info.image, at) &&
                  !inside(&boot_info.bundle, at) && !inside(&boot_info.low, at));
        *(volatile uint8_t *)pa_to_hva(at) = 1;
    }
    CU_ASSERT_EQUAL(n, free);
    n = 0;
    for (uint64_t a = 0; a < boot_info.ram[boot_info.ram_count - 1].base +
                                 boot_info.ram[boot_info.ram_count - 1].len;
         a += PAGE_SIZE) {
        if (page_state_of(pa(a)) == PAGE_GUEST) {
            page_free(pa(a), PAGE_GUEST, 1);
        }
        CU_ASSERT_EQUAL(page_state_of(pa(a)) != PAGE_NONE, is_ram(pa(a)));
        n += page_state_of(pa(a)) != PAGE_NONE;
    }
    CU_ASSERT_EQUAL(n, page_count_total());
    core_done();
}

static void a_map_with_holes_and_odd_pieces_is_used_to_the_last_page(void)
{
    static const struct boot_range ram[] = {
        {0, KiB(4)},           {KiB(12), KiB(4)},        {KiB(512), KiB(124)},
        {MiB(1), MiB(5) + KiB(12)}, {MiB(7) + KiB(4), MiB(9)}, {MiB(33), KiB(8)},
        {MiB(40) - KiB(4), MiB(3)},
    };

    fake_ram(ram, ARRAY_SIZE(ram));
    core_boot_map(1, 1);
    CU_ASSERT_EQUAL(page_count_total(),
                    (KiB(4) + KiB(4) + KiB(124) + MiB(5) + KiB(12) + MiB(9) + KiB(8) + MiB(3)) >>
                        PAGE_SHIFT);
    check_pool();
}

/* Image, bundle and the low page touch, overlap, begin and end inside pages, pass the end. */
static void image_bundle_and_low_page_are_never_handed_out(void)
{
    static const struct boot_range odd[] = {
        {MiB(4) + 100, 1},           {MiB(4) + 4095, 2},           {MiB(2), MiB(3) + 17},
        {MiB(16) - KiB(4), KiB(64)}, {MiB(1) - KiB(8), KiB(9)},    {MiB(20), MiB(1)},
        {MiB(3) + KiB(100), MiB(9)}, {MiB(2) + KiB(256), KiB(10)}, {0, KiB(5)},
    };

    for (unsigned int i = 0; i < ARRAY_SIZE(odd); i++) {
        static const struct boot_range ram[] = {{0, KiB(640)}, {MiB(1), MiB(15)}};

        fake_ram(ram, ARRAY_SIZE(ram));
        boot_info.image = (struct boot_range){MiB(2), KiB(259)};
        boot_info.low = (struct boot_range){KiB(36), PAGE_SIZE};
        boot_info.bundle = odd[i];
        core_boot_map(1, 1);
        CU_ASSERT_EQUAL(page_state_of(pa(MiB(2) + KiB(256))), PAGE_IMAGE);
        CU_ASSERT_EQUAL(page_state_of(pa(KiB(36))), PAGE_IMAGE);
        check_pool();
    }
}

static bool is_taken(pa_t at)
{
    return at.v == 0 || inside(&boot_info.image, at) || inside(&boot_info.bundle, at) ||
           inside(&boot_info.low, at);
}

/* Page by page: free, unless it is taken or the table's, which lies in one piece. */
static bool each_page_is_what_the_map_says(void)
{
    const struct boot_range *top = &boot_info.ram[boot_info.ram_count - 1];
    uint64_t pages = (top->base + top->len) >> PAGE_SHIFT;
    uint64_t table = 0, next = 0, free = 0;
    bool ok = true;

    for (uint64_t i = 0; i < pages; i++) {
        pa_t at = pa(i << PAGE_SHIFT);
        enum page_state is = page_state_of(at);

        if (!is_ram(at) || is_taken(at)) {
            ok = ok && is == (is_ram(at) ? PAGE_IMAGE : PAGE_NONE);
        } else if (is == PAGE_IMAGE) {
            ok = ok && (table == 0 || i == next);
            table++;
            next = i + 1;
        } else {
            ok = ok && is == PAGE_FREE;
            free++;
        }
    }
    return ok && free == page_count_free() &&
           table == ALIGN_UP(pages * sizeof(struct page), PAGE_SIZE) >> PAGE_SHIFT;
}

/* At, across and beside each edge of memory, of the image, of the low page and of the table. */
static void a_bundle_takes_the_pages_that_it_touches_and_no_other(void)
{
    static const struct boot_range ram[] = {
        {0, KiB(640)}, {MiB(1), MiB(3)}, {MiB(5), MiB(1)}, {MiB(6) + KiB(4), KiB(4)}};
    static const uint64_t edges[] = {
        0, KiB(4), KiB(36), KiB(40), KiB(64), KiB(640), MiB(1), MiB(2), MiB(2) + KiB(260), MiB(4),
        MiB(5), MiB(6), MiB(6) + KiB(4), MiB(6) + KiB(8)};
    static const int64_t beside[] = {-4097, -4096, -4095, -1, 0, 1, 4095, 4096};
    static const uint64_t lengths[] = {0, 1, 4095, 4096, 4097, KiB(64), MiB(1) + 5};
    const size_t cases = ARRAY_SIZE(edges) * ARRAY_SIZE(beside) * ARRAY_SIZE(lengths);

    fake_ram(ram, ARRAY_SIZE(ram));
    boot_info.image = (struct boot_range){MiB(2), KiB(259)};
    boot_info.low = (struct boot_range){KiB(36), PAGE_SIZE};
    for (size_t i = 0; i < cases; i++) {
        uint64_t len = lengths[i % ARRAY_SIZE(lengths)];
        uint64_t edge = edges[i / ARRAY_SIZE(lengths) / ARRAY_SIZE(beside)];
        int64_t off = beside[i / ARRAY_SIZE(lengths) % ARRAY_SIZE(beside)];

        if (off < 0 && edge == 0) {
            continue;
        }
        boot_info.bundle = (struct boot_range){edge + (uint64_t)off, len};
        fake_reboot();
        page_init();
        page_init_high();
        if (!each_page_is_what_the_map_says()) {
            fprintf(stderr, "a bundle of %lu bytes at %lx\n", (unsigned long)len,
                    (unsigned long)boot_info.bundle.base);
            CU_FAIL("a page is not what the map says");
        }
    }
}

/* Each beside the next, one in the other, and all of a range of RAM. */
static void what_is_taken_may_touch_and_overlap(void)
{
    static const struct boot_range ram[] = {{0, KiB(64)}, {MiB(1), MiB(1)}, {MiB(3), KiB(64)}};
    static const struct boot_range cases[][3] = {
        {{MiB(1), KiB(64)}, {MiB(1) + KiB(64), KiB(64)}, {MiB(1) + KiB(128), KiB(4)}},
        {{MiB(1), KiB(64)}, {MiB(1) + KiB(4), KiB(4)}, {MiB(1) + KiB(60), KiB(4)}},
        {{MiB(1) + KiB(4), KiB(8)}, {MiB(1), KiB(64)}, {MiB(1) + KiB(4), KiB(8)}},
        {{MiB(1), KiB(9)}, {MiB(1) + KiB(9), KiB(9)}, {MiB(1) + KiB(18), 1}},
        {{MiB(2) - KiB(4), KiB(4)}, {MiB(3), KiB(64)}, {0, KiB(4)}},
        {{MiB(3), KiB(64)}, {KiB(4), KiB(60)}, {MiB(2) - KiB(8), KiB(4)}},
        {{MiB(3) + KiB(60), KiB(4)}, {MiB(3) + KiB(60), MiB(1)}, {0, 0}},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        fake_ram(ram, ARRAY_SIZE(ram));
        boot_info.image = cases[i][0];
        boot_info.bundle = cases[i][1];
        boot_info.low = cases[i][2];
        fake_reboot();
        page_init();
        page_init_high();
        CU_ASSERT(each_page_is_what_the_map_says());
    }
}

static void the_table_finds_room_where_there_is_some(void)
{
    static const struct boot_range ram[] = {{0, KiB(640)}, {MiB(1), MiB(2)}, {GiB(1), MiB(64)}};
    static const struct boot_range small[] = {{0, KiB(640)}, {GiB(15), KiB(4)}};

    fake_ram(ram, ARRAY_SIZE(ram)); /* the table takes more than 4 MiB */
    core_boot_map(1, 1);
    CU_ASSERT_EQUAL(page_state_of(pa(GiB(1))), PAGE_IMAGE);
    ASSERT_PANICS(page_free(pa(GiB(1) + PAGE_SIZE), PAGE_HV, 0));
    ASSERT_PANICS(page_free(pa(GiB(1) + PAGE_SIZE), PAGE_IMAGE, 0));
    check_pool();
    fake_ram(small, ARRAY_SIZE(small));
    fake_reboot();
    ASSERT_PANICS(page_init());
    boot_info.ram_count = 0;
    ASSERT_PANICS(page_init());
}

static void memory_above_four_gib_follows_later(void)
{
    uint64_t low;

    fake_ram_size(GiB(5));
    fake_reboot();
    fake_cpus(1, 1);
    page_init();
    low = page_count_free();
    CU_ASSERT(low < GiB(3) >> PAGE_SHIFT && low > (GiB(3) - MiB(128)) >> PAGE_SHIFT);
    CU_ASSERT_EQUAL(page_count_total(), (GiB(5) - MiB(1) + KiB(636)) >> PAGE_SHIFT);
    CU_ASSERT_EQUAL(page_state_of(pa(GiB(4))), PAGE_NONE);
    page_init_high();
    CU_ASSERT_EQUAL(page_count_free(), low + (GiB(2) >> PAGE_SHIFT));
    CU_ASSERT_EQUAL(page_state_of(pa(GiB(4))), PAGE_FREE);
}

static const struct cu_test tests[] = {
    CU(a_map_with_holes_and_odd_pieces_is_used_to_the_last_page),
    CU(image_bundle_and_low_page_are_never_handed_out),
    CU(a_bundle_takes_the_pages_that_it_touches_and_no_other),
    CU(what_is_taken_may_touch_and_overlap),
    CU(the_table_finds_room_where_there_is_some),
    CU(memory_above_four_gib_follows_later),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("core_page_boot", tests, argc, argv);
}
