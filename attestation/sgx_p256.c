#include <attest/sgx.h>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/params.h>
#include <string.h>

EVP_PKEY *p256_key(const uint8_t xy[64])
{
    char group[] = "prime256v1";
    uint8_t point[65] = {POINT_CONVERSION_UNCOMPRESSED};
    OSSL_PARAM params[] = {
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof(group) - 1),
        OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)), OSSL_PARAM_END};
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    EVP_PKEY *key = NULL;

    memcpy(point + 1, xy, 64);
    if (ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1) {
        key = NULL;
    }
    EVP_PKEY_CTX_free(ctx);
    return key;
}

bool p256_is(EVP_PKEY *key)
{
    char group[32];

    return key != NULL && EVP_PKEY_is_a(key, "EC") &&
           EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof(group),
                                          NULL) == 1 &&
           strcmp(group, "prime256v1") == 0;
}

/* A DER INTEGER from 32 big-endian bytes; returns its size. */
static size_t put_integer(const uint8_t v[32], uint8_t *out)
{
    size_t skip = 0, n, pad;

    while (skip < 31 && v[skip] == 0) {
        skip++;
    }
    pad = v[skip] >> 7;
    n = 32 - skip;
    out[0] = 0x02;
    out[1] = (uint8_t)(n + pad);
    out[2] = 0;
    memcpy(out + 2 + pad, v + skip, n);
    return 2 + pad + n;
}

bool p256_verify(EVP_PKEY *key, const uint8_t sig[64], const void *msg, size_t len)
{
    uint8_t der[2 + 2 * 35];
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    size_t n = 2;
    bool ok;

    n += put_integer(sig, der + n);
    n += put_integer(sig + 32, der + n);
    der[0] = 0x30;
    der[1] = (uint8_t)(n - 2);
    ok = ctx != NULL && EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
         EVP_DigestVerify(ctx, der, n, msg, len) == 1;
    EVP_MD_CTX_free(ctx);
    return ok;
}
