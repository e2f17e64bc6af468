/* The CBOR reader and COSE_Sign1: accepted input walks to its end and survives rewriting. */
#include <attest/cose.h>

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
    struct reader r = rd_make(p, len);
    struct cose_sign1 sign;
    struct attest_span span;
    struct attest_error err;
    EVP_PKEY *key = NULL;

    if (cbor_check(p, len, "fuzz", &err) == ATTEST_OK &&
        (!cbor_skip(&r, &span) || span.len != len || r.left != 0)) {
        abort();
    }
    (void)!cose_sign1_parse(p, len, "fuzz", &sign, &err);
    if (cose_key_parse(p, len, "fuzz", &key, &err) == ATTEST_OK) {
        EVP_PKEY_free(key);
    }
    if (cose_point_parse(p, len, "fuzz", &key, &err) == ATTEST_OK) {
        EVP_PKEY_free(key);
    }
    return 0;
}
