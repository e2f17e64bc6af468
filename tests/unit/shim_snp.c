/*
 * The shim of an SEV-SNP guest, run as it is: this process is the guest, and what a CPU without SNP
 * has no instruction for comes to a signal handler, which answers as the chip would.
 */
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "hv/shim.h"
#include "../../cc/snp/snp_ghcb.h"
#include "../lib/cu.h"

#define FAIL_INPUT        1u
#define FAIL_SIZEMISMATCH 6u
#define CF                1

enum end { STARTED = 1, GAVE_UP, LOST };

static struct {
    uint64_t at, size;
} calls[2000];
static unsigned int count;
static uint64_t msr, reason;
static uint8_t *page;
static sigjmp_buf end;

/* The chip's answer to a call of that size: EAX, and CF. */
static uint32_t (*chip)(uint64_t at, uint64_t size, bool *unchanged);

static void trap(int signal, siginfo_t *info, void *context)
{
    static const uint8_t pvalidate[] = {0xf2, 0x0f, 0x01, 0xff}, wrmsr[] = {0x0f, 0x30};
    greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;
    const uint8_t *insn = (const uint8_t *)r[REG_RIP];
    bool unchanged = false;

    (void)signal;
    (void)info;
    if (insn == page + PAGE_SIZE - 2) {
        siglongjmp(end, STARTED);
    }
    if (memcmp(insn, wrmsr, sizeof(wrmsr)) == 0) {
        msr = (uint32_t)r[REG_RCX];
        reason = (uint32_t)r[REG_RAX] | (uint64_t)r[REG_RDX] << 32;
        siglongjmp(end, GAVE_UP);
    }
    if (memcmp(insn, pvalidate, sizeof(pvalidate)) != 0 || (uint32_t)r[REG_RDX] != 1 ||
        (uint32_t)r[REG_RCX] > 1 || count == sizeof(calls) / sizeof(calls[0])) {
        siglongjmp(end, LOST);
    }
    calls[count].at = (uint64_t)r[REG_RAX];
    calls[count].size = (uint32_t)r[REG_RCX] == 1 ? SIZE_2M : PAGE_SIZE;
    r[REG_RAX] = chip(calls[count].at, calls[count].size, &unchanged);
    r[REG_EFL] = (r[REG_EFL] & ~(greg_t)CF) | (unchanged ? CF : 0);
    r[REG_RIP] += sizeof(pvalidate);
    count++;
}

/* The page as a layout has it; the kernel is an undefined instruction at its end. */
static enum end run(const uint64_t (*ranges)[2], unsigned int n)
{
    struct shim_table *t = (struct shim_table *)(void *)(page + SHIM_TABLE_OFFSET);
    struct sigaction action = {.sa_sigaction = trap, .sa_flags = SA_SIGINFO};
    int how;

    memset(page, 0, PAGE_SIZE);
    memcpy(page, snp_shim_start, (size_t)(snp_shim_end - snp_shim_start));
    memcpy(page + PAGE_SIZE - 2, "\x0f\x0b", 2);
    t->entry = (uint64_t)(page + PAGE_SIZE - 2);
    t->count = n;
    memcpy(t->range, ranges, n * sizeof(t->range[0]));
    count = 0;
    sigaction(SIGILL, &action, NULL);
    sigaction(SIGSEGV, &action, NULL);
    how = sigsetjmp(end, 1);
    if (how == 0) {
        void (*shim)(void);

        memcpy(&shim, &page, sizeof(shim));
        shim();
    }
    signal(SIGILL, SIG_DFL);
    signal(SIGSEGV, SIG_DFL);
    return (enum end)how;
}

static bool called(unsigned int i, uint64_t at, uint64_t size)
{
    return i < count && calls[i].at == at && calls[i].size == size;
}

static uint32_t takes_all(uint64_t at, uint64_t size, bool *unchanged)
{
    (void)at;
    (void)size;
    (void)unchanged;
    return 0;
}

static void memory_is_validated_by_2_mib_where_it_can_be_and_in_order(void)
{
    static const uint64_t ranges[][2] = {{0x1ff000, 0x601000}, {0x800000, 0x801000}};

    chip = takes_all;
    CU_ASSERT_EQUAL(run(ranges, 2), STARTED);
    CU_ASSERT_EQUAL(count, 5);
    CU_ASSERT(called(0, 0x1ff000, PAGE_SIZE) && called(1, 0x200000, SIZE_2M));
    CU_ASSERT(called(2, 0x400000, SIZE_2M) && called(3, 0x600000, PAGE_SIZE));
    CU_ASSERT(called(4, 0x800000, PAGE_SIZE));
    CU_ASSERT_EQUAL(run(ranges, 0), STARTED);
    CU_ASSERT_EQUAL(count, 0);
}

static uint32_t has_small_pages(uint64_t at, uint64_t size, bool *unchanged)
{
    (void)unchanged;
    return size == SIZE_2M && at == 0x200000 ? FAIL_SIZEMISMATCH : 0;
}

static void what_is_no_page_of_2_mib_is_validated_part_by_part(void)
{
    static const uint64_t ranges[][2] = {{0x200000, 0x600000}};

    chip = has_small_pages;
    CU_ASSERT_EQUAL(run(ranges, 1), STARTED);
    CU_ASSERT_EQUAL(count, 1 + 512 + 1);
    CU_ASSERT(called(0, 0x200000, SIZE_2M));
    for (unsigned int i = 0; i < 512; i++) {
        CU_ASSERT(called(1 + i, 0x200000 + i * PAGE_SIZE, PAGE_SIZE));
    }
    CU_ASSERT(called(513, 0x400000, SIZE_2M));
}

static uint64_t odd;
static uint32_t odd_result;
static bool odd_unchanged;

static uint32_t has_an_odd_page(uint64_t at, uint64_t size, bool *unchanged)
{
    (void)size;
    *unchanged = at == odd && odd_unchanged;
    return at == odd ? odd_result : 0;
}

/* Linux's reason for PVALIDATE (asm/sev-common.h), and not a page more. */
static void gives_up_at(uint64_t at, unsigned int calls_made)
{
    static const uint64_t ranges[][2] = {{0x1ff000, 0x601000}};

    chip = has_an_odd_page;
    odd = at;
    msr = reason = 0;
    CU_ASSERT_EQUAL(run(ranges, 1), GAVE_UP);
    CU_ASSERT_EQUAL(count, calls_made);
    CU_ASSERT_EQUAL(msr, 0xc0010130);
    CU_ASSERT_EQUAL(reason,
                    GHCB_TERMINATE_REQ | TERM_SET_LINUX << 12 | (uint64_t)TERM_PVALIDATE << 16);
}

static void memory_that_cannot_be_validated_ends_the_guest(void)
{
    odd_result = FAIL_INPUT;
    odd_unchanged = false;
    gives_up_at(0x1ff000, 1);
    gives_up_at(0x400000, 3);
    odd_result = FAIL_SIZEMISMATCH; /* of a page of 4 KiB there is nothing smaller */
    gives_up_at(0x600000, 4);
}

/* Nobody but the guest validates: what it did not has been put there by somebody else. */
static void memory_that_is_valid_already_ends_the_guest(void)
{
    odd_result = 0;
    odd_unchanged = true;
    gives_up_at(0x1ff000, 1);
    gives_up_at(0x200000, 2);
    gives_up_at(0x600000, 4);
}

int main(int argc, char **argv)
{
    static const struct cu_test tests[] = {
        CU(memory_is_validated_by_2_mib_where_it_can_be_and_in_order),
        CU(what_is_no_page_of_2_mib_is_validated_part_by_part),
        CU(memory_that_cannot_be_validated_ends_the_guest),
        CU(memory_that_is_valid_already_ends_the_guest),
        CU_END,
    };

    page = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS,
                -1, 0);
    if (page == MAP_FAILED) {
        return 1;
    }
    return cu_main("shim_snp", tests, argc, argv);
}
