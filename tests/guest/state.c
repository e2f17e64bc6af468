/*
 * What a vCPU has in registers stays its own while more vCPUs than CPUs take turns: x87, SSE, AVX,
 * XCR0, debug registers, TSC_AUX, system registers.
 */
#include "guest.h"

#define N     4u
#define STEPS 40u

static bool has_avx;

static void fill(uint64_t seed)
{
    uint64_t v[4] = {seed, ~seed, seed * 3, seed << 32};
    uint32_t mxcsr = 0x1f80 | (uint32_t)(seed & 3) << 13;

    if (has_avx) {
        __asm__ volatile("vmovups %0, %%ymm0; vmovups %0, %%ymm7; vmovups %0, %%ymm15" : : "m"(v));
    }
    __asm__ volatile("movups %0, %%xmm3; movups %0, %%xmm12; ldmxcsr %1; fninit; fildll %2"
                     : : "m"(v), "m"(mxcsr), "m"(v[0]));
}

static void compare(uint64_t seed)
{
    uint64_t v[4] = {0}, w[4] = {0};
    uint64_t on_stack;
    uint32_t mxcsr;

    if (has_avx) {
        __asm__ volatile("vmovups %%ymm15, %0; vmovups %%ymm7, %1" : "=m"(v), "=m"(w));
        expect(v[3] == seed << 32 && w[2] == seed * 3);
    }
    __asm__ volatile("movups %%xmm12, %0; movups %%xmm3, %1; stmxcsr %2"
                     : "=m"(v), "=m"(w), "=m"(mxcsr));
    expect(v[0] == seed && v[1] == ~seed && w[1] == ~seed);
    expect_eq(mxcsr >> 13 & 3, seed & 3);
    __asm__ volatile("fld %%st(0); fistpll %0" : "=m"(on_stack));
    expect_eq(on_stack, seed);
}

static void set_debug(uint64_t seed)
{
    write_dr0(0x1000 + seed);
    write_dr1(0x2000 + seed);
    write_dr2(0x3000 + seed);
    write_dr3(0x4000 + seed);
}

static void check_debug(uint64_t seed)
{
    expect_eq(read_dr0(), 0x1000 + seed);
    expect_eq(read_dr1(), 0x2000 + seed);
    expect_eq(read_dr2(), 0x3000 + seed);
    expect_eq(read_dr3(), 0x4000 + seed);
}

static void keep(void *arg)
{
    uint64_t seed = (uint64_t)arg * 0x01010101 + 5;
    uint32_t a, d, c;

    xsetbv(0, has_avx ? 7 : 3);
    fill(seed);
    set_debug(seed * 8);
    wrmsr(MSR_TSC_AUX, seed);
    for (unsigned int i = 0; i < STEPS; i++) {
        delay_us(5000);
        compare(seed);
        if (i % 4 == 0) {
            check_debug(seed * 8);
        }
        __asm__ volatile("rdtscp" : "=a"(a), "=d"(d), "=c"(c));
        expect_eq(c, seed);
    }
}

static void registers_survive_turns_on_a_cpu(void)
{
    has_avx = (cpuid(0xd, 0).eax & 4) != 0;
    expect(smp_start(N));
    for (unsigned int i = 1; i < N; i++) {
        cpu_run(i, keep, (void *)(uint64_t)i);
    }
    keep((void *)(uint64_t)9);
    for (unsigned int i = 1; i < N; i++) {
        cpu_join(i);
    }
}

static int xsetbv_fault(uint32_t index, uint64_t v)
{
    return TRY("xsetbv", : : "c"(index), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)));
}

static void xsetbv_takes_what_the_cpu_has(void)
{
    expect_eq(xsetbv_fault(0, 1), NO_FAULT);
    expect_eq(xsetbv_fault(0, 3), NO_FAULT);
    expect_eq(xsetbv_fault(0, 0), 13);
    expect_eq(xsetbv_fault(0, 2), 13);
    expect_eq(xsetbv_fault(0, 5), 13); /* AVX without SSE */
    expect_eq(xsetbv_fault(0, 1ull << 62 | 3), 13);
    expect_eq(xsetbv_fault(1, 3), 13);
    expect_eq(xsetbv_fault(0x80000000, 3), 13);
    expect_eq(xsetbv_fault(0, has_avx ? 7 : 3), NO_FAULT);
}

static void user_xsetbv(void)
{
    xsetbv(0, 3);
}

static void xsetbv_is_for_ring_0(void)
{
    expect_eq(user_run(user_xsetbv), 13);
}

static volatile unsigned int traps;
static volatile uint64_t trap_dr6;

static void note(struct frame *f)
{
    (void)f;
    traps++;
    __asm__ volatile("mov %%dr6, %0" : "=r"(*(uint64_t *)&trap_dr6));
    __asm__ volatile("mov %0, %%dr6" : : "r"(0xffff0ff0ull));
}

static void a_data_breakpoint_hits_after_turns(void)
{
    static volatile uint64_t word __attribute__((aligned(8)));

    on[1] = note;
    write_dr1((uint64_t)&word);
    __asm__ volatile("mov %0, %%dr7" : : "r"(0x400ull | 1ull << 2 | 9ull << 20)); /* L1, write, 8 */
    delay_us(40000);
    expect_eq(traps, 0);
    word = 1;
    expect_eq(traps, 1);
    expect_eq(trap_dr6 & 0xf, 2);
    __asm__ volatile("mov %0, %%dr7" : : "r"(0x400ull));
    word = 2;
    expect_eq(traps, 1);
    on[1] = NULL;
}

const struct test tests[] = {
    TEST(registers_survive_turns_on_a_cpu),
    TEST(xsetbv_takes_what_the_cpu_has),
    TEST(xsetbv_is_for_ring_0),
    TEST(a_data_breakpoint_hits_after_turns),
    TEST_END,
};
