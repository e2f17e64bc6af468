/* The guest ABI's numbers: those that are calls, all that are not, from every ring. */
#include "abi/abi.h"
#include "guest.h"

static uint64_t seed = 0xb5026f5aa96619e9ull;

static void the_version_is_1_0(void)
{
    struct call_result r = vmmcall(ABI_CALL_ABI_VERSION, 0, 0, 0, 0);

    expect_eq(r.status, ABI_OK);
    expect_eq(r.value[0], ABI_VERSION_1_0);
    expect_eq(r.value[1] | r.value[2], 0);
}

static void other_registers_stay_as_they_were(void)
{
    uint64_t a = ABI_CALL_ABI_VERSION, b = 1, c = 2, r8 = 3, r15 = 4;

    __asm__ volatile("mov %3, %%r8; mov %4, %%r15; vmmcall; mov %%r8, %3; mov %%r15, %4"
                     : "+a"(a), "+b"(b), "+c"(c), "+m"(r8), "+m"(r15)
                     : : "rdi", "rsi", "rdx", "r8", "r15", "memory");
    expect(a == ABI_OK && b == 1 && c == 2 && r8 == 3 && r15 == 4);
}

static void no_other_number_is_a_call(void)
{
    for (uint64_t n = 0; n <= 65536; n++) {
        struct call_result r = vmmcall(n, next_random(&seed), next_random(&seed),
                                       next_random(&seed), next_random(&seed));

        if (r.status != ABI_NO_CALL || (r.value[0] | r.value[1] | r.value[2]) != 0) {
            fail(__FILE__, __LINE__, "call %lx answers %lx", (unsigned long)n,
                 (unsigned long)r.status);
            return;
        }
    }
}

static void numbers_near_the_base_and_wide_ones(void)
{
    static const uint64_t wide[] = {1ull << 32 | ABI_CALL_ABI_VERSION,
                                    1ull << 63 | ABI_CALL_ABI_VERSION, ~0ull,
                                    ABI_CALL_BASE - 1ull};

    for (size_t i = 0; i < ARRAY_SIZE(wide); i++) {
        expect_eq(vmmcall(wide[i], 0, 0, 0, 0).status, ABI_NO_CALL);
    }
    for (uint64_t n = 1; n <= 65536; n++) {
        struct call_result r;

        if (ABI_CALL_BASE + n == ABI_CALL_EVENT_WAIT) {
            continue; /* it would: nothing wakes this guest */
        }
        r = vmmcall(ABI_CALL_BASE + n, ~0ull, next_random(&seed), n, ~n);
        if (r.status == ABI_OK || (r.value[0] | r.value[1] | r.value[2]) != 0 ||
            (n > 0xff && r.status != ABI_NO_CALL)) {
            fail(__FILE__, __LINE__, "call %lx answers %lx", (unsigned long)n,
                 (unsigned long)r.status);
            return;
        }
    }
    for (unsigned int i = 0; i < 2000; i++) {
        uint64_t n = next_random(&seed);

        expect(n >> 16 == ABI_CALL_BASE >> 16 || vmmcall(n, n, n, n, n).status == ABI_NO_CALL);
    }
}

static void user_call(void)
{
    __asm__ volatile("vmmcall" : : "a"(ABI_CALL_ABI_VERSION));
}

static void ring_3_has_no_calls(void)
{
    expect_eq(user_run(user_call), 6);
}

const struct test tests[] = {
    TEST(the_version_is_1_0),
    TEST(other_registers_stay_as_they_were),
    TEST(no_other_number_is_a_call),
    TEST(numbers_near_the_base_and_wide_ones),
    TEST(ring_3_has_no_calls),
    TEST_END,
};
