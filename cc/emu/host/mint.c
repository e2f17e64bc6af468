#include "mint.h"

#include "hv/check.h"

#include <bearssl.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

static const struct curve {
    const char *group;
    int id;
    size_t size;
    const br_hash_class *hash;
    const EVP_MD *(*md)(void);
    uint8_t algorithm[12]; /* ecdsa-with-SHA256, -SHA384: RFC 5758 */
} curves[] = {
    [MINT_P256] = {"P-256", BR_EC_secp256r1, 32, &br_sha256_vtable, EVP_sha256,
                   {0x30, 10, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02}},
    [MINT_P384] = {"P-384", BR_EC_secp384r1, 48, &br_sha384_vtable, EVP_sha384,
                   {0x30, 10, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03}},
};

void mint_must(bool ok, const char *what)
{
    if (!ok) {
        panic("%s failed", what);
    }
}

size_t mint_size(enum mint_curve c)
{
    return curves[c].size;
}

void mint_public(enum mint_curve c, const uint8_t *d, uint8_t *xy)
{
    unsigned char secret[MINT_KEY_MAX], point[1 + 2 * MINT_KEY_MAX];
    const br_ec_private_key sk = {curves[c].id, secret, curves[c].size};

    memcpy(secret, d, curves[c].size);
    mint_must(br_ec_compute_pub(&br_ec_prime_i31, NULL, point, &sk) == 1 + 2 * curves[c].size,
              "public key");
    memcpy(xy, point + 1, 2 * curves[c].size);
}

void mint_sign(enum mint_curve c, const uint8_t *d, const void *p, size_t len, uint8_t *rs)
{
    unsigned char secret[MINT_KEY_MAX], hash[64];
    const br_ec_private_key sk = {curves[c].id, secret, curves[c].size};

    memcpy(secret, d, curves[c].size);
    mint_must(EVP_Digest(p, len, hash, NULL, curves[c].md(), NULL) == 1, "digest");
    mint_must(br_ecdsa_i31_sign_raw(&br_ec_prime_i31, curves[c].hash, hash, &sk, rs) ==
                  2 * curves[c].size,
              "signature");
}

static EVP_PKEY *key_of(const struct holder *h)
{
    size_t size = curves[h->curve].size;
    uint8_t point[1 + 2 * MINT_KEY_MAX] = {4};
    OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
    BIGNUM *priv = BN_bin2bn(h->d, (int)size, NULL);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    EVP_PKEY *key = NULL;
    OSSL_PARAM *params;

    mint_public(h->curve, h->d, point + 1);
    mint_must(OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME,
                                              curves[h->curve].group, 0) == 1 &&
                  OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, point,
                                                   1 + 2 * size) == 1 &&
                  OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_PRIV_KEY, priv) == 1,
              "key parameters");
    params = OSSL_PARAM_BLD_to_param(bld);
    mint_must(EVP_PKEY_fromdata_init(ctx) == 1 &&
                  EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params) == 1,
              "key");
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(bld);
    EVP_PKEY_CTX_free(ctx);
    BN_free(priv);
    return key;
}

static void set_name(X509_NAME *n, const struct holder *h)
{
    const char *const parts[][2] = {
        {"C", "XX"}, {"O", h->organisation}, {"OU", "Cloister test root"}, {"CN", h->name}};

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        X509_NAME_add_entry_by_txt(n, parts[i][0], MBSTRING_ASC, (const uint8_t *)parts[i][1], -1,
                                   -1, 0);
    }
}

void mint_start(struct holder *h, const struct holder *issuer, long serial)
{
    h->key = key_of(h);
    h->x = X509_new();
    mint_must(X509_set_version(h->x, X509_VERSION_3) == 1 &&
                  ASN1_INTEGER_set(X509_get_serialNumber(h->x), serial) == 1 &&
                  ASN1_TIME_set_string_X509(X509_getm_notBefore(h->x), MINT_FROM) == 1 &&
                  ASN1_TIME_set_string_X509(X509_getm_notAfter(h->x), MINT_UNTIL) == 1 &&
                  X509_set_pubkey(h->x, h->key) == 1,
              "certificate");
    set_name(X509_get_subject_name(h->x), h);
    set_name(X509_get_issuer_name(h->x), issuer);
}

void mint_conf(X509 *x, int nid, const char *value)
{
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

    mint_must(e != NULL && X509_add_ext(x, e, -1) == 1, "extension");
    X509_EXTENSION_free(e);
}

void mint_raw(X509 *x, const char *oid, const uint8_t *p, size_t len)
{
    ASN1_OBJECT *obj = OBJ_txt2obj(oid, 1);
    ASN1_OCTET_STRING *s = ASN1_OCTET_STRING_new();
    X509_EXTENSION *e;

    ASN1_OCTET_STRING_set(s, p, (int)len);
    e = X509_EXTENSION_create_by_OBJ(NULL, obj, 0, s);
    mint_must(e != NULL && X509_add_ext(x, e, -1) == 1, oid);
    X509_EXTENSION_free(e);
    ASN1_OCTET_STRING_free(s);
    ASN1_OBJECT_free(obj);
}

static int signature(const struct holder *issuer, const uint8_t *body, size_t len, uint8_t **der)
{
    int size = (int)curves[issuer->curve].size;
    uint8_t rs[2 * MINT_KEY_MAX];
    ECDSA_SIG *s = ECDSA_SIG_new();
    int n;

    mint_sign(issuer->curve, issuer->d, body, len, rs);
    mint_must(ECDSA_SIG_set0(s, BN_bin2bn(rs, size, NULL), BN_bin2bn(rs + size, size, NULL)) == 1,
              "signature");
    n = i2d_ECDSA_SIG(s, der);
    ECDSA_SIG_free(s);
    return n;
}

uint8_t *mint_signed(const struct holder *issuer, const uint8_t *body, size_t len, int *out_len)
{
    const uint8_t *algorithm = curves[issuer->curve].algorithm;
    uint8_t *sig = NULL, *der, *p;
    int sig_len = signature(issuer, body, len, &sig);
    size_t all = len + 12 + 3 + (size_t)sig_len;

    mint_must(sig_len > 0 && sig_len < 0x7f && all > 0x7f && all <= 0xffff, "length");
    p = der = malloc(4 + all);
    *p++ = 0x30;
    *p++ = all > 0xff ? 0x82 : 0x81;
    if (all > 0xff) {
        *p++ = (uint8_t)(all >> 8);
    }
    *p++ = (uint8_t)all;
    *out_len = (int)(p - der) + (int)all;
    memcpy(p, body, len);
    memcpy(p + len, algorithm, 12);
    p += len + 12;
    *p++ = 3; /* BIT STRING, no unused bits */
    *p++ = (uint8_t)(sig_len + 1);
    *p++ = 0;
    memcpy(p, sig, (size_t)sig_len);
    OPENSSL_free(sig);
    return der;
}

/* Everything but the signature is deterministic; so put one in that is. */
void mint_finish(struct holder *h, const struct holder *issuer)
{
    uint8_t *tbs = NULL;
    int len;

    mint_must(X509_sign(h->x, issuer->key, curves[issuer->curve].md()) > 0, "signing");
    len = i2d_re_X509_tbs(h->x, &tbs);
    mint_must(len > 0, "encoding");
    h->der = mint_signed(issuer, tbs, (size_t)len, &h->der_len);
    OPENSSL_free(tbs);
}

void mint_free(struct holder *h)
{
    X509_free(h->x);
    EVP_PKEY_free(h->key);
    free(h->der);
}

/* ---- files ---- */

FILE *mint_create(const char *dir, const char *name)
{
    char path[4096];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    f = fopen(path, "wb");
    if (f == NULL) {
        panic("cannot write %s", path);
    }
    return f;
}

void mint_close(FILE *f, const char *name)
{
    mint_must(fclose(f) == 0, name);
}

void mint_pem(FILE *f, const struct holder *h)
{
    mint_must(PEM_write(f, PEM_STRING_X509, "", h->der, h->der_len) > 0, h->file);
}

void mint_write_pem(const char *dir, const struct holder *h)
{
    FILE *f = mint_create(dir, h->file);

    mint_pem(f, h);
    mint_close(f, h->file);
}

void mint_write_spki(const char *dir, const char *name, const struct holder *h)
{
    uint8_t *der = NULL, hash[32];
    int len = i2d_PUBKEY(h->key, &der);
    FILE *f = mint_create(dir, name);

    mint_must(len > 0 && EVP_Digest(der, (size_t)len, hash, NULL, EVP_sha256(), NULL) == 1,
              "digest");
    for (size_t i = 0; i < sizeof(hash); i++) {
        fprintf(f, "%02x", hash[i]);
    }
    fputc('\n', f);
    mint_close(f, name);
    OPENSSL_free(der);
}
