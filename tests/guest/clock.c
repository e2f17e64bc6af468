/* KVM's clock page and wall clock, the real-time clock, and one time for all vCPUs. */
#include "guest.h"

#define N 4u

static struct clock_page pages[N] __attribute__((aligned(64)));
static volatile uint64_t last;

static uint64_t now(unsigned int i)
{
    return clock_page_ns(&pages[i], rdtsc());
}

static void the_page_is_published(void)
{
    struct clock_page *p = &pages[0];

    memset(p, 0xee, sizeof(*p));
    wrmsr(MSR_KVM_TIME, (uint64_t)p | 1);
    expect_eq(rdmsr(MSR_KVM_TIME), (uint64_t)p | 1);
    expect(p->version != 0 && (p->version & 1) == 0);
    expect_eq(p->flags & 1, 1); /* stable across vCPUs */
    expect(p->mul != 0);
    expect(now(0) < 600ull * 1000000000);
}

/* The PIT is not there; the hypervisor's own log and ours cannot differ: so, against the RTC. */
static uint8_t rtc(uint8_t reg)
{
    outb(0x70, reg);
    return inb(0x71);
}

static void a_second_lasts_a_second(void)
{
    uint64_t from, gone;
    uint8_t s = rtc(0);

    expect(within_ms(5000, rtc(0) != s));
    from = now(0);
    s = rtc(0);
    expect(within_ms(5000, rtc(0) != s));
    gone = now(0) - from;
    expect(gone > 500000000 && gone < 3000000000); /* on a busy host */
}

static void watch(void *arg)
{
    unsigned int i = (unsigned int)(uint64_t)arg;

    wrmsr(MSR_KVM_TIME, (uint64_t)&pages[i] | 1);
    for (unsigned int n = 0; n < 20000; n++) {
        uint64_t before = load_acquire(&last);
        uint64_t mine = now(i);

        if (mine < before) {
            fail(__FILE__, __LINE__, "vCPU %u went back %lu ns", i, (unsigned long)(before - mine));
            return;
        }
        store_release(&last, mine);
    }
}

static void time_never_goes_back_across_vcpus(void)
{
    expect(smp_start(N));
    for (unsigned int i = 1; i < N; i++) {
        cpu_run(i, watch, (void *)(uint64_t)i);
    }
    for (unsigned int i = 1; i < N; i++) {
        cpu_join(i);
    }
}

static uint64_t bcd(uint8_t v)
{
    return (v >> 4) * 10u + (v & 15);
}

static void the_wall_clock_is_the_real_time_clock(void)
{
    static struct {
        uint32_t version, s, ns;
    } w;
    uint64_t seconds, of_day;

    wrmsr(MSR_KVM_WALL, (uint64_t)&w);
    expect(w.version != 0 && (w.version & 1) == 0);
    expect(w.ns < 1000000000);
    seconds = w.s + now(0) / 1000000000;
    expect(seconds > 1735689600); /* 2025 */
    of_day = (bcd(rtc(4)) * 60 + bcd(rtc(2))) * 60 + bcd(rtc(0));
    of_day = (seconds % 86400 + 86400 - of_day) % 86400;
    expect(of_day <= 3 || of_day >= 86397);
}

static void a_page_outside_memory_is_refused_and_survived(void)
{
    wrmsr(MSR_KVM_TIME, 0xfffffffff001ull);
    wrmsr(MSR_KVM_TIME, 0xfee00001);
    wrmsr(MSR_KVM_TIME, MiB(2) - 12 + 1); /* crosses the end */
    wrmsr(MSR_KVM_WALL, ~0ull);
    wrmsr(MSR_KVM_TIME, (uint64_t)&pages[0] | 1);
    expect(now(0) != 0);
}

const struct test tests[] = {
    TEST(the_page_is_published),
    TEST(a_second_lasts_a_second),
    TEST(time_never_goes_back_across_vcpus),
    TEST(the_wall_clock_is_the_real_time_clock),
    TEST(a_page_outside_memory_is_refused_and_survived),
    TEST_END,
};
