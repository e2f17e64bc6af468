/* SHA-256 (FIPS 180-4), without vector registers: those are the guests'. */
#ifndef HV_SHA256_H
#define HV_SHA256_H

#include "hv/types.h"

#define SHA256_SIZE 32u

struct sha256 {
    uint32_t state[8];
    uint64_t bytes;
    uint8_t block[64]; /* what does not make a whole one yet */
};

void sha256_begin(struct sha256 *h);
void sha256_add(struct sha256 *h, const void *data, size_t len);
void sha256_end(struct sha256 *h, uint8_t digest[SHA256_SIZE]);

/* All at once; and a digest as text. */
void sha256(const void *data, size_t len, uint8_t digest[SHA256_SIZE]);
void sha256_hex(const uint8_t digest[SHA256_SIZE], char hex[2 * SHA256_SIZE + 1]);

#endif
