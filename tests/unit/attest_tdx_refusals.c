/* Each way in which a quote, its chain or its collateral can be wrong is refused for that reason.
 */
#include "attest_tdx.h"
#include "attest_tdxpki.h"
#include "cu.h"

#include <attest/tdx_collateral.h>

#include <stdlib.h>
#include <string.h>

static struct attest_verdict *judge(const struct tdxpki_knobs *k, const struct tdxpki_quote *qk,
                                    const char *members, bool trusted)
{
    struct tdxpki *p = tdxpki_new(k);
    size_t len;
    uint8_t *quote = tdxpki_quote(p, qk, &len);
    struct attest_verdict *v = tdx_judge(&(struct tdx_case){.quote = quote,
                                                            .len = len,
                                                            .collateral = tdxpki_collateral(p),
                                                            .members = members,
                                                            .top = trusted ? tdxpki_top(p) : "",
                                                            .at = tdx_time(TDXPKI_NOW)});
    free(quote);
    tdxpki_free(p);
    return v;
}

static void expect_world(struct tdxpki_knobs k, enum attest_status st, const char *field,
                         const char *found)
{
    tdx_expect(judge(&k, &(struct tdxpki_quote){0}, "", true), st, field, found);
}

static void expect_quote(struct tdxpki_quote q, enum attest_status st, const char *field,
                         const char *found)
{
    tdx_expect(judge(&(struct tdxpki_knobs){0}, &q, "", true), st, field, found);
}

static void a_minted_root_is_refused_unless_named(void)
{
    tdx_expect(judge(&(struct tdxpki_knobs){0}, &(struct tdxpki_quote){0}, "", false),
               ATTEST_ROOT_UNTRUSTED, "SPKI", NULL);
}

static void a_revoked_certificate_is_refused(void)
{
    expect_world((struct tdxpki_knobs){.revoke_pck = true}, ATTEST_REVOKED, "serialNumber",
                 "Intel SGX PCK Platform CA");
    expect_world((struct tdxpki_knobs){.revoke_ca = true}, ATTEST_REVOKED, "serialNumber",
                 "Intel SGX Root CA");
    expect_world((struct tdxpki_knobs){.revoke_signer = true}, ATTEST_REVOKED, "serialNumber",
                 "Intel SGX Root CA");
}

static void missing_collateral_is_named(void)
{
    expect_world((struct tdxpki_knobs){.no_pck_crl = true}, ATTEST_COLLATERAL_MISSING, "CRL", NULL);
    expect_world((struct tdxpki_knobs){.no_root_crl = true}, ATTEST_COLLATERAL_MISSING, "CRL",
                 NULL);
    expect_world((struct tdxpki_knobs){.no_tcb_info = true}, ATTEST_COLLATERAL_MISSING, "fmspc",
                 NULL);
    expect_world((struct tdxpki_knobs){.no_identity = true}, ATTEST_COLLATERAL_MISSING, "id", NULL);
    expect_world((struct tdxpki_knobs){.fmspc = "00906ED50000"}, ATTEST_COLLATERAL_MISSING, "fmspc",
                 NULL);
    expect_world((struct tdxpki_knobs){.pceid = "0001"}, ATTEST_COLLATERAL_MISSING, "fmspc", NULL);
}

static void expired_items_are_named(void)
{
    expect_world((struct tdxpki_knobs){.pck_until = "2026-03-01"}, ATTEST_EXPIRED, NULL, NULL);
    expect_world((struct tdxpki_knobs){.pck_from = "2026-08-01"}, ATTEST_NOT_YET_VALID, NULL, NULL);
    expect_world((struct tdxpki_knobs){.signer_until = "2026-03-01"}, ATTEST_EXPIRED, NULL, NULL);
    expect_world((struct tdxpki_knobs){.crl_until = "2026-06-10"}, ATTEST_COLLATERAL_EXPIRED,
                 "nextUpdate", NULL);
    expect_world((struct tdxpki_knobs){.root_crl_until = "2026-06-10"}, ATTEST_COLLATERAL_EXPIRED,
                 "nextUpdate", NULL);
    expect_world((struct tdxpki_knobs){.tcb_info_until = "2026-06-10"}, ATTEST_COLLATERAL_EXPIRED,
                 "nextUpdate", NULL);
    expect_world((struct tdxpki_knobs){.identity_until = "2026-06-10"}, ATTEST_COLLATERAL_EXPIRED,
                 "nextUpdate", NULL);
    expect_world((struct tdxpki_knobs){.tcb_info_from = "2026-06-20"}, ATTEST_NOT_YET_VALID,
                 "issueDate", NULL);
}

static void each_sort_of_collateral_has_its_own_time(void)
{
    static const struct {
        struct tdxpki_knobs k;
        const char *members;
    } rows[] = {
        {{.pck_until = "2026-03-01"}, ",\"times\":{\"certificates\":\"2026-02-01\"}"},
        {{.crl_until = "2026-06-10"}, ",\"times\":{\"crls\":\"2026-06-05\"}"},
        {{.tcb_info_until = "2026-06-10"}, ",\"times\":{\"tcb-info\":\"2026-06-05\"}"},
        {{.identity_until = "2026-06-10"}, ",\"times\":{\"qe-identity\":\"2026-06-05\"}"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        tdx_expect(judge(&rows[i].k, &(struct tdxpki_quote){0}, rows[i].members, true), ATTEST_OK,
                   NULL, NULL);
    }
}

static void collateral_with_a_broken_signature_is_refused(void)
{
    expect_world((struct tdxpki_knobs){.tcb_info_signature_broken = true}, ATTEST_SIGNATURE,
                 "signature", NULL);
    expect_world((struct tdxpki_knobs){.identity_signature_broken = true}, ATTEST_SIGNATURE,
                 "signature", NULL);
}

static void collateral_signed_below_another_root_is_refused(void)
{
    expect_world((struct tdxpki_knobs){.foreign_signer = true}, ATTEST_ROOT_UNTRUSTED,
                 "signing chain", "Another Root CA");
}

static void platform_flags_are_demanded_by_name(void)
{
    static const struct tdxpki_knobs k = {0};

    tdx_expect(judge(&k, &(struct tdxpki_quote){0},
                     ",\"smt-enabled\":true,\"cached-keys\":true,\"dynamic-platform\":false", true),
               ATTEST_OK, NULL, NULL);
    tdx_expect(judge(&k, &(struct tdxpki_quote){0}, ",\"smt-enabled\":false", true),
               ATTEST_PLATFORM, "smt-enabled", "true");
    tdx_expect(judge(&k, &(struct tdxpki_quote){0}, ",\"dynamic-platform\":true", true),
               ATTEST_PLATFORM, "dynamic-platform", "false");
}

static void a_forged_tcb_info_does_not_hide_the_true_one(void)
{
    expect_world((struct tdxpki_knobs){.forged_tcb_info = true}, ATTEST_OK, NULL, NULL);
    expect_world((struct tdxpki_knobs){.forged_tcb_info = true, .level = "OutOfDate"},
                 ATTEST_TCB_STATUS, "TCB status", "OutOfDate");
    expect_world((struct tdxpki_knobs){.forged_tcb_info = true, .no_tcb_info = true},
                 ATTEST_SIGNATURE, "signature", NULL);
}

static void another_enclave_than_intels_is_refused(void)
{
    expect_world((struct tdxpki_knobs){.mrsigner_qe = "11111111111111111111111111111111"
                                                      "11111111111111111111111111111111"},
                 ATTEST_IDENTITY, "MRSIGNER", NULL);
}

static void each_field_of_the_qes_identity_counts(void)
{
    static const struct {
        size_t at;
        const char *field;
    } rows[] = {{SGX_MISCSELECT, "MISCSELECT"},
                {SGX_ATTRIBUTES, "ATTRIBUTES"}, /* bit 1: DEBUG */
                {SGX_ATTRIBUTES + 7, "ATTRIBUTES"},
                {SGX_MRSIGNER + 31, "MRSIGNER"},
                {SGX_ISVPRODID + 1, "ISVPRODID"}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        expect_quote((struct tdxpki_quote){.qe_twist = rows[i].at}, ATTEST_IDENTITY, rows[i].field,
                     NULL);
    }
    /* The mask leaves XFRM out, and MRENCLAVE is no part of the identity. */
    expect_quote((struct tdxpki_quote){.qe_twist = SGX_ATTRIBUTES + 8}, ATTEST_OK, NULL, NULL);
    expect_quote((struct tdxpki_quote){.qe_twist = SGX_MRENCLAVE}, ATTEST_OK, NULL, NULL);
}

static void another_module_than_intels_is_refused(void)
{
    expect_quote((struct tdxpki_quote){.td_twist = TD_MRSIGNERSEAM + 47}, ATTEST_IDENTITY,
                 "MRSIGNERSEAM", NULL);
    expect_quote((struct tdxpki_quote){.seam_attributes = 1}, ATTEST_IDENTITY, "SEAMATTRIBUTES",
                 "01");
    expect_quote((struct tdxpki_quote){.svn = {3, 7, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5}},
                 ATTEST_IDENTITY, "version", "TDX_07");
}

static void a_certificate_that_is_no_pck_certificate_is_refused(void)
{
    expect_world((struct tdxpki_knobs){.pck_name = "Intel SGX Something"}, ATTEST_IDENTITY,
                 "subject", "Something");
    expect_world((struct tdxpki_knobs){.no_sgx_extension = true}, ATTEST_MALFORMED, "SGX extension",
                 NULL);
}

static void a_key_that_the_qe_did_not_vouch_for_is_refused(void)
{
    expect_quote((struct tdxpki_quote){.wrong_binding = true}, ATTEST_BINDING, "REPORTDATA", NULL);
}

static void debug_and_migration_are_refused_unless_allowed(void)
{
    const struct tdxpki_knobs k = {0};

    for (unsigned int bit = 0; bit < 8; bit++) {
        expect_quote((struct tdxpki_quote){.attributes = UINT64_C(1) << bit}, ATTEST_DEBUG,
                     "TD ATTRIBUTES", NULL);
    }
    tdx_expect(judge(&k, &(struct tdxpki_quote){.attributes = 1}, ",\"debug\":true", true),
               ATTEST_OK, NULL, NULL);
    expect_quote((struct tdxpki_quote){.attributes = UINT64_C(1) << 29}, ATTEST_POLICY,
                 "TD ATTRIBUTES", NULL);
    tdx_expect(judge(&k, &(struct tdxpki_quote){.attributes = UINT64_C(1) << 29},
                     ",\"migratable\":true", true),
               ATTEST_OK, NULL, NULL);
    expect_quote((struct tdxpki_quote){.attributes = UINT64_C(1) << 40}, ATTEST_POLICY,
                 "TD ATTRIBUTES", NULL);
    expect_quote((struct tdxpki_quote){.sept_ve = true}, ATTEST_POLICY, "TD ATTRIBUTES", NULL);
    tdx_expect(judge(&k, &(struct tdxpki_quote){.sept_ve = true}, ",\"sept-ve\":true", true),
               ATTEST_OK, NULL, NULL);
    tdx_expect(judge(&k, &(struct tdxpki_quote){0},
                     ",\"td-attributes\":\"0000004000000000\","
                     "\"td-attributes-mask\":\"0000004000000000\"",
                     true),
               ATTEST_POLICY, "TD ATTRIBUTES", NULL);
}

/* A mask that says nothing of a bit must not switch off what is demanded of it otherwise. */
static void a_bit_outside_the_attributes_mask_keeps_its_default(void)
{
#define OF_PKS ",\"td-attributes\":\"0000004000000000\",\"td-attributes-mask\":\"0000004000000000\""
    const uint64_t pks = UINT64_C(1) << 30;
    const struct tdxpki_knobs k = {0};
    const struct tdxpki_quote bad[] = {
        {.attributes = pks | UINT64_C(1) << 29},
        {.attributes = pks | UINT64_C(1) << 40},
        {.attributes = pks, .sept_ve = true},
    };

    tdx_expect(judge(&k, &(struct tdxpki_quote){.attributes = pks}, OF_PKS, true), ATTEST_OK, NULL,
               NULL);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        tdx_expect(judge(&k, &bad[i], OF_PKS, true), ATTEST_POLICY, "TD ATTRIBUTES", NULL);
    }
    tdx_expect(judge(&k, &bad[0], OF_PKS ",\"migratable\":true", true), ATTEST_OK, NULL, NULL);
}

static void the_pck_certificate_may_come_alone_or_from_the_collateral(void)
{
    for (uint8_t type = TDX_CERT_PPID_PLAIN; type <= TDX_CERT_PCK_CHAIN; type++) {
        expect_quote((struct tdxpki_quote){.cert_type = type}, ATTEST_OK, NULL, NULL);
    }
}

/* ---- policies that say too little ---- */

static void expect_policy(const char *section, const char *field)
{
    char text[1024];
    struct attest_error err = {0};
    struct attest_policy *p = NULL;

    snprintf(text, sizeof(text), "{\"version\":1,%s}", section);
    CU_ASSERT_EQUAL(attest_policy_parse(text, strlen(text), &p, &err), ATTEST_POLICY_INVALID);
    if (strstr(err.field, field) == NULL) {
        fprintf(stderr, "%s: wanted field %s, got %s: %s\n", section, field, err.object, err.field);
    }
    CU_ASSERT_PTR_NOT_NULL(strstr(err.field, field));
}

#define MR                                                                                         \
    "\"000000000000000000000000000000000000000000000000"                                           \
    "000000000000000000000000000000000000000000000000\""
#define UNCHECKED "\"unchecked\":[\"rtmr0\",\"rtmr1\",\"rtmr2\",\"rtmr3\"]"

static void a_policy_that_leaves_a_register_out_is_an_error(void)
{
    expect_policy("\"tdx\":{}", "mrtd");
    expect_policy("\"tdx\":{\"mrtd\":[]," UNCHECKED "}", "mrtd");
    expect_policy("\"tdx\":{" UNCHECKED "}", "mrtd");
    expect_policy("\"tdx\":{\"mrtd\":" MR "}", "rtmr0");
    expect_policy("\"tdx\":{\"mrtd\":" MR ",\"unchecked\":[\"rtmr0\",\"rtmr1\",\"rtmr3\"]}",
                  "rtmr2");
    expect_policy("\"tdx\":{\"mrtd\":\"00\"," UNCHECKED "}", "mrtd");
    expect_policy("\"tdx\":{\"mrtd\":" MR "," UNCHECKED ",\"mrtb\":1}", "mrtb");
    expect_policy("\"tdx\":{\"mrtd\":" MR "," UNCHECKED ",\"tcb-status\":[]}", "tcb-status");
    expect_policy("\"tdx\":{\"mrtd\":" MR "," UNCHECKED ",\"tcb-status\":[\"Revoked\"]}",
                  "tcb-status");
    expect_policy("\"tdx\":{\"mrtd\":" MR "," UNCHECKED ",\"times\":{\"crl\":\"2026-01-01\"}}",
                  "crl");
    expect_policy("\"tdx\":{\"mrtd\":" MR "," UNCHECKED ",\"td-attributes-mask\":\"00\"}",
                  "td-attributes-mask");
    expect_policy("\"sgx\":{}", "mrenclave");
    expect_policy("\"sgx\":{\"mrsigner\":\"00000000000000000000000000000000"
                  "00000000000000000000000000000000\"}",
                  "mrenclave");
}

static void a_register_that_must_be_replayed_needs_a_log(void)
{
    tdx_expect(judge(&(struct tdxpki_knobs){0}, &(struct tdxpki_quote){0},
                     ",\"replay\":[\"rtmr1\"]", true),
               ATTEST_REPLAY, "presence", "none");
}

static const struct cu_test tests[] = {
    CU(a_minted_root_is_refused_unless_named),
    CU(a_revoked_certificate_is_refused),
    CU(missing_collateral_is_named),
    CU(expired_items_are_named),
    CU(each_sort_of_collateral_has_its_own_time),
    CU(collateral_with_a_broken_signature_is_refused),
    CU(collateral_signed_below_another_root_is_refused),
    CU(platform_flags_are_demanded_by_name),
    CU(a_forged_tcb_info_does_not_hide_the_true_one),
    CU(another_enclave_than_intels_is_refused),
    CU(each_field_of_the_qes_identity_counts),
    CU(another_module_than_intels_is_refused),
    CU(a_certificate_that_is_no_pck_certificate_is_refused),
    CU(a_key_that_the_qe_did_not_vouch_for_is_refused),
    CU(debug_and_migration_are_refused_unless_allowed),
    CU(a_bit_outside_the_attributes_mask_keeps_its_default),
    CU(the_pck_certificate_may_come_alone_or_from_the_collateral),
    CU(a_policy_that_leaves_a_register_out_is_an_error),
    CU(a_register_that_must_be_replayed_needs_a_log),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("attest_tdx_refusals", tests, argc, argv);
}
