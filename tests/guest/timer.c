/* The local timer: deadlines, one shot, periodic, masks, mode changes. */
#include "guest.h"

#define VECTOR 0x62
#define LATE_US 100u

static volatile unsigned int fired;
static volatile uint64_t fired_at;

static void tick(struct frame *f)
{
    (void)f;
    fired_at = rdtsc();
    fired++;
    eoi();
}

static void begin(uint32_t lvt)
{
    irqs_off();
    on[VECTOR] = tick;
    apic_write(APIC_LVT_TIMER, lvt | VECTOR);
    fired = 0;
}

static void a_deadline_fires_once_and_never_early(void)
{
    begin(LVT_TSC);
    for (unsigned int i = 1; i <= 10; i++) {
        uint64_t deadline = rdtsc() + tsc_of_us(200 * i);

        wrmsr(MSR_TSC_DEADLINE, deadline);
        while (fired != i) {
            halt();
        }
        expect(fired_at >= deadline);
        expect(us_of_tsc(fired_at - deadline) < LATE_US);
        expect_eq(rdmsr(MSR_TSC_DEADLINE), 0);
    }
    irqs_on();
    delay_us(3000);
    irqs_off();
    expect_eq(fired, 10);
}

static void a_past_deadline_fires_at_once(void)
{
    begin(LVT_TSC);
    wrmsr(MSR_TSC_DEADLINE, 1);
    irqs_on();
    expect(within_ms(1000, fired == 1));
    wrmsr(MSR_TSC_DEADLINE, rdtsc());
    expect(within_ms(1000, fired == 2));
    irqs_off();
}

static void zero_disarms(void)
{
    begin(LVT_TSC);
    wrmsr(MSR_TSC_DEADLINE, rdtsc() + tsc_of_us(5000));
    wrmsr(MSR_TSC_DEADLINE, 0);
    irqs_on();
    delay_us(10000);
    irqs_off();
    expect_eq(fired, 0);
}

static void a_far_deadline_may_be_moved_near(void)
{
    begin(LVT_TSC);
    wrmsr(MSR_TSC_DEADLINE, ~0ull);
    expect_eq(rdmsr(MSR_TSC_DEADLINE), ~0ull);
    wrmsr(MSR_TSC_DEADLINE, rdtsc() + tsc_of_us(1000));
    irqs_on();
    expect(within_ms(1000, fired == 1));
    irqs_off();
}

static void a_masked_timer_is_silent(void)
{
    begin(LVT_TSC | LVT_MASKED);
    wrmsr(MSR_TSC_DEADLINE, rdtsc() + tsc_of_us(1000));
    irqs_on();
    delay_us(5000);
    irqs_off();
    expect_eq(fired, 0);
}

static void deadlines_are_ignored_in_the_other_modes(void)
{
    begin(0);
    wrmsr(MSR_TSC_DEADLINE, rdtsc() + tsc_of_us(500));
    expect_eq(rdmsr(MSR_TSC_DEADLINE), 0);
    irqs_on();
    delay_us(5000);
    irqs_off();
    expect_eq(fired, 0);
}

/* The counter runs at 1 GHz (CPUID says nothing of it; Linux measures). */
static void one_shot_counts_down_once(void)
{
    uint64_t from;
    uint32_t first, second;

    begin(0);
    apic_write(APIC_DIVIDE, 0xb); /* by 1 */
    from = rdtsc();
    apic_write(APIC_COUNT, 6000000);
    first = (uint32_t)apic_read(APIC_NOW);
    delay_us(1000);
    second = (uint32_t)apic_read(APIC_NOW);
    expect(first <= 6000000 && second < first);
    irqs_on();
    expect(within_ms(5000, fired == 1));
    expect(us_of_tsc(fired_at - from) >= 5990);
    expect(us_of_tsc(fired_at - from) < 6000 + LATE_US);
    expect_eq(apic_read(APIC_NOW), 0);
    expect_eq(apic_read(APIC_COUNT), 6000000);
    delay_us(10000);
    irqs_off();
    expect_eq(fired, 1);
}

static void the_divider_divides(void)
{
    uint64_t from;

    begin(0);
    apic_write(APIC_DIVIDE, 0x3); /* by 16 */
    from = rdtsc();
    apic_write(APIC_COUNT, 1000000);
    irqs_on();
    expect(within_ms(5000, fired == 1));
    irqs_off();
    expect(us_of_tsc(fired_at - from) >= 15900);
    apic_write(APIC_DIVIDE, 0xb);
}

static void periodic_goes_on_at_its_rate(void)
{
    uint64_t from, gone;

    begin(LVT_PERIODIC_);
    from = rdtsc();
    apic_write(APIC_COUNT, 1000000);
    irqs_on();
    expect(within_ms(30000, fired >= 20));
    gone = us_of_tsc(rdtsc() - from);
    apic_write(APIC_COUNT, 0);
    irqs_off();
    expect(gone >= 19 * 1000);
    fired = 0;
    irqs_on();
    delay_us(4000);
    irqs_off();
    expect(fired <= 1);
}

static void changing_the_mode_stops_it(void)
{
    begin(0);
    apic_write(APIC_COUNT, 4000000);
    apic_write(APIC_LVT_TIMER, LVT_TSC | VECTOR);
    irqs_on();
    delay_us(10000);
    irqs_off();
    expect_eq(fired, 0);
    expect_eq(apic_read(APIC_NOW), 0);
}

static void halt_lasts_until_the_timer(void)
{
    uint64_t from;

    begin(LVT_TSC);
    from = rdtsc();
    wrmsr(MSR_TSC_DEADLINE, from + tsc_of_us(30000));
    halt();
    expect_eq(fired, 1);
    expect(us_of_tsc(rdtsc() - from) >= 30000);
}

const struct test tests[] = {
    TEST(a_deadline_fires_once_and_never_early),
    TEST(a_past_deadline_fires_at_once),
    TEST(zero_disarms),
    TEST(a_far_deadline_may_be_moved_near),
    TEST(a_masked_timer_is_silent),
    TEST(deadlines_are_ignored_in_the_other_modes),
    TEST(one_shot_counts_down_once),
    TEST(the_divider_divides),
    TEST(periodic_goes_on_at_its_rate),
    TEST(changing_the_mode_stops_it),
    TEST(halt_lasts_until_the_timer),
    TEST_END,
};
