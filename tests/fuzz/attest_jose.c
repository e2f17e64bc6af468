/* Tokens, keys and sealed secrets from outside. */
#include <attest/jwe.h>
#include <attest/jwt.h>

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len);

static void keys(const json_t *j)
{
    EVP_PKEY *key = NULL;

    if (jose_jwk_parse(j, "fuzz", &key, NULL) == ATTEST_OK) {
        json_decref(jose_jwk_of(key));
        EVP_PKEY_free(key);
    }
}

static void sealed(const json_t *j, EVP_PKEY *key)
{
    uint8_t *out = NULL;
    size_t n;

    if (jwe_decrypt(j, key, &out, &n, NULL) == ATTEST_OK) {
        abort(); /* nobody can seal to a fresh key */
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
    static EVP_PKEY *key;
    const uint8_t secret[32] = {0};
    json_t *j;

    key = key != NULL ? key : jose_ec_generate(JOSE_P256);
    if (jwt_verify((const char *)p, len, key, &j, NULL) == ATTEST_OK) {
        abort();
    }
    if (jwt_verify_hmac((const char *)p, len, secret, &j, NULL) == ATTEST_OK) {
        (void)!jwt_check_times(j, 0, NULL);
        json_decref(j);
    }
    j = json_loadb((const char *)p, len, JSON_REJECT_DUPLICATES, NULL);
    if (j != NULL) {
        keys(j);
        sealed(j, key);
    }
    json_decref(j);
    j = jwe_of_compact((const char *)p, len);
    if (j != NULL) {
        sealed(j, key);
    }
    json_decref(j);
    return 0;
}
