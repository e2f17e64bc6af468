/* SHA-512 (FIPS 180-4): what most of a realm's launch is spent on. */
#ifndef RMM_SHA512_H
#define RMM_SHA512_H

#include "hv/types.h"

#define SHA512_BLOCK 128u

struct sha512 {
    uint64_t h[8], len;
    uint64_t block[SHA512_BLOCK / 8]; /* len % SHA512_BLOCK bytes that wait for more */
};

void sha512_begin(struct sha512 *s);
void sha512_add(struct sha512 *s, const void *p, size_t len);
void sha512_end(struct sha512 *s, uint8_t out[64]);

#endif
