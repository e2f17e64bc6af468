/* Hashes that grow piece by piece, and HMAC. Callers hold emu_fpu_begin(). */
#ifndef EMU_SHA_H
#define EMU_SHA_H

#include "hv/types.h"

struct emu_sha384 {
    uint64_t state[28]; /* BearSSL's context */
};
void emu_sha384_start(struct emu_sha384 *h);
void emu_sha384_add(struct emu_sha384 *h, const void *p, size_t len);
/* h can grow on. */
void emu_sha384_value(const struct emu_sha384 *h, uint8_t out[48]);

void emu_hmac_sha256(const uint8_t key[32], const void *p, size_t len, uint8_t out[32]);

#endif
