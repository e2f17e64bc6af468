/*
 * COSE_Sign1 with ES256, ES384 or ES512 (RFC 9052 section 4.2, RFC 9053 section 2.1) and the
 * COSE_Keys that verify it.
 */
#ifndef ATTEST_COSE_H
#define ATTEST_COSE_H

#include <attest/cbor.h>
#include <attest/jose.h>

/* Everything points into the input. */
struct cose_sign1 {
    enum jose_curve curve; /* by the algorithm in the protected header */
    struct attest_span protect;
    struct attest_span payload;
    struct attest_span signature;
};

/* Tag 18 is required; the algorithm must be protected; critical headers are UNSUPPORTED. */
enum attest_status cose_sign1_parse(const uint8_t *p, size_t len, const char *object,
                                    struct cose_sign1 *out, struct attest_error *err);
/* SIGNATURE when it does not verify, or when the key is of another curve than the algorithm. */
enum attest_status cose_sign1_verify(const struct cose_sign1 *s, EVP_PKEY *key, const char *object,
                                     struct attest_error *err);
/* Writes a tagged COSE_Sign1; for tests and for the emulated chip. len: room, then size. */
bool cose_sign1_make(EVP_PKEY *key, const uint8_t *payload, size_t payload_len, uint8_t *out,
                     size_t *len);

/* An EC2 COSE_Key (RFC 9052 section 7, RFC 9053 section 7.1.1); a private part is refused. */
enum attest_status cose_key_parse(const uint8_t *p, size_t len, const char *object, EVP_PKEY **out,
                                  struct attest_error *err);
/* An uncompressed point 04 || x || y; its length names the curve. */
enum attest_status cose_point_parse(const uint8_t *p, size_t len, const char *object,
                                    EVP_PKEY **out, struct attest_error *err);

#endif
