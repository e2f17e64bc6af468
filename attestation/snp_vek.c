/*
 * The extensions of VCEK and VLEK certificates: 57230, "VCEK/VLEK Certificate Extensions".
 */
#include <attest/snp.h>

#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OID           "1.3.6.1.4.1.3704.1."
#define OID_STRUCTURE OID "1"
#define OID_PRODUCT   OID "2"
#define OID_HWID      OID "4"
#define OID_CSP_ID    OID "5"

static const char vek_tag;

static void object_name(const struct attest_cert *cert, char buf[80])
{
    snprintf(buf, 80, "certificate %s", attest_cert_name(cert));
}

static bool has_extension(const struct attest_cert *cert, const char *oid)
{
    const uint8_t *p;
    size_t len;

    return attest_cert_extension(cert, oid, &p, &len, NULL) == ATTEST_OK;
}

/* A DER INTEGER from 0 to 255, and nothing after it. */
static enum attest_status spl(const struct attest_cert *cert, const char *oid, uint8_t *out,
                              struct attest_error *err)
{
    const uint8_t *p;
    size_t len;
    enum attest_status st = attest_cert_extension(cert, oid, &p, &len, err);
    const unsigned char *at = p;
    ASN1_INTEGER *a;
    uint64_t v = 0;
    char object[80];
    bool ok;

    if (st != ATTEST_OK) {
        return st;
    }
    a = d2i_ASN1_INTEGER(NULL, &at, (long)len);
    ok = a != NULL && at == p + len && ASN1_INTEGER_get_uint64(&v, a) == 1 && v <= 255;
    ASN1_INTEGER_free(a);
    if (!ok) {
        object_name(cert, object);
        return attest_fail(err, ATTEST_MALFORMED, object, oid, "an INTEGER from 0 to 255",
                           "%zu bytes", len);
    }
    *out = (uint8_t)v;
    return ATTEST_OK;
}

static enum attest_status ia5(const struct attest_cert *cert, const char *oid, char *out,
                              size_t size, struct attest_error *err)
{
    const uint8_t *p;
    size_t len;
    enum attest_status st = attest_cert_extension(cert, oid, &p, &len, err);
    const unsigned char *at = p;
    ASN1_IA5STRING *a;
    char object[80];
    bool ok;

    if (st != ATTEST_OK) {
        return st;
    }
    a = d2i_ASN1_IA5STRING(NULL, &at, (long)len);
    ok = a != NULL && at == p + len && ASN1_STRING_length(a) > 0 &&
         (size_t)ASN1_STRING_length(a) < size &&
         memchr(ASN1_STRING_get0_data(a), 0, (size_t)ASN1_STRING_length(a)) == NULL;
    if (ok) {
        snprintf(out, size, "%.*s", ASN1_STRING_length(a), (const char *)ASN1_STRING_get0_data(a));
    }
    ASN1_IA5STRING_free(a);
    if (!ok) {
        object_name(cert, object);
        return attest_fail(err, ATTEST_MALFORMED, object, oid, "a short IA5String", "%zu bytes",
                           len);
    }
    return ATTEST_OK;
}

/* hwID is raw, without an ASN.1 wrapping: 64 bytes, or 8 from Turin on. */
static enum attest_status hwid(const struct attest_cert *cert, struct snp_vek *v,
                               struct attest_error *err)
{
    size_t want = snp_product_has_fmc(v->product) ? 8 : 64;
    const uint8_t *p;
    size_t len;
    enum attest_status st = attest_cert_extension(cert, OID_HWID, &p, &len, err);
    char object[80];

    if (st != ATTEST_OK) {
        return st;
    }
    if (len != want) {
        object_name(cert, object);
        return attest_fail(err, ATTEST_MALFORMED, object, OID_HWID " (hwID)",
                           want == 8 ? "8 bytes" : "64 bytes", "%zu bytes", len);
    }
    memcpy(v->hwid, p, len);
    v->hwid_len = len;
    return ATTEST_OK;
}

/* "Milan-B0" and "Milan" both name Milan. */
static enum attest_status product(const struct attest_cert *cert, struct snp_vek *v,
                                  struct attest_error *err)
{
    enum attest_status st = ia5(cert, OID_PRODUCT, v->product_name, sizeof(v->product_name), err);
    char object[80];

    if (st != ATTEST_OK) {
        return st;
    }
    v->product = snp_product_named(v->product_name, strcspn(v->product_name, "-"));
    if (v->product == SNP_PRODUCT_UNKNOWN) {
        object_name(cert, object);
        return attest_fail(err, ATTEST_UNSUPPORTED, object, OID_PRODUCT " (productName)",
                           "a known product", "%s", v->product_name);
    }
    return ATTEST_OK;
}

static enum attest_status tcb(const struct attest_cert *cert, struct snp_vek *v,
                              struct attest_error *err)
{
    const struct {
        const char *oid;
        uint8_t *out;
    } parts[] = {
        {OID "3.1", &v->tcb.bootloader},
        {OID "3.2", &v->tcb.tee},
        {OID "3.3", &v->tcb.snp},
        {OID "3.8", &v->tcb.microcode},
    };
    enum attest_status st = ATTEST_OK;

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]) && st == ATTEST_OK; i++) {
        st = spl(cert, parts[i].oid, parts[i].out, err);
    }
    if (st == ATTEST_OK && snp_product_has_fmc(v->product)) {
        st = spl(cert, OID "3.9", &v->tcb.fmc, err);
    }
    return st;
}

/* SPLs 4 to 7 name the TCB bytes that reports must have zero. */
static enum attest_status reserved_spls(const struct attest_cert *cert, struct attest_error *err)
{
    static const char *const oids[] = {OID "3.4", OID "3.5", OID "3.6", OID "3.7"};
    char object[80];

    for (size_t i = 0; i < sizeof(oids) / sizeof(oids[0]); i++) {
        uint8_t v = 0;
        enum attest_status st =
            has_extension(cert, oids[i]) ? spl(cert, oids[i], &v, err) : ATTEST_OK;

        if (st != ATTEST_OK) {
            return st;
        }
        if (v != 0) {
            object_name(cert, object);
            return attest_fail(err, ATTEST_RESERVED, object, oids[i], "0", "%u", v);
        }
    }
    return ATTEST_OK;
}

static enum attest_status check_key(const struct attest_cert *cert, struct attest_error *err)
{
    EVP_PKEY *key = attest_cert_key(cert);
    char group[32] = "";
    char object[80];

    if (EVP_PKEY_is_a(key, "EC") == 1 &&
        EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) == 1 &&
        strcmp(group, "secp384r1") == 0) {
        return ATTEST_OK;
    }
    object_name(cert, object);
    return attest_fail(err, ATTEST_UNSUPPORTED, object, "public key", "EC secp384r1", "%s %s",
                       EVP_PKEY_get0_type_name(key), group);
}

static enum attest_status parse(const struct attest_cert *cert, struct snp_vek *v,
                                struct attest_error *err)
{
    bool vlek = has_extension(cert, OID_CSP_ID);
    uint8_t structure;
    enum attest_status st;

    v->signer = vlek ? SNP_SIGNER_VLEK : SNP_SIGNER_VCEK;
    if ((st = spl(cert, OID_STRUCTURE, &structure, err)) != ATTEST_OK ||
        (st = product(cert, v, err)) != ATTEST_OK || (st = tcb(cert, v, err)) != ATTEST_OK ||
        (st = reserved_spls(cert, err)) != ATTEST_OK || (st = check_key(cert, err)) != ATTEST_OK) {
        return st;
    }
    return vlek ? ia5(cert, OID_CSP_ID, v->csp_id, sizeof(v->csp_id), err) : hwid(cert, v, err);
}

enum attest_status snp_vek_of(struct attest_cert *cert, const struct snp_vek **out,
                              struct attest_error *err)
{
    const struct snp_vek *known = attest_cert_annotation(cert, &vek_tag);
    struct snp_vek *v;
    enum attest_status st;

    if (known != NULL) {
        *out = known;
        return ATTEST_OK;
    }
    v = calloc(1, sizeof(*v));
    if (v == NULL) {
        return attest_no_memory(err, "VEK certificate");
    }
    st = parse(cert, v, err);
    if (st != ATTEST_OK) {
        free(v);
        return st;
    }
    *out = attest_cert_annotate(cert, &vek_tag, v, free);
    return *out != NULL ? ATTEST_OK : attest_no_memory(err, "VEK certificate");
}
