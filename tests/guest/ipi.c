/* Inter-processor interrupts of every kind, among four vCPUs. */
#include "guest.h"

#define N      4u
#define VECTOR 0x61

static volatile unsigned int got[CPUS_MAX], nmis[CPUS_MAX];

static void count_irq(struct frame *f)
{
    (void)f;
    atomic_add(&got[me()->index], 1);
    eoi();
}

static void count_nmi(struct frame *f)
{
    (void)f;
    atomic_add(&nmis[me()->index], 1);
}

static void clear(void)
{
    for (unsigned int i = 0; i < N; i++) {
        got[i] = 0;
        nmis[i] = 0;
    }
}

/* Exactly the vCPUs of the mask get one each; nothing more comes in a while. */
static void arrives_at(volatile unsigned int *counts, unsigned int mask)
{
    for (unsigned int i = 0; i < N; i++) {
        if ((mask >> i & 1) != 0 && !within_ms(5000, counts[i] != 0)) {
            fail(__FILE__, __LINE__, "nothing came to vCPU %u", i);
        }
    }
    delay_us(2000);
    for (unsigned int i = 0; i < N; i++) {
        if (counts[i] != (mask >> i & 1)) {
            fail(__FILE__, __LINE__, "vCPU %u got %u, not %u", i, counts[i], mask >> i & 1);
        }
    }
}

static void send(uint32_t dest, uint32_t low, unsigned int mask)
{
    clear();
    irqs_on();
    ipi(dest, low | VECTOR);
    arrives_at(got, mask);
    irqs_off();
}

static void the_others_come_up(void)
{
    on[VECTOR] = count_irq;
    on[2] = count_nmi;
    expect(smp_start(N));
}

static void one_by_physical_id(void)
{
    for (unsigned int i = 0; i < N; i++) {
        send(i, 0, 1u << i);
    }
}

static void some_by_logical_id(void)
{
    send(0x2, ICR_LOGICAL_, 2);
    send(0xa, ICR_LOGICAL_, 0xa);
    send(0xf, ICR_LOGICAL_, 0xf);
    send(0xffff, ICR_LOGICAL_, 0xf);
    send(0x10001, ICR_LOGICAL_, 0); /* another cluster */
    send(0x10, ICR_LOGICAL_, 0);    /* nobody's bit */
}

static void shorthands(void)
{
    send(77, ICR_SELF, 1);
    send(77, ICR_ALL, 0xf);
    send(77, ICR_OTHERS, 0xe);
}

static void broadcast_id(void)
{
    send(0xffffffff, 0, 0xf);
    send(0xffffffff, ICR_LOGICAL_, 0xf);
}

static void lowest_priority_goes_to_one(void)
{
    unsigned int sum = 0;

    clear();
    ipi(0xe, ICR_LOGICAL_ | 1u << 8 | VECTOR);
    (void)within_ms(1000, got[1] + got[2] + got[3] != 0);
    delay_us(2000);
    for (unsigned int i = 0; i < N; i++) {
        sum += got[i];
    }
    expect_eq(sum, 1);
    expect_eq(got[0], 0);
}

static void absent_ids_are_nobody(void)
{
    send(N, 0, 0);
    send(0xff, 0, 0);
    send(0x7fffffff, 0, 0);
}

static void reserved_modes_do_nothing(void)
{
    send(1, 2u << 8, 0); /* SMI */
    send(1, 3u << 8, 0);
    send(1, 7u << 8, 0); /* ExtINT */
}

static void illegal_vectors_do_nothing(void)
{
    clear();
    for (unsigned int vector = 0; vector < 16; vector++) {
        ipi(1, vector);
    }
    delay_us(2000);
    expect_eq(got[1], 0);
}

static void nmis_reach_the_halted_and_the_addressed(void)
{
    clear();
    ipi(2, ICR_NMI_MODE);
    arrives_at(nmis, 4);
    clear();
    ipi(0, ICR_NMI_MODE | ICR_OTHERS);
    arrives_at(nmis, 0xe);
    clear();
    ipi(0, ICR_NMI_MODE | ICR_ALL);
    arrives_at(nmis, 0xf);
}

static void the_command_can_be_read_back(void)
{
    ipi(3, VECTOR);
    expect_eq(apic_read(APIC_ICR), 3ull << 32 | VECTOR);
}

static void ping(void *arg)
{
    unsigned int other = (unsigned int)(uint64_t)arg;

    for (unsigned int i = 1; i <= 500; i++) {
        if (me()->index == 1) {
            ipi(other, VECTOR);
        }
        while (got[me()->index] < i) {
            halt(); /* one lost, and this is for ever */
        }
        if (me()->index == 2) {
            ipi(other, VECTOR);
        }
    }
}

static void two_play_ping_pong_and_lose_none(void)
{
    clear();
    cpu_run(2, ping, (void *)1);
    cpu_run(1, ping, (void *)2);
    cpu_join(1);
    cpu_join(2);
    expect_eq(got[1], 500);
    expect_eq(got[2], 500);
}

const struct test tests[] = {
    TEST(the_others_come_up),
    TEST(one_by_physical_id),
    TEST(some_by_logical_id),
    TEST(shorthands),
    TEST(broadcast_id),
    TEST(lowest_priority_goes_to_one),
    TEST(absent_ids_are_nobody),
    TEST(reserved_modes_do_nothing),
    TEST(illegal_vectors_do_nothing),
    TEST(nmis_reach_the_halted_and_the_addressed),
    TEST(the_command_can_be_read_back),
    TEST(two_play_ping_pong_and_lose_none),
    TEST_END,
};
