/* JSON Web Keys, RFC 7517 and 7518 section 6. */
#include <attest/hex.h>
#include <attest/jose.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <stdlib.h>
#include <string.h>

#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 8192

char *jose_b64_text(const void *p, size_t len)
{
    char *s = malloc(4 * ((len + 2) / 3) + 1);

    if (s != NULL) {
        base64_encode(p, len, true, s);
    }
    return s;
}

json_t *jose_b64(const void *p, size_t len)
{
    char *s = jose_b64_text(p, len);
    json_t *j = s != NULL ? json_string(s) : NULL;

    free(s);
    return j;
}

static enum attest_status bad(struct attest_error *err, const char *object, const char *field,
                              const char *expected)
{
    return attest_fail(err, ATTEST_MALFORMED, object, field, expected, NULL);
}

/* A base64url member of at most max bytes. */
static bool member(const json_t *jwk, const char *key, uint8_t *out, size_t max, size_t *len)
{
    const json_t *j = json_object_get(jwk, key);

    return json_is_string(j) && json_string_length(j) <= 4 * (max + 2) / 3 + 4 &&
           base64_decode(json_string_value(j), json_string_length(j), true, out, max, len) &&
           *len > 0;
}

static enum attest_status parse_ec(const json_t *jwk, const char *object, EVP_PKEY **out,
                                   struct attest_error *err)
{
    const char *name = json_string_value(json_object_get(jwk, "crv"));
    uint8_t x[JOSE_COORD_MAX];
    uint8_t y[JOSE_COORD_MAX];
    enum jose_curve c;
    size_t nx;
    size_t ny;

    if (name == NULL || !jose_curve_named(name, &c)) {
        return attest_fail(err, ATTEST_UNSUPPORTED, object, "crv", "P-256, P-384 or P-521", "%s",
                           name != NULL ? name : "nothing");
    }
    if (!member(jwk, "x", x, sizeof(x), &nx) || !member(jwk, "y", y, sizeof(y), &ny) ||
        nx != jose_curve_size(c) || ny != nx) {
        return bad(err, object, "x, y", "two coordinates in full size");
    }
    *out = jose_ec_public(c, x, y);
    return *out != NULL ? ATTEST_OK : bad(err, object, "x, y", "a point on the curve");
}

static EVP_PKEY *rsa_key(const BIGNUM *n, const BIGNUM *e)
{
    OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    OSSL_PARAM *params = NULL;
    EVP_PKEY *key = NULL;

    if (bld != NULL && OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
        OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, e) == 1) {
        params = OSSL_PARAM_BLD_to_param(bld);
    }
    if (params == NULL || ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1) {
        key = NULL;
    }
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(bld);
    EVP_PKEY_CTX_free(ctx);
    return key;
}

static enum attest_status parse_rsa(const json_t *jwk, const char *object, EVP_PKEY **out,
                                    struct attest_error *err)
{
    uint8_t n[RSA_BITS_MAX / 8];
    uint8_t e[8];
    BIGNUM *bn_n;
    BIGNUM *bn_e;
    size_t n_len;
    size_t e_len;

    if (!member(jwk, "n", n, sizeof(n), &n_len) || !member(jwk, "e", e, sizeof(e), &e_len)) {
        return bad(err, object, "n, e", "modulus up to 8192 bits and exponent up to 64 bits");
    }
    if (n_len < RSA_BITS_MIN / 8 || n[0] < 0x80 || (n[n_len - 1] & 1) == 0) {
        return bad(err, object, "n", "an odd modulus of 2048 to 8192 bits");
    }
    if ((e[e_len - 1] & 1) == 0 || (e_len == 1 && e[0] < 3)) {
        return bad(err, object, "e", "an odd exponent of at least 3");
    }
    bn_n = BN_bin2bn(n, (int)n_len, NULL);
    bn_e = BN_bin2bn(e, (int)e_len, NULL);
    *out = bn_n != NULL && bn_e != NULL ? rsa_key(bn_n, bn_e) : NULL;
    BN_free(bn_n);
    BN_free(bn_e);
    return *out != NULL ? ATTEST_OK : attest_no_memory(err, object);
}

enum attest_status jose_jwk_parse(const json_t *jwk, const char *object, EVP_PKEY **out,
                                  struct attest_error *err)
{
    const char *kty = json_string_value(json_object_get(jwk, "kty"));

    *out = NULL;
    if (kty != NULL && strcmp(kty, "EC") == 0) {
        return parse_ec(jwk, object, out, err);
    }
    if (kty != NULL && strcmp(kty, "RSA") == 0) {
        return parse_rsa(jwk, object, out, err);
    }
    return attest_fail(err, ATTEST_UNSUPPORTED, object, "kty", "EC or RSA", "%s",
                       kty != NULL ? kty : "nothing");
}

static json_t *number(EVP_PKEY *key, const char *param)
{
    uint8_t buf[RSA_BITS_MAX / 8];
    BIGNUM *v = NULL;
    json_t *j = NULL;

    if (EVP_PKEY_get_bn_param(key, param, &v) == 1 && BN_num_bytes(v) <= (int)sizeof(buf)) {
        j = jose_b64(buf, (size_t)BN_bn2bin(v, buf));
    }
    BN_free(v);
    return j;
}

json_t *jose_jwk_of(EVP_PKEY *key)
{
    uint8_t point[1 + 2 * JOSE_COORD_MAX];
    enum jose_curve c;
    size_t len;

    if (jose_curve_of(key, &c) && jose_ec_point(key, point, &len)) {
        return json_pack("{s:s, s:s, s:o, s:o}", "kty", "EC", "crv", jose_curve_name(c), "x",
                         jose_b64(point + 1, jose_curve_size(c)), "y",
                         jose_b64(point + 1 + jose_curve_size(c), jose_curve_size(c)));
    }
    if (EVP_PKEY_is_a(key, "RSA")) {
        return json_pack("{s:s, s:o, s:o}", "kty", "RSA", "n", number(key, OSSL_PKEY_PARAM_RSA_N),
                         "e", number(key, OSSL_PKEY_PARAM_RSA_E));
    }
    return NULL;
}
