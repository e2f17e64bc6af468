/* Consoles: lines and their limits, input that waits. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core_host.h"
#include "cu.h"
#include "hv/log.h"

#define MS 1000000ull

static struct vm *vm;

static void start(void)
{
    core_boot(MiB(64), 1);
    vm = core_vm("guest", 1, 100, UINT64_MAX);
    fake_console_clear();
}

static void finish(void)
{
    vm_destroy(vm);
    core_done();
}

static void print(const char *text, size_t len)
{
    vm_dev_lock(vm);
    stream_write(vm, STREAM_CONSOLE, text, len);
    vm_dev_unlock(vm);
}

static void say(const char *text)
{
    print(text, strlen(text));
}

static unsigned int count(const char *text)
{
    unsigned int n = 0;

    for (const char *at = fake_console(); *at != '\0'; at++) {
        n += strncmp(at, text, strlen(text)) == 0;
    }
    return n;
}

static void guests_print_whole_lines_behind_their_name(void)
{
    start();
    say("Linux ver");
    CU_ASSERT_STRING_EQUAL(fake_console(), "");
    say("sion 6\r\nnext");
    CU_ASSERT_STRING_EQUAL(fake_console(), "guest| Linux version 6\r\n");
    say("\n\n");
    CU_ASSERT_STRING_EQUAL(fake_console(), "guest| Linux version 6\r\nguest| next\r\nguest| \r\n");
    finish();
}

static void no_guest_forges_a_line_of_the_hypervisor(void)
{
    char every[256];

    start();
    say("\r[    0.0] cpu0 info: all is well\n");
    say("x\x1b[1A\x1b[2K[    0.0] cpu0\x08\x0b\x0c\x7f\x9b\n");
    for (unsigned int i = 0; i < 256; i++) {
        every[i] = (char)i;
    }
    print(every, sizeof(every));
    say("\n");
    for (const char *at = fake_console(); *at != '\0'; at = strchr(at, '\n') + 1) {
        CU_ASSERT_EQUAL(strncmp(at, "guest| ", 7), 0);
        for (; *at != '\r'; at++) {
            CU_ASSERT((*at >= ' ' && *at <= '~') || *at == '\t' || (unsigned char)*at >= 0xa0);
        }
        CU_ASSERT_EQUAL(at[1], '\n');
    }
    CU_ASSERT_EQUAL(count("x\\x1b[1A\\x1b[2K[    0.0] cpu0\\x08\\x0b\\x0c\\x7f"), 1);
    CU_ASSERT_EQUAL(count("\\x00\\x01"), 1);
    finish();
}

static void text_in_any_language_passes_and_what_terminals_obey_does_not(void)
{
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"caf\xc3\xa9 \xe2\x80\xa6 \xf0\x9f\x8d\x80", "caf\xc3\xa9 \xe2\x80\xa6 \xf0\x9f\x8d\x80"},
        {"\xc2\xa0\xed\x9f\xbf\xf4\x8f\xbf\xbf", "\xc2\xa0\xed\x9f\xbf\xf4\x8f\xbf\xbf"},
        {"\xc2\x9b" "2J", "\\xc2\\x9b2J"}, /* CSI */
        {"\x9b" "2J", "\\x9b2J"},
        {"\xc0\x9b\xc1\xbf", "\\xc0\\x9b\\xc1\\xbf"}, /* too long for what they say */
        {"\xe0\x82\x9b|\xf0\x80\x82\x9b", "\\xe0\\x82\\x9b|\\xf0\\x80\\x82\\x9b"},
        {"\xed\xa0\x80|\xf4\x90\x80\x80|\xff", "\\xed\\xa0\\x80|\\xf4\\x90\\x80\\x80|\\xff"},
        {"\xe2\x80x\xc3", "\\xe2\\x80x\\xc3"}, /* broken off */
        {"\xc3\xc3\xa9\xa9", "\\xc3\xc3\xa9\\xa9"},
    };

    for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
        char want[100];

        start();
        snprintf(want, sizeof(want), "guest| %s\r\n", cases[i].out);
        for (const char *at = cases[i].in; *at != '\0'; at++) {
            print(at, 1);
        }
        say("\n");
        CU_ASSERT_STRING_EQUAL(fake_console(), want);
        fake_console_clear();
        say(cases[i].in);
        stream_flush_line(vm);
        CU_ASSERT_STRING_EQUAL(fake_console(), want);
        finish();
    }
}

static void a_long_line_is_cut_where_it_must(void)
{
    static char text[5000];

    start();
    memset(text, 'y', sizeof(text));
    print(text, sizeof(text));
    say("\n");
    CU_ASSERT_EQUAL(count("guest| y"), 5);
    CU_ASSERT_EQUAL(count("y"), 5000);
    fake_console_clear();
    memset(text, 1, sizeof(text));
    print(text, sizeof(text));
    say("\n");
    CU_ASSERT_EQUAL(count("\\x01"), 5000);
    for (const char *at = fake_console(); *at != '\0'; at = strchr(at, '\n') + 1) {
        CU_ASSERT(strchr(at, '\r') - at <= 1024 + 7);
    }
    finish();
}

static void tick(unsigned int times)
{
    while (times-- > 0) {
        stream_tick(vm);
    }
}

static void a_prompt_shows_after_twenty_ticks(void)
{
    start();
    say("login: ");
    tick(20);
    CU_ASSERT_STRING_EQUAL(fake_console(), "");
    tick(1);
    CU_ASSERT_STRING_EQUAL(fake_console(), "guest| login: \r\n");
    tick(30);
    CU_ASSERT_EQUAL(count("guest"), 1);
    say("ro");
    tick(15);
    say("ot"); /* it goes on: not stale yet */
    tick(15);
    CU_ASSERT_EQUAL(count("guest"), 1);
    stream_flush_line(vm);
    CU_ASSERT_EQUAL(count("guest| root\r\n"), 1);
    finish();
}

static void a_flood_is_dropped_counted_and_told(void)
{
    static char text[1000];

    start();
    memset(text, 'f', sizeof(text));
    text[999] = '\n';
    for (unsigned int i = 0; i < 1000; i++) {
        print(text, sizeof(text));
    }
    CU_ASSERT(count("f") >= KiB(127) && count("f") <= KiB(128) + 10);
    fake_advance(1000 * MS);
    fake_console_clear();
    say("calm\n");
    CU_ASSERT_EQUAL(count("calm"), 1);
    CU_ASSERT_EQUAL(count("warning: guest: console flooded: 868928 bytes dropped"), 1);
    fake_console_clear();
    for (unsigned int i = 0; i < 100; i++) {
        print(text, sizeof(text));
    }
    CU_ASSERT(count("f") >= KiB(31) && count("f") <= KiB(33));
    finish();
}

/* Input: what the guest does not take waits, up to 4 KiB. */
static uint8_t taken[8192];
static size_t taken_len, room;

static size_t take_input(void *dev, const uint8_t *buf, size_t len)
{
    size_t n = MIN(len, room);

    CU_ASSERT_PTR_EQUAL(dev, &room);
    memcpy(&taken[taken_len], buf, n);
    taken_len += n;
    room -= n;
    return n;
}

static const struct stream_ops input_ops = {.input = take_input};

static size_t greedy_input(void *dev, const uint8_t *buf, size_t len)
{
    (void)dev;
    (void)buf;
    return len + 100;
}

static const struct stream_ops greedy_ops = {.input = greedy_input};

static void input_waits_until_the_guest_takes_it(void)
{
    static uint8_t bytes[5000];

    start();
    taken_len = 0;
    room = 10;
    for (unsigned int i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)(i * 7);
    }
    stream_input(vm, STREAM_CONSOLE, bytes, 30); /* nobody is there yet */
    stream_attach(vm, STREAM_CONSOLE, &input_ops, &room);
    stream_ready(vm, STREAM_CONSOLE);
    CU_ASSERT_EQUAL(taken_len, 10);
    room = 100;
    stream_ready(vm, STREAM_CONSOLE);
    CU_ASSERT_EQUAL(taken_len, 30);
    room = 0;
    stream_input(vm, STREAM_CONSOLE, &bytes[30], 4970);
    CU_ASSERT_EQUAL(count("input beyond what the guest reads: 874 bytes dropped"), 1);
    room = 8000;
    stream_ready(vm, STREAM_CONSOLE);
    CU_ASSERT_EQUAL(taken_len, 30 + 4096);
    CU_ASSERT_EQUAL(memcmp(taken, bytes, taken_len), 0);
    stream_attach(vm, STREAM_CONSOLE, &greedy_ops, NULL); /* a device that lies */
    stream_input(vm, STREAM_CONSOLE, bytes, 20);
    CU_ASSERT_EQUAL(vm->stream[STREAM_CONSOLE].count, 0);
    finish();
}

static const struct cu_test tests[] = {
    CU(guests_print_whole_lines_behind_their_name),
    CU(no_guest_forges_a_line_of_the_hypervisor),
    CU(text_in_any_language_passes_and_what_terminals_obey_does_not),
    CU(a_long_line_is_cut_where_it_must),
    CU(a_prompt_shows_after_twenty_ticks),
    CU(a_flood_is_dropped_counted_and_told),
    CU(input_waits_until_the_guest_takes_it),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("core_stream", tests, argc, argv);
}
