#include <attest/cert.h>

#include <openssl/x509v3.h>

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct attest_crl {
    atomic_uint refs;
    X509_CRL *x;
    int64_t this_update;
    int64_t next_update;
    char issuer[64];
    atomic_int issuer_state; /* as in cert.c */
    uint8_t issuer_sha256[32];
};

static bool crl_time(const ASN1_TIME *a, int64_t *out)
{
    struct tm tm = {0};

    if (a == NULL || ASN1_TIME_to_tm(a, &tm) != 1) {
        return false;
    }
    *out = timegm(&tm);
    return true;
}

static bool fill(struct attest_crl *c)
{
    if (X509_NAME_get_text_by_NID(X509_CRL_get_issuer(c->x), NID_commonName, c->issuer,
                                  sizeof(c->issuer)) < 0) {
        snprintf(c->issuer, sizeof(c->issuer), "(no name)");
    }
    for (char *s = c->issuer; *s != '\0'; s++) {
        if (*s < 0x20 || *s > 0x7e) {
            *s = '?';
        }
    }
    /* RFC 5280 5.1.2.5 demands nextUpdate: without it a CRL would be good for ever. */
    return crl_time(X509_CRL_get0_lastUpdate(c->x), &c->this_update) &&
           crl_time(X509_CRL_get0_nextUpdate(c->x), &c->next_update);
}

/*
 * A delta CRL or one for part of the certificates only (IssuingDistributionPoint) says so in a
 * critical extension; neither vendor issues such, and to read one as complete would be wrong.
 */
static bool has_critical_extension(const X509_CRL *x)
{
    for (int i = 0; i < X509_CRL_get_ext_count(x); i++) {
        if (X509_EXTENSION_get_critical(X509_CRL_get_ext(x, i))) {
            return true;
        }
    }
    return false;
}

enum attest_status attest_crl_parse(const uint8_t *der, size_t len, struct attest_crl **out,
                                    struct attest_error *err)
{
    const unsigned char *p = der;
    struct attest_crl *c;
    X509_CRL *x;

    if (len > 16 * 1024 * 1024) {
        return attest_fail(err, ATTEST_MALFORMED, "CRL", "length", "at most 16 MiB", "%zu", len);
    }
    x = d2i_X509_CRL(NULL, &p, (long)len);
    c = x == NULL ? NULL : calloc(1, sizeof(*c));
    if (c == NULL) {
        X509_CRL_free(x);
        return x == NULL ? attest_fail(err, ATTEST_MALFORMED, "CRL", "DER", NULL, NULL)
                         : attest_no_memory(err, "CRL");
    }
    atomic_init(&c->refs, 1);
    c->x = x;
    if (p != der + len || !fill(c)) {
        attest_crl_free(c);
        return attest_fail(err, p != der + len ? ATTEST_TRAILING : ATTEST_MALFORMED, "CRL",
                           p != der + len ? "DER" : "thisUpdate or nextUpdate", NULL, NULL);
    }
    if (has_critical_extension(x)) {
        attest_crl_free(c);
        return attest_fail(err, ATTEST_UNSUPPORTED, "CRL", "critical extension", "none", NULL);
    }
    *out = c;
    return ATTEST_OK;
}

struct attest_crl *attest_crl_ref(struct attest_crl *c)
{
    atomic_fetch_add(&c->refs, 1);
    return c;
}

void attest_crl_free(struct attest_crl *c)
{
    if (c != NULL && atomic_fetch_sub(&c->refs, 1) == 1) {
        X509_CRL_free(c->x);
        free(c);
    }
}

const char *attest_crl_issuer(const struct attest_crl *c)
{
    return c->issuer;
}

int64_t attest_crl_this_update(const struct attest_crl *c)
{
    return c->this_update;
}

int64_t attest_crl_next_update(const struct attest_crl *c)
{
    return c->next_update;
}

size_t attest_crl_count(const struct attest_crl *c)
{
    int n = sk_X509_REVOKED_num(X509_CRL_get_REVOKED(c->x));

    return n < 0 ? 0 : (size_t)n;
}

bool attest_crl_issued_by(struct attest_crl *c, struct attest_cert *issuer)
{
    X509 *x = attest_cert_x509(issuer);
    int empty = 0;

    if (X509_NAME_cmp(X509_CRL_get_issuer(c->x), X509_get_subject_name(x)) != 0) {
        return false;
    }
    if (atomic_load(&c->issuer_state) == 2 &&
        memcmp(c->issuer_sha256, attest_cert_sha256(issuer), sizeof(c->issuer_sha256)) == 0) {
        return true;
    }
    if ((X509_get_key_usage(x) & KU_CRL_SIGN) == 0 ||
        X509_CRL_verify(c->x, attest_cert_key(issuer)) != 1) {
        return false;
    }
    if (atomic_compare_exchange_strong(&c->issuer_state, &empty, 1)) {
        memcpy(c->issuer_sha256, attest_cert_sha256(issuer), sizeof(c->issuer_sha256));
        atomic_store(&c->issuer_state, 2);
    }
    return true;
}

bool attest_crl_revokes(const struct attest_crl *c, const struct attest_cert *cert)
{
    const ASN1_INTEGER *serial = X509_get0_serialNumber(attest_cert_x509(cert));
    STACK_OF(X509_REVOKED) *list = X509_CRL_get_REVOKED(c->x);

    /* Read-only scan: OpenSSL's own lookup sorts the list, which threads may not share. */
    for (int i = 0; i < sk_X509_REVOKED_num(list); i++) {
        const X509_REVOKED *r = sk_X509_REVOKED_value(list, i);

        if (ASN1_INTEGER_cmp(X509_REVOKED_get0_serialNumber(r), serial) == 0) {
            return true;
        }
    }
    return false;
}
