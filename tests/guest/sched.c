/*
 * Shares of a CPU. A guest with window=MS spins so long and says how far it counted; the list
 * compares the counts. One with sleep=MS sleeps instead, and says how late it woke.
 */
#include "guest.h"

static void the_count_is_told(void)
{
    uint64_t ms = option("window", 0);
    uint64_t end = rdtsc() + tsc_of_us(ms * 1000);
    uint64_t count = 0;

    if (ms == 0) {
        return;
    }
    while (rdtsc() < end) {
        count++;
    }
    say("count %lu", (unsigned long)count);
}

static volatile bool woken;

static void wake(struct frame *f)
{
    (void)f;
    woken = true;
    eoi();
}

static void sleep_until(uint64_t tsc)
{
    woken = false;
    wrmsr(MSR_TSC_DEADLINE, tsc);
    while (!woken) {
        halt();
    }
}

static void sleeps_end_in_time(void)
{
    uint64_t ms = option("sleep", 0);
    uint64_t limit_us = option("late", 500);
    unsigned int rounds = 0, late = 0;
    uint64_t end = rdtsc() + tsc_of_us(ms * 1000);

    if (ms == 0) {
        return;
    }
    on[0x63] = wake;
    apic_write(APIC_LVT_TIMER, LVT_TSC | 0x63);
    while (rdtsc() < end) {
        uint64_t deadline = rdtsc() + tsc_of_us(3000);

        sleep_until(deadline);
        late += us_of_tsc(rdtsc() - deadline) > limit_us;
        rounds++;
    }
    say("%u of %u wake-ups were later than %lu us", late, rounds, (unsigned long)limit_us);
    expect(rounds >= 10);
    expect(late <= rounds / 10);
}

const struct test tests[] = {
    TEST(the_count_is_told),
    TEST(sleeps_end_in_time),
    TEST_END,
};
