/* SHA digests through OpenSSL. */
#ifndef ATTEST_HASH_H
#define ATTEST_HASH_H

#include <attest/status.h>

#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum attest_hash {
    ATTEST_SHA1, /* event logs only */
    ATTEST_SHA256,
    ATTEST_SHA384,
    ATTEST_SHA512,
    ATTEST_HASH_COUNT
};

#define ATTEST_HASH_MAX 64

/* Bytes in a digest: 20, 32, 48, 64. */
size_t attest_hash_size(enum attest_hash alg);
const char *attest_hash_name(enum attest_hash alg);
const EVP_MD *attest_hash_md(enum attest_hash alg);

struct attest_span {
    const void *p;
    size_t len;
};

/* The digest of n spans in a row; false only when OpenSSL fails. */
ATTEST_MUST_CHECK bool attest_hash(enum attest_hash alg, const struct attest_span *spans, size_t n,
                                   uint8_t *out);
ATTEST_MUST_CHECK bool attest_hash1(enum attest_hash alg, const void *p, size_t len, uint8_t *out);

#endif
