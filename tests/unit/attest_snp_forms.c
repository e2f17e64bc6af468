/*
 * The forms that an SNP report comes in (bare, as a firmware response, with a certificate table),
 * and stores that hold more than one answer.
 */
#include "attest_snppki.h"
#include "cu.h"

#include <attest/evidence.h>
#include <attest/hex.h>
#include <attest/reader.h>

#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FORM_MAX 16384

/* GUIDs of the certificate table as they lie in memory: GHCB specification, extended request. */
static const uint8_t guid_vcek[16] = {0x8d, 0x75, 0xda, 0x63, 0x64, 0xe6, 0x64, 0x45,
                                      0xad, 0xc5, 0xf4, 0xb9, 0x3b, 0xe8, 0xac, 0xcd};
static const uint8_t guid_ask[16] = {0x79, 0xb3, 0xb7, 0x4a, 0xac, 0xbb, 0xe4, 0x4f,
                                     0xa0, 0x2f, 0x05, 0xae, 0xf3, 0x27, 0xc7, 0x82};
static const uint8_t guid_ark[16] = {0xa4, 0x06, 0xb4, 0xc0, 0x03, 0xa8, 0x52, 0x49,
                                     0x97, 0x43, 0x3f, 0xb6, 0x01, 0x4c, 0xd0, 0xae};
static const uint8_t guid_other[16] = {1, 2, 3};

struct form {
    uint8_t p[FORM_MAX];
    size_t len;
};

static size_t put_cert(struct form *f, size_t at, const uint8_t *guid, struct attest_cert *c,
                       size_t entry, size_t table)
{
    uint8_t *der = NULL;
    int n = i2d_X509(attest_cert_x509(c), &der);

    memcpy(f->p + table + 24 * entry, guid, 16);
    st32le(f->p + table + 24 * entry + 16, (uint32_t)(at - table));
    st32le(f->p + table + 24 * entry + 20, (uint32_t)n);
    memcpy(f->p + at, der, (size_t)n);
    OPENSSL_free(der);
    return at + (size_t)n;
}

/* The report and a table of VCEK, ASK and ARK, with an entry of an unknown kind before them. */
static void with_table(const struct snppki *pki, struct form *f)
{
    const struct attest_collateral *c = snppki_collateral(pki);
    size_t table = SNP_REPORT_SIZE, at = table + 5 * 24;

    memset(f, 0, sizeof(*f));
    snppki_report(pki, 5, f->p);
    memcpy(f->p + table, guid_other, 16);
    st32le(f->p + table + 16, 0);
    st32le(f->p + table + 20, 4);
    at = put_cert(f, at, guid_vcek, attest_collateral_cert(c, 0), 1, table);
    at = put_cert(f, at, guid_ark, attest_collateral_cert(c, 1), 2, table);
    at = put_cert(f, at, guid_ask, attest_collateral_cert(c, 2), 3, table);
    f->len = at;
}

static enum attest_status judge(const struct form *f, const struct attest_collateral *c,
                                const struct attest_policy *policy, struct attest_error *why)
{
    struct attest_verdict *v = attest_verdict_new();
    enum attest_status st = attest_verify(
        f->p, f->len, &(struct attest_input){.collateral = c, .policy = policy, .at = SNPPKI_NOW},
        v);

    if (attest_verdict_refusals(v) > 0) {
        *why = *attest_verdict_refusal(v, 0);
    }
    attest_verdict_free(v);
    return st;
}

static struct attest_collateral *empty(void)
{
    struct attest_collateral *c = attest_collateral_new();

    attest_collateral_seal(c);
    return c;
}

static void a_report_that_brings_its_certificates_needs_no_collateral(void)
{
    struct snppki *pki = snppki_new(&(struct snppki_knobs){0});
    struct attest_policy *policy = snppki_policy(pki, false, "", "");
    struct attest_policy *no_root = snppki_policy(pki, true, "", "");
    struct attest_collateral *none = empty();
    struct attest_error why;
    static struct form f;

    with_table(pki, &f);
    CU_ASSERT_EQUAL(judge(&f, none, policy, &why), ATTEST_OK);
    CU_ASSERT_EQUAL(judge(&f, none, policy, &why), ATTEST_OK); /* now from the cache */
    /* A root that the evidence brings along is no root that anybody trusts. */
    CU_ASSERT_EQUAL(judge(&f, none, no_root, &why), ATTEST_ROOT_UNTRUSTED);
    f.len = SNP_REPORT_SIZE;
    CU_ASSERT_EQUAL(judge(&f, none, policy, &why), ATTEST_COLLATERAL_MISSING);
    attest_collateral_free(none);
    attest_policy_free(policy);
    attest_policy_free(no_root);
    snppki_free(pki);
}

static void a_table_that_points_outside_itself_is_refused(void)
{
    struct snppki *pki = snppki_new(&(struct snppki_knobs){0});
    struct attest_policy *policy = snppki_policy(pki, false, "", "");
    const struct attest_collateral *c = snppki_collateral(pki);
    static const uint32_t bad[][2] = {{0, 0},     {0xffffffff, 1}, {1, 0xffffffff},
                                      {0, 65536}, {FORM_MAX, 1},   {0x80000000, 0x80000000}};
    const size_t entry = SNP_REPORT_SIZE + 24;
    struct attest_error why;
    static struct form f;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        with_table(pki, &f);
        st32le(f.p + entry + 16, bad[i][0]);
        st32le(f.p + entry + 20, bad[i][1]);
        CU_ASSERT_EQUAL(judge(&f, c, policy, &why), ATTEST_TRUNCATED);
        CU_ASSERT_STRING_EQUAL(why.field, "certificate table entry");
    }
    with_table(pki, &f);
    f.len = SNP_REPORT_SIZE + 5 * 24 - 30; /* the closing entry is cut off */
    CU_ASSERT_EQUAL(judge(&f, c, policy, &why), ATTEST_TRUNCATED);
    attest_policy_free(policy);
    snppki_free(pki);
}

static void a_table_with_too_many_certificates_is_refused(void)
{
    struct snppki *pki = snppki_new(&(struct snppki_knobs){0});
    struct attest_policy *policy = snppki_policy(pki, false, "", "");
    struct attest_error why;
    static struct form f;

    memset(&f, 0, sizeof(f));
    snppki_report(pki, 5, f.p);
    f.len = SNP_REPORT_SIZE + 11 * 24;
    for (size_t i = 0; i < 10; i++) {
        memcpy(f.p + SNP_REPORT_SIZE + 24 * i, guid_ask, 16);
        st32le(f.p + SNP_REPORT_SIZE + 24 * i + 20, 1);
    }
    CU_ASSERT_EQUAL(judge(&f, snppki_collateral(pki), policy, &why), ATTEST_UNSUPPORTED);
    attest_policy_free(policy);
    snppki_free(pki);
}

static void a_table_of_garbage_is_refused_as_no_certificate(void)
{
    struct snppki *pki = snppki_new(&(struct snppki_knobs){0});
    struct attest_policy *policy = snppki_policy(pki, false, "", "");
    struct attest_error why;
    static struct form f;

    with_table(pki, &f);
    memset(f.p + SNP_REPORT_SIZE + 5 * 24, 0x41, 16); /* the VCEK's head */
    CU_ASSERT_EQUAL(judge(&f, snppki_collateral(pki), policy, &why), ATTEST_MALFORMED);
    CU_ASSERT_STRING_EQUAL(why.object, "certificate");
    attest_policy_free(policy);
    snppki_free(pki);
}

static void a_firmware_response_and_zero_padding_are_read(void)
{
    struct snppki *pki = snppki_new(&(struct snppki_knobs){0});
    struct attest_policy *policy = snppki_policy(pki, false, "", "");
    const struct attest_collateral *c = snppki_collateral(pki);
    struct attest_error why;
    static struct form f;

    memset(&f, 0, sizeof(f));
    st32le(f.p + 4, SNP_REPORT_SIZE);
    snppki_report(pki, 3, f.p + 32);
    f.len = 4000; /* as /dev/sev-guest hands it out */
    CU_ASSERT_EQUAL(judge(&f, c, policy, &why), ATTEST_OK);
    st32le(f.p, 0x16); /* MSG_REPORT_RSP.STATUS: invalid parameters */
    CU_ASSERT_EQUAL(judge(&f, c, policy, &why), ATTEST_UNRECOGNISED);
    memset(&f, 0, sizeof(f));
    snppki_report(pki, 3, f.p);
    f.len = 4096;
    CU_ASSERT_EQUAL(judge(&f, c, policy, &why), ATTEST_OK);
    attest_policy_free(policy);
    snppki_free(pki);
}

/* Two worlds of the same names in one store: each report finds its own certificates. */
static struct attest_collateral *join(const struct snppki *a, const struct snppki *b)
{
    const struct snppki *const worlds[] = {a, b};
    struct attest_collateral *c = attest_collateral_new();

    for (size_t w = 0; w < 2; w++) {
        struct attest_cert *cert;

        for (size_t i = 0; (cert = attest_collateral_cert(snppki_collateral(worlds[w]), i)) != NULL;
             i++) {
            uint8_t *der = NULL;
            int len = i2d_X509(attest_cert_x509(cert), &der);

            CU_ASSERT_EQUAL(attest_collateral_add(c, "joined", der, (size_t)len, NULL), ATTEST_OK);
            OPENSSL_free(der);
        }
    }
    attest_collateral_seal(c);
    return c;
}

static void authorities_of_one_name_do_not_hide_each_other(void)
{
    struct snppki *a = snppki_new(&(struct snppki_knobs){0});
    struct snppki *b = snppki_new(&(struct snppki_knobs){0});
    struct attest_policy *trusts_a = snppki_policy(a, false, "", "");
    struct attest_collateral *c = join(b, a);
    struct attest_error why;
    static struct form f;

    f.len = SNP_REPORT_SIZE;
    snppki_report(a, 3, f.p);
    CU_ASSERT_EQUAL(judge(&f, c, trusts_a, &why), ATTEST_OK);
    /* b's chain is whole, but only a's root is trusted. */
    snppki_report(b, 3, f.p);
    CU_ASSERT_EQUAL(judge(&f, c, trusts_a, &why), ATTEST_ROOT_UNTRUSTED);
    attest_collateral_free(c);
    attest_policy_free(trusts_a);
    snppki_free(a);
    snppki_free(b);
}

static void a_forged_certificate_for_the_chip_does_not_hide_the_true_one(void)
{
    struct snppki *forged = snppki_new(&(struct snppki_knobs){.wrong_issuer = true});
    struct snppki *real = snppki_new(&(struct snppki_knobs){0});
    struct attest_policy *policy = snppki_policy(real, false, "", "");
    struct attest_collateral *c = join(forged, real);
    struct attest_error why;
    static struct form f;

    f.len = SNP_REPORT_SIZE;
    snppki_report(real, 3, f.p);
    CU_ASSERT_EQUAL(judge(&f, c, policy, &why), ATTEST_OK);
    snppki_report(forged, 3, f.p);
    CU_ASSERT_NOT_EQUAL(judge(&f, c, policy, &why), ATTEST_OK);
    attest_collateral_free(c);
    attest_policy_free(policy);
    snppki_free(real);
    snppki_free(forged);
}

static void evidence_of_a_kind_that_the_policy_does_not_speak_of_is_refused(void)
{
    static const char format[] =
        "{\"version\":1,\"test-roots\":[{\"name\":\"minted\",\"kind\":\"sev-snp\","
        "\"spki-sha256\":\"%s\"}],\"sgx\":{\"mrenclave\":\"%s\"}}";
    struct snppki *pki = snppki_new(&(struct snppki_knobs){0});
    struct attest_policy *policy = NULL;
    struct attest_error why;
    char spki[65], text[512];
    static struct form f;

    hex_encode(snppki_root_spki(pki), 32, spki);
    snprintf(text, sizeof(text), format, spki, spki);
    CU_ASSERT_EQUAL_FATAL(attest_policy_parse(text, strlen(text), &policy, NULL), ATTEST_OK);
    f.len = SNP_REPORT_SIZE;
    snppki_report(pki, 3, f.p);
    CU_ASSERT_EQUAL(judge(&f, snppki_collateral(pki), policy, &why), ATTEST_REFERENCE_MISSING);
    CU_ASSERT_STRING_EQUAL(why.field, "sev-snp");
    attest_policy_free(policy);
    snppki_free(pki);
}

/* The store of a world with CRLs: each revokes the ASK or not, from its date on. */
static struct attest_collateral *with_crls(const struct snppki *pki, const bool *revokes,
                                           const char *const *from, size_t n)
{
    struct attest_collateral *c = snppki_store(pki);

    for (size_t i = 0; i < n; i++) {
        size_t len;
        uint8_t *der = snppki_crl(pki, revokes[i], false, from[i], "2026-12-01", &len);

        CU_ASSERT_EQUAL(attest_collateral_add(c, "crl", der, len, NULL), ATTEST_OK);
        OPENSSL_free(der);
    }
    attest_collateral_seal(c);
    return c;
}

static void the_newest_crl_of_the_time_decides(void)
{
    static const struct {
        bool revokes[2];
        const char *from[2];
        enum attest_status st;
    } cases[] = {
        {{true, false}, {"2026-06-01", "2026-05-01"}, ATTEST_REVOKED},
        {{false, true}, {"2026-05-01", "2026-06-01"}, ATTEST_REVOKED},
        {{true, false}, {"2026-05-01", "2026-06-01"}, ATTEST_OK},
        {{false, true}, {"2026-06-01", "2026-05-01"}, ATTEST_OK},
        {{false, true}, {"2026-06-01", "2026-06-16"}, ATTEST_OK}, /* of tomorrow */
    };
    struct snppki *pki = snppki_new(&(struct snppki_knobs){0});
    struct attest_policy *policy = snppki_policy(pki, false, "", "");
    struct attest_error why;
    static struct form f;

    f.len = SNP_REPORT_SIZE;
    snppki_report(pki, 3, f.p);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct attest_collateral *c = with_crls(pki, cases[i].revokes, cases[i].from, 2);

        CU_ASSERT_EQUAL(judge(&f, c, policy, &why), cases[i].st);
        attest_collateral_free(c);
    }
    attest_policy_free(policy);
    snppki_free(pki);
}

/* Another authority of the same name neither revokes nor washes clean. */
static void a_crl_that_the_issuer_did_not_sign_does_not_count(void)
{
    struct snppki *real = snppki_new(&(struct snppki_knobs){0});
    struct snppki *other = snppki_new(&(struct snppki_knobs){0});
    struct attest_policy *policy = snppki_policy(real, false, ",\"require-crl\":true", "");
    struct attest_error why;
    static struct form f;

    f.len = SNP_REPORT_SIZE;
    snppki_report(real, 3, f.p);
    for (int revoked = 0; revoked < 2; revoked++) {
        struct attest_collateral *c = snppki_store(real);
        size_t len[2];
        uint8_t *der[2] = {snppki_crl(real, revoked, false, "2026-05-01", "2026-12-01", &len[0]),
                           snppki_crl(other, !revoked, false, "2026-06-01", "2026-12-01", &len[1])};

        for (size_t i = 0; i < 2; i++) {
            CU_ASSERT_EQUAL(attest_collateral_add(c, "crl", der[i], len[i], NULL), ATTEST_OK);
            OPENSSL_free(der[i]);
        }
        attest_collateral_seal(c);
        CU_ASSERT_EQUAL(judge(&f, c, policy, &why), revoked ? ATTEST_REVOKED : ATTEST_OK);
        attest_collateral_free(c);
    }
    attest_policy_free(policy);
    snppki_free(real);
    snppki_free(other);
}

static void a_crl_counts_only_from_an_authority_that_may_sign_crls(void)
{
    struct snppki *pki = snppki_new(&(struct snppki_knobs){.ark_signs_no_crls = true});
    struct attest_policy *policy = snppki_policy(pki, false, ",\"require-crl\":true", "");
    struct attest_collateral *c =
        with_crls(pki, (const bool[]){false}, (const char *const[]){"2026-06-01"}, 1);
    struct attest_error why;
    static struct form f;

    f.len = SNP_REPORT_SIZE;
    snppki_report(pki, 3, f.p);
    CU_ASSERT_EQUAL(judge(&f, c, policy, &why), ATTEST_COLLATERAL_MISSING);
    attest_collateral_free(c);
    attest_policy_free(policy);
    snppki_free(pki);
}

static void a_crl_for_some_certificates_only_is_refused(void)
{
    struct snppki *pki = snppki_new(&(struct snppki_knobs){0});
    struct attest_collateral *c = snppki_store(pki);
    struct attest_error err;
    size_t len;
    uint8_t *der = snppki_crl(pki, false, true, "2026-06-01", "2026-07-01", &len);

    CU_ASSERT_EQUAL(attest_collateral_add(c, "crl", der, len, &err), ATTEST_UNSUPPORTED);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.field, "critical extension"));
    OPENSSL_free(der);
    attest_collateral_free(c);
    snppki_free(pki);
}

static void each_component_of_a_tcb_counts_by_itself(void)
{
    const struct snp_tcb base = {5, 5, 5, 5, 5};

    CU_ASSERT(snp_tcb_at_least(&base, &base));
    for (size_t i = 0; i < sizeof(base); i++) {
        struct snp_tcb more = {9, 9, 9, 9, 9};
        struct snp_tcb less = base;

        ((uint8_t *)&less)[i] = 4;
        ((uint8_t *)&more)[i] = 4; /* much more elsewhere makes up for nothing */
        CU_ASSERT(snp_tcb_at_least(&base, &less));
        CU_ASSERT_FALSE(snp_tcb_at_least(&less, &base));
        CU_ASSERT_FALSE(snp_tcb_at_least(&more, &base));
    }
}

static void tcbs_are_laid_out_by_product(void)
{
    const struct snp_tcb t = {1, 2, 3, 4, 5};
    struct snp_tcb back;

    CU_ASSERT_EQUAL(snp_tcb_encode(SNP_GENOA, &t), 0x0504000000000302);
    CU_ASSERT_EQUAL(snp_tcb_encode(SNP_TURIN, &t), 0x0500000004030201);
    CU_ASSERT_EQUAL(snp_tcb_decode(SNP_TURIN, 0x0500000004030201, "X", &back, NULL), ATTEST_OK);
    CU_ASSERT_EQUAL(memcmp(&t, &back, sizeof(t)), 0);
    for (unsigned int byte = 0; byte < 8; byte++) {
        uint64_t raw = 1ULL << (8 * byte);
        bool legacy = byte < 2 || byte > 5, fmc = byte < 4 || byte == 7;

        CU_ASSERT_EQUAL(snp_tcb_decode(SNP_MILAN, raw, "X", &back, NULL),
                        legacy ? ATTEST_OK : ATTEST_RESERVED);
        CU_ASSERT_EQUAL(snp_tcb_decode(SNP_VENICE, raw, "X", &back, NULL),
                        fmc ? ATTEST_OK : ATTEST_RESERVED);
    }
}

static void products_are_told_by_family_and_model(void)
{
    static const struct {
        uint8_t family, model;
        enum snp_product product;
    } cases[] = {
        {0x19, 0x00, SNP_MILAN},           {0x19, 0x0f, SNP_MILAN},
        {0x19, 0x10, SNP_GENOA},           {0x19, 0x1f, SNP_GENOA},
        {0x19, 0x20, SNP_PRODUCT_UNKNOWN}, {0x19, 0x9f, SNP_PRODUCT_UNKNOWN},
        {0x19, 0xa0, SNP_GENOA},           {0x19, 0xaf, SNP_GENOA},
        {0x19, 0xb0, SNP_PRODUCT_UNKNOWN}, {0x1a, 0x00, SNP_TURIN},
        {0x1a, 0x11, SNP_TURIN},           {0x1a, 0x12, SNP_PRODUCT_UNKNOWN},
        {0x1a, 0x50, SNP_VENICE},          {0x1a, 0x57, SNP_VENICE},
        {0x1a, 0x58, SNP_PRODUCT_UNKNOWN}, {0x1a, 0x90, SNP_VENICE},
        {0x1a, 0xaf, SNP_VENICE},          {0x1a, 0xc0, SNP_VENICE},
        {0x1a, 0xc7, SNP_VENICE},          {0x1a, 0xc8, SNP_PRODUCT_UNKNOWN},
        {0x17, 0x31, SNP_PRODUCT_UNKNOWN},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CU_ASSERT_EQUAL(snp_product_of_cpu(cases[i].family, cases[i].model), cases[i].product);
    }
}

static const struct cu_test tests[] = {
    CU(each_component_of_a_tcb_counts_by_itself),
    CU(tcbs_are_laid_out_by_product),
    CU(products_are_told_by_family_and_model),
    CU(a_report_that_brings_its_certificates_needs_no_collateral),
    CU(a_table_that_points_outside_itself_is_refused),
    CU(a_table_with_too_many_certificates_is_refused),
    CU(a_table_of_garbage_is_refused_as_no_certificate),
    CU(a_firmware_response_and_zero_padding_are_read),
    CU(authorities_of_one_name_do_not_hide_each_other),
    CU(a_forged_certificate_for_the_chip_does_not_hide_the_true_one),
    CU(evidence_of_a_kind_that_the_policy_does_not_speak_of_is_refused),
    CU(the_newest_crl_of_the_time_decides),
    CU(a_crl_that_the_issuer_did_not_sign_does_not_count),
    CU(a_crl_counts_only_from_an_authority_that_may_sign_crls),
    CU(a_crl_for_some_certificates_only_is_refused),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("attest_snp_forms", tests, argc, argv);
}
