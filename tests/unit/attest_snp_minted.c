/*
 * SEV-SNP under a minted root: what real evidence cannot show (revoked, expired, other versions
 * and products), every policy member, and systematic tampering.
 */
#include "attest_snppki.h"
#include "cu.h"

#include <attest/evidence.h>
#include <attest/reader.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One world with one report in it. */
struct world {
    struct snppki *pki;
    uint8_t report[SNP_REPORT_SIZE];
};

static void open_world(struct world *w, const struct snppki_knobs *k, uint32_t version)
{
    w->pki = snppki_new(k);
    snppki_report(w->pki, version, w->report);
}

/* Judges the report; prints what was not expected. field NULL: any. */
static void judged(const struct world *w, const struct attest_input *base, bool no_root,
                   const char *top, const char *extra, enum attest_status st, const char *field)
{
    struct attest_policy *policy = snppki_policy(w->pki, no_root, top, extra);
    struct attest_verdict *v = attest_verdict_new();
    struct attest_input in = *base;
    char *text;

    in.collateral = snppki_collateral(w->pki);
    in.policy = policy;
    in.at = in.at == 0 ? SNPPKI_NOW : in.at;
    attest_verify(w->report, sizeof(w->report), &in, v);
    text = attest_verdict_text(v);
    if (attest_verdict_status(v) != st ||
        (field != NULL && strstr(attest_verdict_refusal(v, 0)->field, field) == NULL)) {
        fprintf(stderr, "wanted %s %s, got %s", attest_status_name(st), field, text);
        CU_FAIL("another verdict");
    }
    CU_ASSERT_EQUAL(attest_verdict_status(v), st);
    free(text);
    attest_verdict_free(v);
    attest_policy_free(policy);
}

static const struct attest_input plain;

static void expect(const struct world *w, const char *extra, enum attest_status st,
                   const char *field)
{
    judged(w, &plain, false, "", extra, st, field);
}

/* A fresh world whose version-3 report gets this verdict. */
static void expect_world(const struct snppki_knobs *k, enum attest_status st, const char *field)
{
    struct world w;

    open_world(&w, k, 3);
    expect(&w, "", st, field);
    snppki_free(w.pki);
}

static void emulated_evidence_is_refused_until_the_policy_names_its_root(void)
{
    struct world w;

    open_world(&w, &(struct snppki_knobs){0}, 3);
    judged(&w, &plain, true, "", "", ATTEST_ROOT_UNTRUSTED, "SPKI");
    expect(&w, "", ATTEST_OK, NULL);
    snppki_free(w.pki);
}

static void a_verdict_under_a_test_root_says_that_it_is_emulated(void)
{
    struct attest_verdict *v = attest_verdict_new();
    struct attest_policy *policy;
    struct world w;
    json_t *j;
    char *text;

    open_world(&w, &(struct snppki_knobs){0}, 5);
    policy = snppki_policy(w.pki, false, ",\"name\":\"test\"", "");
    attest_verify(w.report, sizeof(w.report),
                  &(struct attest_input){
                      .collateral = snppki_collateral(w.pki), .policy = policy, .at = SNPPKI_NOW},
                  v);
    attest_policy_free(policy);
    text = attest_verdict_text(v);
    j = attest_verdict_json(v);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "EMULATED"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "root: minted"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "freshness: not checked"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "revocation: not checked"));
    CU_ASSERT(json_is_true(json_object_get(json_object_get(j, "root"), "emulated")));
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(j, "verdict")), "trusted");
    json_decref(j);
    free(text);
    attest_verdict_free(v);
    snppki_free(w.pki);
}

static void a_test_root_for_another_kind_does_not_vouch(void)
{
    char top[256];
    struct world w;
    char hex[65];

    open_world(&w, &(struct snppki_knobs){0}, 3);
    for (size_t i = 0; i < 32; i++) {
        snprintf(hex + 2 * i, 3, "%02x", snppki_root_spki(w.pki)[i]);
    }
    snprintf(top, sizeof(top),
             ",\"test-roots\":[{\"name\":\"x\",\"kind\":\"tdx\",\"spki-sha256\":\"%s\"}]", hex);
    judged(&w, &plain, true, top, "", ATTEST_ROOT_UNTRUSTED, NULL);
    snppki_free(w.pki);
}

static void versions_two_to_five_are_read_and_others_refused_by_version(void)
{
    for (uint32_t version = 0; version < 9; version++) {
        struct world w;

        open_world(&w, &(struct snppki_knobs){0}, version);
        expect(&w, "",
               version >= 2 && version <= 5 ? ATTEST_OK
               : version == 0               ? ATTEST_UNRECOGNISED
                                            : ATTEST_UNSUPPORTED,
               version >= 2 && version <= 5 ? NULL
               : version == 0               ? "contents"
                                            : "VERSION");
        snppki_free(w.pki);
    }
}

static void what_version_four_may_have_added_shows_as_reserved(void)
{
    struct world w;

    open_world(&w, &(struct snppki_knobs){0}, 4);
    w.report[0x1f8] = 1;
    snppki_sign(w.pki, w.report);
    expect(&w, "", ATTEST_RESERVED, "1f8h");
    snppki_free(w.pki);
}

static void vleks_of_all_products_are_verified(void)
{
    expect_world(&(struct snppki_knobs){.vlek = true, .product = "Milan"}, ATTEST_OK, NULL);
    expect_world(&(struct snppki_knobs){.vlek = true, .product = "Genoa"}, ATTEST_OK, NULL);
    expect_world(&(struct snppki_knobs){.vlek = true, .product = "Turin", .fmc = true}, ATTEST_OK,
                 NULL);
    expect_world(&(struct snppki_knobs){.product = "Venice", .fmc = true}, ATTEST_OK, NULL);
}

static void a_vlek_from_an_ask_or_a_vcek_that_lies_about_itself_is_refused(void)
{
    expect_world(&(struct snppki_knobs){.vlek = true, .product = "Milan", .asvk_named_ask = true},
                 ATTEST_CHAIN, "issuer");
    expect_world(&(struct snppki_knobs){.product = "Rome"}, ATTEST_UNSUPPORTED, "productName");
    expect_world(&(struct snppki_knobs){.product = "Genoa"}, ATTEST_OK, NULL);
    expect_world(&(struct snppki_knobs){.product = "Turin"}, ATTEST_MALFORMED, "3.9");
    expect_world(&(struct snppki_knobs){.no_hwid = true}, ATTEST_MALFORMED, "3704.1.4");
    expect_world(&(struct snppki_knobs){.short_hwid = true}, ATTEST_MALFORMED, "hwID");
    expect_world(&(struct snppki_knobs){.big_spl = true}, ATTEST_MALFORMED, "3.8");
    expect_world(&(struct snppki_knobs){.reserved_spl = true}, ATTEST_RESERVED, "3.4");
    expect_world(&(struct snppki_knobs){.repeated = true}, ATTEST_MALFORMED, "3.2");
    expect_world(&(struct snppki_knobs){.p256 = true}, ATTEST_UNSUPPORTED, "public key");
}

static void a_revoked_ask_is_refused(void)
{
    expect_world(&(struct snppki_knobs){.revoke_ask = true}, ATTEST_REVOKED, "serialNumber");
    expect_world(&(struct snppki_knobs){.with_crl = true}, ATTEST_OK, NULL);
}

static void crls_are_demanded_when_the_policy_says_so_and_must_be_current(void)
{
    struct world w;

    open_world(&w, &(struct snppki_knobs){0}, 3);
    judged(&w, &plain, false, ",\"require-crl\":true", "", ATTEST_COLLATERAL_MISSING, "CRL");
    snppki_free(w.pki);
    open_world(&w, &(struct snppki_knobs){.with_crl = true}, 3);
    judged(&w, &plain, false, ",\"require-crl\":true", "", ATTEST_OK, NULL);
    judged(&w, &(struct attest_input){.at = SNPPKI_NOW + 30 * 86400}, false, "", "",
           ATTEST_COLLATERAL_EXPIRED, "nextUpdate");
    snppki_free(w.pki);
}

static void each_certificate_must_be_valid_at_the_time(void)
{
    expect_world(&(struct snppki_knobs){.vek_until = "2026-06-14"}, ATTEST_EXPIRED, "notAfter");
    expect_world(&(struct snppki_knobs){.vek_from = "2026-06-16"}, ATTEST_NOT_YET_VALID,
                 "notBefore");
    expect_world(&(struct snppki_knobs){.ask_until = "2026-06-14"}, ATTEST_EXPIRED, "notAfter");
}

static void certificates_must_form_a_chain_of_authorities(void)
{
    expect_world(&(struct snppki_knobs){.wrong_issuer = true}, ATTEST_CHAIN, "issuer");
    expect_world(&(struct snppki_knobs){.ask_not_ca = true}, ATTEST_CHAIN, NULL);
    expect_world(&(struct snppki_knobs){.no_ask = true}, ATTEST_COLLATERAL_MISSING, "issuer");
    expect_world(&(struct snppki_knobs){.vek_by_ark = true}, ATTEST_CHAIN, "certificate chain");
}

static void any_single_changed_byte_makes_a_report_untrusted(void)
{
    struct attest_policy *policy;
    struct attest_verdict *v = attest_verdict_new();
    struct world w;
    size_t bad = 0;

    open_world(&w, &(struct snppki_knobs){0}, 5);
    policy = snppki_policy(w.pki, false, "", "");
    for (size_t i = 0; i < sizeof(w.report); i++) {
        static const uint8_t flips[] = {0x01, 0x80, 0xff};

        for (size_t f = 0; f < sizeof(flips); f++) {
            w.report[i] ^= flips[f];
            attest_verdict_reset(v);
            bad += attest_verify(w.report, sizeof(w.report),
                                 &(struct attest_input){.collateral = snppki_collateral(w.pki),
                                                        .policy = policy,
                                                        .at = SNPPKI_NOW},
                                 v) == ATTEST_OK;
            bad += attest_verdict_claims(v) != NULL; /* nothing unauthentic is told as a claim */
            w.report[i] ^= flips[f];
        }
    }
    CU_ASSERT_EQUAL(bad, 0);
    expect(&w, "", ATTEST_OK, NULL);
    attest_verdict_free(v);
    attest_policy_free(policy);
    snppki_free(w.pki);
}

static void any_truncated_report_is_refused(void)
{
    struct world w;
    struct snp_report r;
    struct attest_error err;

    open_world(&w, &(struct snppki_knobs){0}, 3);
    for (size_t len = 0; len < sizeof(w.report); len += 7) {
        CU_ASSERT_EQUAL(snp_report_parse(w.report, len, &r, &err), ATTEST_TRUNCATED);
        CU_ASSERT_STRING_EQUAL(err.field, "size");
    }
    snppki_free(w.pki);
}

/* Changes a field, signs again, and looks for the refusal. */
static void changed(size_t at, uint8_t value, uint32_t version, const char *extra,
                    enum attest_status st, const char *field)
{
    struct world w;

    open_world(&w, &(struct snppki_knobs){0}, version);
    w.report[at] = value;
    snppki_sign(w.pki, w.report);
    expect(&w, extra, st, field);
    snppki_free(w.pki);
}

static void signed_nonsense_is_refused_by_field(void)
{
    changed(0x34, 2, 3, "", ATTEST_UNRECOGNISED, NULL);
    changed(0x30, 4, 3, "", ATTEST_MALFORMED, "VMPL");
    changed(0x48, 2 << 2, 3, "", ATTEST_UNSUPPORTED, "SIGNING_KEY");
    changed(0x48, 7 << 2, 3, "", ATTEST_UNSUPPORTED, "SIGNING_KEY");
    changed(0x48, 0x20, 3, "", ATTEST_RESERVED, "flags");
    changed(0x4c, 1, 3, "", ATTEST_RESERVED, "4ch");
    changed(0x0b, 4, 3, "", ATTEST_RESERVED, "POLICY");
    changed(0x188, 0x17, 3, "", ATTEST_UNSUPPORTED, "CPUID");
    changed(0x189, 0x11, 3, "", ATTEST_BINDING, "CPUID");
    changed(0x1a0, 0, 3, "", ATTEST_BINDING, "CHIP_ID");
    changed(0x187, 210, 3, "", ATTEST_BINDING, "REPORTED_TCB");
    changed(0x3a, 1, 3, "", ATTEST_RESERVED, "CURRENT_TCB");
    changed(0x48, 1 << 2, 3, "", ATTEST_BINDING, "SIGNING_KEY");
}

#define H32 "2222222222222222222222222222222222222222222222222222222222222222"
#define Z48                                                                                        \
    "00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000" \
    "0000"
#define O48                                                                                        \
    "01000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000" \
    "0000"

/* The minted reports have no ID block: its key's digest is zero. */
#define OWN_KEY ",\"id-key-digest\":\"" Z48 "\""

static void every_policy_member_refuses_what_it_is_there_for(void)
{
    static const struct {
        size_t at;
        uint8_t value;
        const char *extra;
        enum attest_status st;
        const char *field;
    } cases[] = {
        {0x90, 0, "", ATTEST_MEASUREMENT, "MEASUREMENT"},
        {0xc0, 9, ",\"host-data\":\"" H32 "\"", ATTEST_POLICY, "HOST_DATA"},
        {0x50, 9, ",\"report-data\":\"" H32 H32 "\"", ATTEST_POLICY, "REPORT_DATA"},
        {0xe0, 9, ",\"id-key-digest\":[\"" Z48 "\",\"" O48 "\"]", ATTEST_IDENTITY, "ID_KEY_DIGEST"},
        {0x110, 9, ",\"author-key-digest\":\"" Z48 "\"", ATTEST_IDENTITY, "AUTHOR_KEY_EN"},
        {0x48, 1, ",\"author-key-digest\":\"" O48 "\"", ATTEST_IDENTITY, "AUTHOR_KEY_DIGEST"},
        {0x10, 9, ",\"family-id\":\"00000000000000000000000000000000\"" OWN_KEY, ATTEST_IDENTITY,
         "FAMILY_ID"},
        {0x20, 9, ",\"image-id\":\"00000000000000000000000000000000\"" OWN_KEY, ATTEST_IDENTITY,
         "IMAGE_ID"},
        {0x1a0, 0x5a, ",\"chip-id\":\"" H32 H32 "\"", ATTEST_IDENTITY, "CHIP_ID"},
        {0x0a, 0x0b, "", ATTEST_DEBUG, "DEBUG"},
        {0x0a, 0x07, "", ATTEST_POLICY, "POLICY"},
        {0x0a, 0x02, ",\"policy-require\":[\"smt\"]", ATTEST_POLICY, "POLICY"},
        {0x0a, 0x03, ",\"policy-forbid\":[\"smt\"]", ATTEST_POLICY, "POLICY"},
        {0x40, 0x20, ",\"platform-require\":[\"ecc\"]", ATTEST_PLATFORM, "PLATFORM_INFO"},
        {0x40, 0x02, ",\"platform-forbid\":[\"tsme\"]", ATTEST_PLATFORM, "PLATFORM_INFO"},
        {0x30, 1, "", ATTEST_POLICY, "VMPL"},
        {0x04, 1, ",\"minimum-guest-svn\":2" OWN_KEY, ATTEST_POLICY, "GUEST_SVN"},
        {0x3f, 210, "", ATTEST_TCB, "CURRENT_TCB"},
        {0x1e9, 56, "", ATTEST_TCB, "CURRENT_TCB"},
        {0x1ed, 54, ",\"minimum-firmware\":\"1.55\",\"provisional-firmware\":true", ATTEST_TCB,
         "COMMITTED_VERSION"},
        {0x1f8, 2, ",\"launch-mitigations\":\"0x3\"", ATTEST_PLATFORM, "LAUNCH_MIT_VECTOR"},
        {0x200, 3, ",\"current-mitigations\":4", ATTEST_PLATFORM, "CURRENT_MIT_VECTOR"},
        {0x1f7, 208,
         ",\"minimum-launch-tcb\":{\"Milan\":{\"bootloader\":0,\"tee\":0,\"snp\":0,"
         "\"microcode\":209}}",
         ATTEST_TCB, "LAUNCH_TCB"},
        {0x04, 0,
         ",\"minimum-committed-tcb\":{\"Genoa\":{\"bootloader\":0,\"tee\":0,\"snp\":0,"
         "\"microcode\":0}}",
         ATTEST_REFERENCE_MISSING, "COMMITTED_TCB"},
        {0x04, 0, ",\"csp-id\":\"CN=somebody\"", ATTEST_IDENTITY, "CSP_ID"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        changed(cases[i].at, cases[i].value, 5, cases[i].extra, cases[i].st, cases[i].field);
    }
}

static void a_reported_tcb_below_the_minimum_is_refused(void)
{
    expect_world(&(struct snppki_knobs){.policy_snp = 8}, ATTEST_OK, NULL);
    expect_world(&(struct snppki_knobs){.policy_snp = 9}, ATTEST_TCB, "REPORTED_TCB");
}

static void a_masked_chip_id_is_refused_unless_the_policy_takes_it(void)
{
    struct world w;

    open_world(&w, &(struct snppki_knobs){0}, 3);
    memset(w.report + 0x1a0, 0, 64);
    snppki_sign(w.pki, w.report);
    expect(&w, "", ATTEST_IDENTITY, "CHIP_ID");
    expect(&w, ",\"masked-chip-id\":true", ATTEST_OK, NULL);
    snppki_free(w.pki);
}

static void a_nonce_must_be_the_whole_report_data(void)
{
    uint8_t nonce[65];
    struct world w;

    memset(nonce, 0x22, sizeof(nonce));
    open_world(&w, &(struct snppki_knobs){0}, 3);
    judged(&w, &(struct attest_input){.nonce = nonce, .nonce_len = 64}, false, "", "", ATTEST_OK,
           NULL);
    judged(&w, &(struct attest_input){.nonce = nonce, .nonce_len = 32}, false, "", "", ATTEST_NONCE,
           "REPORT_DATA");
    judged(&w, &(struct attest_input){.nonce = nonce, .nonce_len = 65}, false, "", "", ATTEST_NONCE,
           "REPORT_DATA");
    memset(w.report + 0x50 + 32, 0, 32);
    snppki_sign(w.pki, w.report);
    judged(&w, &(struct attest_input){.nonce = nonce, .nonce_len = 32}, false, "", "", ATTEST_OK,
           NULL);
    snppki_free(w.pki);
}

static void a_verdict_gathers_every_refusal(void)
{
    struct attest_verdict *v = attest_verdict_new();
    struct attest_policy *policy;
    struct world w;

    open_world(&w, &(struct snppki_knobs){0}, 3);
    w.report[0x90] = 0;
    w.report[0x30] = 2;
    w.report[0x0a] = 0x0b;
    snppki_sign(w.pki, w.report);
    policy = snppki_policy(w.pki, false, "", "");
    attest_verify(w.report, sizeof(w.report),
                  &(struct attest_input){
                      .collateral = snppki_collateral(w.pki), .policy = policy, .at = SNPPKI_NOW},
                  v);
    CU_ASSERT_EQUAL(attest_verdict_refusals(v), 3);
    CU_ASSERT_EQUAL(attest_verdict_refusal(v, 0)->status, ATTEST_MEASUREMENT);
    CU_ASSERT_EQUAL(attest_verdict_refusal(v, 1)->status, ATTEST_DEBUG);
    CU_ASSERT_EQUAL(attest_verdict_refusal(v, 2)->status, ATTEST_POLICY);
    attest_policy_free(policy);
    attest_verdict_free(v);
    snppki_free(w.pki);
}

static const struct cu_test tests[] = {
    CU(emulated_evidence_is_refused_until_the_policy_names_its_root),
    CU(a_verdict_under_a_test_root_says_that_it_is_emulated),
    CU(a_test_root_for_another_kind_does_not_vouch),
    CU(versions_two_to_five_are_read_and_others_refused_by_version),
    CU(what_version_four_may_have_added_shows_as_reserved),
    CU(vleks_of_all_products_are_verified),
    CU(a_vlek_from_an_ask_or_a_vcek_that_lies_about_itself_is_refused),
    CU(a_revoked_ask_is_refused),
    CU(crls_are_demanded_when_the_policy_says_so_and_must_be_current),
    CU(each_certificate_must_be_valid_at_the_time),
    CU(certificates_must_form_a_chain_of_authorities),
    CU(any_single_changed_byte_makes_a_report_untrusted),
    CU(any_truncated_report_is_refused),
    CU(signed_nonsense_is_refused_by_field),
    CU(every_policy_member_refuses_what_it_is_there_for),
    CU(a_reported_tcb_below_the_minimum_is_refused),
    CU(a_masked_chip_id_is_refused_unless_the_policy_takes_it),
    CU(a_nonce_must_be_the_whole_report_data),
    CU(a_verdict_gathers_every_refusal),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("attest_snp_minted", tests, argc, argv);
}
