/*
 * Wrapping a secret to a public key: JSON Web Encryption (RFC 7516) with A256GCM and, by the kind
 * of key, RSA-OAEP-256 or ECDH-ES+A256KW (RFC 7518 sections 4.3 and 4.6).
 */
#ifndef ATTEST_JWE_H
#define ATTEST_JWE_H

#include <attest/jose.h>

/* "RSA-OAEP-256", "ECDH-ES+A256KW", or NULL for other kinds of key. */
const char *jwe_alg(EVP_PKEY *key);

/* The flattened form (section 7.2.2) as a new object. */
enum attest_status jwe_encrypt(EVP_PKEY *key, const void *p, size_t len, json_t **out,
                               struct attest_error *err);
/* The compact form of a flattened object, malloc'ed. */
char *jwe_compact(const json_t *jwe);

/* From the flattened form; *out is malloc'ed and the caller's to cleanse. */
enum attest_status jwe_decrypt(const json_t *jwe, EVP_PKEY *key, uint8_t **out, size_t *len,
                               struct attest_error *err);
/* The flattened object of a compact string; NULL when it is none. */
json_t *jwe_of_compact(const char *s, size_t len);

#endif
