/* What Linux's headers say, beside what ours do (snp_linux.def). */
#ifndef TESTS_LIB_SNP_LINUX_H
#define TESTS_LIB_SNP_LINUX_H

#include <stdint.h>

struct linux_fact {
    const char *name;
    uint64_t at, size; /* a value is in `at`; a size that is not compared is 0 */
};

/* In the list's order; NULL: the headers could not be had. */
const struct linux_fact *linux_facts(void);

/* What is in the page state change entry that both sides make. */
#define LINUX_PSC_PAGE 0x123ull
#define LINUX_PSC_GFN  0x9876543210ull
#define LINUX_PSC_RESERVED 0x55ull

#endif
