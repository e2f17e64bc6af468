/* The silicon line's instructions. */
#include "cca_hw.h"

#include "arch/boot.h"
#include "arch_impl/insn.h"

void cca_hw_smc(struct cca_call *c)
{
    register uint64_t x0 __asm__("x0") = c->x[0];
    register uint64_t x1 __asm__("x1") = c->x[1];
    register uint64_t x2 __asm__("x2") = c->x[2];
    register uint64_t x3 __asm__("x3") = c->x[3];
    register uint64_t x4 __asm__("x4") = c->x[4];
    register uint64_t x5 __asm__("x5") = c->x[5];
    register uint64_t x6 __asm__("x6") = c->x[6];

    /* SMCCC (DEN0028), 2.6: X7 to X17 may change in calls of older conventions. */
    __asm__ volatile("smc #0"
                     : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3), "+r"(x4), "+r"(x5), "+r"(x6)
                     :
                     : "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16", "x17",
                       "memory");
    *c = (struct cca_call){{x0, x1, x2, x3, x4, x5, x6}};
}

bool cca_hw_has_rme(void)
{
    return field(sysreg_read(id_aa64pfr0_el1), 52, 4) != 0;
}

/* Whose firmware answers is not to be seen from here: its evidence says so. */
const char *silicon_says(void)
{
    return "\"emulated\":false";
}
