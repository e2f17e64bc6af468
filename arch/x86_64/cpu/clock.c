/* Time: the TSC, calibrated against the PIT; alarms from the APIC timer. */
#include "x86.h"

#include "arch/timer.h"
#include "arch_impl/insn.h"
#include "hv/check.h"
#include "hv/log.h"

#define PIT_HZ      1193182u
#define PIT_COUNT   11932u /* 10 ms */
#define ROUNDS      4u
#define ROUNDS_MAX  100u
#define READINGS    8u

static uint64_t tsc_rate, apic_rate; /* Hz */

/* Channel 2 counts down once, to nowhere: its output is only readable, at port 61h bit 5. */
static void pit_start(void)
{
    outb(0x61, (uint8_t)((inb(0x61) & ~2u) | 1u));
    outb(0x43, 0xb0);
    outb(0x42, 0xff);
    outb(0x42, 0xff);
}

static uint32_t pit_now(void)
{
    uint32_t low;

    outb(0x43, 0x80); /* latch */
    low = inb(0x42);
    return low | (uint32_t)inb(0x42) << 8;
}

static bool pit_expired(void)
{
    return (inb(0x61) & 0x20) != 0;
}

/* All clocks at one moment, and how long that lasted. */
struct moment {
    uint64_t tsc, width;
    uint32_t pit, apic;
};

/* Whatever disturbs a reading makes it longer: the shortest of a few is the best. */
static struct moment read_clocks(void)
{
    struct moment best = {0, UINT64_MAX, 0, 0};

    for (unsigned int i = 0; i < READINGS; i++) {
        struct moment m = {.tsc = rdtsc()};

        m.pit = pit_now();
        m.apic = lapic_timer_now();
        m.width = rdtsc() - m.tsc;
        if (m.width < best.width) {
            best = m;
        }
    }
    return best;
}

/* False: something held us up until the PIT had run out. */
static bool measure(struct moment *from, struct moment *to)
{
    lapic_timer(UINT32_MAX);
    pit_start();
    *from = read_clocks();
    while (from->pit - pit_now() < PIT_COUNT && !pit_expired()) {
    }
    *to = read_clocks();
    lapic_timer(0);
    return !pit_expired() && to->pit < from->pit;
}

static void calibrate(void)
{
    uint64_t best = UINT64_MAX;
    unsigned int good = 0;

    for (unsigned int i = 0; i < ROUNDS_MAX && good < ROUNDS; i++) {
        struct moment from, to;

        if (measure(&from, &to)) {
            good++;
            if (from.width + to.width < best) {
                best = from.width + to.width;
                tsc_rate = (to.tsc - from.tsc) * PIT_HZ / (from.pit - to.pit);
                apic_rate = (uint64_t)(from.apic - to.apic) * PIT_HZ / (from.pit - to.pit);
            }
        }
    }
    CHECK(tsc_rate != 0 && (apic_rate != 0 || cpu_features.tsc_deadline));
}

static uint8_t cmos(uint8_t reg)
{
    outb(0x70, reg);
    return inb(0x71);
}

static uint64_t bcd(uint8_t v, bool binary)
{
    return binary ? v : (v >> 4) * 10u + (v & 15);
}

static uint64_t days_from_civil(uint64_t y, uint64_t m, uint64_t d)
{
    static const uint16_t before[12] = {0,   31,  59,  90,  120, 151,
                                        181, 212, 243, 273, 304, 334};
    uint64_t leap = (m > 2 && y % 4 == 0) ? 1 : 0; /* right from 2000 to 2099 */

    return (y - 1970) * 365 + (y - 1969) / 4 + before[m - 1] + leap + d - 1;
}

static uint64_t read_rtc(void)
{
    bool binary = (cmos(0x0b) & 4) != 0;
    uint64_t s, m, h, d, mon, y;

    while ((cmos(0x0a) & 0x80) != 0) { /* an update is in progress, 2 ms at most */
    }
    s = bcd(cmos(0), binary);
    m = bcd(cmos(2), binary);
    h = bcd(cmos(4) & 0x7f, binary);
    d = bcd(cmos(7), binary);
    mon = bcd(cmos(8), binary);
    y = bcd(cmos(9), binary) + 2000;
    if (mon < 1 || mon > 12) {
        log_warn("the real-time clock shows month %lu: time starts in 1970", (unsigned long)mon);
        return 0;
    }
    return ((days_from_civil(y, mon, d) * 24 + h) * 60 + m) * 60 + s;
}

void clock_init(void)
{
    uint64_t wall = read_rtc();

    calibrate();
    clock_start(tsc_rate, rdtsc(), wall);
}

uint64_t clock_ns(void)
{
    return clock_from_count(rdtsc());
}

uint64_t tsc_hz(void)
{
    return tsc_rate;
}

/* The APIC's alarms come again and again until the next one is set: see lapic_init. */
#define ALARM_LEAST 20000u /* ns */

void clock_set_alarm(uint64_t ns)
{
    uint64_t now = clock_ns();
    uint64_t delta = ns > now ? ns - now : 0;

    if (cpu_features.tsc_deadline) {
        wrmsr(MSR_TSC_DEADLINE, ns == UINT64_MAX ? 0 : clock_to_count(ns));
    } else if (ns == UINT64_MAX) {
        lapic_timer(0);
    } else {
        /* A far alarm comes early, finds nothing due, and is set again. */
        delta = MAX(MIN(delta, 2000000000u), ALARM_LEAST);
        lapic_timer((uint32_t)MIN(delta * apic_rate / 1000000000u + 1, UINT32_MAX));
    }
}
