/* Every call with arguments that mean harm, from four vCPUs at once. What it breaks is its own. */
#include "abi/abi.h"
#include "guest.h"

#define CALLS 19u

static uint8_t memory[16 * 4096] SHARED;
static uint64_t answers[16];

static uint64_t hostile(uint64_t *seed)
{
    static const uint64_t edges[] = {0, 1, 63, 64, 65, 255, 256, 4095, 4096, 0xffff, 0x10000,
                                     0xffffff, 0x1000000, 0x7fffffff, 0x80000000, 0xffffffff,
                                     1ull << 32, 1ull << 47, ~0ull, ~0ull << 47, 1ull << 63};
    uint64_t r = next_random(seed);

    switch (r % 4) {
    case 0:
        return edges[r / 4 % ARRAY_SIZE(edges)];
    case 1:
        return (uint64_t)memory + r / 4 % sizeof(memory);
    case 2:
        return r / 4 % 8;
    default:
        return next_random(seed);
    }
}

static void attack(void *arg)
{
    uint64_t seed = 0x9e3779b97f4a7c15ull * ((uint64_t)arg + 1);

    for (unsigned int i = 0; i < 6000; i++) {
        uint64_t number = ABI_CALL_BASE + next_random(&seed) % CALLS;
        struct call_result r;

        if (number == ABI_CALL_EVENT_WAIT) {
            wake_in_us(50); /* or it would wait for ever */
        }
        r = call(number, hostile(&seed), hostile(&seed), hostile(&seed), hostile(&seed));
        if (r.status > ABI_HARDWARE || (r.status != ABI_OK &&
                                        (r.value[0] | r.value[1] | r.value[2]) != 0)) {
            fail(__FILE__, __LINE__, "call %lx answers %lx", (unsigned long)number,
                 (unsigned long)r.status);
            return;
        }
        (void)__atomic_fetch_add(&answers[r.status], 1, __ATOMIC_RELAXED);
    }
    irqs_window();
}

static void four_vcpus_call_everything_with_anything(void)
{
    expect(smp_start(4));
    for (uint64_t i = 1; i < 4; i++) {
        cpu_run((unsigned int)i, attack, (void *)i);
    }
    attack((void *)0);
    for (unsigned int i = 1; i < 4; i++) {
        cpu_join(i);
    }
    expect(answers[ABI_OK] > 100);
    expect(answers[ABI_BAD_ARG] > 100);
    expect_eq(answers[ABI_NO_CALL], 0);
}

static uint64_t registered, refused, converted;

static void register_and_unregister(void *arg)
{
    for (unsigned int i = 0; i < (guest_kind == GUEST_PLAIN ? 3000 : 600); i++) {
        struct call_result r = call(ABI_CALL_BUF_REGISTER, (uint64_t)memory + i % 5 * 1000, 1500,
                                       (uint64_t)arg & 1, 0);

        if (r.status == ABI_OK) {
            (void)__atomic_fetch_add(&registered, 1, __ATOMIC_RELAXED);
            expect_eq(call(ABI_CALL_BUF_UNREGISTER, r.value[0], 0, 0, 0).status, ABI_OK);
        } else {
            expect(r.status == ABI_EXISTS || r.status == ABI_LIMIT);
            (void)__atomic_fetch_add(&refused, 1, __ATOMIC_RELAXED);
        }
    }
}

static void take_all_back(void)
{
    for (uint64_t i = 0; i < ABI_MAX_PORTS; i++) {
        (void)call(ABI_CALL_EVENT_CLOSE, i, 0, 0, 0);
    }
    (void)call(ABI_CALL_EVENT_SETUP, 0, 0, 0, 0);
    (void)call(ABI_CALL_CONSOLE_SETUP, 0, 0, 0, 0);
    /* Each attacker has registered what it could: a handle is its place, and which one there. */
    for (uint64_t h = 64; h < (guest_kind == GUEST_PLAIN ? 64 * 2500 : 64 * 400); h++) {
        (void)call(ABI_CALL_BUF_UNREGISTER, h, 0, 0, 0);
    }
}

static void four_vcpus_register_the_same_bytes(void)
{
    take_all_back();
    for (uint64_t i = 1; i < 4; i++) {
        cpu_run((unsigned int)i, register_and_unregister, (void *)i);
    }
    register_and_unregister((void *)0);
    for (unsigned int i = 1; i < 4; i++) {
        cpu_join(i);
    }
    expect(registered > 100);
    say("%lu registered, %lu refused", (unsigned long)registered, (unsigned long)refused);
}

/* Of a confidential domain: its pages come and go while they are registered. */
static void register_and_convert(void *arg)
{
    uint64_t seed = 31 + (uint64_t)arg;
    uint8_t *own = &memory[(uint64_t)arg * 4096];

    for (unsigned int i = 0; i < 150; i++) {
        struct call_result mine, any;

        any = call(ABI_CALL_BUF_REGISTER, (uint64_t)memory + next_random(&seed) % 16384, 3000, 0,
                   0);
        mine = call(ABI_CALL_BUF_REGISTER, (uint64_t)own + 100, 8, 0, 0);
        if (mine.status == ABI_OK) {
            expect(!convert(own, false));
            expect_eq(call(ABI_CALL_BUF_UNREGISTER, mine.value[0], 0, 0, 0).status, ABI_OK);
        }
        if (any.status == ABI_OK) {
            expect_eq(call(ABI_CALL_BUF_UNREGISTER, any.value[0], 0, 0, 0).status, ABI_OK);
        }
        if (convert(own, false)) {
            expect_eq(call(ABI_CALL_BUF_REGISTER, (uint64_t)own, 1, 0, 0).status, ABI_BAD_ADDRESS);
            (void)__atomic_fetch_add(&converted, 1, __ATOMIC_RELAXED);
            expect(convert(own, true));
        }
    }
}

static void four_vcpus_convert_what_they_register(void)
{
    if (guest_kind == GUEST_PLAIN) {
        return;
    }
    for (uint64_t i = 1; i < 4; i++) {
        cpu_run((unsigned int)i, register_and_convert, (void *)i);
    }
    register_and_convert((void *)0);
    for (unsigned int i = 1; i < 4; i++) {
        cpu_join(i);
    }
    say("%lu converted", (unsigned long)converted);
    expect(converted > 50);
}

#define GET_QUOTE 0x10002u /* GHCI 3.3; a call of number 0 is the host's */
#define TD_SHARED (1ull << 47)
static uint32_t *const quote = (uint32_t *)(uint64_t)memory; /* GHCI table 3-11 */
static uint32_t quotes_asked, quotes_over;

static void ask_for_quotes(void *arg)
{
    (void)arg;
    while (!load_acquire(&quotes_over)) {
        (void)call(0, GET_QUOTE, (uint64_t)quote | TD_SHARED, 4096, 0);
        (void)__atomic_fetch_add(&quotes_asked, 1, __ATOMIC_RELAXED);
    }
}

/* The host writes into a TD's memory of its own accord, and only finds it gone. */
static void a_td_takes_back_what_it_wants_a_quote_in(void)
{
    unsigned int written = 0;

    if (guest_kind != GUEST_TD) {
        return;
    }
    cpu_run(1, ask_for_quotes, NULL);
    for (unsigned int i = 0; i < 200; i++) {
        uint32_t asked;

        quote[4] = 7; /* no report is so short: the host says so in the status */
        store_release(&quote[0], 1);
        asked = load_acquire(&quotes_asked);
        while (i % 2 == 0 && load_acquire(&quotes_asked) < asked + 2) {
        }
        written += quote[3] != 0;
        expect(convert(quote, false) && convert(quote, true));
    }
    store_release(&quotes_over, 1);
    cpu_join(1);
    expect(written >= 100);
}

static void every_number_with_hostile_arguments(void)
{
    uint64_t seed = 4711;

    /* A TDVMCALL of number 0 is the host's own business. */
    for (uint64_t n = guest_kind == GUEST_TD; n <= 0x10000; n++) {
        if (CALL_NUMBERS > 0x10000) {
            expect_eq(call(n, hostile(&seed), hostile(&seed), hostile(&seed), ~0ull).status,
                      ABI_NO_CALL);
        }
        if (n >= CALLS && n < CALL_NUMBERS) {
            expect_eq(call(ABI_CALL_BASE + n, hostile(&seed), hostile(&seed), hostile(&seed),
                              ~0ull).status, ABI_NO_CALL);
        }
    }
}

const struct test tests[] = {
    TEST(four_vcpus_call_everything_with_anything),
    TEST(four_vcpus_register_the_same_bytes),
    TEST(four_vcpus_convert_what_they_register),
    TEST(a_td_takes_back_what_it_wants_a_quote_in),
    TEST(every_number_with_hostile_arguments),
    TEST_END,
};
