/* The fixed ports: COM1, RTC, power, reset, and who owns CF8h. */
#include <string.h>

#include "../../hv/dev/platform.h"
#include "cu.h"
#include "fake_vm.h"

static struct vm *vm;

static void setup(void)
{
    vm = fake_vm_new("guest", 65536);
    CU_ASSERT_EQUAL_FATAL(platform_create(vm), ABI_OK);
}

static uint8_t com_in(unsigned int reg)
{
    return (uint8_t)fake_in(vm, (uint16_t)(0x3f8 + reg), 1);
}

static void com_out(unsigned int reg, uint8_t v)
{
    fake_out(vm, (uint16_t)(0x3f8 + reg), 1, v);
}

static uint8_t cmos(uint8_t index)
{
    fake_out(vm, 0x70, 1, index);
    return (uint8_t)fake_in(vm, 0x71, 1);
}

static bool console_is(const char *text)
{
    size_t len;
    const char *out = fake_output(vm, STREAM_CONSOLE, &len);

    return len == strlen(text) && memcmp(out, text, len) == 0;
}

/* The steps by which Linux's 8250 driver decides that a port is a 16550A. */
static void com1_passes_the_probe_of_a_16550a(void)
{
    setup();
    com_out(1, 0);
    CU_ASSERT_EQUAL(com_in(1) & 0x0f, 0);
    com_out(1, 0x0f);
    CU_ASSERT_EQUAL(com_in(1) & 0x0f, 0x0f);
    com_out(1, 0);
    com_out(4, 0x10 | 0x0a); /* loopback with RTS and OUT2 */
    CU_ASSERT_EQUAL(com_in(6) & 0xf0, 0x90);
    com_out(4, 0x10 | 0x05);
    CU_ASSERT_EQUAL(com_in(6) & 0xf0, 0x60);
    com_out(4, 0);
    com_out(2, 1);
    CU_ASSERT_EQUAL(com_in(2) & 0xc0, 0xc0);
    com_out(2, 0);
    CU_ASSERT_EQUAL(com_in(2) & 0xc0, 0);
    com_out(7, 0xa5);
    CU_ASSERT_EQUAL(com_in(7), 0xa5);
    com_out(3, 0x80);
    com_out(0, 0x0c);
    com_out(1, 0x01);
    CU_ASSERT_EQUAL(com_in(0), 0x0c);
    CU_ASSERT_EQUAL(com_in(1), 0x01);
    com_out(3, 3);
    CU_ASSERT(console_is(""));
    fake_vm_free(vm);
}

static void com1_sends_and_is_always_ready(void)
{
    setup();
    for (const char *p = "boot\n"; *p != '\0'; p++) {
        CU_ASSERT_EQUAL(com_in(5) & 0x60, 0x60);
        com_out(0, (uint8_t)*p);
    }
    CU_ASSERT(console_is("boot\n"));
    fake_vm_free(vm);
}

static void com1_reports_an_empty_transmitter_after_each_byte_and_once(void)
{
    setup();
    CU_ASSERT_EQUAL(com_in(2) & 0x0f, 1);
    com_out(1, 2);
    CU_ASSERT_EQUAL(com_in(2) & 0x0f, 2);
    CU_ASSERT_EQUAL(com_in(2) & 0x0f, 1);
    com_out(0, 'x');
    CU_ASSERT_EQUAL(com_in(2) & 0x0f, 2);
    com_out(1, 0);
    com_out(0, 'x');
    CU_ASSERT_EQUAL(com_in(2) & 0x0f, 1);
    fake_vm_free(vm);
}

static void com1_receives_sixteen_bytes_and_leaves_the_rest_outside(void)
{
    setup();
    CU_ASSERT_EQUAL(fake_input(vm, STREAM_CONSOLE, "0123456789abcdefXY", 18), 2);
    com_out(1, 1);
    CU_ASSERT_EQUAL(com_in(2) & 0x0f, 4);
    for (const char *p = "0123456789abcdefXY"; *p != '\0'; p++) {
        CU_ASSERT_EQUAL(com_in(5) & 1, 1);
        CU_ASSERT_EQUAL(com_in(0), *p);
    }
    CU_ASSERT_EQUAL(com_in(5) & 1, 0);
    CU_ASSERT_EQUAL(com_in(0), 0);
    fake_vm_free(vm);
}

static void com1_loopback_stays_inside(void)
{
    setup();
    com_out(4, 0x10);
    com_out(0, 'L');
    CU_ASSERT_EQUAL(com_in(5) & 1, 1);
    CU_ASSERT_EQUAL(com_in(0), 'L');
    for (int i = 0; i < 17; i++) {
        com_out(0, 'o');
    }
    CU_ASSERT_EQUAL(com_in(5) & 2, 2);
    CU_ASSERT_EQUAL(com_in(5) & 2, 0); /* reading acknowledges */
    CU_ASSERT_EQUAL(fake_input(vm, STREAM_CONSOLE, "real", 4), 4);
    com_out(4, 0);
    CU_ASSERT_EQUAL(com_in(0), 'r');
    CU_ASSERT(console_is(""));
    fake_vm_free(vm);
}

static void the_clock_tells_utc_in_bcd(void)
{
    static const struct {
        uint64_t seconds;
        uint8_t century, year, month, day, hour, minute, second, weekday;
    } times[] = {
        {0, 0x19, 0x70, 1, 1, 0, 0, 0, 5},
        {951782399, 0x20, 0x00, 2, 0x28, 0x23, 0x59, 0x59, 2},
        {951782400, 0x20, 0x00, 2, 0x29, 0, 0, 0, 3},
        {1764103123, 0x20, 0x25, 0x11, 0x25, 0x20, 0x38, 0x43, 3},
        {4107542399, 0x21, 0x00, 2, 0x28, 0x23, 0x59, 0x59, 1},
        {4107542400, 0x21, 0x00, 3, 1, 0, 0, 0, 2},
        {253402300799, 0x99, 0x99, 0x12, 0x31, 0x23, 0x59, 0x59, 6},
    };

    setup();
    for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
        fake_set_wall(times[i].seconds);
        CU_ASSERT_EQUAL(cmos(0x32), times[i].century);
        CU_ASSERT_EQUAL(cmos(9), times[i].year);
        CU_ASSERT_EQUAL(cmos(8), times[i].month);
        CU_ASSERT_EQUAL(cmos(7), times[i].day);
        CU_ASSERT_EQUAL(cmos(4), times[i].hour);
        CU_ASSERT_EQUAL(cmos(2), times[i].minute);
        CU_ASSERT_EQUAL(cmos(0), times[i].second);
        CU_ASSERT_EQUAL(cmos(6), times[i].weekday);
    }
    fake_vm_free(vm);
}

/* Every day of 1200 years against a plain count of days. */
static void no_day_is_skipped_or_repeated(void)
{
    struct rtc_time last = {.year = 1970, .month = 1, .day = 1}, t;

    for (uint64_t day = 1; day < 438291; day++) {
        bool next_day, next_month, next_year;

        rtc_from_seconds(day * 86400, &t);
        next_day = t.year == last.year && t.month == last.month && t.day == last.day + 1;
        next_month =
            t.year == last.year && t.month == last.month + 1 && t.day == 1 && last.day >= 28;
        next_year = t.year == last.year + 1 && t.month == 1 && t.day == 1 && last.month == 12 &&
                    last.day == 31;
        if (!next_day && !next_month && !next_year) {
            CU_FAIL("a day is missing");
            return;
        }
        last = t;
    }
    CU_ASSERT(last.year == 3169 && last.month == 12 && last.day == 31);
}

static void the_clock_never_updates_and_is_valid(void)
{
    setup();
    CU_ASSERT_EQUAL(cmos(10), 0x26);
    CU_ASSERT_EQUAL(cmos(11), 0x02);
    CU_ASSERT_EQUAL(cmos(12), 0);
    CU_ASSERT_EQUAL(cmos(13), 0x80);
    fake_vm_free(vm);
}

static void the_clock_cannot_be_set_but_memory_can(void)
{
    setup();
    fake_set_wall(0);
    for (uint8_t i = 0; i < 14; i++) {
        fake_out(vm, 0x70, 1, i);
        fake_out(vm, 0x71, 1, 0x99);
    }
    CU_ASSERT_EQUAL(cmos(9), 0x70);
    CU_ASSERT_EQUAL(cmos(11), 0x02);
    fake_out(vm, 0x70, 1, 0x80 | 0x40);
    fake_out(vm, 0x71, 1, 0x5a);
    CU_ASSERT_EQUAL(cmos(0x40), 0x5a);
    fake_vm_free(vm);
}

static void expect_end(uint16_t port, unsigned int size, uint32_t value, enum vm_cause cause)
{
    enum vm_cause got = VM_ERROR;

    setup();
    fake_out(vm, port, size, value);
    CU_ASSERT(fake_ended(vm, &got));
    CU_ASSERT_EQUAL(got, cause);
    fake_vm_free(vm);
}

static void each_way_to_end_a_machine_works(void)
{
    expect_end(0x600, 1, 0x20 | 5 << 2, VM_POWER_OFF);
    expect_end(0x602, 1, 1, VM_REBOOT);
    expect_end(0xcf9, 1, 6, VM_REBOOT);
    expect_end(0x64, 1, 0xfe, VM_REBOOT);
}

static void what_is_no_power_command_is_harmless(void)
{
    enum vm_cause cause;

    setup();
    fake_out(vm, 0x600, 1, 5 << 2);        /* no SLP_EN */
    fake_out(vm, 0x600, 1, 0x20 | 3 << 2); /* not S5 */
    fake_out(vm, 0x600, 2, 0x20 | 5 << 2);
    fake_out(vm, 0x601, 1, 0x80);
    fake_out(vm, 0x602, 1, 0);
    fake_out(vm, 0xcf9, 1, 2);
    fake_out(vm, 0xcf8, 4, 0x600);
    fake_out(vm, 0x64, 1, 0xd1);
    fake_out(vm, 0x60, 1, 0xfe);
    fake_out(vm, 0x80, 1, 0);
    CU_ASSERT_FALSE(fake_ended(vm, &cause));
    CU_ASSERT_EQUAL(fake_in(vm, 0x64, 1), 0);
    CU_ASSERT_EQUAL(fake_in(vm, 0x61, 1) & 0x20, 0x20);
    fake_vm_free(vm);
}

static void a_vm_without_memory_for_its_platform_is_told(void)
{
    vm = fake_vm_new("guest", 4096);
    fake_alloc_limit(vm, 0);
    CU_ASSERT_EQUAL(platform_create(vm), ABI_NO_MEMORY);
    fake_vm_free(vm);
}

static uint32_t config(unsigned int slot, unsigned int function, unsigned int offset)
{
    fake_out(vm, 0xcf8, 4, BIT(31) | slot << 11 | function << 8 | offset);
    return fake_in(vm, 0xcfc, 4);
}

static void a_kernel_finds_no_chipset(void)
{
    setup();
    CU_ASSERT_EQUAL(config(0, 0, 0), 0x00081b36);
    CU_ASSERT_EQUAL(config(1, 0, 0), UINT32_MAX);
    CU_ASSERT_EQUAL(config(1, 3, 0), UINT32_MAX);
    CU_ASSERT_EQUAL(fake_in(vm, 0xb008, 4), UINT32_MAX);
    fake_vm_free(vm);
}

static void a_firmware_finds_the_chipset_of_a_pc_with_a_running_clock(void)
{
    setup();
    CU_ASSERT_EQUAL_FATAL(platform_add_chipset(vm), ABI_OK);
    CU_ASSERT_EQUAL(config(0, 0, 0), 0x12378086);
    CU_ASSERT_EQUAL(config(1, 0, 0), 0x71108086);
    CU_ASSERT_EQUAL(config(1, 0, 8) >> 8, 0x060100);
    CU_ASSERT_EQUAL(config(1, 0, 12) >> 16 & 0x80, 0x80);
    CU_ASSERT_EQUAL(config(1, 3, 0), 0x71138086);
    CU_ASSERT_EQUAL(fake_in(vm, 0x64, 1), 0xff);
    fake_out(vm, 0xcf8, 4, BIT(31) | 1 << 11 | 4);
    fake_out(vm, 0xcfc, 2, 0);
    CU_ASSERT_EQUAL(config(1, 0, 4) & 7, 7);
    CU_ASSERT_EQUAL(config(1, 1, 0), UINT32_MAX);
    CU_ASSERT_EQUAL(config(1, 3, 0x80) & 1, 1);
    CU_ASSERT_EQUAL(config(1, 3, 0x40), 0xb001);
    CU_ASSERT_EQUAL(fake_in(vm, 0xb008, 4), 3579545); /* it is one second past the start */
    CU_ASSERT_EQUAL(fake_in(vm, 0xb009, 1), 3579545 >> 8 & 0xff);
    fake_vm_free(vm);
}

static void its_power_management_turns_the_machine_off(void)
{
    enum vm_cause cause;

    setup();
    CU_ASSERT_EQUAL_FATAL(platform_add_chipset(vm), ABI_OK);
    fake_out(vm, 0xb004, 2, 1);
    CU_ASSERT_EQUAL(fake_in(vm, 0xb004, 2), 1);
    fake_out(vm, 0xb004, 2, 0x2000 | 5 << 10);
    CU_ASSERT_FALSE(fake_ended(vm, &cause));
    fake_out(vm, 0xb004, 2, 0x2000);
    CU_ASSERT_TRUE(fake_ended(vm, &cause));
    CU_ASSERT_EQUAL(cause, VM_POWER_OFF);
    fake_vm_free(vm);
}

static const struct cu_test tests[] = {
    CU(com1_passes_the_probe_of_a_16550a),
    CU(com1_sends_and_is_always_ready),
    CU(com1_reports_an_empty_transmitter_after_each_byte_and_once),
    CU(com1_receives_sixteen_bytes_and_leaves_the_rest_outside),
    CU(com1_loopback_stays_inside),
    CU(the_clock_tells_utc_in_bcd),
    CU(no_day_is_skipped_or_repeated),
    CU(the_clock_never_updates_and_is_valid),
    CU(the_clock_cannot_be_set_but_memory_can),
    CU(each_way_to_end_a_machine_works),
    CU(what_is_no_power_command_is_harmless),
    CU(a_vm_without_memory_for_its_platform_is_told),
    CU(a_kernel_finds_no_chipset),
    CU(a_firmware_finds_the_chipset_of_a_pc_with_a_running_clock),
    CU(its_power_management_turns_the_machine_off),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("dev_platform", tests, argc, argv);
}
