/*
 * Chains and the certificate cache: how long a chain may be, that a root's own contents count, and
 * that the cache keeps what is used.
 */
#include "cu.h"

#include <attest/collateral.h>

#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#define NOW 1781481600 /* 2026-06-15 */

static void extension(X509 *x, int nid, const char *value)
{
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

    X509_add_ext(x, e, -1);
    X509_EXTENSION_free(e);
}

/* A CA certificate for key, named by a number, signed by `by` under the issuer's number. */
static X509 *authority(int name, EVP_PKEY *key, int issuer, EVP_PKEY *by)
{
    X509 *x = X509_new();
    X509_NAME *n = X509_NAME_new();
    char text[16];

    snprintf(text, sizeof(text), "CA %d", name);
    X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_ASC, (const uint8_t *)text, -1, -1, 0);
    X509_set_subject_name(x, n);
    X509_NAME_free(n);
    n = X509_NAME_new();
    snprintf(text, sizeof(text), "CA %d", issuer);
    X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_ASC, (const uint8_t *)text, -1, -1, 0);
    X509_set_issuer_name(x, n);
    X509_NAME_free(n);
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), name + 1);
    ASN1_TIME_set(X509_getm_notBefore(x), NOW - 1000);
    ASN1_TIME_set(X509_getm_notAfter(x), NOW + 1000);
    X509_set_pubkey(x, key);
    extension(x, NID_basic_constraints, "critical,CA:TRUE");
    extension(x, NID_key_usage, "critical,keyCertSign");
    X509_sign(x, by, EVP_sha384());
    return x;
}

static void add(struct attest_collateral *c, X509 *x)
{
    uint8_t *der = NULL;
    int len = i2d_X509(x, &der);

    CU_ASSERT_EQUAL_FATAL(attest_collateral_add(c, "cert", der, (size_t)len, NULL), ATTEST_OK);
    OPENSSL_free(der);
    X509_free(x);
}

/* A chain of n certificates: CA n-1 down to the self-signed CA 0; the leaf is added first. */
static enum attest_status chain_of(int n, struct attest_error *err)
{
    struct attest_collateral *c = attest_collateral_new();
    struct attest_chain chain;
    EVP_PKEY *key[16];
    enum attest_status st;

    for (int i = 0; i < n; i++) {
        key[i] = EVP_EC_gen("P-256");
    }
    for (int i = n - 1; i >= 0; i--) {
        add(c, authority(i, key[i], i > 0 ? i - 1 : 0, key[i > 0 ? i - 1 : 0]));
    }
    attest_collateral_seal(c);
    st = attest_chain_build(c, attest_collateral_cert(c, 0), NULL, 0, &chain, err);
    if (st == ATTEST_OK) {
        CU_ASSERT_EQUAL(chain.count, (size_t)n);
    }
    attest_collateral_free(c);
    for (int i = 0; i < n; i++) {
        EVP_PKEY_free(key[i]);
    }
    return st;
}

static void a_chain_has_at_most_six_certificates(void)
{
    struct attest_error err;

    for (int n = 1; n <= 6; n++) {
        CU_ASSERT_EQUAL(chain_of(n, &err), ATTEST_OK);
    }
    for (int n = 7; n <= 12; n++) {
        CU_ASSERT_EQUAL(chain_of(n, &err), ATTEST_CHAIN);
        CU_ASSERT_STRING_EQUAL(err.field, "chain length");
    }
}

/* The chain from a certificate when one authority is there beside it; takes both. */
static enum attest_status chain_from(X509 *leaf, X509 *above)
{
    struct attest_collateral *c = attest_collateral_new();
    struct attest_chain chain;
    struct attest_error err;
    enum attest_status st;

    add(c, leaf);
    add(c, above);
    attest_collateral_seal(c);
    st = attest_chain_build(c, attest_collateral_cert(c, 0), NULL, 0, &chain, &err);
    attest_collateral_free(c);
    return st;
}

/* A root is trusted by its key, but what its certificate says must be the key owner's word. */
static void a_root_that_did_not_sign_itself_is_refused(void)
{
    EVP_PKEY *root = EVP_EC_gen("P-256"), *leaf = EVP_EC_gen("P-256"),
             *mallory = EVP_EC_gen("P-256");

    CU_ASSERT_EQUAL(chain_from(authority(1, leaf, 0, root), authority(0, root, 0, mallory)),
                    ATTEST_CHAIN);
    EVP_PKEY_free(root);
    EVP_PKEY_free(leaf);
    EVP_PKEY_free(mallory);
}

/* Collisions of SHA-1 cost less than a machine. */
static void a_signature_with_sha1_makes_no_chain(void)
{
    EVP_PKEY *root = EVP_EC_gen("P-256"), *leaf = EVP_EC_gen("P-256");
    X509 *x = authority(1, leaf, 0, root);

    CU_ASSERT_FATAL(X509_sign(x, root, EVP_sha1()) > 0);
    CU_ASSERT_EQUAL(chain_from(x, authority(0, root, 0, root)), ATTEST_CHAIN);
    EVP_PKEY_free(root);
    EVP_PKEY_free(leaf);
}

static void a_name_with_a_nul_within_is_not_the_shorter_name(void)
{
    static const uint8_t name[] = "CA 1\0.example";
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = authority(1, key, 0, key);
    X509_NAME *n = X509_NAME_new();
    struct attest_cert *cert = NULL;
    uint8_t *der = NULL;
    int len;

    X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_ASC, name, sizeof(name) - 1, -1, 0);
    X509_set_subject_name(x, n);
    X509_sign(x, key, EVP_sha384());
    len = i2d_X509(x, &der);
    CU_ASSERT_EQUAL_FATAL(attest_cert_parse(der, (size_t)len, &cert, NULL), ATTEST_OK);
    CU_ASSERT_STRING_EQUAL(attest_cert_name(cert), "CA 1?.example");
    attest_cert_free(cert);
    OPENSSL_free(der);
    X509_NAME_free(n);
    X509_free(x);
    EVP_PKEY_free(key);
}

/* RFC 5280 5.1.2.5: else a host could show one from before the revocation for ever. */
static void a_crl_that_never_ends_is_refused(void)
{
    X509_CRL *x = X509_CRL_new();
    X509_NAME *n = X509_NAME_new();
    ASN1_TIME *t = ASN1_TIME_set(NULL, NOW);
    EVP_PKEY *key = EVP_EC_gen("P-256");
    struct attest_error err = {0};
    struct attest_crl *crl = NULL;
    uint8_t *der = NULL;
    int len;

    X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_ASC, (const uint8_t *)"CA 0", -1, -1, 0);
    X509_CRL_set_version(x, 1);
    X509_CRL_set_issuer_name(x, n);
    X509_CRL_set1_lastUpdate(x, t);
    X509_CRL_sign(x, key, EVP_sha384());
    len = i2d_X509_CRL(x, &der);
    CU_ASSERT_EQUAL(attest_crl_parse(der, (size_t)len, &crl, &err), ATTEST_MALFORMED);
    CU_ASSERT_STRING_EQUAL(err.field, "thisUpdate or nextUpdate");
    OPENSSL_free(der);
    ASN1_TIME_free(t);
    X509_NAME_free(n);
    X509_CRL_free(x);
    EVP_PKEY_free(key);
}

/* Two authorities that sign each other have no root; the walk ends all the same. */
static void a_circle_of_authorities_has_no_root(void)
{
    EVP_PKEY *a = EVP_EC_gen("P-256"), *b = EVP_EC_gen("P-256");

    CU_ASSERT_EQUAL(chain_from(authority(1, a, 2, b), authority(2, b, 1, a)), ATTEST_CHAIN);
    EVP_PKEY_free(a);
    EVP_PKEY_free(b);
}

static struct attest_cert *intern(const struct attest_collateral *c, int name, EVP_PKEY *key)
{
    X509 *x = authority(name, key, name, key);
    struct attest_cert *cert = NULL;
    uint8_t *der = NULL;
    int len = i2d_X509(x, &der);

    CU_ASSERT_EQUAL(attest_collateral_intern(c, der, (size_t)len, &cert, NULL), ATTEST_OK);
    OPENSSL_free(der);
    X509_free(x);
    return cert;
}

static void the_cache_keeps_what_is_used_and_forgets_the_oldest(void)
{
    struct attest_collateral *c = attest_collateral_new();
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = authority(0, key, 0, key);
    uint8_t *der = NULL;
    int len = i2d_X509(x, &der);
    struct attest_cert *first, *again;

    attest_collateral_seal(c);
    CU_ASSERT_EQUAL(attest_collateral_intern(c, der, (size_t)len, &first, NULL), ATTEST_OK);
    for (int i = 1; i < 200; i++) {
        attest_cert_free(intern(c, i, key));
        /* Used all the time, it stays; `first` holds a reference, so a reparse would differ. */
        CU_ASSERT_EQUAL(attest_collateral_intern(c, der, (size_t)len, &again, NULL), ATTEST_OK);
        CU_ASSERT_PTR_EQUAL(again, first);
        attest_cert_free(again);
    }
    for (int i = 200; i < 270; i++) {
        attest_cert_free(intern(c, i, key));
    }
    CU_ASSERT_EQUAL(attest_collateral_intern(c, der, (size_t)len, &again, NULL), ATTEST_OK);
    CU_ASSERT_PTR_NOT_EQUAL(again, first);
    attest_cert_free(again);
    attest_cert_free(first);
    OPENSSL_free(der);
    X509_free(x);
    attest_collateral_free(c);
    EVP_PKEY_free(key);
}

static const struct cu_test tests[] = {
    CU(a_chain_has_at_most_six_certificates),
    CU(a_root_that_did_not_sign_itself_is_refused),
    CU(a_signature_with_sha1_makes_no_chain),
    CU(a_name_with_a_nul_within_is_not_the_shorter_name),
    CU(a_crl_that_never_ends_is_refused),
    CU(a_circle_of_authorities_has_no_root),
    CU(the_cache_keeps_what_is_used_and_forgets_the_oldest),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("attest_chain", tests, argc, argv);
}
