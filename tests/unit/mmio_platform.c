/* The UART and the clock of guests whose devices are memory. */
#include <string.h>

#include "cu.h"
#include "fake_vm.h"
#include "hv/device.h"
#include "hv/mmio_map.h"

enum { DR = 0x00, FR = 0x18, IMSC = 0x38, RIS = 0x3c, MIS = 0x40, ICR = 0x44, ID = 0xfe0 };
enum { RTC_DR = 0x00, RTC_LR = 0x08 };
#define FR_RX_EMPTY 0x10u
#define FR_TX_FULL  0x20u
#define INT_RX      0x10u
#define INT_TX      0x20u
#define INT_RT      0x40u

static struct vm *vm;

static uint32_t in(uint64_t at)
{
    uint32_t v = 0xdeadbeef;

    CU_ASSERT(fake_mmio_in(vm, at, 4, &v));
    return v;
}

static void out(uint64_t at, uint32_t value)
{
    CU_ASSERT(fake_mmio_out(vm, at, 4, value));
}

static void setup(void)
{
    vm = fake_vm_new("guest", 1 << 16);
    CU_ASSERT_EQUAL(platform_create(vm), ABI_OK);
}

static void both_are_known_by_their_identification(void)
{
    const uint32_t uart[8] = {0x11, 0x10, 0x24, 0x00, 0x0d, 0xf0, 0x05, 0xb1};
    const uint32_t rtc[8] = {0x31, 0x10, 0x04, 0x00, 0x0d, 0xf0, 0x05, 0xb1};

    setup();
    for (unsigned int i = 0; i < 8; i++) {
        CU_ASSERT_EQUAL(in(MMIO_UART + ID + 4 * i), uart[i]);
        CU_ASSERT_EQUAL(in(MMIO_RTC + ID + 4 * i), rtc[i]);
    }
    fake_vm_free(vm);
}

static void what_is_sent_comes_out_and_there_is_always_room(void)
{
    size_t len;

    setup();
    for (unsigned int i = 0; i < 100; i++) {
        CU_ASSERT_EQUAL(in(MMIO_UART + FR) & FR_TX_FULL, 0);
        out(MMIO_UART + DR, 'a' + i % 26);
    }
    CU_ASSERT_EQUAL(memcmp(fake_output(vm, STREAM_CONSOLE, &len), "abcdef", 6), 0);
    CU_ASSERT_EQUAL(len, 100);
    fake_vm_free(vm);
}

static void the_transmitter_interrupts_when_it_may(void)
{
    setup();
    out(MMIO_UART + DR, 'x');
    CU_ASSERT_EQUAL(in(MMIO_UART + RIS), INT_TX);
    CU_ASSERT_EQUAL(in(MMIO_UART + MIS), 0);
    CU_ASSERT_FALSE(fake_line(vm, MMIO_UART_LINE));
    out(MMIO_UART + IMSC, INT_TX);
    CU_ASSERT(fake_line(vm, MMIO_UART_LINE));
    out(MMIO_UART + ICR, INT_TX);
    CU_ASSERT_FALSE(fake_line(vm, MMIO_UART_LINE));
    fake_vm_free(vm);
}

static void input_waits_until_it_is_read(void)
{
    const char text[] = "0123456789abcdefghij";

    setup();
    out(MMIO_UART + IMSC, INT_RX | INT_RT);
    CU_ASSERT_EQUAL(in(MMIO_UART + FR) & FR_RX_EMPTY, FR_RX_EMPTY);
    CU_ASSERT_EQUAL(fake_input(vm, STREAM_CONSOLE, text, 20), 4); /* 16 fit */
    CU_ASSERT(fake_line(vm, MMIO_UART_LINE));
    for (unsigned int i = 0; i < 20; i++) {
        CU_ASSERT_EQUAL(in(MMIO_UART + FR) & FR_RX_EMPTY, 0);
        CU_ASSERT_EQUAL(in(MMIO_UART + DR), (uint32_t)text[i]);
    }
    CU_ASSERT_FALSE(fake_line(vm, MMIO_UART_LINE));
    CU_ASSERT_EQUAL(in(MMIO_UART + DR), 0);
    fake_vm_free(vm);
}

static void any_width_reads_and_none_reads_beyond(void)
{
    uint32_t v;

    setup();
    out(MMIO_UART + IMSC, UINT32_MAX);
    CU_ASSERT(fake_mmio_in(vm, MMIO_UART + IMSC, 2, &v));
    CU_ASSERT_EQUAL(v, 0x7ff);
    CU_ASSERT(fake_mmio_in(vm, MMIO_UART + IMSC, 1, &v));
    CU_ASSERT_EQUAL(v, 0xff);
    CU_ASSERT(fake_mmio_in(vm, MMIO_UART + IMSC + 1, 1, &v));
    CU_ASSERT_EQUAL(v, 0);
    CU_ASSERT_EQUAL(in(MMIO_UART + 0xffc), 0xb1);
    fake_vm_free(vm);
}

static void the_clock_goes_on_from_what_the_guest_sets(void)
{
    setup();
    fake_set_wall(1000);
    CU_ASSERT_EQUAL(in(MMIO_RTC + RTC_DR), 1000);
    out(MMIO_RTC + RTC_LR, 5000);
    CU_ASSERT_EQUAL(in(MMIO_RTC + RTC_DR), 5000);
    fake_set_wall(1010);
    CU_ASSERT_EQUAL(in(MMIO_RTC + RTC_DR), 5010);
    fake_vm_free(vm);
}

static const struct cu_test tests[] = {
    CU(both_are_known_by_their_identification),
    CU(what_is_sent_comes_out_and_there_is_always_room),
    CU(the_transmitter_interrupts_when_it_may),
    CU(input_waits_until_it_is_read),
    CU(any_width_reads_and_none_reads_beyond),
    CU(the_clock_goes_on_from_what_the_guest_sets),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("mmio_platform", tests, argc, argv);
}
