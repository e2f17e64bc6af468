/*
 * VERSION u32, KEY_ID, CERTIFYING_ID, KEY_USAGE u32, 16 reserved, PUBEXP_SIZE and MODULUS_SIZE in
 * bits, then PUBEXP, MODULUS and SIGNATURE of MODULUS_SIZE each.
 */
#include <attest/reader.h>
#include <attest/sev_ca.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OBJECT "SEV CA certificate"
#define HEADER 64

static bool plausible(const uint8_t *p, size_t len)
{
    uint32_t bits = len >= HEADER ? ld32le(p + 0x3c) : 0;

    return (bits == 2048 || bits == 4096) && len == HEADER + 3 * (bits / 8) && ld32le(p) == 1 &&
           ld32le(p + 0x38) == bits;
}

static EVP_PKEY *public_key(const uint8_t *pubexp, const uint8_t *modulus, int size)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
    BIGNUM *n = BN_lebin2bn(modulus, size, NULL);
    BIGNUM *e = BN_lebin2bn(pubexp, size, NULL);
    OSSL_PARAM *params = NULL;
    EVP_PKEY *key = NULL;

    if (bld != NULL && n != NULL && e != NULL &&
        OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
        OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, e) == 1) {
        params = OSSL_PARAM_BLD_to_param(bld);
    }
    if (ctx == NULL || params == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1) {
        key = NULL;
    }
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(bld);
    BN_free(n);
    BN_free(e);
    EVP_PKEY_CTX_free(ctx);
    return key;
}

static void fill(struct sev_ca *c, const uint8_t *p, unsigned int bits)
{
    size_t size = bits / 8;

    c->bits = bits;
    c->usage = ld32le(p + 0x24);
    memcpy(c->key_id, p + 4, 16);
    memcpy(c->certifying_id, p + 20, 16);
    c->signed_len = HEADER + 2 * size;
    memcpy(c->signed_part, p, c->signed_len);
    for (size_t i = 0; i < size; i++) {
        c->signature[i] = p[c->signed_len + size - 1 - i];
    }
    c->key = public_key(p + HEADER, p + HEADER + size, (int)size);
}

enum attest_status sev_ca_parse(const uint8_t *p, size_t len, struct sev_ca **out,
                                struct attest_error *err)
{
    struct sev_ca *c;

    if (!plausible(p, len)) {
        return attest_fail(err, ATTEST_MALFORMED, OBJECT, "header",
                           "version 1 and a key of 2048 or 4096 bits", "%zu bytes", len);
    }
    if (!bytes_are_zero(p + 0x28, 16)) {
        return attest_fail(err, ATTEST_RESERVED, OBJECT, "reserved bytes 28h-37h", "0", NULL);
    }
    if (ld32le(p + 0x24) != SEV_CA_ARK && ld32le(p + 0x24) != SEV_CA_ASK) {
        return attest_fail(err, ATTEST_UNSUPPORTED, OBJECT, "KEY_USAGE", "0 (ARK) or 13h (ASK)",
                           "%x", ld32le(p + 0x24));
    }
    c = calloc(1, sizeof(*c));
    if (c == NULL) {
        return attest_no_memory(err, OBJECT);
    }
    fill(c, p, ld32le(p + 0x3c));
    if (c->key == NULL) {
        sev_ca_free(c);
        return attest_fail(err, ATTEST_MALFORMED, OBJECT, "MODULUS or PUBEXP", "an RSA key", NULL);
    }
    *out = c;
    return ATTEST_OK;
}

void sev_ca_free(struct sev_ca *c)
{
    if (c != NULL) {
        EVP_PKEY_free(c->key);
        free(c);
    }
}

enum attest_status sev_ca_verify(const struct sev_ca *c, const struct sev_ca *issuer,
                                 struct attest_error *err)
{
    const EVP_MD *md = attest_hash_md(issuer->bits < 4096 ? ATTEST_SHA256 : ATTEST_SHA384);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pctx;
    bool ok;

    if (memcmp(c->certifying_id, issuer->key_id, 16) != 0) {
        EVP_MD_CTX_free(ctx);
        return attest_fail_bytes(err, ATTEST_CHAIN, OBJECT, "CERTIFYING_ID", issuer->key_id, 16,
                                 c->certifying_id, 16);
    }
    ok = ctx != NULL && c->bits == issuer->bits &&
         EVP_DigestVerifyInit(ctx, &pctx, md, NULL, issuer->key) == 1 &&
         EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) == 1 &&
         EVP_DigestVerify(ctx, c->signature, c->bits / 8, c->signed_part, c->signed_len) == 1;
    EVP_MD_CTX_free(ctx);
    return ok ? ATTEST_OK : attest_fail(err, ATTEST_SIGNATURE, OBJECT, "SIGNATURE", NULL, NULL);
}

static enum attest_status item_parse(struct attest_collateral *c, const char *name,
                                     const uint8_t *p, size_t len, struct attest_error *err)
{
    struct attest_item item = {0};
    struct sev_ca *ca;
    enum attest_status st = sev_ca_parse(p, len, &ca, err);

    if (st != ATTEST_OK) {
        return st;
    }
    item.ops = &attest_item_sev_ca;
    item.obj = ca;
    snprintf(item.name, sizeof(item.name), "%s", name);
    return attest_collateral_put(c, &item, err);
}

static void item_free(void *obj)
{
    sev_ca_free(obj);
}

static void item_describe(const void *obj, char *buf, size_t size)
{
    const struct sev_ca *c = obj;
    bool self = c->usage == SEV_CA_ARK && sev_ca_verify(c, c, NULL) == ATTEST_OK;

    snprintf(buf, size, "AMD %s, RSA %u, key id %02x%02x%02x%02x%s",
             c->usage == SEV_CA_ARK ? "ARK" : "ASK", c->bits, c->key_id[0], c->key_id[1],
             c->key_id[2], c->key_id[3],
             c->usage == SEV_CA_ASK ? ""
             : self                 ? ", self-signed"
                                    : ", NOT signed by itself");
}

const struct attest_item_ops attest_item_sev_ca = {
    .kind = "sev-ca",
    .detect = plausible,
    .parse = item_parse,
    .free = item_free,
    .describe = item_describe,
};
