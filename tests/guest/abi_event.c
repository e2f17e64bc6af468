/* Events within a domain of two vCPUs: interrupts, masks, waiting, timers, storms, the console. */
#include "abi/abi.h"
#include "guest.h"

#define VECTOR INTERRUPT
static struct {
    struct abi_event_area area __attribute__((aligned(64)));
    struct abi_console console __attribute__((aligned(64)));
    struct abi_time time;
} shared SHARED;

static volatile unsigned int taken, taken_on;
static uint64_t handle;

static uint64_t status(uint64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    return call(number, a, b, c, d).status;
}

static uint64_t open(uint64_t source, uint64_t vcpu, uint64_t vector)
{
    struct call_result r = call(ABI_CALL_EVENT_OPEN, source, 0, vcpu, vector);

    expect_eq(r.status, ABI_OK);
    return r.value[0];
}

static uint64_t take_bits(unsigned int word)
{
    return __atomic_exchange_n(&shared.area.pending[word], 0, __ATOMIC_ACQUIRE);
}

static void take(void)
{
    taken_on = me()->index;
    taken++;
}

static void close_all(void)
{
    for (uint64_t i = 0; i < ABI_MAX_PORTS; i++) {
        uint64_t st = status(ABI_CALL_EVENT_CLOSE, i, 0, 0, 0);

        expect(st == ABI_OK || st == ABI_NOT_FOUND);
    }
    taken = 0;
    memset(&shared.area, 0, sizeof(shared.area));
}

static void ports_need_an_area(void)
{
    on_interrupt(VECTOR, take);
    expect_eq(status(ABI_CALL_EVENT_OPEN, ABI_SOURCE_SELF, 0, 0, 0), ABI_BAD_STATE);
    expect_eq(status(ABI_CALL_EVENT_SEND, 0, 0, 0, 0), ABI_NOT_FOUND);
    handle = call(ABI_CALL_BUF_REGISTER, (uint64_t)&shared, sizeof(shared), 0, 0).value[0];
    for (uint64_t offset = 1; offset < 64; offset++) {
        expect_eq(status(ABI_CALL_EVENT_SETUP, handle, offset, 0, 0), ABI_BAD_ARG);
    }
    expect_eq(status(ABI_CALL_EVENT_SETUP, handle, 0, 0, 0), ABI_OK);
    expect_eq(status(ABI_CALL_EVENT_SETUP, handle, 0, 0, 0), ABI_EXISTS);
    expect_eq(status(ABI_CALL_BUF_UNREGISTER, handle, 0, 0, 0), ABI_BUSY);
}

static void an_event_interrupts_the_vcpu_of_its_port(void)
{
    uint64_t here = open(ABI_SOURCE_SELF, 0, VECTOR), there = open(ABI_SOURCE_SELF, 1, VECTOR);

    expect(smp_start(2));
    interrupt_to(VECTOR, 1);
    expect_eq(status(ABI_CALL_EVENT_SEND, there, 0, 0, 0), ABI_OK);
    expect(within_ms(2000, taken == 1));
    expect_eq(taken_on, 1);
    expect_eq(take_bits(0), 1ull << there);
    interrupt_to(VECTOR, 0);
    expect_eq(status(ABI_CALL_EVENT_SEND, here, 0, 0, 0), ABI_OK);
    expect_eq(taken, 1); /* interrupts are off here */
    irqs_window();
    expect(taken == 2 && taken_on == 0);
    close_all();
}

static void a_storm_is_one_interrupt_until_the_bit_is_taken(void)
{
    uint64_t port = open(ABI_SOURCE_SELF, 0, VECTOR);

    for (unsigned int i = 0; i < 1000; i++) {
        expect_eq(status(ABI_CALL_EVENT_SEND, port, 0, 0, 0), ABI_OK);
        irqs_window();
    }
    expect_eq(taken, 1);
    expect_eq(take_bits(0), 1ull << port);
    expect_eq(status(ABI_CALL_EVENT_SEND, port, 0, 0, 0), ABI_OK);
    irqs_window();
    expect_eq(taken, 2);
    close_all();
}

static void a_masked_port_is_silent_until_it_is_not(void)
{
    uint64_t port = open(ABI_SOURCE_SELF, 0, VECTOR);

    expect_eq(call(ABI_CALL_EVENT_MASK, port, 1, 0, 0).value[0], 0);
    expect_eq(status(ABI_CALL_EVENT_SEND, port, 0, 0, 0), ABI_OK);
    irqs_window();
    expect_eq(taken, 0);
    expect_eq(shared.area.pending[0], 1ull << port);
    expect_eq(call(ABI_CALL_EVENT_MASK, port, 0, 0, 0).value[0], 1);
    irqs_window();
    expect_eq(taken, 1);
    close_all();
}

static uint64_t time_of(uint64_t count)
{
    const struct abi_time *t = &shared.time;
    uint64_t ticks = count - t->base;

    ticks = t->shift >= 0 ? ticks << t->shift : ticks >> -t->shift;
    return t->base_ns + (uint64_t)((unsigned __int128)ticks * t->mul >> 32);
}

static void waiting_ends_with_an_event_though_interrupts_are_off(void)
{
    uint64_t timer = open(ABI_SOURCE_TIMER, 0, 0);
    uint64_t began;

    expect_eq(status(ABI_CALL_TIME_SETUP, handle,
                     (uint64_t)&shared.time - (uint64_t)&shared, 0, 0), ABI_OK);
    for (unsigned int i = 0; i < 5; i++) {
        began = counter();
        expect_eq(status(ABI_CALL_EVENT_TIMER, timer, time_of(began) + 3000000, 0, 0), ABI_OK);
        while (take_bits(0) == 0) {
            expect_eq(status(ABI_CALL_EVENT_WAIT, 0, 0, 0, 0), ABI_OK);
        }
        expect(us_of_ticks(counter() - began) >= 2900);
    }
    expect_eq(status(ABI_CALL_EVENT_TIMER, timer, 1, 0, 0), ABI_OK); /* long ago */
    while (take_bits(0) == 0) {
        expect_eq(status(ABI_CALL_EVENT_WAIT, 0, 0, 0, 0), ABI_OK);
    }
    expect_eq(status(ABI_CALL_EVENT_SEND, timer, 0, 0, 0), ABI_BAD_STATE);
    close_all();
}

static void answer(void *arg)
{
    (void)arg;
    for (unsigned int i = 0; i < 200; i++) {
        while ((__atomic_fetch_and(&shared.area.pending[0], ~2ull, __ATOMIC_ACQ_REL) & 2) == 0) {
            (void)call(ABI_CALL_EVENT_WAIT, 0, 0, 0, 0);
        }
        (void)call(ABI_CALL_EVENT_SEND, 0, 0, 0, 0);
    }
}

static void two_vcpus_play_ping_pong_and_lose_nothing(void)
{
    expect_eq(open(ABI_SOURCE_SELF, 0, 0), 0);
    expect_eq(open(ABI_SOURCE_SELF, 1, 0), 1);
    cpu_run(1, answer, NULL);
    for (unsigned int i = 0; i < 200; i++) {
        expect_eq(status(ABI_CALL_EVENT_SEND, 1, 0, 0, 0), ABI_OK);
        while ((__atomic_fetch_and(&shared.area.pending[0], ~1ull, __ATOMIC_ACQ_REL) & 1) == 0) {
            (void)call(ABI_CALL_EVENT_WAIT, 0, 0, 0, 0);
        }
    }
    cpu_join(1);
    close_all();
}

static void every_port_and_every_bit_pattern_is_checked(void)
{
    uint64_t seed = 77;

    expect_eq(open(ABI_SOURCE_SELF, 0, 0), 0);
    for (uint64_t p = 1; p < 70000; p++) {
        expect_eq(status(ABI_CALL_EVENT_SEND, p, 0, 0, 0), p < 256 ? ABI_NOT_FOUND : ABI_BAD_ARG);
    }
    for (unsigned int bit = 8; bit < 64; bit++) {
        expect_eq(status(ABI_CALL_EVENT_SEND, 1ull << bit, 0, 0, 0), ABI_BAD_ARG);
        expect_eq(status(ABI_CALL_EVENT_CLOSE, 1ull << bit, 0, 0, 0), ABI_BAD_ARG);
        expect_eq(status(ABI_CALL_EVENT_MASK, 1ull << bit, 0, 0, 0), ABI_BAD_ARG);
        expect_eq(status(ABI_CALL_EVENT_TIMER, 1ull << bit, 0, 0, 0), ABI_BAD_ARG);
    }
    for (unsigned int i = 0; i < 2000; i++) {
        expect(status(ABI_CALL_EVENT_SEND, next_random(&seed) | 256, 0, 0, 0) == ABI_BAD_ARG);
    }
    for (uint64_t vector = 1; vector < 2000; vector++) {
        uint64_t st = status(ABI_CALL_EVENT_OPEN, ABI_SOURCE_SELF, 0, 0, vector);

        expect_eq(st, vector >= INTERRUPT_LOW && vector < INTERRUPT_END ? ABI_OK : ABI_BAD_ARG);
        if (st == ABI_OK) {
            expect_eq(status(ABI_CALL_EVENT_CLOSE, 1, 0, 0, 0), ABI_OK);
        }
    }
    close_all();
}

static void the_limit_of_ports_holds(void)
{
    for (uint64_t i = 0; i < ABI_MAX_PORTS; i++) {
        expect_eq(open(ABI_SOURCE_TIMER, 1, 0), i);
    }
    expect_eq(status(ABI_CALL_EVENT_OPEN, ABI_SOURCE_SELF, 0, 0, 0), ABI_LIMIT);
    expect_eq(status(ABI_CALL_EVENT_SETUP, 0, 0, 0, 0), ABI_BUSY);
    close_all();
}

static void the_console_ring_prints(void)
{
    static const char text[] = "-the ring speaks\n";
    uint64_t port = open(ABI_SOURCE_CONSOLE, 0, 0);
    struct abi_console *ring = &shared.console;

    expect_eq(status(ABI_CALL_EVENT_OPEN, ABI_SOURCE_CONSOLE, 0, 0, 0), ABI_EXISTS);
    expect_eq(status(ABI_CALL_EVENT_SEND, port, 0, 0, 0), ABI_BAD_STATE);
    expect_eq(status(ABI_CALL_CONSOLE_SETUP, handle, (uint64_t)ring - (uint64_t)&shared, 0, 0),
              ABI_OK);
    for (unsigned int i = 0; i < sizeof(text) - 1; i++) {
        ring->out[i] = (uint8_t)text[i];
    }
    store_release(&ring->out_produced, (uint32_t)sizeof(text) - 1);
    expect_eq(status(ABI_CALL_EVENT_SEND, port, 0, 0, 0), ABI_OK);
    expect_eq(ring->out_consumed, sizeof(text) - 1);
    store_release(&ring->out_produced, (uint32_t)sizeof(text) + 2048);
    expect_eq(status(ABI_CALL_EVENT_SEND, port, 0, 0, 0), ABI_BAD_FORMAT);
    expect_eq(status(ABI_CALL_CONSOLE_SETUP, 0, 0, 0, 0), ABI_OK);
    close_all();
}

static void the_area_comes_back_when_all_is_closed(void)
{
    expect_eq(status(ABI_CALL_EVENT_SETUP, 0, 0, 0, 0), ABI_OK);
    expect_eq(status(ABI_CALL_EVENT_SETUP, 0, 0, 0, 0), ABI_BAD_STATE);
    expect_eq(status(ABI_CALL_BUF_UNREGISTER, handle, 0, 0, 0), ABI_OK);
}

const struct test tests[] = {
    TEST(ports_need_an_area),
    TEST(an_event_interrupts_the_vcpu_of_its_port),
    TEST(a_storm_is_one_interrupt_until_the_bit_is_taken),
    TEST(a_masked_port_is_silent_until_it_is_not),
    TEST(waiting_ends_with_an_event_though_interrupts_are_off),
    TEST(two_vcpus_play_ping_pong_and_lose_nothing),
    TEST(every_port_and_every_bit_pattern_is_checked),
    TEST(the_limit_of_ports_holds),
    TEST(the_console_ring_prints),
    TEST(the_area_comes_back_when_all_is_closed),
    TEST_END,
};
