/*
 * A hostile TD against the hypervisor: every TDVMCALL with any registers, conversions without end,
 * memory that is not there. It may only end itself; a plain guest and another TD stand beside it
 * and stay as they were.
 */
#include "cc_host.h"
#include "cu.h"

#include "hv/page.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MEMORY MiB(4)
#define STORM  20000u

static unsigned int attacks;
static struct vm *bad, *td, *plain;
static struct vcpu *v;

static void again(void)
{
    if (bad != NULL) {
        snp_drop(bad);
    }
    bad = snp_guest(CC_TDX, 2);
    v = bad->vcpu[0];
}

static void begin(void)
{
    snp_boot(MiB(128));
    plain = snp_guest(CC_NONE, 1);
    td = snp_guest(CC_TDX, 1);
    CU_ASSERT_EQUAL(cc_tdx_accept(td->vcpu[0], LAY_FREE, TDX_4K), TDX_SUCCESS);
    CU_ASSERT_TRUE(cc_tdx_touch(td->vcpu[0], LAY_FREE));
    memset(snp_ram(td, LAY_FREE), 0x77, PAGE_SIZE);
    memset(snp_ram(plain, LAY_FREE), 0x78, PAGE_SIZE);
    bad = NULL;
    again();
}

static bool stands(struct vm *vm, uint8_t byte)
{
    const uint8_t *p = snp_ram(vm, LAY_FREE);

    return !vm->end_asked && p[0] == byte && p[PAGE_SIZE - 1] == byte;
}

static void end(void)
{
    CU_ASSERT(cc_tdx_agrees(bad) && cc_tdx_agrees(td));
    CU_ASSERT(stands(td, 0x77) && stands(plain, 0x78));
    snp_drop(bad);
    snp_drop(td);
    snp_drop(plain);
    core_done();
    CU_ASSERT_EQUAL(snp_pages_kept(), 0);
}

static uint64_t call(uint64_t function, uint64_t r12, uint64_t r13, uint64_t r14, uint64_t r15)
{
    const struct tdx_regs r = {.r11 = function, .r12 = r12, .r13 = r13, .r14 = r14, .r15 = r15};

    attacks++;
    cc_tdx_call(v, &r);
    return tdx_vcpu_of(v)->regs.r10;
}

static uint64_t r11(void)
{
    return tdx_vcpu_of(v)->regs.r11;
}

static uint64_t any(void)
{
    static const uint64_t some[] = {0, 1, 2, 4, 8, 0xfff, PAGE_SIZE, MEMORY, GiB(4), BIT(47),
                                    BIT(47) | PAGE_SIZE, BIT(63), ~0ull, ~0xfffull};
    unsigned int pick = (unsigned int)rand();

    return pick % 3 != 0 ? some[pick / 3 % ARRAY_SIZE(some)]
                         : (uint64_t)rand() << 32 | (uint64_t)rand();
}

static void every_call_with_garbage_is_answered_or_ends_the_td_alone(void)
{
    begin();
    for (uint64_t function = 0; function < 0x10100; function += function < 0x80 ? 1 : 0x7f) {
        for (unsigned int i = 0; i < 8; i++) {
            (void)call(function, any(), any(), any(), any());
            if (bad->end_asked) {
                again();
            }
        }
    }
    end();
}

static void what_is_not_known_is_refused_and_the_td_goes_on(void)
{
    static const uint64_t unknown[] = {1, 11, 33, 0xffff, 0x10005, 0x20002, ~0ull};
    struct tdx_regs vendor = {.r10 = 1, .r11 = 5};

    begin();
    for (size_t i = 0; i < ARRAY_SIZE(unknown); i++) {
        CU_ASSERT_EQUAL(call(unknown[i], any(), any(), any(), any()), TDVMCALL_NOT_SUPPORTED);
    }
    cc_tdx_call(v, &vendor);
    attacks++;
    CU_ASSERT_FALSE(bad->end_asked);
    end();
}

static void ports_and_msrs_and_memory_of_devices_are_only_what_the_platform_has(void)
{
    static const uint64_t size[] = {0, 3, 5, 8, 16, BIT(32) | 4, ~0ull};
    static const uint64_t not_shared[] = {0, MEMORY, GiB(4), BIT(48) | BIT(47), BIT(48), ~0ull};

    begin();
    for (size_t i = 0; i < ARRAY_SIZE(size); i++) {
        CU_ASSERT_EQUAL(call(TDX_EXIT_IO, size[i], 0, 0x80, 0), TDVMCALL_INVALID_OPERAND);
        CU_ASSERT_EQUAL(call(TDX_EXIT_EPT_VIOLATION, size[i], 0, BIT(47), 0),
                        size[i] == 8 ? TDVMCALL_SUCCESS : TDVMCALL_INVALID_OPERAND);
    }
    for (size_t i = 0; i < ARRAY_SIZE(not_shared); i++) {
        CU_ASSERT_EQUAL(call(TDX_EXIT_EPT_VIOLATION, 4, 0, not_shared[i], 0),
                        TDVMCALL_INVALID_OPERAND);
    }
    CU_ASSERT_EQUAL(call(TDX_EXIT_IO, 1, 2, 0x80, 0), TDVMCALL_INVALID_OPERAND);
    CU_ASSERT_EQUAL(call(TDX_EXIT_IO, 1, 0, 0x10080, 0), TDVMCALL_INVALID_OPERAND);
    CU_ASSERT_EQUAL(call(TDX_EXIT_IO, 2, 0, 0x1234, 0), TDVMCALL_SUCCESS);
    CU_ASSERT_EQUAL(r11(), 0xffff);
    CU_ASSERT_EQUAL(call(TDX_EXIT_RDMSR, BIT(32) | 0x1b, 0, 0, 0), TDVMCALL_INVALID_OPERAND);
    CU_ASSERT_EQUAL(call(TDX_EXIT_RDMSR, 0x1c, 0, 0, 0), TDVMCALL_INVALID_OPERAND);
    CU_ASSERT_EQUAL(call(TDX_EXIT_WRMSR, 0x1c, 1, 0, 0), TDVMCALL_INVALID_OPERAND);
    end();
}

/* EDK II makes every device's memory shared before it looks at it; it never was anything else. */
static void where_devices_are_memory_is_shared_already_and_stays_so(void)
{
    begin();
    CU_ASSERT_EQUAL(call(TDVMCALL_MAP_GPA, MEMORY | BIT(47), MiB(64), 0, 0), TDVMCALL_SUCCESS);
    CU_ASSERT_EQUAL(r11(), (MEMORY | BIT(47)) + MiB(64));
    CU_ASSERT_EQUAL(call(TDVMCALL_MAP_GPA, GiB(64) | BIT(47), GiB(1), 0, 0), TDVMCALL_SUCCESS);
    CU_ASSERT_EQUAL(call(TDVMCALL_MAP_GPA, MEMORY, PAGE_SIZE, 0, 0), TDVMCALL_INVALID_OPERAND);
    CU_ASSERT_EQUAL(tdx_of(bad)->conversions, 0);
    end();
}

static void ranges_that_cannot_be_converted_are_refused_whole(void)
{
    static const struct {
        uint64_t gpa, size, answer;
    } bad_ranges[] = {
        {LAY_FREE + 8, PAGE_SIZE, TDVMCALL_ALIGN_ERROR},
        {LAY_FREE, PAGE_SIZE - 1, TDVMCALL_ALIGN_ERROR},
        {LAY_FREE, 0, TDVMCALL_INVALID_OPERAND},
        {MEMORY - PAGE_SIZE, 2 * PAGE_SIZE, TDVMCALL_INVALID_OPERAND},
        {LAY_FREE, ~0xfffull, TDVMCALL_INVALID_OPERAND},
        {~0xfffull & ~BIT(47), 2 * PAGE_SIZE, TDVMCALL_INVALID_OPERAND},
        {0xfffff000, PAGE_SIZE, TDVMCALL_INVALID_OPERAND},
        {BIT(48), PAGE_SIZE, TDVMCALL_INVALID_OPERAND},
    };

    begin();
    for (size_t i = 0; i < ARRAY_SIZE(bad_ranges); i++) {
        for (uint64_t shared = 0; shared <= BIT(47); shared += BIT(47)) {
            CU_ASSERT_EQUAL(call(TDVMCALL_MAP_GPA, bad_ranges[i].gpa | shared, bad_ranges[i].size,
                                 0, 0),
                            bad_ranges[i].answer);
        }
    }
    CU_ASSERT_EQUAL(tdx_of(bad)->conversions, 0);
    end();
}

/* Private and shared, small and large, touched both ways, accepted in any size, by both vCPUs. */
static void a_storm_of_conversions_leaves_every_page_with_one_owner(void)
{
    unsigned int accepted = 0, shared = 0;

    begin();
    srand(1);
    for (unsigned int i = 0; i < STORM; i++) {
        uint64_t at = (uint64_t)(rand() % (MEMORY / PAGE_SIZE)) * PAGE_SIZE;
        uint64_t big = ALIGN_DOWN(at, SIZE_2M);

        v = bad->vcpu[rand() % 2];
        switch (rand() % 8) {
        case 0:
            (void)call(TDVMCALL_MAP_GPA, at | BIT(47), PAGE_SIZE, 0, 0);
            break;
        case 1:
            (void)call(TDVMCALL_MAP_GPA, at, PAGE_SIZE * (1 + (uint64_t)rand() % 16), 0, 0);
            break;
        case 2:
            (void)call(TDVMCALL_MAP_GPA, big | BIT(47), SIZE_2M, 0, 0);
            break;
        case 3:
        case 4:
            accepted += cc_tdx_accept(v, at, TDX_4K) == TDX_SUCCESS;
            break;
        case 5:
            accepted += cc_tdx_accept(v, big, TDX_2M) == TDX_SUCCESS;
            break;
        case 6:
            shared += cc_tdx_touch(v, at | BIT(47));
            break;
        default:
            (void)cc_tdx_touch(v, at);
            break;
        }
        attacks++;
        if (bad->end_asked) { /* it touched what it did not accept */
            CU_ASSERT(cc_tdx_agrees(bad));
            again();
        }
    }
    CU_ASSERT(accepted > STORM / 10 && shared > STORM / 50);
    end();
}

/* CPUs have the translation cached; from each vCPU's next entry on it is gone. */
static void what_its_lender_takes_back_is_out_of_its_reach(void)
{
    const uint64_t window = GiB(64);
    uint64_t theirs;

    begin();
    theirs = snp_pa(plain, LAY_FREE).v;
    for (unsigned int i = 0; i < 8; i++) {
        CU_ASSERT_EQUAL_FATAL(vm_mem_lend(bad, gpa(window), plain, gpa(LAY_FREE), PAGE_SIZE),
                              ABI_OK);
        CU_ASSERT_EQUAL(cc_tdx_reaches(bad->vcpu[0], window | BIT(47)), theirs);
        CU_ASSERT_EQUAL(cc_tdx_reaches(bad->vcpu[1], window | BIT(47)), theirs);
        vm_mem_unlend(bad, gpa(window), PAGE_SIZE);
        CU_ASSERT_NOT_EQUAL(cc_tdx_reaches(bad->vcpu[i % 2], window | BIT(47)), theirs);
        CU_ASSERT_NOT_EQUAL(cc_tdx_reaches(bad->vcpu[1 - i % 2], window | BIT(47)), theirs);
        vm_unmap_page(bad, gpa(window)); /* the page of ones that it found instead */
        attacks += 2;
    }
    end();
}

#define QUOTE   (LAY_FREE + 4 * PAGE_SIZE)
#define IN_LEN  16u
#define STATUS  8u
#define QUOTE_ERROR 0x8000000000000000ull /* GHCI table 3-11 */

/* A header in a shared page, as the TD wrote it. */
static uint8_t *quote_buffer(uint64_t version, uint32_t in_len)
{
    uint8_t *p = snp_ram(bad, QUOTE);

    CU_ASSERT_EQUAL_FATAL(call(TDVMCALL_MAP_GPA, QUOTE | BIT(47), 2 * PAGE_SIZE, 0, 0),
                          TDVMCALL_SUCCESS);
    memset(p, 0, PAGE_SIZE);
    memcpy(p, &version, sizeof(version));
    memcpy(p + IN_LEN, &in_len, sizeof(in_len));
    return p;
}

static void quotes_are_written_to_shared_memory_that_is_there_alone(void)
{
    static const struct {
        uint64_t gpa, size, answer;
    } wrong[] = {
        {QUOTE, 2 * PAGE_SIZE, TDVMCALL_INVALID_OPERAND}, /* by its private alias */
        {(QUOTE + 8) | BIT(47), PAGE_SIZE, TDVMCALL_ALIGN_ERROR},
        {QUOTE | BIT(47), PAGE_SIZE / 2, TDVMCALL_ALIGN_ERROR},
        {QUOTE | BIT(47), 0, TDVMCALL_INVALID_OPERAND},
        {QUOTE | BIT(47), ~0xfffull, TDVMCALL_INVALID_OPERAND},
        {MEMORY | BIT(47), PAGE_SIZE, TDVMCALL_INVALID_OPERAND},
        {~0xfffull, PAGE_SIZE, TDVMCALL_INVALID_OPERAND},
        {BIT(48) | BIT(47), PAGE_SIZE, TDVMCALL_INVALID_OPERAND},
    };
    uint64_t status;

    begin();
    (void)quote_buffer(1, 1024);
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        CU_ASSERT_EQUAL(call(TDVMCALL_GET_QUOTE, wrong[i].gpa, wrong[i].size, 0, 0),
                        wrong[i].answer);
    }
    (void)quote_buffer(2, 1024);
    CU_ASSERT_EQUAL(call(TDVMCALL_GET_QUOTE, QUOTE | BIT(47), PAGE_SIZE, 0, 0),
                    TDVMCALL_INVALID_OPERAND);
    for (uint32_t len = 0; len != 3; len++) {
        static const uint32_t lens[] = {~0u, PAGE_SIZE, PAGE_SIZE - 23};

        (void)quote_buffer(1, lens[len]);
        CU_ASSERT_EQUAL(call(TDVMCALL_GET_QUOTE, QUOTE | BIT(47), PAGE_SIZE, 0, 0),
                        TDVMCALL_INVALID_OPERAND);
    }
    memcpy(&status, quote_buffer(1, 7) + STATUS, sizeof(status));
    CU_ASSERT_EQUAL(status, 0);
    CU_ASSERT_EQUAL(call(TDVMCALL_GET_QUOTE, QUOTE | BIT(47), PAGE_SIZE, 0, 0), TDVMCALL_SUCCESS);
    memcpy(&status, (uint8_t *)snp_ram(bad, QUOTE) + STATUS, sizeof(status));
    CU_ASSERT_EQUAL(status, QUOTE_ERROR);
    end();
}

/* It asks, and takes the buffer back before the answer comes: the answer is lost, no more. */
static void a_quote_whose_buffer_is_gone_is_lost(void)
{
    static const uint8_t answer[16 + 64] = {1, 0, 0, 0, 0, 0, 0, 0, 64};

    begin();
    for (unsigned int i = 0; i < 100; i++) {
        (void)quote_buffer(1, 1024);
        (void)call(TDVMCALL_GET_QUOTE, QUOTE | BIT(47), 2 * PAGE_SIZE, 0, 0);
        CU_ASSERT_TRUE(cc_convert(bad, QUOTE, true));
        tdx_quote_answer(bad, answer, sizeof(answer));
        tdx_quote_answer(bad, answer, i % sizeof(answer));
    }
    for (uint64_t vector = 0; vector < 0x200; vector++) {
        CU_ASSERT_EQUAL(call(TDVMCALL_SETUP_EVENT_NOTIFY, vector, 0, 0, 0),
                        vector >= 32 && vector < 256 ? TDVMCALL_SUCCESS
                                                     : TDVMCALL_INVALID_OPERAND);
    }
    end();
}

static void memory_that_is_not_there_is_not_given(void)
{
    static const uint64_t where[] = {MEMORY, GiB(4), GiB(64), BIT(46), BIT(47) - PAGE_SIZE};

    begin();
    for (size_t i = 0; i < ARRAY_SIZE(where); i++) {
        attacks += 2;
        CU_ASSERT_EQUAL(cc_tdx_accept(v, where[i], TDX_4K), CC_NEVER);
        CU_ASSERT_TRUE(bad->end_asked);
        again();
        CU_ASSERT_FALSE(cc_tdx_touch(v, where[i]));
        CU_ASSERT_TRUE(bad->end_asked);
        again();
    }
    end();
}

static void what_it_touches_without_accepting_it_ends_it(void)
{
    begin();
    attacks++;
    CU_ASSERT_FALSE(cc_tdx_touch(v, LAY_FREE));
    CU_ASSERT_TRUE(bad->end_asked);
    CU_ASSERT_PTR_NOT_NULL(strstr(bad->detail, "cannot give it memory"));
    end();
}

static void looking_for_devices_everywhere_takes_a_bounded_number_of_pages(void)
{
    uint64_t before;

    begin();
    before = page_count_free();
    for (uint64_t i = 0; i < 1000; i++) {
        attacks++;
        (void)cc_tdx_touch(v, BIT(47) | (GiB(3) + i * MiB(1)));
        if (bad->end_asked) {
            break;
        }
    }
    CU_ASSERT_TRUE(bad->end_asked);
    CU_ASSERT(before - page_count_free() < 2500);
    end();
}

static void a_fatal_error_is_told_without_what_could_harm_a_terminal(void)
{
    const struct tdx_regs r = {.r11 = TDVMCALL_REPORT_FATAL_ERROR, .r12 = 1,
                               .r14 = 0x1b5b324a41424344, .r15 = ~0ull, .rbx = 0x0a0d,
                               .rdi = ~0ull, .rsi = ~0ull, .r8 = ~0ull, .r9 = ~0ull, .rdx = ~0ull};

    begin();
    attacks++;
    cc_tdx_call(v, &r);
    CU_ASSERT_TRUE(bad->end_asked);
    for (const char *p = bad->detail; *p != '\0'; p++) {
        CU_ASSERT(*p >= ' ' && *p <= '~');
    }
    end();
}

/* INIT and start-up interrupts do nothing to a TD: its vCPUs run from the start. */
static void it_cannot_reset_its_own_vcpus(void)
{
    begin();
    CU_ASSERT_EQUAL(call(TDX_EXIT_WRMSR, 0x830, BIT(32) | 5 << 8, 0, 0), TDVMCALL_SUCCESS);
    CU_ASSERT_EQUAL(call(TDX_EXIT_WRMSR, 0x830, BIT(32) | 6 << 8, 0, 0), TDVMCALL_SUCCESS);
    CU_ASSERT_EQUAL(bad->vcpu[1]->arch.wait, WAIT_NONE);
    end();
}

static void it_is_told_what_more_than_the_base_calls_there_is(void)
{
    begin();
    CU_ASSERT_EQUAL(call(TDVMCALL_GET_INFO, 0, 7, 7, 0), TDVMCALL_SUCCESS);
    CU_ASSERT_EQUAL(r11(), 0);
    CU_ASSERT_EQUAL(call(TDVMCALL_GET_INFO, 1, 7, 7, 0), TDVMCALL_SUCCESS);
    CU_ASSERT_EQUAL(r11(), BIT(1));
    CU_ASSERT_EQUAL(tdx_vcpu_of(v)->regs.r12 | tdx_vcpu_of(v)->regs.r13, 0);
    CU_ASSERT_EQUAL(call(TDVMCALL_GET_INFO, 2, 0, 0, 0), TDVMCALL_INVALID_OPERAND);
    end();
}

int main(int argc, char **argv)
{
    static const struct cu_test tests[] = {
        CU(every_call_with_garbage_is_answered_or_ends_the_td_alone),
        CU(what_is_not_known_is_refused_and_the_td_goes_on),
        CU(ports_and_msrs_and_memory_of_devices_are_only_what_the_platform_has),
        CU(where_devices_are_memory_is_shared_already_and_stays_so),
        CU(ranges_that_cannot_be_converted_are_refused_whole),
        CU(a_storm_of_conversions_leaves_every_page_with_one_owner),
        CU(what_its_lender_takes_back_is_out_of_its_reach),
        CU(quotes_are_written_to_shared_memory_that_is_there_alone),
        CU(a_quote_whose_buffer_is_gone_is_lost),
        CU(memory_that_is_not_there_is_not_given),
        CU(what_it_touches_without_accepting_it_ends_it),
        CU(looking_for_devices_everywhere_takes_a_bounded_number_of_pages),
        CU(a_fatal_error_is_told_without_what_could_harm_a_terminal),
        CU(it_cannot_reset_its_own_vcpus),
        CU(it_is_told_what_more_than_the_base_calls_there_is),
        CU_END,
    };
    int status = cu_main("cc_tdx_guest", tests, argc, argv);

    fprintf(stderr, "attack: %u cases\n", attacks);
    return status;
}
