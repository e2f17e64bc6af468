/*
 * ID block and its authentication: 56860, "ID Block Structure", "ID Authentication Information
 * Structure", "ECDSA P-384 Public Key" and "Signature". Integers in them are little-endian.
 */
#include <attest/hash.h>
#include <attest/measure_snp.h>
#include <attest/reader.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <string.h>

#define ALGO_ECDSA_P384_SHA384 1
#define CURVE_P384             2
#define AUTH_BLOCK_SIG         0x40
#define AUTH_ID_KEY            0x240
#define AUTH_ID_KEY_SIG        0x680
#define AUTH_AUTHOR_KEY        0x880

static bool coordinate(EVP_PKEY *key, const char *name, uint8_t out[72])
{
    BIGNUM *v = NULL;
    bool ok = EVP_PKEY_get_bn_param(key, name, &v) == 1 && BN_bn2lebinpad(v, out, 72) == 72;

    BN_free(v);
    return ok;
}

static enum attest_status public_key(EVP_PKEY *key, uint8_t out[SNP_ID_KEY_SIZE],
                                     struct attest_error *err)
{
    char group[32] = "";

    memset(out, 0, SNP_ID_KEY_SIZE);
    st32le(out, CURVE_P384);
    if (EVP_PKEY_is_a(key, "EC") != 1 ||
        EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) != 1 ||
        strcmp(group, "secp384r1") != 0 || !coordinate(key, OSSL_PKEY_PARAM_EC_PUB_X, out + 4) ||
        !coordinate(key, OSSL_PKEY_PARAM_EC_PUB_Y, out + 76)) {
        return attest_fail(err, ATTEST_UNSUPPORTED, "ID block", "key", "EC secp384r1", "%s %s",
                           EVP_PKEY_get0_type_name(key), group);
    }
    return ATTEST_OK;
}

/* A DER signature as R and S of 72 bytes each, little-endian. */
static bool to_raw(const unsigned char *der, size_t len, uint8_t raw[512])
{
    ECDSA_SIG *s = d2i_ECDSA_SIG(NULL, &der, (long)len);
    bool ok = s != NULL && BN_bn2lebinpad(ECDSA_SIG_get0_r(s), raw, 72) == 72 &&
              BN_bn2lebinpad(ECDSA_SIG_get0_s(s), raw + 72, 72) == 72;

    ECDSA_SIG_free(s);
    return ok;
}

static bool sign(EVP_PKEY *key, const uint8_t *p, size_t len, uint8_t raw[512])
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    unsigned char der[160];
    size_t n = sizeof(der);
    bool ok = ctx != NULL &&
              EVP_DigestSignInit(ctx, NULL, attest_hash_md(ATTEST_SHA384), NULL, key) == 1 &&
              EVP_DigestSign(ctx, der, &n, p, len) == 1 && to_raw(der, n, raw);

    EVP_MD_CTX_free(ctx);
    return ok;
}

enum attest_status snp_id_key_digest(EVP_PKEY *key, uint8_t digest[48], struct attest_error *err)
{
    uint8_t raw[SNP_ID_KEY_SIZE];
    enum attest_status st = public_key(key, raw, err);

    if (st == ATTEST_OK && !attest_hash1(ATTEST_SHA384, raw, sizeof(raw), digest)) {
        st = attest_fail(err, ATTEST_INTERNAL, "ID block", "SHA-384", NULL, NULL);
    }
    return st;
}

static void fill_block(const struct snp_id *id, uint8_t block[SNP_ID_BLOCK_SIZE])
{
    memcpy(block, id->ld, 48);
    memcpy(block + 48, id->family_id, 16);
    memcpy(block + 64, id->image_id, 16);
    st32le(block + 80, 1); /* VERSION */
    st32le(block + 84, id->guest_svn);
    st64le(block + 88, id->policy);
}

enum attest_status snp_id_sign(const struct snp_id *id, EVP_PKEY *id_key, EVP_PKEY *author,
                               struct snp_id_result *out, struct attest_error *err)
{
    uint8_t *auth = out->auth;
    enum attest_status st;

    memset(out, 0, sizeof(*out));
    fill_block(id, out->block);
    st32le(auth, ALGO_ECDSA_P384_SHA384);
    st = public_key(id_key, auth + AUTH_ID_KEY, err);
    if (st == ATTEST_OK && author != NULL) {
        st32le(auth + 4, ALGO_ECDSA_P384_SHA384);
        st = public_key(author, auth + AUTH_AUTHOR_KEY, err);
    }
    if (st != ATTEST_OK || (st = snp_id_key_digest(id_key, out->id_key_digest, err)) != ATTEST_OK) {
        return st;
    }
    if (!sign(id_key, out->block, SNP_ID_BLOCK_SIZE, auth + AUTH_BLOCK_SIG) ||
        (author != NULL &&
         !sign(author, auth + AUTH_ID_KEY, SNP_ID_KEY_SIZE, auth + AUTH_ID_KEY_SIG))) {
        return attest_fail(err, ATTEST_INTERNAL, "ID block", "signature", NULL, NULL);
    }
    return author != NULL ? snp_id_key_digest(author, out->author_key_digest, err) : ATTEST_OK;
}

static EVP_PKEY *load_key(const uint8_t raw[SNP_ID_KEY_SIZE])
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    OSSL_PARAM params[3];
    EVP_PKEY *key = NULL;
    uint8_t point[97] = {4};

    for (size_t i = 0; i < 48; i++) {
        point[1 + i] = raw[4 + 47 - i];
        point[49 + i] = raw[76 + 47 - i];
    }
    params[0] = OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME,
                                                 (char *)(uintptr_t) "P-384", 0);
    params[1] = OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point));
    params[2] = OSSL_PARAM_construct_end();
    if (ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1) {
        key = NULL;
    }
    EVP_PKEY_CTX_free(ctx);
    return key;
}

static bool check_signature(EVP_PKEY *key, const uint8_t *p, size_t len, const uint8_t raw[512])
{
    ECDSA_SIG *s = ECDSA_SIG_new();
    BIGNUM *r = BN_lebin2bn(raw, 72, NULL);
    BIGNUM *t = BN_lebin2bn(raw + 72, 72, NULL);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    unsigned char *der = NULL;
    bool ok = s != NULL && r != NULL && t != NULL && ECDSA_SIG_set0(s, r, t) == 1;
    int n = -1;

    if (!ok) {
        BN_free(r);
        BN_free(t);
    } else {
        n = i2d_ECDSA_SIG(s, &der);
    }
    ok = n > 0 && ctx != NULL &&
         EVP_DigestVerifyInit(ctx, NULL, attest_hash_md(ATTEST_SHA384), NULL, key) == 1 &&
         EVP_DigestVerify(ctx, der, (size_t)n, p, len) == 1;
    OPENSSL_free(der);
    EVP_MD_CTX_free(ctx);
    ECDSA_SIG_free(s);
    return ok;
}

/* A key of 72-byte coordinates that hold 48, then zeros; a signature likewise. */
static bool is_padded(const uint8_t *key, const uint8_t *sig)
{
    return bytes_are_zero(key + 4 + 48, 24) && bytes_are_zero(key + 76 + 48, 24) &&
           bytes_are_zero(key + 148, SNP_ID_KEY_SIZE - 148) && bytes_are_zero(sig + 144, 512 - 144);
}

static enum attest_status check_part(const uint8_t *key_raw, const uint8_t *p, size_t len,
                                     const uint8_t *sig, const char *field,
                                     struct attest_error *err)
{
    EVP_PKEY *key = NULL;
    bool ok;

    if (!is_padded(key_raw, sig)) {
        return attest_fail(err, ATTEST_RESERVED, "ID block", field, "zeros behind its integers",
                           NULL);
    }
    ok = ld32le(key_raw) == CURVE_P384 && (key = load_key(key_raw)) != NULL &&
         check_signature(key, p, len, sig);
    EVP_PKEY_free(key);
    return ok ? ATTEST_OK : attest_fail(err, ATTEST_SIGNATURE, "ID block", field, NULL, NULL);
}

enum attest_status snp_id_check(const uint8_t block[SNP_ID_BLOCK_SIZE],
                                const uint8_t auth[SNP_ID_AUTH_SIZE], bool author,
                                struct attest_error *err)
{
    enum attest_status st;

    if (ld32le(auth) != ALGO_ECDSA_P384_SHA384 || (author && ld32le(auth + 4) != 1)) {
        return attest_fail(err, ATTEST_UNSUPPORTED, "ID block", "ID_KEY_ALGO or AUTH_KEY_ALGO", "1",
                           "%u and %u", ld32le(auth), ld32le(auth + 4));
    }
    if (!bytes_are_zero(auth + 8, AUTH_BLOCK_SIG - 8) ||
        !bytes_are_zero(auth + AUTH_ID_KEY + SNP_ID_KEY_SIZE, 60) ||
        !bytes_are_zero(auth + AUTH_AUTHOR_KEY + SNP_ID_KEY_SIZE, 892)) {
        return attest_fail(err, ATTEST_RESERVED, "ID block", "reserved bytes of the ID AUTH", "0",
                           NULL);
    }
    st = check_part(auth + AUTH_ID_KEY, block, SNP_ID_BLOCK_SIZE, auth + AUTH_BLOCK_SIG,
                    "ID_BLOCK_SIG", err);
    if (st == ATTEST_OK && author) {
        st = check_part(auth + AUTH_AUTHOR_KEY, auth + AUTH_ID_KEY, SNP_ID_KEY_SIZE,
                        auth + AUTH_ID_KEY_SIG, "ID_KEY_SIG", err);
    }
    return st;
}
