/* Barriers between vCPUs, and what each CPU is set to, on chips of all kinds. */
#include "cu.h"

#include <string.h>

#include "arch_impl/insn.h"
#include "arch_impl/svm.h"
#include "hv/cpu.h"
#include "hv/log.h"

#define IBPB      BIT(12)
#define STIBP     BIT(15)
#define AUTO_IBRS BIT(8)
#define INT3      0xccu
#define RETURNS   32u /* that a chip predicts at most */

static struct {
    uint32_t max_leaf, leaf8_ebx, leaf21_eax;
    uint64_t efer, spec_ctrl;
    unsigned int barriers, writes;
} chip;

static struct cpu cpus[2];
static struct vm vms[2];
static struct vcpu vcpus[3]; /* two of the first VM, one of the second */

uint64_t rdmsr(uint32_t msr)
{
    CU_ASSERT(msr == MSR_EFER || msr == MSR_SPEC_CTRL);
    return msr == MSR_EFER ? chip.efer : chip.spec_ctrl;
}

/* #GP for what the chip does not have. */
void wrmsr(uint32_t msr, uint64_t v)
{
    chip.writes++;
    switch (msr) {
    case MSR_EFER:
        CU_ASSERT((v & EFER_AIBRSE) == 0 || (chip.leaf21_eax & AUTO_IBRS) != 0);
        chip.efer = v;
        break;
    case MSR_SPEC_CTRL:
        CU_ASSERT((chip.leaf8_ebx & STIBP) != 0);
        chip.spec_ctrl = v;
        break;
    case MSR_PRED_CMD:
        CU_ASSERT_EQUAL(v, 1);
        CU_ASSERT((chip.leaf8_ebx & IBPB) != 0);
        chip.barriers++;
        break;
    default:
        CU_FAIL("an MSR that is none of speculation's");
    }
}

/* A leaf above the highest answers as some chips do: with another's bits. */
struct cpuid_regs cpuid(uint32_t leaf, uint32_t sub)
{
    struct cpuid_regs r = {0, 0, 0, 0};

    CU_ASSERT_EQUAL(sub, 0);
    if (leaf == 0x80000000) {
        r.eax = chip.max_leaf;
    } else if (leaf > chip.max_leaf) {
        memset(&r, 0xff, sizeof(r));
    } else if (leaf == 0x80000008) {
        r.ebx = chip.leaf8_ebx;
    } else if (leaf == 0x80000021) {
        r.eax = chip.leaf21_eax;
    }
    return r;
}

static unsigned int lines;

void log_at(enum log_level level, const char *fmt, ...)
{
    (void)fmt;
    CU_ASSERT_EQUAL(level, LOG_INFO);
    lines++;
}

static void start(uint32_t max_leaf, uint32_t leaf8_ebx, uint32_t leaf21_eax)
{
    memset(&chip, 0, sizeof(chip));
    memset(cpus, 0, sizeof(cpus));
    lines = 0;
    cpus[1].index = 1;
    chip.max_leaf = max_leaf;
    chip.leaf8_ebx = leaf8_ebx;
    chip.leaf21_eax = leaf21_eax;
    chip.efer = EFER_LME | EFER_LMA | EFER_SVME;
    chip.spec_ctrl = BIT(7); /* as the firmware left it */
    for (unsigned int i = 0; i < ARRAY_SIZE(vcpus); i++) {
        vcpus[i].arch.number = i + 1;
        vcpus[i].vm = &vms[i / 2];
        vcpus[i].index = i % 2;
    }
    speculation_init(&cpus[0]);
    speculation_init(&cpus[1]);
}

static unsigned int barriers_of(unsigned int cpu, unsigned int vcpu)
{
    unsigned int before = chip.barriers;

    speculation_switch(&cpus[cpu], &vcpus[vcpu]);
    return chip.barriers - before;
}

static void another_vm_comes_behind_a_barrier(void)
{
    start(0x80000021, IBPB, 0);
    (void)barriers_of(0, 0);
    CU_ASSERT_EQUAL(barriers_of(0, 2), 1);
    CU_ASSERT_EQUAL(barriers_of(0, 0), 1);
}

static void another_vcpu_of_the_same_vm_comes_behind_a_barrier(void)
{
    start(0x80000021, IBPB, 0);
    (void)barriers_of(0, 0);
    CU_ASSERT_EQUAL(barriers_of(0, 1), 1);
    CU_ASSERT_EQUAL(barriers_of(0, 0), 1);
}

static void the_same_vcpu_comes_back_without_one(void)
{
    start(0x80000021, IBPB, 0);
    (void)barriers_of(0, 0);
    CU_ASSERT_EQUAL(barriers_of(0, 0), 0);
    CU_ASSERT_EQUAL(barriers_of(0, 0), 0);
}

static void each_cpu_knows_who_ran_there(void)
{
    start(0x80000021, IBPB, 0);
    (void)barriers_of(0, 0);
    CU_ASSERT_EQUAL(barriers_of(1, 1), 1);
    CU_ASSERT_EQUAL(barriers_of(0, 0), 0);
    CU_ASSERT_EQUAL(barriers_of(1, 0), 1);
    CU_ASSERT_EQUAL(barriers_of(0, 0), 0);
}

static void a_vcpu_made_where_another_was_comes_behind_a_barrier(void)
{
    start(0x80000021, IBPB, 0);
    (void)barriers_of(0, 0);
    vcpus[0].arch.number = 4;
    CU_ASSERT_EQUAL(barriers_of(0, 0), 1);
    CU_ASSERT_EQUAL(barriers_of(0, 0), 0);
}

static void without_ibpb_there_is_no_barrier_and_that_is_said_once(void)
{
    start(0x80000021, IBPB, 0);
    CU_ASSERT_EQUAL(lines, 0);
    start(0x80000021, 0, 0);
    CU_ASSERT_EQUAL(lines, 1);
    CU_ASSERT_EQUAL(barriers_of(0, 0), 0);
    CU_ASSERT_EQUAL(barriers_of(0, 1), 0);
    CU_ASSERT_EQUAL(chip.writes, 0);
}

static void a_chip_without_the_leaves_is_not_written_to(void)
{
    start(0x80000007, 0, 0);
    (void)barriers_of(0, 0);
    start(0x80000020, 0, 0);
    (void)barriers_of(0, 0);
    CU_ASSERT_EQUAL(chip.writes, 0);
}

static void automatic_ibrs_is_on_where_the_chip_has_it(void)
{
    start(0x80000021, IBPB, (uint32_t)~AUTO_IBRS);
    CU_ASSERT_EQUAL(chip.efer, EFER_LME | EFER_LMA | EFER_SVME);
    start(0x80000021, IBPB, AUTO_IBRS);
    CU_ASSERT_EQUAL(chip.efer, EFER_LME | EFER_LMA | EFER_SVME | BIT(21));
}

static void stibp_is_on_and_the_rest_stays(void)
{
    start(0x80000021, (uint32_t)~STIBP, 0);
    CU_ASSERT_EQUAL(chip.spec_ctrl, BIT(7));
    start(0x80000021, STIBP, 0);
    CU_ASSERT_EQUAL(chip.spec_ctrl, BIT(7) | BIT(1));
}

/* Each CALL leaves a prediction, and below the stack the address that it predicts. */
static void all_return_predictions_end_in_a_trap(void)
{
    static uint64_t stack[RETURNS + 8];
    uint64_t *top = &stack[ARRAY_SIZE(stack) - 1]; /* the first to be written lies below */
    uint64_t *after = top;

    memset(stack, 0, sizeof(stack));
    __asm__ volatile("xchg %0, %%rsp\n\tcall svm_forget_returns\n\txchg %0, %%rsp"
                     : "+r"(after)
                     :
                     : "memory", "cc");
    CU_ASSERT_PTR_EQUAL(after, top);
    for (unsigned int i = 2; i < RETURNS + 2; i++) {
        const uint8_t *predicted = (const uint8_t *)top[-(int)i];

        CU_ASSERT_PTR_NOT_NULL_FATAL(predicted);
        CU_ASSERT_EQUAL(*predicted, INT3);
        CU_ASSERT(i == 2 || (uint64_t)predicted > top[1 - (int)i]);
    }
    CU_ASSERT_EQUAL(top[-(int)RETURNS - 2], 0);
}

static const struct cu_test tests[] = {
    CU(another_vm_comes_behind_a_barrier),
    CU(another_vcpu_of_the_same_vm_comes_behind_a_barrier),
    CU(the_same_vcpu_comes_back_without_one),
    CU(each_cpu_knows_who_ran_there),
    CU(a_vcpu_made_where_another_was_comes_behind_a_barrier),
    CU(without_ibpb_there_is_no_barrier_and_that_is_said_once),
    CU(a_chip_without_the_leaves_is_not_written_to),
    CU(automatic_ibrs_is_on_where_the_chip_has_it),
    CU(stibp_is_on_and_the_rest_stays),
    CU(all_return_predictions_end_in_a_trap),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("x86_speculation", tests, argc, argv);
}
