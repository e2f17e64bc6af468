#include <attest/cert.h>

#include <openssl/x509v3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct annotation {
    const void *tag;
    void *obj;
    void (*free_obj)(void *);
};

struct attest_cert {
    atomic_uint refs;
    X509 *x;
    EVP_PKEY *key; /* owned by x */
    int64_t not_before;
    int64_t not_after;
    uint8_t sha256[32];
    uint8_t spki_sha256[32];
    char name[64];
    char issuer[64];
    /*
     * DER hash of an issuer whose signature over this certificate was found good: written once,
     * under the flag, so that a second verification costs no public-key operation.
     */
    atomic_int issuer_state; /* 0 empty, 1 being written, 2 readable */
    uint8_t issuer_sha256[32];
    _Atomic(struct annotation *) annotation;
};

/* Whole, or cut at the end: a NUL within must not make a name look like another, shorter one. */
static void common_name(const X509_NAME *n, char *buf, size_t size)
{
    unsigned char *utf8 = NULL;
    int i = X509_NAME_get_index_by_NID(n, NID_commonName, -1);
    const X509_NAME_ENTRY *e = i < 0 ? NULL : X509_NAME_get_entry(n, i);
    int found = e == NULL ? -1 : ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(e));
    size_t len = found < 0 ? 0 : (size_t)found < size ? (size_t)found : size - 1;

    for (size_t k = 0; k < len; k++) {
        buf[k] = utf8[k] < 0x20 || utf8[k] > 0x7e ? '?' : (char)utf8[k];
    }
    buf[len] = '\0';
    if (found < 0) {
        snprintf(buf, size, "(no name)");
    }
    OPENSSL_free(utf8);
}

static bool asn1_time(const ASN1_TIME *a, int64_t *out)
{
    struct tm tm = {0};

    if (a == NULL || ASN1_TIME_to_tm(a, &tm) != 1) {
        return false;
    }
    *out = timegm(&tm);
    return true;
}

static bool fingerprint_key(X509 *x, uint8_t out[32])
{
    unsigned char *der = NULL;
    int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &der);
    bool ok = len > 0 && attest_hash1(ATTEST_SHA256, der, (size_t)len, out);

    OPENSSL_free(der);
    return ok;
}

static bool fill(struct attest_cert *c, const uint8_t *der, size_t len)
{
    common_name(X509_get_subject_name(c->x), c->name, sizeof(c->name));
    common_name(X509_get_issuer_name(c->x), c->issuer, sizeof(c->issuer));
    /* Decodes and caches the extensions now, while nobody else has the object. */
    X509_check_purpose(c->x, -1, 0);
    c->key = X509_get0_pubkey(c->x);
    return c->key != NULL && asn1_time(X509_get0_notBefore(c->x), &c->not_before) &&
           asn1_time(X509_get0_notAfter(c->x), &c->not_after) &&
           attest_hash1(ATTEST_SHA256, der, len, c->sha256) &&
           fingerprint_key(c->x, c->spki_sha256);
}

enum attest_status attest_cert_parse(const uint8_t *der, size_t len, struct attest_cert **out,
                                     struct attest_error *err)
{
    const unsigned char *p = der;
    struct attest_cert *c;
    X509 *x;

    if (len > 65536) {
        return attest_fail(err, ATTEST_MALFORMED, "certificate", "length", "at most 65536", "%zu",
                           len);
    }
    x = d2i_X509(NULL, &p, (long)len);
    if (x == NULL) {
        return attest_fail(err, ATTEST_MALFORMED, "certificate", "DER", NULL, NULL);
    }
    c = calloc(1, sizeof(*c));
    if (c == NULL) {
        X509_free(x);
        return attest_no_memory(err, "certificate");
    }
    atomic_init(&c->refs, 1);
    c->x = x;
    if (p != der + len) {
        attest_cert_free(c);
        return attest_fail(err, ATTEST_TRAILING, "certificate", "DER", NULL, NULL);
    }
    if (!fill(c, der, len)) {
        attest_cert_free(c);
        return attest_fail(err, ATTEST_MALFORMED, "certificate", "key or validity", NULL, NULL);
    }
    *out = c;
    return ATTEST_OK;
}

struct attest_cert *attest_cert_ref(struct attest_cert *c)
{
    atomic_fetch_add(&c->refs, 1);
    return c;
}

void attest_cert_free(struct attest_cert *c)
{
    struct annotation *a;

    if (c == NULL || atomic_fetch_sub(&c->refs, 1) != 1) {
        return;
    }
    a = atomic_load(&c->annotation);
    if (a != NULL) {
        a->free_obj(a->obj);
        free(a);
    }
    X509_free(c->x);
    free(c);
}

const void *attest_cert_annotation(const struct attest_cert *c, const void *tag)
{
    const struct annotation *a = atomic_load(&c->annotation);

    return a != NULL && a->tag == tag ? a->obj : NULL;
}

const void *attest_cert_annotate(struct attest_cert *c, const void *tag, void *obj,
                                 void (*free_obj)(void *))
{
    struct annotation *mine = malloc(sizeof(*mine));
    struct annotation *was = NULL;

    if (mine != NULL) {
        *mine = (struct annotation){tag, obj, free_obj};
        if (atomic_compare_exchange_strong(&c->annotation, &was, mine)) {
            return obj;
        }
        free(mine);
    }
    free_obj(obj);
    return attest_cert_annotation(c, tag);
}

X509 *attest_cert_x509(const struct attest_cert *c)
{
    return c->x;
}

EVP_PKEY *attest_cert_key(const struct attest_cert *c)
{
    return c->key;
}

const char *attest_cert_name(const struct attest_cert *c)
{
    return c->name;
}

const char *attest_cert_issuer(const struct attest_cert *c)
{
    return c->issuer;
}

const uint8_t *attest_cert_sha256(const struct attest_cert *c)
{
    return c->sha256;
}

const uint8_t *attest_cert_spki_sha256(const struct attest_cert *c)
{
    return c->spki_sha256;
}

int64_t attest_cert_not_before(const struct attest_cert *c)
{
    return c->not_before;
}

int64_t attest_cert_not_after(const struct attest_cert *c)
{
    return c->not_after;
}

bool attest_cert_is_self_issued(const struct attest_cert *c)
{
    return X509_NAME_cmp(X509_get_subject_name(c->x), X509_get_issuer_name(c->x)) == 0;
}

enum attest_status attest_cert_check_time(const struct attest_cert *c, int64_t at,
                                          struct attest_error *err)
{
    bool early = at < c->not_before;
    char object[80];
    char limit[24];
    char now[24];

    if (!early && at <= c->not_after) {
        return ATTEST_OK;
    }
    snprintf(object, sizeof(object), "certificate %s", c->name);
    attest_time_text(early ? c->not_before : c->not_after, limit);
    return attest_fail(err, early ? ATTEST_NOT_YET_VALID : ATTEST_EXPIRED, object,
                       early ? "notBefore" : "notAfter", limit, "%s", attest_time_text(at, now));
}

enum attest_status attest_cert_extension(const struct attest_cert *c, const char *oid,
                                         const uint8_t **p, size_t *len, struct attest_error *err)
{
    ASN1_OBJECT *obj = OBJ_txt2obj(oid, 1);
    int i = obj == NULL ? -1 : X509_get_ext_by_OBJ(c->x, obj, -1);
    int again = i < 0 ? -1 : X509_get_ext_by_OBJ(c->x, obj, i);
    char object[80];
    const ASN1_OCTET_STRING *v;

    ASN1_OBJECT_free(obj);
    snprintf(object, sizeof(object), "certificate %s", c->name);
    if (i < 0) {
        return attest_fail(err, ATTEST_MALFORMED, object, oid, "the extension", "none");
    }
    if (again >= 0) {
        return attest_fail(err, ATTEST_MALFORMED, object, oid, "the extension once", "twice");
    }
    v = X509_EXTENSION_get_data(X509_get_ext(c->x, i));
    *p = ASN1_STRING_get0_data(v);
    *len = (size_t)ASN1_STRING_length(v);
    return ATTEST_OK;
}

bool attest_cert_issued_by(struct attest_cert *c, struct attest_cert *issuer)
{
    int empty = 0;

    /* Cheap first, for stores of thousands; the common name alone never makes an issuer. */
    if (strcmp(c->issuer, issuer->name) != 0) {
        return false;
    }
    if (atomic_load(&c->issuer_state) == 2 &&
        memcmp(c->issuer_sha256, issuer->sha256, sizeof(c->issuer_sha256)) == 0) {
        return true;
    }
    /* Whole names, key identifiers and keyUsage, then the signature. */
    if (X509_check_issued(issuer->x, c->x) != X509_V_OK || X509_verify(c->x, issuer->key) != 1) {
        return false;
    }
    if (atomic_compare_exchange_strong(&c->issuer_state, &empty, 1)) {
        memcpy(c->issuer_sha256, issuer->sha256, sizeof(c->issuer_sha256));
        atomic_store(&c->issuer_state, 2);
    }
    return true;
}
