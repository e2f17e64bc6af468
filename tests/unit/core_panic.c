/* The core's own panic(): what it prints, and that it prints once. */
#include <string.h>

#include "core_host.h"
#include "cu.h"
#include "hv/check.h"
#include "hv/log_ring.h"
#include "hv/symbols.h"

static void breaks(void)
{
    panic("%s %d", "answer \"42\" is", 41);
}

static void breaks_a_promise(void)
{
    lock(&cpu_at(0)->timer_lock);
    lock(&cpu_at(0)->timer_lock);
}

static void breaks_its_stack(void)
{
    void __stack_chk_fail(void);

    __stack_chk_fail();
}

static void boot(void (*fn)(void))
{
    core_boot_map(2, 1);
    fake_play(1);
    link_init();
    fake_boot_fn = fn;
    fake_start_in_step(1);
    fake_run_until(time_ns() + 1000000);
    fake_stop();
}

static bool says(const char *text)
{
    return strstr(fake_console(), text) != NULL;
}

static bool link_says(const char *text)
{
    size_t len;
    const uint8_t *link = fake_link(&len);

    return memmem(link, len, text, strlen(text)) != NULL;
}

static void a_panic_says_why_where_and_stops(void)
{
    fake_ram_size(MiB(64));
    boot(breaks);
    CU_ASSERT(fake_others_stopped());
    CU_ASSERT(says("error: PANIC on CPU 0: answer \"42\" is 41\r\n"));
    CU_ASSERT(says("  0050000000200110 first+10\r\n"));
    CU_ASSERT(says("  00500000002001a0 second+20\r\n"));
    CU_ASSERT(says("  0000000000001234 ?+0\r\n"));
    CU_ASSERT(link_says("\"event\":\"panic\",\"detail\":\"answer '42' is 41\""));
}

static void a_second_panic_stops_without_a_word(void)
{
    fake_ram_size(MiB(64));
    boot(breaks);
    fake_console_clear();
    fake_cpus(2, 1);
    fake_play(1);
    fake_boot_fn = breaks;
    fake_start_in_step(1);
    fake_run_until(time_ns() + 1000000);
    fake_stop();
    CU_ASSERT_STRING_EQUAL(fake_console(), "");
}

static void broken_promises_name_function_and_condition(void)
{
    fake_ram_size(MiB(64));
    boot(breaks_a_promise);
    CU_ASSERT(says("PANIC on CPU 0: lock: caller must ensure: "));
    boot(breaks_its_stack);
    CU_ASSERT(says("PANIC on CPU 0: stack smashed"));
}

static void an_address_is_named_by_the_last_symbol_before_it(void)
{
    static const struct {
        uint64_t at;
        const char *name;
        uint64_t offset;
    } known[] = {{0x100, "first", 0},  {0x17f, "first", 0x7f}, {0x180, "second", 0},
                 {0x3ff, "second", 0x27f}, {0x400, "third", 0}, {0x1000, "third", 0xc00}};
    uint64_t offset;

    core_boot(MiB(64), 1);
    for (unsigned int i = 0; i < ARRAY_SIZE(known); i++) {
        uint64_t at = IMAGE_BASE + boot_info.image.base + known[i].at;

        CU_ASSERT_STRING_EQUAL(symbol_of(at, &offset), known[i].name);
        CU_ASSERT_EQUAL(offset, known[i].offset);
    }
    CU_ASSERT_STRING_EQUAL(symbol_of(IMAGE_BASE, &offset), "?");
    CU_ASSERT_STRING_EQUAL(symbol_of(IMAGE_BASE + boot_info.image.base - 1, &offset), "?");
    CU_ASSERT_STRING_EQUAL(
        symbol_of(IMAGE_BASE + boot_info.image.base + boot_info.image.len, &offset), "?");
    CU_ASSERT_STRING_EQUAL(symbol_of(IMAGE_BASE + boot_info.image.base + 0xff, &offset), "?");
    CU_ASSERT_STRING_EQUAL(symbol_of(0, &offset), "?");
    CU_ASSERT_STRING_EQUAL(symbol_of(UINT64_MAX, &offset), "?");
    core_done();
}

static const struct cu_test tests[] = {
    CU(a_panic_says_why_where_and_stops),
    CU(a_second_panic_stops_without_a_word),
    CU(broken_promises_name_function_and_condition),
    CU(an_address_is_named_by_the_last_symbol_before_it),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("core_panic", tests, argc, argv);
}
