/* Guests that keep the machine busy: only their own time is spent. */
#include "guest.h"

static volatile unsigned int interrupts;

static void count(struct frame *f)
{
    (void)f;
    interrupts++;
    eoi();
}

static void a_storm_of_self_ipis(void)
{
    on[0x71] = count;
    irqs_on();
    for (unsigned int i = 0; i < 20000; i++) {
        apic_write(APIC_SELF, 0x71);
    }
    irqs_off();
    expect(interrupts > 0);
}

static volatile int again;
static void resend(struct frame *f)
{
    (void)f;
    eoi();
    if (again-- > 0) {
        apic_write(APIC_SELF, 0x72);
    }
}

static void a_self_ipi_in_its_own_handler(void)
{
    on[0x72] = resend;
    again = 20000;
    apic_write(APIC_SELF, 0x72);
    irqs_on();
    (void)within_ms(60000, again < 0);
    irqs_off();
    expect(again == -1);
}

static void a_storm_to_all(void)
{
    expect(smp_start(4));
    on[0x73] = count;
    irqs_on();
    for (unsigned int i = 0; i < 3000; i++) {
        ipi(0, ICR_ALL | 0x73);
        ipi(0xffffffff, 0x73);
    }
    irqs_off();
}

static void ids_and_modes_that_are_none(void)
{
    uint64_t seed = 42;

    for (unsigned int i = 0; i < 5000; i++) {
        uint64_t icr = next_random(&seed);

        /* no INIT, start-up or NMI, which would reach ourselves */
        icr = (icr & ~0x700ull) | (icr >> 8 & 1 ? 0x300 : 0x700);
        wrmsr(MSR_X2APIC + APIC_ICR, icr);
        ipi((uint32_t)icr | 8, 0x73);
    }
}

static void nmis_without_end(void)
{
    on[2] = count;
    interrupts = 0;
    for (unsigned int i = 0; i < 5000; i++) {
        ipi(0, ICR_NMI_MODE);
    }
    expect(interrupts > 0);
}

static void start_ups_without_end(void)
{
    static const uint8_t code[] = {0xfa, 0xf4, 0xeb, 0xfc}; /* cli; hlt; again */

    for (uint64_t page = 0x40; page < 0x80; page++) {
        memcpy((void *)(page << 12), code, sizeof(code));
    }
    for (unsigned int i = 0; i < 2000; i++) {
        ipi(0, ICR_SIPI | ICR_OTHERS | (0x40 + i % 0x40));
        if (i % 16 == 0) {
            ipi(0, ICR_INIT_ | ICR_OTHERS);
        }
    }
    ipi(0, ICR_INIT_ | ICR_OTHERS);
    for (unsigned int i = 1; i < 4; i++) {
        cpus[i].online = false;
    }
    delay_us(20000);
    expect(smp_start(4));
}

static void a_timer_of_one_tick(void)
{
    on[0x74] = count;
    interrupts = 0;
    apic_write(APIC_LVT_TIMER, LVT_PERIODIC_ | 0x74);
    apic_write(APIC_DIVIDE, 0xb);
    apic_write(APIC_COUNT, 1);
    irqs_on();
    delay_us(100000);
    apic_write(APIC_COUNT, 0);
    irqs_off();
    expect(interrupts > 0);
    expect(interrupts <= 1100); /* the least period is 100 us */
}

static void deadlines_in_the_past_without_end(void)
{
    apic_write(APIC_LVT_TIMER, LVT_TSC | 0x74);
    irqs_on();
    for (unsigned int i = 0; i < 10000; i++) {
        wrmsr(MSR_TSC_DEADLINE, i + 1);
    }
    irqs_off();
}

static void cache_flushes_without_end(void)
{
    for (unsigned int i = 0; i < 20000; i++) {
        __asm__ volatile("wbinvd" ::: "memory");
    }
}

static void mode_changes_without_end(void)
{
    uint64_t cr4 = read_cr4();

    for (unsigned int i = 0; i < 5000; i++) {
        write_cr4(cr4 ^ (i & 1 ? CR4_OSXSAVE : 0));
        write_cr3(read_cr3());
        (void)cpuid(0xd, 0);
    }
    write_cr4(cr4);
}

const struct test tests[] = {
    TEST(a_storm_of_self_ipis),
    TEST(a_self_ipi_in_its_own_handler),
    TEST(a_storm_to_all),
    TEST(ids_and_modes_that_are_none),
    TEST(nmis_without_end),
    TEST(start_ups_without_end),
    TEST(a_timer_of_one_tick),
    TEST(deadlines_in_the_past_without_end),
    TEST(cache_flushes_without_end),
    TEST(mode_changes_without_end),
    TEST_END,
};
