/* A state that no CPU enters ends an SEV-SNP guest, and none of the host's is seen in it. */
#include "guest.h"

#define CR0_NW BIT(29)

/* What a CPU answers with #GP, QEMU takes, and finds out about at the next entry. */
static void what_vmrun_refuses_ends_it(void)
{
    uint32_t eax = 0, ecx = 0;

    say("ready");
    __asm__ volatile("mov %2, %%cr0; cpuid"
                     : "+a"(eax), "+c"(ecx)
                     : "r"(read_cr0() | CR0_NW)
                     : "rbx", "rdx", "memory");
    fail(__FILE__, __LINE__, "it runs with NW and without CD");
}

const struct test tests[] = {
    TEST(what_vmrun_refuses_ends_it),
    TEST_END,
};
