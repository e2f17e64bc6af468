/* Model-specific registers: which exist, what they accept, what is a #GP(0). */
#include "guest.h"

#define GP 13

#define MSR_PAT     0x277u
#define MSR_MTRRCAP 0xfeu
#define MSR_SYSCFG  0xc0010010u

static void unknown_registers_are_a_general_protection_fault(void)
{
    static const uint32_t unknown[] = {0x0,        0x2,        0x3a,       0xce,       0x480,
                                       0x7ff,      0x900,      0x40000000, 0x40000001, 0x4b564d02,
                                       0x4b564d04, 0xc0000000, 0xc0000104, 0xc0010114, 0xc0010117,
                                       0xc0010131, 0xc0010130, 0xc0020000, 0xffffffff};

    for (size_t i = 0; i < ARRAY_SIZE(unknown); i++) {
        uint64_t v;

        if (rdmsr_fault(unknown[i], &v) != GP || me()->fault_error != 0) {
            fail(__FILE__, __LINE__, "reading MSR %x: no #GP(0)", unknown[i]);
        }
        if (wrmsr_fault(unknown[i], 0) != GP || me()->fault_error != 0) {
            fail(__FILE__, __LINE__, "writing MSR %x: no #GP(0)", unknown[i]);
        }
    }
}

static void efer_keeps_to_its_rules(void)
{
    uint64_t efer = rdmsr(MSR_EFER);

    expect_eq(efer & EFER_SVME, 0);
    expect_eq(efer & (EFER_LME | EFER_LMA), EFER_LME | EFER_LMA);
    expect_eq(wrmsr_fault(MSR_EFER, efer & ~EFER_LME), GP); /* paging is on */
    expect_eq(wrmsr_fault(MSR_EFER, efer | EFER_SVME), GP);
    expect_eq(wrmsr_fault(MSR_EFER, efer | BIT(9)), GP);
    expect_eq(wrmsr_fault(MSR_EFER, efer | BIT(63)), GP);
    expect_eq(wrmsr_fault(MSR_EFER, efer & ~EFER_SCE), NO_FAULT);
    expect_eq(rdmsr(MSR_EFER), efer & ~EFER_SCE);
    expect_eq(wrmsr_fault(MSR_EFER, efer), NO_FAULT);
}

static void nxe_takes_effect(void)
{
    uint64_t efer = rdmsr(MSR_EFER);
    volatile uint8_t *p = map(0, 0x80000, PTE_P | PTE_W | PTE_NX);

    expect_eq(TRY("movb $1, (%0)", : : "r"(p) : "memory"), NO_FAULT);
    wrmsr(MSR_EFER, efer & ~EFER_NXE);
    p = map(0, 0x80000, PTE_P | PTE_W | PTE_NX); /* now a reserved bit */
    expect_eq(TRY("movb $1, (%0)", : : "r"(p) : "memory"), 14);
    expect_eq(me()->fault_error & 0xa, 0xa); /* write, reserved; TCG leaves out present */
    wrmsr(MSR_EFER, efer);
}

static void the_pat_refuses_types_that_are_none(void)
{
    uint64_t pat = rdmsr(MSR_PAT);

    expect_eq(pat, 0x0007040600070406ull);
    expect_eq(wrmsr_fault(MSR_PAT, 0x0007040600070402ull), GP);
    expect_eq(wrmsr_fault(MSR_PAT, 0x0007040600070403ull), GP);
    expect_eq(wrmsr_fault(MSR_PAT, 0x0807040600070406ull), GP);
    expect_eq(wrmsr_fault(MSR_PAT, 0x0105040600070406ull), NO_FAULT);
    expect_eq(rdmsr(MSR_PAT), 0x0105040600070406ull);
    wrmsr(MSR_PAT, pat);
}

static void the_apic_base_does_not_move(void)
{
    uint64_t base = rdmsr(MSR_APIC_BASE);

    expect_eq(base, 0xfee00d00); /* x2APIC, enabled, boot CPU */
    expect_eq(wrmsr_fault(MSR_APIC_BASE, base), NO_FAULT);
    expect_eq(wrmsr_fault(MSR_APIC_BASE, base & ~BIT(10)), GP);
    expect_eq(wrmsr_fault(MSR_APIC_BASE, base & ~BIT(11)), GP);
    expect_eq(wrmsr_fault(MSR_APIC_BASE, base + 0x1000), GP);
}

static void constants_take_only_their_own_value(void)
{
    uint64_t v;

    expect_eq(rdmsr_fault(MSR_MTRRCAP, &v), NO_FAULT);
    expect_eq(v, 0x508);
    expect_eq(wrmsr_fault(MSR_MTRRCAP, v + 1), GP);
    expect_eq(rdmsr_fault(MSR_SYSCFG, &v), NO_FAULT);
    expect_eq(wrmsr_fault(MSR_SYSCFG, v), NO_FAULT);
    expect_eq(wrmsr_fault(MSR_SYSCFG, BIT(23)), GP); /* no memory encryption */
}

static void mtrrs_keep_what_is_written(void)
{
    expect_eq(rdmsr(0x2ff), 0x806); /* as firmware leaves them: enabled, write-back */
    wrmsr(0x200, 0x80000006);
    wrmsr(0x201, 0xff80000800ull);
    wrmsr(0x2ff, 0xc06);
    expect_eq(rdmsr(0x200), 0x80000006);
    expect_eq(rdmsr(0x201), 0xff80000800ull);
    expect_eq(rdmsr(0x2ff), 0xc06);
    wrmsr(0x201, 0);
    wrmsr(0x2ff, 0x806);
}

static void registers_of_its_own_hold_values(void)
{
    static const uint32_t own[] = {0x174,      0x175,      0x176,      0xc0000081, 0xc0000082,
                                   0xc0000083, 0xc0000084, 0xc0000100, 0xc0000102};

    for (size_t i = 0; i < ARRAY_SIZE(own); i++) {
        uint64_t old = rdmsr(own[i]);

        wrmsr(own[i], 0x1234);
        (void)cpuid(0, 0); /* an exit between */
        expect_eq(rdmsr(own[i]), 0x1234);
        wrmsr(own[i], old);
    }
}

static void tsc_aux_reaches_rdtscp(void)
{
    uint32_t a, d, c;

    expect_eq(wrmsr_fault(MSR_TSC_AUX, BIT(32)), GP);
    expect_eq(wrmsr_fault(MSR_TSC_AUX, 0x4711), NO_FAULT);
    __asm__ volatile("rdtscp" : "=a"(a), "=d"(d), "=c"(c));
    expect_eq(c, 0x4711);
}

static void the_tsc_can_be_set(void)
{
    uint64_t before = rdtsc();

    wrmsr(0x10, BIT(40));
    expect(rdtsc() >= BIT(40) && rdtsc() < BIT(40) + tsc_of_us(5000000));
    expect(rdmsr(0x10) >= BIT(40));
    wrmsr(0x10, before);
    expect(rdtsc() < before + tsc_of_us(5000000));
}

static void rdpmc_and_svm_instructions_are_refused(void)
{
    expect_eq(TRY("rdpmc", : : "c"(0) : "eax", "edx"), GP);
    expect_eq(TRY("vmrun %%rax", : : "a"(0x80000)), 6);
    expect_eq(TRY("vmload %%rax", : : "a"(0x80000)), 6);
    expect_eq(TRY("vmsave %%rax", : : "a"(0x80000) : "memory"), 6);
    expect_eq(TRY("stgi", ::), 6);
    expect_eq(TRY("clgi", ::), 6);
    expect_eq(TRY("skinit %%eax", : : "a"(0x80000)), 6);
    expect_eq(TRY("monitor %%rax, %%ecx, %%edx", : : "a"(0x80000), "c"(0), "d"(0)), 6);
    expect_eq(TRY("mwait %%eax, %%ecx", : : "a"(0), "c"(0)), 6);
    expect_eq(TRY("rsm", ::), 6);
}

static void caches_may_be_flushed(void)
{
    volatile uint64_t word = 42;

    expect_eq(TRY("wbinvd", ::: "memory"), NO_FAULT);
    expect_eq(TRY("invd", ::: "memory"), NO_FAULT);
    expect_eq(word, 42);
}

const struct test tests[] = {
    TEST(unknown_registers_are_a_general_protection_fault),
    TEST(efer_keeps_to_its_rules),
    TEST(nxe_takes_effect),
    TEST(the_pat_refuses_types_that_are_none),
    TEST(the_apic_base_does_not_move),
    TEST(constants_take_only_their_own_value),
    TEST(mtrrs_keep_what_is_written),
    TEST(registers_of_its_own_hold_values),
    TEST(tsc_aux_reaches_rdtscp),
    TEST(the_tsc_can_be_set),
    TEST(rdpmc_and_svm_instructions_are_refused),
    TEST(caches_may_be_flushed),
    TEST_END,
};
