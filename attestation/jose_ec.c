/* Elliptic curve keys and signatures in the raw form. */
#include <attest/jose.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/params.h>
#include <string.h>

static const struct {
    const char *name;
    const char *alg;
    const char *group; /* OpenSSL's name */
    size_t size;
    enum attest_hash hash;
} curves[JOSE_CURVES] = {
    [JOSE_P256] = {"P-256", "ES256", "prime256v1", 32, ATTEST_SHA256},
    [JOSE_P384] = {"P-384", "ES384", "secp384r1", 48, ATTEST_SHA384},
    [JOSE_P521] = {"P-521", "ES512", "secp521r1", 66, ATTEST_SHA512},
};

size_t jose_curve_size(enum jose_curve c)
{
    return curves[c].size;
}

const char *jose_curve_name(enum jose_curve c)
{
    return curves[c].name;
}

const char *jose_curve_alg(enum jose_curve c)
{
    return curves[c].alg;
}

enum attest_hash jose_curve_hash(enum jose_curve c)
{
    return curves[c].hash;
}

bool jose_curve_named(const char *name, enum jose_curve *out)
{
    for (enum jose_curve c = 0; c < JOSE_CURVES; c++) {
        if (strcmp(curves[c].name, name) == 0) {
            *out = c;
            return true;
        }
    }
    return false;
}

bool jose_curve_of(EVP_PKEY *key, enum jose_curve *out)
{
    char group[32];

    if (key == NULL || !EVP_PKEY_is_a(key, "EC") ||
        EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof(group),
                                       NULL) != 1) {
        return false;
    }
    for (enum jose_curve c = 0; c < JOSE_CURVES; c++) {
        if (strcmp(curves[c].group, group) == 0) {
            *out = c;
            return true;
        }
    }
    return false;
}

EVP_PKEY *jose_ec_public(enum jose_curve c, const uint8_t *x, const uint8_t *y)
{
    uint8_t point[1 + 2 * JOSE_COORD_MAX] = {POINT_CONVERSION_UNCOMPRESSED};
    size_t n = curves[c].size;
    char group[16] = "";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof(group) - 1),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * n),
        OSSL_PARAM_construct_end()};
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    EVP_PKEY *key = NULL;

    memcpy(group, curves[c].group, strlen(curves[c].group) + 1);
    params[0].data_size = strlen(group);
    memcpy(point + 1, x, n);
    memcpy(point + 1 + n, y, n);
    if (ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1) {
        key = NULL;
    }
    EVP_PKEY_CTX_free(ctx);
    return key;
}

bool jose_ec_point(EVP_PKEY *key, uint8_t *out, size_t *len)
{
    enum jose_curve c;
    BIGNUM *x = NULL;
    BIGNUM *y = NULL;
    bool ok;

    if (!jose_curve_of(key, &c)) {
        return false;
    }
    *len = 1 + 2 * curves[c].size;
    out[0] = POINT_CONVERSION_UNCOMPRESSED;
    ok = EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_EC_PUB_X, &x) == 1 &&
         EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_EC_PUB_Y, &y) == 1 &&
         BN_bn2binpad(x, out + 1, (int)curves[c].size) >= 0 &&
         BN_bn2binpad(y, out + 1 + curves[c].size, (int)curves[c].size) >= 0;
    BN_free(x);
    BN_free(y);
    return ok;
}

EVP_PKEY *jose_ec_generate(enum jose_curve c)
{
    return EVP_EC_gen(curves[c].group);
}

/* r || s to DER; returns its length, 0 on failure. The caller frees *der. */
static int to_der(const uint8_t *sig, size_t n, unsigned char **der)
{
    ECDSA_SIG *s = ECDSA_SIG_new();
    BIGNUM *r_part = BN_bin2bn(sig, (int)n, NULL);
    BIGNUM *s_part = BN_bin2bn(sig + n, (int)n, NULL);
    int len = 0;

    if (s != NULL && r_part != NULL && s_part != NULL && ECDSA_SIG_set0(s, r_part, s_part) == 1) {
        len = i2d_ECDSA_SIG(s, der);
    } else {
        BN_free(r_part);
        BN_free(s_part);
    }
    ECDSA_SIG_free(s);
    return len > 0 ? len : 0;
}

bool jose_ec_verify(EVP_PKEY *key, const struct attest_span *spans, size_t n, const uint8_t *sig,
                    size_t len)
{
    EVP_MD_CTX *ctx = NULL;
    unsigned char *der = NULL;
    enum jose_curve c;
    int der_len;
    bool ok;

    if (!jose_curve_of(key, &c) || len != 2 * curves[c].size) {
        return false;
    }
    der_len = to_der(sig, curves[c].size, &der);
    ctx = EVP_MD_CTX_new();
    ok = der_len > 0 && ctx != NULL &&
         EVP_DigestVerifyInit(ctx, NULL, attest_hash_md(curves[c].hash), NULL, key) == 1;
    for (size_t i = 0; i < n && ok; i++) {
        ok = spans[i].len == 0 || EVP_DigestVerifyUpdate(ctx, spans[i].p, spans[i].len) == 1;
    }
    ok = ok && EVP_DigestVerifyFinal(ctx, der, (size_t)der_len) == 1;
    EVP_MD_CTX_free(ctx);
    OPENSSL_free(der);
    return ok;
}

static bool from_der(const uint8_t *der, size_t len, size_t n, uint8_t *sig)
{
    ECDSA_SIG *s = d2i_ECDSA_SIG(NULL, &der, (long)len);
    bool ok = s != NULL && BN_bn2binpad(ECDSA_SIG_get0_r(s), sig, (int)n) >= 0 &&
              BN_bn2binpad(ECDSA_SIG_get0_s(s), sig + n, (int)n) >= 0;

    ECDSA_SIG_free(s);
    return ok;
}

bool jose_ec_sign(EVP_PKEY *key, const struct attest_span *spans, size_t n, uint8_t *sig,
                  size_t *len)
{
    uint8_t der[JOSE_SIG_MAX + 16];
    size_t der_len = sizeof(der);
    EVP_MD_CTX *ctx;
    enum jose_curve c;
    bool ok;

    if (!jose_curve_of(key, &c)) {
        return false;
    }
    ctx = EVP_MD_CTX_new();
    ok = ctx != NULL &&
         EVP_DigestSignInit(ctx, NULL, attest_hash_md(curves[c].hash), NULL, key) == 1;
    for (size_t i = 0; i < n && ok; i++) {
        ok = spans[i].len == 0 || EVP_DigestSignUpdate(ctx, spans[i].p, spans[i].len) == 1;
    }
    ok = ok && EVP_DigestSignFinal(ctx, der, &der_len) == 1;
    EVP_MD_CTX_free(ctx);
    *len = 2 * curves[c].size;
    return ok && from_der(der, der_len, curves[c].size, sig);
}
