/* The launch digest by OpenSSL, written apart from the emulated PSP: SEV-SNP ABI 8.17.2. */
#ifndef TESTS_LIB_EMU_DIGEST_H
#define TESTS_LIB_EMU_DIGEST_H

#include <stdint.h>

struct digest_page {
    int type;
    uint64_t gpa;
    uint8_t vmpl1, vmpl2, vmpl3;
    const void *contents; /* 4 KiB for types 1 and 2 */
};

/* ld = the digest after this page. */
void digest_extend(uint8_t ld[48], const struct digest_page *p);

#endif
