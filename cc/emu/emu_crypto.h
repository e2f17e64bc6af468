/* The chips' cryptography: one-shot calls over BearSSL. Callers hold emu_fpu_begin(). */
#ifndef EMU_CRYPTO_H
#define EMU_CRYPTO_H

#include "hv/types.h"

#define EMU_SHA384 48u
#define EMU_P384   48u /* bytes of a scalar or coordinate; big-endian */

void emu_sha384(const void *p, size_t len, uint8_t out[EMU_SHA384]);

/* HKDF (RFC 5869) with SHA-384, no salt; out_len at most 255 * 48. */
void emu_kdf(const void *root, size_t root_len, const void *info, size_t info_len, uint8_t *out,
             size_t out_len);

/* ECDSA over secp384r1. Keys: d, or X then Y; signatures: R then S. Signing is RFC 6979's. */
void emu_p384_derive(const void *root, size_t root_len, const void *info, size_t info_len,
                     uint8_t d[EMU_P384]);
void emu_p384_public(const uint8_t d[EMU_P384], uint8_t xy[2 * EMU_P384]);
void emu_p384_sign(const uint8_t d[EMU_P384], const uint8_t hash[EMU_SHA384],
                   uint8_t rs[2 * EMU_P384]);
MUST_CHECK bool emu_p384_verify(const uint8_t xy[2 * EMU_P384], const uint8_t hash[EMU_SHA384],
                                const uint8_t rs[2 * EMU_P384]);

/* AES-256-GCM in place, 12-byte IV, 16-byte tag. Open: false on a wrong tag, data is then junk. */
struct emu_gcm {
    const uint8_t *key; /* 32 bytes */
    const uint8_t *iv;  /* 12 bytes */
    const void *aad;
    size_t aad_len;
};
void emu_gcm_seal(const struct emu_gcm *g, void *data, size_t len, uint8_t tag[16]);
MUST_CHECK bool emu_gcm_open(const struct emu_gcm *g, void *data, size_t len,
                             const uint8_t tag[16]);

#endif
