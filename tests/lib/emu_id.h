/* ID blocks for the emulated PSP, made by libcloister-attest: SEV-SNP Firmware ABI 8.18. */
#ifndef TESTS_LIB_EMU_ID_H
#define TESTS_LIB_EMU_ID_H

#include <stdbool.h>
#include <stdint.h>

struct id_pages {
    uint8_t block[96], auth[4096];
    uint8_t id_key_digest[48], author_key_digest[48];
};

/* Fresh keys; family id all 0Fh, image id all 1Ah. */
bool id_make(const uint8_t ld[48], uint64_t policy, uint32_t svn, bool author,
             struct id_pages *out);

#endif
