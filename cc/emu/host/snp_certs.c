/*
 * Writes the certificates of the emulated SNP chip, the same bytes each time:
 *   ark.pem ask.pem vcek.pem, chain.pem (ASK, ARK), certs.bin (the table of an extended guest
 *   request, GHCB 4.1.8.1), ark.spki (SHA-256 of the root's key, as policies name it).
 * A host gets a chip's certificates from its maker; this program stands in for the maker.
 * Certificates: VCEK Certificate and KDS Interface Specification (57230), chapter 3.
 */
#include "../snp_psp.h"

#include "hv/check.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FROM  "20260101000000Z"
#define UNTIL "20510101000000Z"
#define OID   "1.3.6.1.4.1.3704.1."

void panic(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    exit(1);
}

static void must(bool ok, const char *what)
{
    if (!ok) {
        panic("snp_certs: %s failed", what);
    }
}

/* One certificate and its subject's key. */
struct holder {
    const char *file, *name;
    uint8_t d[EMU_P384];
    EVP_PKEY *key;
    X509 *x;
    uint8_t *der;
    int der_len;
};

static EVP_PKEY *key_of(const uint8_t d[EMU_P384])
{
    uint8_t point[1 + 2 * EMU_P384] = {4};
    OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
    BIGNUM *priv = BN_bin2bn(d, EMU_P384, NULL);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    EVP_PKEY *key = NULL;
    OSSL_PARAM *params;

    emu_p384_public(d, point + 1);
    must(OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, "P-384", 0) == 1 &&
             OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)) ==
                 1 &&
             OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_PRIV_KEY, priv) == 1,
         "key parameters");
    params = OSSL_PARAM_BLD_to_param(bld);
    must(EVP_PKEY_fromdata_init(ctx) == 1 &&
             EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params) == 1,
         "key");
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(bld);
    EVP_PKEY_CTX_free(ctx);
    BN_free(priv);
    return key;
}

static void set_name(X509_NAME *n, const char *common)
{
    static const struct {
        const char *field, *value;
    } parts[] = {{"C", "XX"}, {"O", "EMULATED, not AMD"}, {"OU", "Cloister test root"}};

    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        X509_NAME_add_entry_by_txt(n, parts[i].field, MBSTRING_ASC,
                                   (const unsigned char *)parts[i].value, -1, -1, 0);
    }
    X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_ASC, (const unsigned char *)common, -1, -1, 0);
}

static void start(struct holder *h, const struct holder *issuer, long serial)
{
    h->key = key_of(h->d);
    h->x = X509_new();
    must(X509_set_version(h->x, X509_VERSION_3) == 1 &&
             ASN1_INTEGER_set(X509_get_serialNumber(h->x), serial) == 1 &&
             ASN1_TIME_set_string_X509(X509_getm_notBefore(h->x), FROM) == 1 &&
             ASN1_TIME_set_string_X509(X509_getm_notAfter(h->x), UNTIL) == 1 &&
             X509_set_pubkey(h->x, h->key) == 1,
         "certificate");
    set_name(X509_get_subject_name(h->x), h->name);
    set_name(X509_get_issuer_name(h->x), issuer->name);
}

static void add_conf(X509 *x, int nid, const char *value)
{
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

    must(e != NULL && X509_add_ext(x, e, -1) == 1, "extension");
    X509_EXTENSION_free(e);
}

static void add_raw(X509 *x, const char *oid, const uint8_t *p, size_t len)
{
    ASN1_OBJECT *obj = OBJ_txt2obj(oid, 1);
    ASN1_OCTET_STRING *s = ASN1_OCTET_STRING_new();
    X509_EXTENSION *e;

    ASN1_OCTET_STRING_set(s, p, (int)len);
    e = X509_EXTENSION_create_by_OBJ(NULL, obj, 0, s);
    must(e != NULL && X509_add_ext(x, e, -1) == 1, oid);
    X509_EXTENSION_free(e);
    ASN1_OCTET_STRING_free(s);
    ASN1_OBJECT_free(obj);
}

/* A DER INTEGER of one byte's value. */
static void add_spl(X509 *x, const char *oid, unsigned int v)
{
    const uint8_t small[] = {2, 1, (uint8_t)v}, large[] = {2, 2, 0, (uint8_t)v};

    add_raw(x, oid, v < 0x80 ? small : large, v < 0x80 ? sizeof(small) : sizeof(large));
}

/* 57230, table 8 */
static void add_vcek(X509 *x)
{
    static const uint8_t product[] = {0x16, 8, 'M', 'i', 'l', 'a', 'n', '-', 'B', '0'};
    uint8_t id[64];

    chip_id(id);
    add_spl(x, OID "1", 1);
    add_raw(x, OID "2", product, sizeof(product));
    add_spl(x, OID "3.1", CHIP_TCB & 0xff);
    add_spl(x, OID "3.2", CHIP_TCB >> 8 & 0xff);
    for (unsigned int i = 4; i < 8; i++) {
        static const char *const reserved[] = {OID "3.4", OID "3.5", OID "3.6", OID "3.7"};

        add_spl(x, reserved[i - 4], 0);
    }
    add_spl(x, OID "3.3", CHIP_TCB >> 48 & 0xff);
    add_spl(x, OID "3.8", CHIP_TCB >> 56 & 0xff);
    add_raw(x, OID "4", id, sizeof(id));
}

static int signature(const struct holder *issuer, const uint8_t *tbs, size_t len, uint8_t **der)
{
    uint8_t hash[EMU_SHA384], rs[2 * EMU_P384];
    ECDSA_SIG *s = ECDSA_SIG_new();
    int n;

    emu_sha384(tbs, len, hash);
    emu_p384_sign(issuer->d, hash, rs);
    must(ECDSA_SIG_set0(s, BN_bin2bn(rs, EMU_P384, NULL), BN_bin2bn(rs + EMU_P384, EMU_P384, NULL)),
         "signature");
    n = i2d_ECDSA_SIG(s, der);
    ECDSA_SIG_free(s);
    return n;
}

/* Everything but the signature is deterministic; so put one in that is (RFC 6979). */
static void finish(struct holder *h, const struct holder *issuer)
{
    static const uint8_t algorithm[] = {0x30, 10,   6,    8,    0x2a, 0x86,
                                        0x48, 0xce, 0x3d, 0x04, 0x03, 0x03};
    uint8_t *tbs = NULL, *sig = NULL, *p;
    int tbs_len, sig_len, body;

    must(X509_sign(h->x, issuer->key, EVP_sha384()) > 0, "signing");
    tbs_len = i2d_re_X509_tbs(h->x, &tbs);
    must(tbs_len > 0, "encoding");
    sig_len = signature(issuer, tbs, (size_t)tbs_len, &sig);
    must(sig_len > 0 && sig_len < 0x7f, "signature's length");
    body = tbs_len + (int)sizeof(algorithm) + 3 + sig_len;
    must(body > 0xff && body <= 0xffff, "certificate's length");
    h->der_len = 4 + body;
    p = h->der = malloc((size_t)h->der_len);
    *p++ = 0x30;
    *p++ = 0x82;
    *p++ = (uint8_t)(body >> 8);
    *p++ = (uint8_t)body;
    memcpy(p, tbs, (size_t)tbs_len);
    p += tbs_len;
    memcpy(p, algorithm, sizeof(algorithm));
    p += sizeof(algorithm);
    *p++ = 3; /* BIT STRING, no unused bits */
    *p++ = (uint8_t)(sig_len + 1);
    *p++ = 0;
    memcpy(p, sig, (size_t)sig_len);
    OPENSSL_free(tbs);
    OPENSSL_free(sig);
}

/* ---- files ---- */

static FILE *create(const char *dir, const char *name)
{
    char path[4096];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    f = fopen(path, "wb");
    if (f == NULL) {
        panic("snp_certs: cannot write %s", path);
    }
    return f;
}

static void put_pem(FILE *f, const struct holder *h)
{
    must(PEM_write(f, PEM_STRING_X509, "", h->der, h->der_len) > 0, h->file);
}

static void write_pem(const char *dir, const struct holder *h)
{
    FILE *f = create(dir, h->file);

    put_pem(f, h);
    must(fclose(f) == 0, h->file);
}

static void write_spki(const char *dir, const struct holder *h)
{
    uint8_t *der = NULL, hash[32];
    int len = i2d_PUBKEY(h->key, &der);
    FILE *f = create(dir, "ark.spki");

    must(len > 0 && EVP_Digest(der, (size_t)len, hash, NULL, EVP_sha256(), NULL) == 1, "digest");
    for (size_t i = 0; i < sizeof(hash); i++) {
        fprintf(f, "%02x", hash[i]);
    }
    fputc('\n', f);
    must(fclose(f) == 0, "ark.spki");
    OPENSSL_free(der);
}

struct entry {
    uint8_t guid[16]; /* mixed-endian, as in memory */
    uint32_t offset, length;
};

/* GHCB 4.1.8.1: VCEK 63da758d-..., ASK 4ab7b379-..., ARK c0b406a4-... */
static void write_table(const char *dir, const struct holder *vcek, const struct holder *ask,
                        const struct holder *ark)
{
    const struct holder *const holders[] = {vcek, ask, ark};
    struct entry e[4] = {
        {.guid = {0x8d, 0x75, 0xda, 0x63, 0x64, 0xe6, 0x64, 0x45, 0xad, 0xc5, 0xf4, 0xb9, 0x3b,
                  0xe8, 0xac, 0xcd}},
        {.guid = {0x79, 0xb3, 0xb7, 0x4a, 0xac, 0xbb, 0xe4, 0x4f, 0xa0, 0x2f, 0x05, 0xae, 0xf3,
                  0x27, 0xc7, 0x82}},
        {.guid = {0xa4, 0x06, 0xb4, 0xc0, 0x03, 0xa8, 0x52, 0x49, 0x97, 0x43, 0x3f, 0xb6, 0x01,
                  0x4c, 0xd0, 0xae}},
    };
    uint32_t offset = sizeof(e);
    FILE *f = create(dir, "certs.bin");

    for (size_t i = 0; i < ARRAY_SIZE(holders); i++) {
        e[i].offset = offset;
        e[i].length = (uint32_t)holders[i]->der_len;
        offset += e[i].length;
    }
    must(fwrite(e, sizeof(e), 1, f) == 1, "certs.bin");
    for (size_t i = 0; i < ARRAY_SIZE(holders); i++) {
        must(fwrite(holders[i]->der, e[i].length, 1, f) == 1, "certs.bin");
    }
    must(fclose(f) == 0, "certs.bin");
}

static void write_chain(const char *dir, const struct holder *ask, const struct holder *ark)
{
    FILE *f = create(dir, "chain.pem");

    put_pem(f, ask);
    put_pem(f, ark);
    must(fclose(f) == 0, "chain.pem");
}

static void mint(struct holder *ark, struct holder *ask, struct holder *vcek)
{
    chip_ark(ark->d);
    chip_ask(ask->d);
    chip_vcek(vcek->d);
    start(ark, ark, 1);
    start(ask, ark, 2);
    start(vcek, ask, 0);
    add_conf(ark->x, NID_basic_constraints, "critical,CA:TRUE");
    add_conf(ark->x, NID_key_usage, "critical,keyCertSign,cRLSign");
    add_conf(ask->x, NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
    add_conf(ask->x, NID_key_usage, "critical,keyCertSign");
    add_vcek(vcek->x);
    finish(ark, ark);
    finish(ask, ark);
    finish(vcek, ask);
}

static void release(struct holder *h)
{
    X509_free(h->x);
    EVP_PKEY_free(h->key);
    free(h->der);
}

int main(int argc, char **argv)
{
    struct holder ark = {.file = "ark.pem", .name = "ARK-Milan EMULATED"};
    struct holder ask = {.file = "ask.pem", .name = "SEV-Milan EMULATED"};
    /* 57230 demands this common name; the organisation says EMULATED here, too. */
    struct holder vcek = {.file = "vcek.pem", .name = "SEV-VCEK"};

    if (argc != 2) {
        fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    mint(&ark, &ask, &vcek);
    write_pem(argv[1], &ark);
    write_pem(argv[1], &ask);
    write_pem(argv[1], &vcek);
    write_chain(argv[1], &ask, &ark);
    write_table(argv[1], &vcek, &ask, &ark);
    write_spki(argv[1], &ark);
    release(&ark);
    release(&ask);
    release(&vcek);
    return 0;
}
