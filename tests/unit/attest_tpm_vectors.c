/* Every TPM quote of the vectors: signature, PCR digest, log, and the hardware below it. */
#include "attest_file.h"
#include "attest_tdx.h"
#include "cu.h"

#include <attest/eventlog.h>
#include <attest/hex.h>
#include <attest/tpm.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *load(const char *name)
{
    size_t len;
    uint8_t *p = vector_read(name, &len);
    json_t *j = p == NULL ? NULL : json_loadb((const char *)p, len, 0, NULL);

    free(p);
    return j;
}

static const char *at(const json_t *o, const char *a, const char *b)
{
    return json_string_value(json_object_get(json_object_get(o, a), b));
}

/* The verdict on evidence under a policy. */
static struct attest_verdict *judge(const json_t *evidence, const char *policy_text,
                                    const struct attest_collateral *c, int64_t when,
                                    const char *nonce)
{
    char *text = json_dumps(evidence, JSON_COMPACT), why[512];
    struct attest_error err = {0};
    struct attest_policy *policy = NULL;
    struct attest_verdict *v = attest_verdict_new();

    if (attest_policy_parse(policy_text, strlen(policy_text), &policy, &err) != ATTEST_OK) {
        fprintf(stderr, "%s\n", attest_error_text(&err, why, sizeof(why)));
    }
    CU_ASSERT_PTR_NOT_NULL_FATAL(policy);
    attest_verify((const uint8_t *)text, strlen(text),
                  &(struct attest_input){.collateral = c,
                                         .policy = policy,
                                         .at = when,
                                         .nonce = (const uint8_t *)nonce,
                                         .nonce_len = nonce == NULL ? 0 : strlen(nonce)},
                  v);
    attest_policy_free(policy);
    free(text);
    return v;
}

/* ---- a bare quote with a pinned key ---- */

static void generic_policy(const json_t *j, const char *more, char *out, size_t size)
{
    const char *b64 = json_string_value(json_object_get(j, "ak_public"));
    uint8_t der[600], spki[32];
    char hex[65];
    size_t len;

    CU_ASSERT_TRUE_FATAL(base64_decode(b64, strlen(b64), false, der, sizeof(der), &len));
    CU_ASSERT_TRUE_FATAL(attest_hash1(ATTEST_SHA256, der, len, spki));
    snprintf(out, size,
             "{\"version\":1,\"tpm\":{\"ak\":\"%s\",\"pcrs\":{\"sha256\":{\"0\":\"%064d\"}}%s}}",
             hex_encode(spki, 32, hex), 0, more);
}

static void a_real_quote_with_a_pinned_key_is_trusted(void)
{
    struct attest_collateral *c = attest_collateral_new();
    json_t *j = load("tpm/tpm-generic.json"), *quote = json_object_get(j, "tpm_quote");
    char policy[512], pcr[65];

    if (j == NULL) {
        cu_skip(4, "no vectors: no TPM quote to judge");
        attest_collateral_free(c);
        return;
    }
    attest_collateral_seal(c);
    generic_policy(j, "", policy, sizeof(policy));
    tdx_expect(judge(j, policy, c, tdx_time("2024-06-01"), NULL), ATTEST_OK, NULL, NULL);
    tdx_expect(judge(j, policy, c, tdx_time("2024-06-01"), "wrong"), ATTEST_NONCE, "extraData",
               NULL);
    generic_policy(j, ",\"event-log\":true", policy, sizeof(policy));
    tdx_expect(judge(j, policy, c, tdx_time("2024-06-01"), NULL), ATTEST_REPLAY, "presence", NULL);
    /* Without the pin there is nothing that vouches for the key. */
    snprintf(policy, sizeof(policy),
             "{\"version\":1,\"tpm\":{\"pcrs\":{\"sha256\":{\"0\":\"%064d\"}}}}", 0);
    tdx_expect(judge(j, policy, c, tdx_time("2024-06-01"), NULL), ATTEST_ROOT_UNTRUSTED, NULL,
               NULL);
    /* A PCR that is stated otherwise than it was quoted. */
    generic_policy(j, "", policy, sizeof(policy));
    memset(pcr, '1', 64);
    pcr[64] = '\0';
    json_array_set_new(json_object_get(quote, "pcrs"), 9, json_string(pcr));
    tdx_expect(judge(j, policy, c, tdx_time("2024-06-01"), NULL), ATTEST_BINDING, "pcrDigest",
               NULL);
    json_decref(j);
    attest_collateral_free(c);
}

/* ---- SHA-1: an old log and an old signature ---- */

/* go-attestation's container in ours. */
static json_t *windows_evidence(void)
{
    json_t *j = load("tpm/windows-gcp-quote-eventlog.json"), *v, *o, *bank = json_object();
    size_t i;

    json_array_foreach(json_object_get(json_object_get(j, "Log"), "PCRs"), i, v)
    {
        const char *b64 = json_string_value(json_object_get(v, "Digest"));
        uint8_t digest[32];
        char hex[65], name[8];
        size_t len;

        CU_ASSERT_TRUE_FATAL(base64_decode(b64, strlen(b64), false, digest, sizeof(digest), &len));
        snprintf(name, sizeof(name), "%d", (int)json_integer_value(json_object_get(v, "Index")));
        json_object_set_new(bank, name, json_string(hex_encode(digest, len, hex)));
    }
    o = json_pack("{s:{s:s, s:s, s:{s:o}}, s:s, s:s}", "tpm_quote", "message",
                  at(j, "Quote", "Quote"), "signature", at(j, "Quote", "Signature"), "pcrs", "sha1",
                  bank, "ak_public", at(j, "AK", "Public"), "event_log", at(j, "Log", "Raw"));
    json_decref(j);
    return o;
}

static void windows_policy(const json_t *evidence, const char *more, char *out, size_t size)
{
    const char *b64 = json_string_value(json_object_get(evidence, "ak_public"));
    const char *pcr7 = json_string_value(json_object_get(
        json_object_get(json_object_get(json_object_get(evidence, "tpm_quote"), "pcrs"), "sha1"),
        "7"));
    uint8_t pub[600], spki[32];
    EVP_PKEY *key = NULL;
    char hex[65];
    size_t len;

    CU_ASSERT_TRUE_FATAL(base64_decode(b64, strlen(b64), false, pub, sizeof(pub), &len));
    CU_ASSERT_EQUAL_FATAL(tpm_public_parse(pub, len, &key, NULL), ATTEST_OK);
    CU_ASSERT_TRUE_FATAL(tpm_key_sha256(key, spki));
    EVP_PKEY_free(key);
    snprintf(out, size,
             "{\"version\":1,\"tpm\":{\"ak\":\"%s\",\"pcrs\":{\"sha1\":{\"7\":\"%s\"}}%s}}",
             hex_encode(spki, 32, hex), pcr7, more);
}

static void a_real_sha1_log_explains_a_real_sha1_quote(void)
{
    struct attest_collateral *c = attest_collateral_new();
    json_t *j;
    char policy[512];

    if (cu_vectors() == NULL) {
        cu_skip(2, "no vectors: no SHA-1 quote to judge");
        attest_collateral_free(c);
        return;
    }
    attest_collateral_seal(c);
    j = windows_evidence();
    windows_policy(j, ",\"event-log\":true,\"allow-sha1-signatures\":true", policy, sizeof(policy));
    tdx_expect(judge(j, policy, c, tdx_time("2024-06-01"), NULL), ATTEST_OK, NULL, NULL);
    windows_policy(j, ",\"event-log\":true", policy, sizeof(policy));
    tdx_expect(judge(j, policy, c, tdx_time("2024-06-01"), NULL), ATTEST_UNSUPPORTED,
               "signature hash", "SHA-1");
    json_decref(j);
    attest_collateral_free(c);
}

static void every_change_of_a_real_log_is_noticed(void)
{
    struct attest_collateral *c = attest_collateral_new();
    struct eventlog log;
    struct eventlog_walk w;
    struct eventlog_event ev;
    size_t len, changed = 0;
    static uint8_t raw[65536];
    json_t *j;
    char policy[512], *b64 = malloc(100000);

    if (cu_vectors() == NULL) {
        cu_skip(1, "no vectors: no log to change");
        free(b64);
        attest_collateral_free(c);
        return;
    }
    attest_collateral_seal(c);
    j = windows_evidence();
    windows_policy(j, ",\"allow-sha1-signatures\":true", policy, sizeof(policy));
    strcpy(b64, json_string_value(json_object_get(j, "event_log")));
    CU_ASSERT_TRUE_FATAL(base64_decode(b64, strlen(b64), false, raw, sizeof(raw), &len));
    CU_ASSERT_EQUAL_FATAL(eventlog_parse(raw, len, &log, NULL), ATTEST_OK);
    w = eventlog_walk(&log);
    while (eventlog_next(&w, &ev)) {
        uint8_t *digest = raw + (ev.digest[0].p - raw);

        if (ev.type == EV_NO_ACTION) {
            continue;
        }
        digest[5] ^= 1;
        base64_encode(raw, len, false, b64);
        json_object_set_new(j, "event_log", json_string(b64));
        tdx_expect(judge(j, policy, c, tdx_time("2024-06-01"), NULL), ATTEST_REPLAY, "PCR", NULL);
        digest[5] ^= 1;
        changed++;
    }
    CU_ASSERT(changed > 20);
    json_decref(j);
    free(b64);
    attest_collateral_free(c);
}

/* ---- a vTPM below which stands hardware ---- */

static struct attest_collateral *milan(void)
{
    struct attest_collateral *c = attest_collateral_new();

    CU_ASSERT_EQUAL(vector_add(c, "snp/ca/ask_ark_milan.pem"), 0);
    attest_collateral_seal(c);
    return c;
}

/* Reference values are the evidence's own: what is tried here are the links. */
static void azure_policy(const json_t *j, const char *sections, char *out, size_t size)
{
    const char *pcr0 = json_string_value(
        json_array_get(json_object_get(json_object_get(j, "tpm_quote"), "pcrs"), 0));

    snprintf(out, size, "{\"version\":1,\"tpm\":{\"pcrs\":{\"sha256\":{\"0\":\"%s\"}}}%s}", pcr0,
             sections);
}

static void snp_section(const json_t *j, char *out, size_t size)
{
    const char *b64 = json_string_value(json_object_get(j, "hcl_report"));
    uint8_t report[4096];
    char hex[97], *text = strdup(b64);
    size_t len;

    for (char *p = text; *p != '\0'; p++) {
        *p = *p == '-' ? '+' : *p == '_' ? '/' : *p;
    }
    CU_ASSERT_TRUE_FATAL(base64_decode(text, strlen(text), false, report, sizeof(report), &len));
    free(text);
    snprintf(out, size,
             ",\"sev-snp\":{\"measurement\":\"%s\",\"minimum-tcb\":{\"Milan\":{\"bootloader\":0,"
             "\"tee\":0,\"snp\":0,\"microcode\":0}}}",
             hex_encode(report + 32 + 0x90, 48, hex));
}

static void judge_azure_snp(const char *name)
{
    struct attest_collateral *c = milan();
    json_t *j = load(name);
    char policy[2048], section[512];
    struct attest_verdict *v;

    snp_section(j, section, sizeof(section));
    azure_policy(j, section, policy, sizeof(policy));
    v = judge(j, policy, c, tdx_time("2025-06-01"), NULL);
    CU_ASSERT(attest_verdict_root(v) != NULL &&
              strcmp(attest_verdict_root(v)->name, "AMD ARK-Milan") == 0);
    tdx_expect(v, ATTEST_OK, NULL, NULL);
    /* The machine below must be spoken for, too. */
    azure_policy(j, "", policy, sizeof(policy));
    tdx_expect(judge(j, policy, c, tdx_time("2025-06-01"), NULL), ATTEST_REFERENCE_MISSING,
               "sev-snp", NULL);
    json_decref(j);
    attest_collateral_free(c);
}

static void a_vtpm_is_trusted_through_the_snp_report_below(void)
{
    if (cu_vectors() == NULL) {
        cu_skip(4, "no vectors: no vTPM on SNP to judge");
        return;
    }
    judge_azure_snp("tpm/azure-snp-v1.json");
    judge_azure_snp("tpm/azure-snp-v2.json");
}

/* Collateral for this FMSPC is not among the vectors: verification goes as far as it can. */
static void a_vtpm_on_tdx_needs_collateral_for_the_quote_below(void)
{
    struct attest_collateral *c = attest_collateral_new();
    json_t *j = load("tpm/azure-tdx-v1.json");
    char policy[512];

    if (j == NULL) {
        cu_skip(1, "no vectors: no vTPM on TDX to judge");
        attest_collateral_free(c);
        return;
    }
    attest_collateral_seal(c);
    azure_policy(j, "", policy, sizeof(policy));
    tdx_expect(judge(j, policy, c, tdx_time("2024-06-01"), NULL), ATTEST_COLLATERAL_MISSING, "CRL",
               NULL);
    json_decref(j);
    attest_collateral_free(c);
}

/* A character in the middle of the runtime data's key, and one in the hardware's REPORT_DATA. */
static void runtime_data_that_the_hardware_does_not_vouch_for_is_refused(void)
{
    static const char *const names[] = {"tpm/azure-snp-v1.json", "tpm/azure-tdx-v1.json"};
    struct attest_collateral *c;

    if (cu_vectors() == NULL) {
        cu_skip(2, "no vectors: no runtime data to change");
        return;
    }
    c = milan();
    for (size_t i = 0; i < 2; i++) {
        json_t *j = load(names[i]);
        char *text = strdup(json_string_value(json_object_get(j, "hcl_report"))), policy[512];
        size_t place = (32 + 1184 + 20 + 300) / 3 * 4;

        text[place] = text[place] == 'A' ? 'B' : 'A';
        json_object_set_new(j, "hcl_report", json_string(text));
        azure_policy(j, "", policy, sizeof(policy));
        tdx_expect(judge(j, policy, c, tdx_time("2024-06-01"), NULL), ATTEST_BINDING, "REPORT_DATA",
                   NULL);
        free(text);
        json_decref(j);
    }
    attest_collateral_free(c);
}

static void real_quotes_show_their_fields(void)
{
    static const char *const names[] = {"tpm/azure-snp-v1.json", "tpm/azure-snp-v2.json",
                                        "tpm/azure-tdx-v1.json", "tpm/tpm-generic.json"};

    if (cu_vectors() == NULL) {
        cu_skip(4, "no vectors: no TPM evidence to show");
        return;
    }
    for (size_t i = 0; i < 4; i++) {
        size_t len;
        uint8_t *p = vector_read(names[i], &len);
        const struct attest_evidence_ops *ops = attest_kind_detect(p, len);
        void *ev = NULL;
        json_t *claims;

        CU_ASSERT_PTR_NOT_NULL_FATAL(ops);
        CU_ASSERT_STRING_EQUAL_FATAL(ops->kind, "tpm");
        CU_ASSERT_EQUAL_FATAL(ops->parse(p, len, &ev, NULL), ATTEST_OK);
        claims = ops->claims(ev);
        CU_ASSERT_EQUAL(
            json_object_size(json_object_get(json_object_get(claims, "pcrs"), "sha256")), 24);
        CU_ASSERT_EQUAL(json_object_get(claims, "runtime-data") != NULL, i < 3);
        json_decref(claims);
        ops->free(ev);
        free(p);
    }
}

/* ---- attestation key certificates of a cloud ---- */

static void real_ak_certificates_form_chains(void)
{
    static const char *const leaves[] = {"tpm/ak-certs/pca_tpm_ecc_sign_cert.pem",
                                         "tpm/ak-certs/pca_tpm_rsa_sign_cert.pem"};
    struct attest_collateral *c = attest_collateral_new(), *own;

    if (cu_vectors() == NULL) {
        cu_skip(3, "no vectors: no AK certificates");
        attest_collateral_free(c);
        return;
    }
    CU_ASSERT_EQUAL(vector_add(c, "tpm/ak-certs/gcp_ek_ak_ca_root.crt"), 0);
    CU_ASSERT_EQUAL(vector_add(c, "tpm/ak-certs/gcp_ek_ak_ca_intermediate_v3.crt"), 0);
    CU_ASSERT_EQUAL(vector_add(c, "tpm/ak-certs/tpm_ek_root_1.cer"), 0);
    CU_ASSERT_EQUAL(vector_add(c, "tpm/ak-certs/tpm_ek_intermediate_2.crt"), 0);
    attest_collateral_seal(c);
    for (size_t i = 0; i < 2; i++) {
        struct attest_chain chain;

        own = attest_collateral_new();
        CU_ASSERT_EQUAL(vector_add(own, leaves[i]), 0);
        CU_ASSERT_EQUAL(
            attest_chain_build(c, attest_collateral_cert(own, 0), NULL, 0, &chain, NULL),
            ATTEST_OK);
        CU_ASSERT_EQUAL(chain.count, 3);
        attest_collateral_free(own);
    }
    attest_collateral_free(c);
}

static const struct cu_test tests[] = {
    CU(a_real_quote_with_a_pinned_key_is_trusted),
    CU(a_real_sha1_log_explains_a_real_sha1_quote),
    CU(every_change_of_a_real_log_is_noticed),
    CU(a_vtpm_is_trusted_through_the_snp_report_below),
    CU(a_vtpm_on_tdx_needs_collateral_for_the_quote_below),
    CU(runtime_data_that_the_hardware_does_not_vouch_for_is_refused),
    CU(real_quotes_show_their_fields),
    CU(real_ak_certificates_form_chains),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("attest_tpm_vectors", tests, argc, argv);
}
