/*
 * CCA claims sets of the vectors, in each notation: the good ones are read, each bad one is
 * refused for the claim that its name states.
 */
#include "attest_diag.h"
#include "attest_file.h"
#include "cu.h"

#include <attest/cca.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLATFORM "cca/veraison-platform/"
#define REALM "cca/veraison-realm/"

struct case_of {
    const char *file;
    const char *field; /* NULL: good */
};

static const struct case_of platform_cases[] = {
    {PLATFORM "cbor/CcaPlatformClaimsAll.diag", NULL},
    {PLATFORM "cbor/CcaPlatformClaimsMandatoryOnly.diag", NULL},
    {PLATFORM "cbor/CcaPlatformExample.diag", NULL},
    {PLATFORM "cbor/CcaPlatformLegacyClaimsAll.diag", NULL},
    {PLATFORM "cbor/CcaPlatformClaimsMissingMandatoryNonce.diag", "cca-platform-challenge"},
    {PLATFORM "json/test-token-valid-full.json", NULL},
    {PLATFORM "json/test-config-missing.json", "cca-platform-config"},
    {PLATFORM "json/test-hash-algid-invalid.json", "cca-platform-hash-algo-id"},
    {PLATFORM "json/test-hash-algid-missing.json", "cca-platform-hash-algo-id"},
    {PLATFORM "json/test-implementation-id-invalid-long.json", "cca-platform-implementation-id"},
    {PLATFORM "json/test-implementation-id-invalid-missing.json",
     "cca-platform-implementation-id"},
    {PLATFORM "json/test-instance-id-invalid.json", "cca-platform-instance-id"},
    {PLATFORM "json/test-instance-id-missing.json", "cca-platform-instance-id"},
    {PLATFORM "json/test-invalid-profile.json", "cca-platform-profile"},
    {PLATFORM "json/test-invalid-psa-claims.json", "cca-platform-implementation-id"},
    {PLATFORM "json/test-lifecycle-invalid.json", "cca-platform-lifecycle"},
    {PLATFORM "json/test-no-sw-components.json", "cca-platform-sw-components"},
    {PLATFORM "json/test-nonce-invalid.json", "cca-platform-challenge"},
    {PLATFORM "json/test-vsi-invalid-empty.json", "cca-platform-service-indicator"},
    {"cca/platform-claims.cbor", NULL},
};

static const struct case_of realm_cases[] = {
    {REALM "cbor/CcaRealmClaimsAll.diag", NULL},
    {REALM "cbor/CcaRealmLegacyClaimsAll.diag", NULL},
    {REALM "cbor/CcaClaimsMissingMandExtendedMeas.diag", "cca-realm-extensible-measurements"},
    {REALM "cbor/CcaClaimsMissingMandHashAlgID.diag", "cca-realm-hash-algo-id"},
    {REALM "cbor/CcaClaimsMissingMandInitialMeas.diag", "cca-realm-initial-measurement"},
    {REALM "cbor/CcaClaimsMissingMandPubKey.diag", "cca-realm-public-key"},
    {REALM "cbor/CcaRealmClaimsMissingMandNonce.diag", "cca-realm-challenge"},
    {REALM "json/test-invalid-initial-meas.json", "cca-realm-initial-measurement"},
    {REALM "json/test-invalid-nonce.json", "cca-realm-challenge"},
    {REALM "json/test-missing-hash-alg-id.json", "cca-realm-hash-algo-id"},
    {REALM "json/test-missing-personalization-val.json", "cca-realm-personalization-value"},
    {REALM "json/test-missing-public-key.json", "cca-realm-public-key"},
    {"cca/realm-claims.cbor", NULL},
    {"cca/realm-claims+spurious-numeric-key.cbor", NULL},
    {"cca/realm-claims+spurious-text-key.cbor", NULL},
    {"cca/realm-claims-missing-challenge.cbor", "cca-realm-challenge"},
};

/* The case's claims set as CBOR; NULL without vectors. */
static uint8_t *load(const char *name, size_t *len)
{
    static uint8_t buf[16384];
    struct cbor_writer w = cbor_writer(buf, sizeof(buf));
    const char *ext = strrchr(name, '.');
    uint8_t *p = vector_read(name, len);
    json_t *j;

    if (p == NULL || strcmp(ext, ".cbor") == 0) {
        return p;
    }
    if (strcmp(ext, ".diag") == 0) {
        CU_ASSERT(diag_to_cbor((const char *)p, &w));
    } else {
        j = json_loadb((const char *)p, *len, 0, NULL);
        CU_ASSERT(claims_json_to_cbor(j, &w));
        json_decref(j);
    }
    p = realloc(p, w.used);
    memcpy(p, buf, w.used);
    *len = w.used;
    return p;
}

static enum attest_status parse(const char *name, bool platform, struct attest_error *err)
{
    struct cca_platform pl;
    struct cca_realm re;
    enum attest_status st;
    size_t len;
    uint8_t *p = load(name, &len);

    CU_ASSERT_PTR_NOT_NULL_FATAL(p);
    st = platform ? cca_platform_parse(p, len, &pl, err) : cca_realm_parse(p, len, &re, err);
    free(p);
    return st;
}

static void try(const struct case_of *c, size_t n, bool platform)
{
    char text[512];

    if (cu_vectors() == NULL) {
        cu_skip((unsigned int)n, "no vectors: CCA claims sets are not tried");
        return;
    }
    for (size_t i = 0; i < n; i++) {
        struct attest_error err = {0};
        enum attest_status st = parse(c[i].file, platform, &err);
        bool right = c[i].field == NULL ? st == ATTEST_OK
                                        : st != ATTEST_OK && strcmp(err.field, c[i].field) == 0;

        CU_ASSERT(right);
        if (!right) {
            fprintf(stderr, "%s: %s\n", c[i].file, attest_error_text(&err, text, sizeof(text)));
        }
    }
    printf("%zu CCA claims sets\n", n);
}

static void each_platform_claims_set_is_judged_by_its_name(void)
{
    try(platform_cases, sizeof(platform_cases) / sizeof(platform_cases[0]), true);
}

static void each_realm_claims_set_is_judged_by_its_name(void)
{
    try(realm_cases, sizeof(realm_cases) / sizeof(realm_cases[0]), false);
}

static void every_lifecycle_outside_the_ranges_is_refused(void)
{
    for (unsigned int v = 0; v <= 0xffff; v++) {
        unsigned int high = v >> 8;

        CU_ASSERT_EQUAL(cca_lifecycle_name((uint16_t)v) != NULL,
                        high <= 0x60 && (high & 0x0f) == 0);
    }
}

static const struct cu_test tests[] = {
    CU(each_platform_claims_set_is_judged_by_its_name),
    CU(each_realm_claims_set_is_judged_by_its_name),
    CU(every_lifecycle_outside_the_ranges_is_refused),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("attest_cca_claims", tests, argc, argv);
}
