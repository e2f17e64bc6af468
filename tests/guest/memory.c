/* Memory: what the map says is there is there, zero at first, and all its own. */
#include "guest.h"

#define PATTERN(at) ((at) * 0x9e3779b97f4a7c15ull)

static const struct map_entry *map_of_memory(unsigned int i)
{
    return (const struct map_entry *)start_info->map + i;
}

static bool loaded(uint64_t at)
{
    return (at >= 0x1000 && at < 0xa0000) || (at >= 0x100000 && at < (uint64_t)image_end);
}

/* The boot tables map what is below 4 GiB; a window the rest. */
static volatile uint64_t *at_address(uint64_t at)
{
    return at < GiB(4) ? (volatile uint64_t *)at : map(7, at, PTE_P | PTE_W);
}

static void the_map_covers_what_was_asked_for(void)
{
    uint64_t ram = 0;

    expect_eq(start_info->magic, 0x336ec578);
    for (unsigned int i = 0; i < start_info->map_entries; i++) {
        const struct map_entry *e = map_of_memory(i);

        if (e->type == 1) {
            ram += e->len;
        }
        if (i > 0) {
            expect(e->at >= map_of_memory(i - 1)->at + map_of_memory(i - 1)->len);
        }
    }
    expect(ram <= MiB(option("mib", 0)));
    expect(ram >= MiB(option("mib", 0)) - MiB(1));
}

static void each_word(uint64_t step, void (*fn)(volatile uint64_t *p, uint64_t at))
{
    for (unsigned int i = 0; i < start_info->map_entries; i++) {
        const struct map_entry *e = map_of_memory(i);

        for (uint64_t at = e->at; e->type == 1 && at + 8 <= e->at + e->len; at += step) {
            if (!loaded(at)) {
                fn(at_address(at), at);
            }
        }
    }
}

static unsigned int wrong;

static void want_zero(volatile uint64_t *p, uint64_t at)
{
    if (*p != 0 && wrong++ < 3) {
        fail(__FILE__, __LINE__, "%lx holds %lx", (unsigned long)at, (unsigned long)*p);
    }
}

static void write_pattern(volatile uint64_t *p, uint64_t at)
{
    *p = PATTERN(at);
}

static void want_pattern(volatile uint64_t *p, uint64_t at)
{
    if (*p != PATTERN(at) && wrong++ < 3) {
        fail(__FILE__, __LINE__, "%lx holds %lx", (unsigned long)at, (unsigned long)*p);
    }
}

static void new_memory_is_zero(void)
{
    wrong = 0;
    each_word(option("step", 8), want_zero);
    expect_eq(wrong, 0);
}

static void every_word_keeps_what_is_written(void)
{
    wrong = 0;
    each_word(option("step", 8), write_pattern);
    each_word(option("step", 8), want_pattern);
    expect_eq(wrong, 0);
}

static void address_zero_is_memory(void)
{
    volatile uint64_t *zero = map(8, 0, PTE_P | PTE_W);

    *zero = 0x1122334455667788ull;
    expect_eq(*zero, 0x1122334455667788ull);
}

static void the_hole_below_1_mib_is_memory_too(void)
{
    volatile uint8_t *p = map(8, 0xb8000, PTE_P | PTE_W);

    *p = 0x5a;
    expect_eq(*p, 0x5a);
}

static void nothing_reads_as_ones(void)
{
    static const uint64_t nowhere[] = {0xc0000000, 0xfec00000, 0xfed00000, 0xfed803c0,
                                       0xfee00000, 0xfffff000, 0xff00000000ull};

    for (size_t i = 0; i < ARRAY_SIZE(nowhere); i++) {
        volatile uint32_t *p = map(9, nowhere[i], PTE_P | PTE_W);

        expect_eq(*p, 0xffffffff);
    }
}

/* A second run in the memory of the first: whoever starts it again says when to end. */
static void another_life_or_the_end(void)
{
    if (option("lives", 0) == 0) {
        return;
    }
    say("?");
    while ((inb(0x3fd) & 1) == 0) {
        pause_cpu();
    }
    if (inb(0x3f8) == 'r') {
        outb(0xcf9, 6);
        for (;;) {
            pause_cpu();
        }
    }
}

const struct test tests[] = {
    TEST(the_map_covers_what_was_asked_for),
    TEST(new_memory_is_zero),
    TEST(every_word_keeps_what_is_written),
    TEST(address_zero_is_memory),
    TEST(the_hole_below_1_mib_is_memory_too),
    TEST(nothing_reads_as_ones),
    TEST(another_life_or_the_end),
    TEST_END,
};
