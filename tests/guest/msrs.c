/* Every MSR of the interesting ranges, read, and written with what was read and with anything. */
#include "guest.h"

static uint64_t seed = 0x9e3779b97f4a7c15ull;

/* What the guest itself stands on: it would not come back to tell. */
static bool spared(uint32_t msr)
{
    return msr == MSR_EFER || (msr >= 0xc0000081 && msr <= 0xc0000084) || msr == 0xc0000101 ||
           msr == 0x10 || msr == MSR_X2APIC + APIC_ICR || msr == MSR_X2APIC + APIC_SELF ||
           msr == MSR_KVM_TIME || msr == MSR_KVM_WALL || msr == MSR_X2APIC + APIC_LVT_TIMER;
}

static void sweep(uint32_t first, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t msr = first + i;
        uint64_t v;
        int fault = rdmsr_fault(msr, &v);

        if (fault != NO_FAULT && fault != 13) {
            fail(__FILE__, __LINE__, "reading %x raises %d", msr, fault);
        }
        if (spared(msr)) {
            continue;
        }
        for (unsigned int round = 0; round < 3; round++) {
            uint64_t w = round == 0 ? v : round == 1 ? ~0ull : next_random(&seed);

            fault = wrmsr_fault(msr, w);
            if (fault != NO_FAULT && fault != 13) {
                fail(__FILE__, __LINE__, "writing %lx to %x raises %d", (unsigned long)w, msr,
                     fault);
            }
        }
        if (fault == NO_FAULT) {
            (void)wrmsr_fault(msr, v);
        }
    }
    irqs_window();
}

static void drop(struct frame *f)
{
    (void)f;
    eoi();
}

static void the_architectural_ones(void)
{
    for (unsigned int vector = 32; vector < 256; vector++) {
        on[vector] = drop;
    }
    sweep(0, 0x2000);
}

static void those_of_hypervisors(void)
{
    sweep(0x40000000, 0x200);
    sweep(0x4b564d00, 0x100);
}

static void those_of_amd(void)
{
    sweep(0xc0000000, 0x200);
    sweep(0xc0001fff, 2);
    sweep(0xc0010000, 0x400);
    sweep(0xc0011000, 0x100);
    sweep(0xc0011fff, 2);
}

static void anywhere(void)
{
    for (unsigned int i = 0; i < 2000; i++) {
        uint32_t msr = (uint32_t)next_random(&seed);
        uint64_t v;

        if (msr >= 0x2000 && (msr < 0xc0000000 || msr >= 0xc0020000)) {
            expect_eq(rdmsr_fault(msr, &v), 13);
            expect_eq(wrmsr_fault(msr, v), 13);
        }
    }
}

static void clock_pages_anywhere(void)
{
    for (unsigned int i = 0; i < 500; i++) {
        uint64_t at = next_random(&seed) >> (i % 60);

        if (at >= MiB(2)) {
            (void)wrmsr_fault(MSR_KVM_TIME, at | 1);
            (void)wrmsr_fault(MSR_KVM_WALL, at);
        }
    }
}

const struct test tests[] = {
    TEST(the_architectural_ones),
    TEST(those_of_hypervisors),
    TEST(those_of_amd),
    TEST(anywhere),
    TEST(clock_pages_anywhere),
    TEST_END,
};
