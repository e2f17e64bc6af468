/* Between jwe.c and jwe_wrap.c: the content encryption key on its way to the recipient. */
#ifndef JWE_IMPL_H
#define JWE_IMPL_H

#include <attest/jwe.h>

#define CEK_SIZE 32
#define WRAPPED_MAX 1024 /* RSA of 8192 bits */

#define ALG_RSA "RSA-OAEP-256"
#define ALG_ECDH "ECDH-ES+A256KW"

/* Wraps cek; for ECDH *epk becomes the ephemeral key as a JWK. */
bool jwe_wrap(EVP_PKEY *key, const uint8_t cek[CEK_SIZE], uint8_t *out, size_t *len, json_t **epk);
/* The reverse, with the private key. */
bool jwe_unwrap(EVP_PKEY *key, const json_t *epk, const uint8_t *wrapped, size_t len,
                uint8_t cek[CEK_SIZE]);

#endif
