/* NMIs: one at a time until IRET, whatever the interrupt flag says. */
#include "guest.h"

static volatile unsigned int hits, depth, deepest, sends;

static void send_nmi(void)
{
    ipi(0, ICR_NMI_MODE);
}

static void handler(struct frame *f)
{
    (void)f;
    hits++;
    depth++;
    deepest = MAX(deepest, depth);
    for (; sends > 0; sends--) {
        send_nmi();
        (void)cpuid(0, 0); /* exits in which it could be injected */
    }
    depth--;
}

static void start(unsigned int inside)
{
    on[2] = handler;
    hits = depth = deepest = 0;
    sends = inside;
}

static void an_nmi_comes_with_interrupts_off(void)
{
    start(0);
    irqs_off();
    send_nmi();
    expect(within_ms(2000, hits == 1));
}

static void another_waits_for_iret(void)
{
    start(1);
    send_nmi();
    expect(within_ms(2000, hits == 2));
    expect_eq(deepest, 1);
}

static void many_become_one(void)
{
    start(5);
    send_nmi();
    expect(within_ms(2000, hits == 2));
    delay_us(2000);
    expect_eq(hits, 2);
    expect_eq(deepest, 1);
}

static volatile bool awake;

/* Again, for the first one may have come before the halt. */
static void kick_until_awake(void *arg)
{
    (void)arg;
    for (delay_us(20000); !awake; delay_us(20000)) {
        send_nmi();
    }
}

static void an_nmi_ends_halt_with_interrupts_off(void)
{
    start(0);
    expect(smp_start(2));
    awake = false;
    cpu_run(1, kick_until_awake, NULL);
    irqs_off();
    __asm__ volatile("hlt" ::: "memory");
    expect(hits >= 1);
    awake = true;
    cpu_join(1);
}

static volatile unsigned int irqs;
static void irq(struct frame *f)
{
    (void)f;
    irqs++;
    eoi();
}

static void interrupts_wait_while_the_handler_has_them_off(void)
{
    start(0);
    irqs = 0;
    on[0x52] = irq;
    irqs_on();
    apic_write(APIC_TPR, 0xf0);
    apic_write(APIC_SELF, 0x52);
    send_nmi();
    expect(within_ms(2000, hits == 1));
    expect_eq(irqs, 0);
    apic_write(APIC_TPR, 0);
    expect(within_ms(2000, irqs == 1));
    irqs_off();
}

const struct test tests[] = {
    TEST(an_nmi_comes_with_interrupts_off),
    TEST(another_waits_for_iret),
    TEST(many_become_one),
    TEST(an_nmi_ends_halt_with_interrupts_off),
    TEST(interrupts_wait_while_the_handler_has_them_off),
    TEST_END,
};
