/* TLBs of vCPUs that change their tables at the same time: the box's flush.c, and no processor. */
#include "../../hv/xenpv/box/page.h"
#include "cu.h"

#include <stdlib.h>

struct box box;
static struct vcpu vcpu;
static uint64_t loaded, freed;
static bool frees;

void panic(const char *fmt, ...)
{
    (void)fmt;
    abort();
}

void outside_kick(struct vcpu *v)
{
    (void)v;
}

/* The processor has dropped its TLB, and walks the tables again: another vCPU changes them now. */
void cpu_set_table(uint64_t mfn)
{
    loaded = mfn;
    if (frees) {
        freed = flush_clock();
    }
}

static void start(void)
{
    memset(&vcpu, 0, sizeof(vcpu));
    vcpu.kernel_table = 5;
    vcpu.user_table = 6;
    vcpu.flush_wanted = true;
}

static void a_flush_is_of_the_tables_that_run(void)
{
    start();
    flush_local(&vcpu);
    CU_ASSERT_EQUAL(loaded, 6);
    CU_ASSERT_FALSE(vcpu.flush_wanted);
    vcpu.kernel = 1;
    flush_local(&vcpu);
    CU_ASSERT_EQUAL(loaded, 5);
}

static void what_was_freed_before_a_flush_is_in_no_tlb_after_it(void)
{
    start();
    freed = flush_clock();
    flush_local(&vcpu);
    CU_ASSERT_TRUE(vcpu.flushed > freed);
}

static void what_is_freed_during_a_flush_may_be_in_the_tlb_after_it(void)
{
    start();
    frees = true;
    flush_local(&vcpu);
    frees = false;
    CU_ASSERT_TRUE(vcpu.flushed <= freed);
    flush_local(&vcpu);
    CU_ASSERT_TRUE(vcpu.flushed > freed);
}

static const struct cu_test tests[] = {
    CU(a_flush_is_of_the_tables_that_run),
    CU(what_was_freed_before_a_flush_is_in_no_tlb_after_it),
    CU(what_is_freed_during_a_flush_may_be_in_the_tlb_after_it),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("box_flush", tests, argc, argv);
}
