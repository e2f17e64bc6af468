/*
 * Keys and raw ECDSA as JOSE (RFC 7515, 7517, 7518) and COSE (RFC 9053) use them: fixed-size
 * big-endian r and s, one curve and one hash per algorithm.
 */
#ifndef ATTEST_JOSE_H
#define ATTEST_JOSE_H

#include <attest/error.h>
#include <attest/hash.h>

#include <jansson.h>

enum jose_curve { JOSE_P256, JOSE_P384, JOSE_P521, JOSE_CURVES };

/* Bytes in a coordinate: 32, 48, 66. */
size_t jose_curve_size(enum jose_curve c);
#define JOSE_COORD_MAX 66
#define JOSE_SIG_MAX (2 * JOSE_COORD_MAX)

const char *jose_curve_name(enum jose_curve c); /* "P-256" */
const char *jose_curve_alg(enum jose_curve c);  /* "ES256" */
enum attest_hash jose_curve_hash(enum jose_curve c);
bool jose_curve_of(EVP_PKEY *key, enum jose_curve *out);
bool jose_curve_named(const char *name, enum jose_curve *out);

/* Both coordinates in full size; NULL when they are no point of the curve. */
EVP_PKEY *jose_ec_public(enum jose_curve c, const uint8_t *x, const uint8_t *y);
/* 04 || x || y; out has room for 1 + 2 * JOSE_COORD_MAX. */
bool jose_ec_point(EVP_PKEY *key, uint8_t *out, size_t *len);
EVP_PKEY *jose_ec_generate(enum jose_curve c);

/* Over n spans in a row, with the hash of the key's curve. sig: jose_curve_size * 2 bytes. */
ATTEST_MUST_CHECK bool jose_ec_verify(EVP_PKEY *key, const struct attest_span *spans, size_t n,
                                      const uint8_t *sig, size_t len);
ATTEST_MUST_CHECK bool jose_ec_sign(EVP_PKEY *key, const struct attest_span *spans, size_t n,
                                    uint8_t *sig, size_t *len);

/* Public JWKs: EC on the three curves, RSA of 2048 to 8192 bits. object names it in errors. */
enum attest_status jose_jwk_parse(const json_t *jwk, const char *object, EVP_PKEY **out,
                                  struct attest_error *err);
/* The public part as a JWK; NULL for other kinds of key. */
json_t *jose_jwk_of(EVP_PKEY *key);

/* base64url as a new JSON string; NULL when out of memory. */
json_t *jose_b64(const void *p, size_t len);
/* base64url, malloc'ed. */
char *jose_b64_text(const void *p, size_t len);

#endif
