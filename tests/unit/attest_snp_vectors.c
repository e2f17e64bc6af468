/*
 * Every real SEV-SNP report of the vectors: each field as the index states it, the chain and the
 * signature good, and refused for its stated reason where it is to be refused.
 */
#include "attest_file.h"
#include "cu.h"

#include <attest/evidence.h>
#include <attest/hex.h>
#include <attest/snp.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *expected(void)
{
    size_t len;
    uint8_t *p = vector_read("snp/expected.json", &len);
    json_t *j = p == NULL ? NULL : json_loadb((const char *)p, len, 0, NULL);

    if (p == NULL) {
        cu_skip(12, "no vectors: real SNP reports are not tried");
    }
    free(p);
    return j;
}

static struct attest_collateral *collateral(const char *extra)
{
    static const char *const cas[] = {
        "snp/ca/ask_ark_milan.pem",      "snp/ca/ask_ark_milan_vlek.pem",
        "snp/ca/ask_ark_genoa.pem",      "snp/ca/ask_ark_genoa_vlek.pem",
        "snp/ca/ask_ark_turin_vcek.pem", "snp/ca/ask_ark_turin_vlek.pem",
    };
    struct attest_collateral *c = attest_collateral_new();

    for (size_t i = 0; i < sizeof(cas) / sizeof(cas[0]); i++) {
        CU_ASSERT_EQUAL(vector_add(c, cas[i]), 0);
    }
    if (extra != NULL) {
        CU_ASSERT_EQUAL(vector_add(c, extra), 0);
    }
    attest_collateral_seal(c);
    return c;
}

/* A policy that takes the case as it is, but for the members given. */
static struct attest_policy *policy_for(const json_t *want, const char *members)
{
    static const char *const tcb = "{\"bootloader\":0,\"tee\":0,\"snp\":0,\"microcode\":0}";
    struct attest_error err = {0};
    struct attest_policy *p = NULL;
    char text[2048];

    snprintf(text, sizeof(text),
             "{\"version\":1,\"sev-snp\":{\"measurement\":\"%s\",\"minimum-tcb\":{\"Milan\":%s,"
             "\"Genoa\":%s,\"Turin\":{\"fmc\":0,\"bootloader\":0,\"tee\":0,\"snp\":0,"
             "\"microcode\":0}}%s}}",
             json_string_value(json_object_get(want, "measurement")), tcb, tcb, members);
    if (attest_policy_parse(text, strlen(text), &p, &err) != ATTEST_OK) {
        fprintf(stderr, "%s\n", attest_error_text(&err, text, sizeof(text)));
    }
    CU_ASSERT_PTR_NOT_NULL_FATAL(p);
    return p;
}

static int64_t time_of(const json_t *want, const char *key)
{
    char text[24];
    int64_t t = 0;

    snprintf(text, sizeof(text), "%.10sT%.8sZ", json_string_value(json_object_get(want, key)),
             json_string_value(json_object_get(want, key)) + 11);
    CU_ASSERT(attest_time_parse(text, &t));
    return t;
}

/* The verdict on a case, at an hour after its certificate became valid plus `later`. */
static struct attest_verdict *judge(const char *name, const json_t *want, const char *members,
                                    const char *vek, int64_t later)
{
    struct attest_policy *policy = policy_for(want, members);
    struct attest_verdict *v = attest_verdict_new();
    struct attest_collateral *c;
    char path[128];
    uint8_t *report;
    size_t len;

    snprintf(path, sizeof(path), "snp/reports/%s/%s", name, vek);
    c = collateral(vek[0] != '\0' ? path : NULL);
    snprintf(path, sizeof(path), "snp/reports/%s/report.bin", name);
    report = vector_read(path, &len);
    CU_ASSERT_PTR_NOT_NULL_FATAL(report);
    attest_verify(report, len,
                  &(struct attest_input){.collateral = c,
                                         .policy = policy,
                                         .at = time_of(want, "cert_not_before") + 3600 + later},
                  v);
    free(report);
    attest_collateral_free(c);
    attest_policy_free(policy);
    return v;
}

static void expect(struct attest_verdict *v, enum attest_status st, const char *field)
{
    char *text = attest_verdict_text(v);

    if (attest_verdict_status(v) != st ||
        (field != NULL && strstr(attest_verdict_refusal(v, 0)->field, field) == NULL)) {
        fprintf(stderr, "wanted %s %s, got %s", attest_status_name(st), field, text);
    }
    CU_ASSERT_EQUAL(attest_verdict_status(v), st);
    if (field != NULL && attest_verdict_refusals(v) > 0) {
        CU_ASSERT_PTR_NOT_NULL(strstr(attest_verdict_refusal(v, 0)->field, field));
    }
    free(text);
    attest_verdict_free(v);
}

#define LENIENT                                                                                    \
    ",\"debug\":true,\"provisional-firmware\":true,\"vmpl\":[0,1,2,3],\"signer\":[\"vcek\","       \
    "\"vlek\"]"

static void every_real_report_is_trusted_by_a_policy_that_fits(void)
{
    json_t *all = expected();
    const char *name;
    json_t *want;

    json_object_foreach(all, name, want)
    {
        expect(judge(name, want, LENIENT, "vek.der", 0), ATTEST_OK, NULL);
    }
    printf("SNP reports: %zu real ones judged\n", json_object_size(all));
    json_decref(all);
}

/* The index writes '_' where claims, like policies, have '-'. */
static const json_t *claim(const json_t *claims, const char *key)
{
    char name[32];

    snprintf(name, sizeof(name), "%s", key);
    for (char *c = name; *c != '\0'; c++) {
        *c = *c == '_' ? '-' : *c;
    }
    return json_object_get(claims, name);
}

static void check_string(const json_t *claims, const json_t *want, const char *key)
{
    const char *a = json_string_value(claim(claims, key));
    const char *b = json_string_value(json_object_get(want, key));

    CU_ASSERT(a != NULL && b != NULL && strcmp(a, b) == 0);
}

static void check_tcb(const json_t *claims, const json_t *want, const char *key)
{
    static const char *const names[][2] = {{"bl", "bootloader"},
                                           {"tee", "tee"},
                                           {"snp", "snp"},
                                           {"ucode", "microcode"},
                                           {"fmc", "fmc"}};
    const json_t *got = claim(claims, key);
    const json_t *exp = json_object_get(want, key);

    CU_ASSERT(json_is_object(got) && json_is_object(exp));
    for (size_t i = 0; i < 5; i++) {
        CU_ASSERT_EQUAL(json_integer_value(json_object_get(exp, names[i][0])),
                        json_integer_value(json_object_get(got, names[i][1])));
    }
}

static void check_fields(const json_t *claims, const json_t *want)
{
    static const char *const strings[] = {"product", "policy",      "platform_info", "measurement",
                                          "chip_id", "report_data", "host_data"};
    static const char *const tcbs[] = {"current_tcb", "reported_tcb", "committed_tcb",
                                       "launch_tcb"};
    static const char *const numbers[] = {"version", "guest_svn", "vmpl"};

    for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++) {
        check_string(claims, want, strings[i]);
    }
    for (size_t i = 0; i < sizeof(tcbs) / sizeof(tcbs[0]); i++) {
        check_tcb(claims, want, tcbs[i]);
    }
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        CU_ASSERT_EQUAL(json_integer_value(claim(claims, numbers[i])),
                        json_integer_value(json_object_get(want, numbers[i])));
    }
    CU_ASSERT_EQUAL(json_is_true(json_object_get(claims, "debug")),
                    json_is_true(json_object_get(want, "debug")));
    CU_ASSERT_STRING_EQUAL(json_string_value(claim(claims, "signing_key")),
                           json_string_value(json_object_get(want, "signer")));
    if (json_integer_value(json_object_get(want, "version")) == 5) {
        CU_ASSERT_EQUAL(strtoull(json_string_value(claim(claims, "launch_mit_vector")), NULL, 16),
                        (uint64_t)json_integer_value(json_object_get(want, "launch_mit_vector")));
    }
}

static void every_field_of_every_real_report_reads_as_the_index_says(void)
{
    json_t *all = expected();
    const char *name;
    json_t *want;

    json_object_foreach(all, name, want)
    {
        struct attest_verdict *v = judge(name, want, LENIENT, "vek.der", 0);

        CU_ASSERT_PTR_NOT_NULL_FATAL(attest_verdict_claims(v));
        check_fields(attest_verdict_claims(v), want);
        attest_verdict_free(v);
    }
    json_decref(all);
}

static void a_debuggable_guest_is_refused_by_default(void)
{
    json_t *all = expected();
    const json_t *want = json_object_get(all, "milan-v2-a");

    if (want != NULL) {
        expect(judge("milan-v2-a", want, "", "vek.der", 0), ATTEST_DEBUG, "DEBUG");
    }
    json_decref(all);
}

static void provisional_firmware_is_refused_by_default(void)
{
    json_t *all = expected();
    const json_t *want = json_object_get(all, "milan-v2-coco");

    if (want != NULL) {
        expect(judge("milan-v2-coco", want, "", "vek.der", 0), ATTEST_TCB, "CURRENT_TCB");
    }
    json_decref(all);
}

static void a_vlek_report_is_refused_unless_the_policy_takes_vleks_and_its_vmpl(void)
{
    json_t *all = expected();
    const json_t *want = json_object_get(all, "milan-v3-vlek-aws");

    if (want != NULL) {
        expect(judge("milan-v3-vlek-aws", want, ",\"provisional-firmware\":true", "vek.der", 0),
               ATTEST_IDENTITY, "SIGNING_KEY");
        expect(judge("milan-v3-vlek-aws", want,
                     ",\"provisional-firmware\":true,\"signer\":[\"vlek\"]", "vek.der", 0),
               ATTEST_POLICY, "VMPL");
        expect(judge("milan-v3-vlek-aws", want,
                     LENIENT ",\"csp-id\":\"CN=cc-us-east-2.amazonaws.com\"", "vek.der", 0),
               ATTEST_OK, NULL);
        expect(
            judge("milan-v3-vlek-aws", want, LENIENT ",\"csp-id\":\"CN=elsewhere\"", "vek.der", 0),
            ATTEST_IDENTITY, "CSP_ID");
    }
    json_decref(all);
}

static void an_expired_vlek_is_refused_with_its_date(void)
{
    json_t *all = expected();
    const json_t *want = json_object_get(all, "milan-v3-vlek-aws");

    if (want != NULL) {
        expect(judge("milan-v3-vlek-aws", want, LENIENT, "vek.der", 366 * 86400), ATTEST_EXPIRED,
               "notAfter");
    }
    json_decref(all);
}

static void two_certificates_for_one_key_both_serve(void)
{
    json_t *all = expected();
    const json_t *want = json_object_get(all, "milan-v3-ms");

    if (want != NULL) {
        expect(judge("milan-v3-ms", want, LENIENT, "vek1.der", 86400 * 60), ATTEST_OK, NULL);
    }
    json_decref(all);
}

static void a_report_without_its_certificate_says_so(void)
{
    json_t *all = expected();
    const json_t *want = json_object_get(all, "genoa-v3-ms");

    if (want != NULL) {
        expect(judge("genoa-v3-ms", want, LENIENT, "", 0), ATTEST_COLLATERAL_MISSING,
               "certificate");
    }
    json_decref(all);
}

static void a_report_tells_where_its_certificate_is_published(void)
{
    static const struct {
        const char *name;
        const char *url;
    } cases[] = {
        {"turin-v5-ms", "https://kdsintf.amd.com/vcek/v1/Turin/59790fb1c39f35c1?fmcSPL=01&blSPL=01&"
                        "teeSPL=01&snpSPL=04&ucodeSPL=81"},
        {"genoa-v3-ms",
         "https://kdsintf.amd.com/vcek/v1/Genoa/"
         "b1e24a27bbc3a4d58090d8b89851dce3b8031544be249b9ac171"
         "32bb222b027622347ee4d0fe4f689efdfc47a68cefc686cbb448d01436506ee1e28010cab7c0?blSPL=10&"
         "teeSPL=00&snpSPL=23&ucodeSPL=84"},
        {"milan-v3-vlek-aws", NULL},
        {"milan-v2-a", NULL}, /* version 2 does not name its product */
    };
    char path[96], url[SNP_URL_MAX];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct snp_report r;
        size_t len;
        uint8_t *p;
        bool told;

        snprintf(path, sizeof(path), "snp/reports/%s/report.bin", cases[i].name);
        p = vector_read(path, &len);
        if (p == NULL) {
            cu_skip(1, "no vectors: addresses are not tried");
            continue;
        }
        CU_ASSERT_EQUAL(snp_report_parse(p, len, &r, NULL), ATTEST_OK);
        told = snp_vcek_url(&r, snp_report_product(&r), url, sizeof(url));
        CU_ASSERT_EQUAL(told, cases[i].url != NULL);
        CU_ASSERT(!told || strcmp(url, cases[i].url) == 0);
        free(p);
    }
}

static void another_chips_certificate_is_refused_by_chip_id(void)
{
    json_t *all = expected();
    const json_t *want = json_object_get(all, "genoa-v3-ms");

    if (want != NULL) {
        expect(judge("genoa-v3-ms", want, LENIENT, "../genoa-v5-oak/vek.der", 0), ATTEST_BINDING,
               "CHIP_ID");
        expect(judge("genoa-v3-ms", want, LENIENT, "../milan-v3-ms/vek.der", 0), ATTEST_BINDING,
               "CPUID");
        expect(judge("genoa-v3-ms", want, LENIENT, "../milan-v3-vlek-aws/vek.der", 0),
               ATTEST_BINDING, "SIGNING_KEY");
    }
    json_decref(all);
}

/* Signed by nobody: the certificate alone must fail at its chain, not at something else. */
static void certificates_that_no_ask_signed_do_not_chain(void)
{
    static const char *const bad[] = {"snp/certs/NEG-vcek-invalid-legacy.der",
                                      "snp/certs/NEG-vcek-invalid-new.der"};
    static const char *const good[] = {"snp/certs/vcek-genoa-coco.der",
                                       "snp/certs/vcek-milan-2021.der",
                                       "snp/certs/vcek-turin-early.der"};
    struct attest_collateral *c;
    struct attest_chain chain;
    struct attest_error err;
    size_t i;

    if (cu_vectors() == NULL) {
        cu_skip(5, "no vectors: certificates are not tried");
        return;
    }
    for (i = 0; i < 2; i++) {
        c = collateral(bad[i]);
        CU_ASSERT_EQUAL(attest_chain_build(c, attest_collateral_cert(c, 9), NULL, 0, &chain, &err),
                        ATTEST_CHAIN);
        attest_collateral_free(c);
    }
    for (i = 0; i < 3; i++) {
        const struct snp_vek *vek;

        c = collateral(good[i]);
        CU_ASSERT_EQUAL(attest_chain_build(c, attest_collateral_cert(c, 9), NULL, 0, &chain, &err),
                        ATTEST_OK);
        CU_ASSERT_EQUAL(snp_vek_of(attest_collateral_cert(c, 9), &vek, &err), ATTEST_OK);
        CU_ASSERT_EQUAL(vek->hwid_len, (size_t)(i == 2 ? 8 : 64));
        attest_collateral_free(c);
    }
}

static const struct cu_test tests[] = {
    CU(every_real_report_is_trusted_by_a_policy_that_fits),
    CU(every_field_of_every_real_report_reads_as_the_index_says),
    CU(a_debuggable_guest_is_refused_by_default),
    CU(provisional_firmware_is_refused_by_default),
    CU(a_vlek_report_is_refused_unless_the_policy_takes_vleks_and_its_vmpl),
    CU(an_expired_vlek_is_refused_with_its_date),
    CU(two_certificates_for_one_key_both_serve),
    CU(a_report_without_its_certificate_says_so),
    CU(a_report_tells_where_its_certificate_is_published),
    CU(another_chips_certificate_is_refused_by_chip_id),
    CU(certificates_that_no_ask_signed_do_not_chain),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("attest_snp_vectors", tests, argc, argv);
}
