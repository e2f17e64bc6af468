/*
 * AMD's CA certificates in the binary form: they verify as a chain, hold the keys of the X.509
 * ones, and any changed byte breaks them.
 */
#include "attest_file.h"
#include "cu.h"

#include <attest/sev_ca.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct sev_ca *load(const char *product, const char *which)
{
    struct sev_ca *c = NULL;
    char path[64];
    size_t len;
    uint8_t *p;

    snprintf(path, sizeof(path), "sev-legacy/%s-%s.cert", product, which);
    p = vector_read(path, &len);
    if (p == NULL) {
        cu_skip(1, "no vectors: binary CA certificates are not tried");
        return NULL;
    }
    CU_ASSERT_EQUAL(sev_ca_parse(p, len, &c, NULL), ATTEST_OK);
    free(p);
    return c;
}

static void each_products_ark_signs_itself_and_its_ask(void)
{
    static const char *const products[] = {"naples", "rome", "milan", "genoa", "turin"};

    for (size_t i = 0; i < 5; i++) {
        struct sev_ca *ark = load(products[i], "ark");
        struct sev_ca *ask = load(products[i], "ask");
        struct attest_error err;

        if (ark != NULL && ask != NULL) {
            CU_ASSERT_EQUAL(ark->usage, SEV_CA_ARK);
            CU_ASSERT_EQUAL(ask->usage, SEV_CA_ASK);
            CU_ASSERT_EQUAL(ark->bits, i == 0 ? 2048 : 4096);
            CU_ASSERT_EQUAL(sev_ca_verify(ark, ark, &err), ATTEST_OK);
            CU_ASSERT_EQUAL(sev_ca_verify(ask, ark, &err), ATTEST_OK);
            CU_ASSERT_EQUAL(sev_ca_verify(ark, ask, &err), ATTEST_CHAIN);
            CU_ASSERT_STRING_EQUAL(err.field, "CERTIFYING_ID");
        }
        sev_ca_free(ark);
        sev_ca_free(ask);
    }
}

static void the_keys_are_those_of_the_x509_certificates(void)
{
    static const char *const products[] = {"milan", "genoa", "turin"};

    for (size_t i = 0; i < 3; i++) {
        struct sev_ca *ark = load(products[i], "ark");
        struct attest_cert *x = NULL;
        char path[64];
        size_t len;
        uint8_t *p;

        snprintf(path, sizeof(path), "snp/ca/%s/ark.der", products[i]);
        p = vector_read(path, &len);
        if (ark != NULL && p != NULL) {
            CU_ASSERT_EQUAL(attest_cert_parse(p, len, &x, NULL), ATTEST_OK);
            CU_ASSERT_EQUAL(EVP_PKEY_eq(ark->key, attest_cert_key(x)), 1);
        }
        attest_cert_free(x);
        sev_ca_free(ark);
        free(p);
    }
}

static void a_changed_byte_is_never_taken(void)
{
    size_t len = 0;
    uint8_t *p = vector_read("sev-legacy/naples-ark.cert", &len);

    for (size_t i = 0; i < len; i++) {
        struct sev_ca *c = NULL;

        p[i] ^= 0x40;
        if (sev_ca_parse(p, len, &c, NULL) == ATTEST_OK) {
            CU_ASSERT_NOT_EQUAL(sev_ca_verify(c, c, NULL), ATTEST_OK);
        }
        sev_ca_free(c);
        p[i] ^= 0x40;
    }
    free(p);
}

static void a_certificate_of_another_size_or_usage_is_refused_by_field(void)
{
    static uint8_t p[832];
    struct sev_ca *c = NULL;
    struct attest_error err;

    CU_ASSERT_EQUAL(sev_ca_parse(p, sizeof(p), &c, &err), ATTEST_MALFORMED);
    p[0] = 1;
    p[0x39] = p[0x3d] = 8; /* 2048 */
    p[0x24] = 7;
    CU_ASSERT_EQUAL(sev_ca_parse(p, sizeof(p), &c, &err), ATTEST_UNSUPPORTED);
    CU_ASSERT_STRING_EQUAL(err.field, "KEY_USAGE");
    CU_ASSERT_EQUAL(sev_ca_parse(p, sizeof(p) - 1, &c, &err), ATTEST_MALFORMED);
    p[0x28] = 1;
    CU_ASSERT_EQUAL(sev_ca_parse(p, sizeof(p), &c, &err), ATTEST_RESERVED);
}

static const struct cu_test tests[] = {
    CU(each_products_ark_signs_itself_and_its_ask),
    CU(the_keys_are_those_of_the_x509_certificates),
    CU(a_changed_byte_is_never_taken),
    CU(a_certificate_of_another_size_or_usage_is_refused_by_field),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("attest_sev_ca", tests, argc, argv);
}
