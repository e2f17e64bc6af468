/* The log: lines, levels, the ring; and the limit on what guests provoke. */
#include <stdio.h>
#include <string.h>

#include "core_host.h"
#include "cu.h"
#include "hv/call.h"
#include "hv/log.h"
#include "hv/log_ring.h"

#include "abi/call.h"

#define MS 1000000ull

static struct vm *vm;

static void start(void)
{
    core_boot(MiB(64), 2);
    vm = core_vm("guest", 1, 100, UINT64_MAX);
    fake_console_clear();
}

static void finish(void)
{
    vm_destroy(vm);
    core_done();
}

static unsigned int count(const char *text)
{
    unsigned int n = 0;

    for (const char *at = fake_console(); *at != '\0'; at++) {
        n += strncmp(at, text, strlen(text)) == 0;
    }
    return n;
}

static void a_line_says_when_where_and_how_bad(void)
{
    start();
    fake_clock_set(12345678900ull);
    fake_play(1);
    log_warn("%s is %d", "answer", 42);
    CU_ASSERT_STRING_EQUAL(fake_console(), "[   12.345678] cpu1 warning: answer is 42\r\n");
    finish();
}

static void lines_below_the_level_are_not_printed(void)
{
    enum log_level level;

    start();
    log_debug("hidden");
    CU_ASSERT_STRING_EQUAL(fake_console(), "");
    log_set_level(LOG_DEBUG);
    log_debug("shown");
    CU_ASSERT_EQUAL(count("debug: shown\r\n"), 1);
    log_set_level(LOG_ERROR);
    log_warn("hidden");
    log_error("seen");
    CU_ASSERT_EQUAL(count("hidden"), 0);
    CU_ASSERT_EQUAL(count("error: seen"), 1);
    CU_ASSERT(log_level_by_name("warning", &level) && level == LOG_WARN);
    CU_ASSERT(log_level_by_name("debug", &level) && level == LOG_DEBUG);
    CU_ASSERT_FALSE(log_level_by_name("warn", &level) || log_level_by_name("", &level));
    finish();
}

static void a_line_of_any_length_is_cut_and_ends(void)
{
    static char text[2000];

    start();
    for (size_t len = 200; len < sizeof(text); len += 13) {
        const char *end;

        memset(text, 'x', len);
        text[len] = '\0';
        fake_console_clear();
        log_info("%s", text);
        end = strstr(fake_console(), "\r\n");
        CU_ASSERT_PTR_NOT_NULL_FATAL(end);
        CU_ASSERT_EQUAL(end[2], '\0');
        CU_ASSERT(count("x") >= MIN(len, 240) && count("x") < 320);
    }
    finish();
}

static void a_guest_may_provoke_a_burst_then_some_lines_a_second(void)
{
    start();
    for (unsigned int i = 0; i < 1000; i++) {
        log_vm(vm, LOG_INFO, "noise");
    }
    CU_ASSERT_EQUAL(count("guest: noise"), 20);
    fake_advance(1000 * MS);
    for (unsigned int i = 0; i < 1000; i++) {
        log_vm(vm, LOG_INFO, "noise");
    }
    CU_ASSERT_EQUAL(count("guest: noise"), 25);
    CU_ASSERT_EQUAL(count("guest: 980 messages dropped"), 1);
    fake_advance(100000 * MS);
    for (unsigned int i = 0; i < 1000; i++) {
        log_vm(vm, LOG_INFO, "noise");
    }
    CU_ASSERT_EQUAL(count("guest: noise"), 45);
    finish();
}

/* At 100 ms a line the bucket fills at half the speed; nothing is lost to rounding. */
static void credit_is_counted_to_the_nanosecond(void)
{
    start();
    for (unsigned int i = 0; i < 20; i++) {
        log_vm(vm, LOG_INFO, "noise");
    }
    for (unsigned int i = 0; i < 100; i++) {
        fake_advance(150 * MS);
        log_vm(vm, LOG_INFO, "noise");
    }
    CU_ASSERT(count("guest: noise") >= 20 + 74 && count("guest: noise") <= 20 + 76);
    finish();
}

static void lines_that_nobody_sees_cost_no_credit(void)
{
    start();
    for (unsigned int i = 0; i < 1000; i++) {
        log_vm(vm, LOG_DEBUG, "hidden");
    }
    log_vm(vm, LOG_WARN, "seen");
    CU_ASSERT_EQUAL(count("guest: seen"), 1);
    CU_ASSERT_EQUAL(count("dropped"), 0);
    finish();
}

static void a_panic_prints_though_somebody_holds_the_log(void)
{
    start();
    log_panic_mode();
    log_error("last words");
    CU_ASSERT_EQUAL(count("last words"), 1);
    finish();
}

static void raw_lines_pass_as_they_are(void)
{
    start();
    log_raw("a|b\r\n", 5);
    CU_ASSERT_STRING_EQUAL(fake_console(), "a|b\r\n");
    for (unsigned int i = 0; i < 2000; i++) { /* several times round the ring */
        log_raw("0123456789012345678901234567890123456789\r\n", 42);
    }
    finish();
}

static void the_version_call_answers_and_leaves_no_value_undefined(void)
{
    struct call c = {.arg = {1, 2, 3, 4}, .value = {9, 9, 9}};

    start();
    CU_ASSERT_EQUAL(call_dispatch(vm->vcpu[0], ABI_CALL_BASE, &c), ABI_OK);
    CU_ASSERT(c.value[0] == ABI_VERSION_1_0 && c.value[1] == 0 && c.value[2] == 0);
    finish();
}

static void a_number_that_is_no_call_is_answered_so_whatever_it_is(void)
{
    start();
    log_set_level(LOG_DEBUG);
    for (unsigned int i = 0; i < 64; i++) {
        uint64_t numbers[] = {BIT(i), ~BIT(i), ABI_CALL_BASE + 32 + BIT(i),
                              ABI_CALL_BASE - 1 - i};

        for (unsigned int j = 0; j < 4; j++) {
            struct call c = {.value = {9, 9, 9}};

            CU_ASSERT_EQUAL(call_dispatch(vm->vcpu[0], numbers[j], &c), ABI_NO_CALL);
            CU_ASSERT(c.value[0] == 0 && c.value[1] == 0 && c.value[2] == 0);
        }
    }
    CU_ASSERT_EQUAL(count("guest: no call"), 20);
    finish();
}

static const struct cu_test tests[] = {
    CU(a_line_says_when_where_and_how_bad),
    CU(lines_below_the_level_are_not_printed),
    CU(a_line_of_any_length_is_cut_and_ends),
    CU(a_guest_may_provoke_a_burst_then_some_lines_a_second),
    CU(credit_is_counted_to_the_nanosecond),
    CU(lines_that_nobody_sees_cost_no_credit),
    CU(a_panic_prints_though_somebody_holds_the_log),
    CU(raw_lines_pass_as_they_are),
    CU(the_version_call_answers_and_leaves_no_value_undefined),
    CU(a_number_that_is_no_call_is_answered_so_whatever_it_is),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("core_log", tests, argc, argv);
}
