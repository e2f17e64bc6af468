/*
 * Every real TDX and SGX quote of the vectors with real collateral: the outcome that the index
 * states, at the time that it states, for the reason that it states.
 */
#include "attest_file.h"
#include "attest_tdx.h"
#include "cu.h"

#include <attest/eventlog.h>
#include <attest/hex.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SET_2026_50806F                                                                            \
    {                                                                                              \
        "tdx/collateral-2026-03/tcb_info_50806f000000.json",                                       \
            "tdx/collateral-2026-03/td_qe_identity.json",                                          \
            "tdx/collateral-2026-03/tcb_signing_chain.pem",                                        \
            "tdx/collateral-2026-03/qe_identity_signing_chain.pem",                                \
            "tdx/collateral-2026-03/pck_crl_platform.der",                                         \
            "tdx/collateral-2026-03/root_ca_crl.der", "tdx/ca/sgx_root_ca.der"                     \
    }
#define SET_2026_90C06F                                                                            \
    {                                                                                              \
        "tdx/collateral-2026-03/tcb_info_90c06f000000.json",                                       \
            "tdx/collateral-2026-03/td_qe_identity.json",                                          \
            "tdx/collateral-2026-03/tcb_signing_chain.pem",                                        \
            "tdx/collateral-2026-03/pck_crl_platform.der",                                         \
            "tdx/collateral-2026-03/root_ca_crl.der"                                               \
    }
#define SET_GTG                                                                                    \
    {                                                                                              \
        "tdx/collateral-gtg/tcb_info_50806f.json", "tdx/collateral-gtg/qe_identity.json",          \
            "tdx/collateral-gtg/tcb_signing_chain.pem",                                            \
            "tdx/collateral-gtg/pck_crl_issuer_chain.pem",                                         \
            "tdx/collateral-gtg/pck_crl_platform.der", "tdx/collateral-gtg/root_ca_crl.der"        \
    }

static const struct row {
    const char *quote;
    const char *collateral[8];
    const char *at;
    const char *members;
    enum attest_status st;
    const char *field;
    const char *found;
    const char *tcb; /* claims.tcb.status when the quote is authentic */
    size_t advisories;
} rows[] = {
    {"phala-uptodate/quote.bin",
     {"tdx/phala-uptodate/collateral.json"},
     "2025-06-25",
     "",
     ATTEST_OK,
     NULL,
     NULL,
     "UpToDate",
     0},
    {"phala-uptodate/quote.bin",
     {"tdx/phala-uptodate/collateral.json"},
     "2026-11-23",
     "",
     ATTEST_COLLATERAL_EXPIRED,
     "nextUpdate",
     NULL,
     NULL,
     0},
    {"phala-notsupported/quote.bin",
     {"tdx/phala-notsupported/collateral.json"},
     "2026-03-01",
     "",
     ATTEST_TCB_STATUS,
     "TCB status",
     "QE UpToDate; SGX component 8 is 3, not 5",
     NULL,
     0},
    {"phala-sgx-v3/quote.bin",
     {"tdx/phala-sgx-v3/collateral.json"},
     "2025-06-25",
     "",
     ATTEST_TCB_STATUS,
     "TCB status",
     "ConfigurationAndSWHardeningNeeded",
     "ConfigurationAndSWHardeningNeeded",
     2},
    {"phala-sgx-v3/quote.bin",
     {"tdx/phala-sgx-v3/collateral.json"},
     "2025-06-25",
     ",\"tcb-status\":[\"ConfigurationAndSWHardeningNeeded\"]",
     ATTEST_OK,
     NULL,
     NULL,
     "ConfigurationAndSWHardeningNeeded",
     2},
    {"coco-v4-debug/quote.bin", SET_2026_50806F, "2026-03-20", "", ATTEST_DEBUG, "TD ATTRIBUTES",
     NULL, "OutOfDate", 11},
    {"coco-v4-debug/quote.bin", SET_2026_50806F, "2026-03-20", ",\"debug\":true", ATTEST_TCB_STATUS,
     "TCB status", "OutOfDate", "OutOfDate", 11},
    {"coco-v4-debug/quote.bin", SET_GTG, "2023-06-20", "", ATTEST_DEBUG, "TD ATTRIBUTES", NULL,
     "UpToDate", 0},
    {"coco-v4-debug/quote.bin", SET_GTG, "2023-06-20", ",\"debug\":true", ATTEST_OK, NULL, NULL,
     "UpToDate", 0},
    {"coco-v5/quote.bin", SET_2026_90C06F, "2026-03-20", "", ATTEST_TCB_STATUS, "TCB status",
     "TCB_NOT_SUPPORTED: level none, module OutOfDate", NULL, 0},
    {"gtg-spr-e4/quote.bin", SET_GTG, "2023-06-20", "", ATTEST_TCB_STATUS, "TCB status",
     "TCB_NOT_SUPPORTED: level none", NULL, 0},
    {"live-ccel/quote.bin",
     {"tdx/phala-uptodate/collateral.json"},
     "2026-03-31",
     "",
     ATTEST_COLLATERAL_EXPIRED,
     "nextUpdate",
     NULL,
     NULL,
     0},
    {"live-ccel/quote.bin",
     {"tdx/phala-uptodate/collateral.json"},
     "2025-06-25",
     "",
     ATTEST_NOT_YET_VALID,
     NULL,
     NULL,
     NULL,
     0},
    {"live-ccel/quote.bin",
     {"tdx/phala-uptodate/collateral.json"},
     "2026-03-31",
     ",\"times\":{\"crls\":\"2025-06-25\",\"tcb-info\":\"2025-06-25\","
     "\"qe-identity\":\"2025-06-25\"}",
     ATTEST_OK,
     NULL,
     NULL,
     "UpToDate",
     0},
    {"ccel-gcp/quote.bin", SET_GTG, "2024-07-20", "", ATTEST_COLLATERAL_EXPIRED, "nextUpdate", NULL,
     NULL, 0},
};
enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

static struct attest_collateral *collateral_of(const char *const names[8])
{
    struct attest_collateral *c = attest_collateral_new();

    for (size_t i = 0; i < 8 && names[i] != NULL; i++) {
        CU_ASSERT_EQUAL(vector_add(c, names[i]), 0);
    }
    attest_collateral_seal(c);
    return c;
}

static uint8_t *quote_of(const char *name, size_t *len)
{
    char path[128];

    snprintf(path, sizeof(path), "tdx/%s", name);
    return vector_read(path, len);
}

static void check_claims(const struct row *r, const struct attest_verdict *v)
{
    const json_t *tcb = json_object_get(attest_verdict_claims(v), "tcb");
    const char *status = json_string_value(json_object_get(tcb, "status"));

    if (r->tcb == NULL) {
        CU_ASSERT_PTR_NULL(tcb);
        return;
    }
    CU_ASSERT_PTR_NOT_NULL_FATAL(status);
    CU_ASSERT_STRING_EQUAL(status, r->tcb);
    CU_ASSERT_EQUAL(json_array_size(json_object_get(tcb, "advisories")), r->advisories);
}

static void run_row(const struct row *r)
{
    struct attest_collateral *c = collateral_of(r->collateral);
    struct attest_verdict *v;
    size_t len;
    uint8_t *quote = quote_of(r->quote, &len);

    CU_ASSERT_PTR_NOT_NULL_FATAL(quote);
    v = tdx_judge(&(struct tdx_case){.quote = quote,
                                     .len = len,
                                     .collateral = c,
                                     .members = r->members,
                                     .top = "",
                                     .at = tdx_time(r->at)});
    check_claims(r, v);
    tdx_expect(v, r->st, r->field, r->found);
    free(quote);
    attest_collateral_free(c);
}

static void every_real_quote_gets_its_stated_outcome(void)
{
    if (cu_vectors() == NULL) {
        cu_skip(ROWS, "no vectors: real quotes are not judged");
        return;
    }
    for (size_t i = 0; i < ROWS; i++) {
        run_row(&rows[i]);
    }
    printf("%d real quotes judged ", ROWS);
}

static void real_quotes_show_their_fields(void)
{
    static const char *const names[] = {"ccel-gcp",     "coco-v4-debug", "coco-v5",
                                        "gtg-spr-e4",   "live-ccel",     "phala-notsupported",
                                        "phala-sgx-v3", "phala-uptodate"};

    if (cu_vectors() == NULL) {
        cu_skip(8, "no vectors: real quotes are not shown");
        return;
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const struct attest_evidence_ops *ops;
        char name[64];
        void *ev = NULL;
        size_t len;
        uint8_t *p;
        json_t *claims;

        snprintf(name, sizeof(name), "%s/quote.bin", names[i]);
        p = quote_of(name, &len);
        ops = attest_kind_detect(p, len);
        CU_ASSERT_PTR_NOT_NULL_FATAL(ops);
        CU_ASSERT_STRING_EQUAL(ops->kind, strstr(name, "sgx") != NULL ? "sgx" : "tdx");
        CU_ASSERT_EQUAL_FATAL(ops->parse(p, len, &ev, NULL), ATTEST_OK);
        claims = ops->claims(ev);
        CU_ASSERT_PTR_NOT_NULL(
            json_object_get(json_object_get(claims, "pck-certificate"), "fmspc"));
        json_decref(claims);
        ops->free(ev);
        free(p);
    }
}

/* ---- event logs against quotes ---- */

static struct attest_verdict *judge_log(const char *dir, const char *log_name, const char *members)
{
    static const char *const none[8] = {"tdx/phala-uptodate/collateral.json"};
    struct attest_collateral *c = collateral_of(none);
    size_t len, log_len;
    char name[96];
    struct attest_verdict *v;
    uint8_t *quote, *log = vector_read(log_name, &log_len);

    snprintf(name, sizeof(name), "%s/quote.bin", dir);
    quote = quote_of(name, &len);
    CU_ASSERT_PTR_NOT_NULL_FATAL(quote);
    CU_ASSERT_PTR_NOT_NULL_FATAL(log);
    v = tdx_judge(&(struct tdx_case){.quote = quote,
                                     .len = len,
                                     .collateral = c,
                                     .members = members,
                                     .top = "",
                                     .at = tdx_time("2026-03-31"),
                                     .log = log,
                                     .log_len = log_len});
    free(quote);
    free(log);
    attest_collateral_free(c);
    return v;
}

#define OLD_TIMES                                                                                  \
    ",\"times\":{\"crls\":\"2025-06-25\",\"tcb-info\":\"2025-06-25\","                             \
    "\"qe-identity\":\"2025-06-25\"}"
static void a_log_that_explains_part_of_a_quote_is_refused_for_the_rest(void)
{
    if (cu_vectors() == NULL) {
        cu_skip(2, "no vectors: the partial CCEL is not replayed");
        return;
    }
    tdx_expect(judge_log("live-ccel", "tdx/live-ccel/ccel.bin", OLD_TIMES), ATTEST_REPLAY, "RTMR2",
               NULL);
    tdx_expect(judge_log("live-ccel", "tdx/live-ccel/ccel.bin",
                         OLD_TIMES ",\"replay\":[\"rtmr0\",\"rtmr1\",\"rtmr3\"]"),
               ATTEST_OK, NULL, NULL);
}

/* RTMRs of the quote that the log does not reproduce, as a mask. */
static unsigned int differing_rtmrs(const char *quote_name, const char *log_name)
{
    size_t len, log_len;
    uint8_t *quote = vector_read(quote_name, &len), *log = vector_read(log_name, &log_len);
    struct eventlog parsed;
    struct eventlog_bank bank;
    struct tdx_quote q;
    unsigned int mask = 0;

    CU_ASSERT_EQUAL_FATAL(tdx_quote_parse(quote, len, &q, NULL), ATTEST_OK);
    CU_ASSERT_EQUAL_FATAL(eventlog_parse(log, log_len, &parsed, NULL), ATTEST_OK);
    CU_ASSERT_EQUAL_FATAL(eventlog_replay_rtmrs(&parsed, &bank, NULL), ATTEST_OK);
    for (unsigned int i = 0; i < 4; i++) {
        mask |= (memcmp(bank.value[i], q.body + TD_RTMR0 + 48 * i, 48) != 0 ? 1u : 0u) << i;
    }
    free(quote);
    free(log);
    return mask;
}

static void a_log_with_a_second_separator_does_not_replay(void)
{
    if (cu_vectors() == NULL) {
        cu_skip(2, "no vectors: the CCEL of a cloud is not replayed");
        return;
    }
    CU_ASSERT_EQUAL(differing_rtmrs("tdx/ccel-gcp/quote.bin", "tdx/ccel-gcp/ccel.bin"), 0);
    CU_ASSERT_NOT_EQUAL(differing_rtmrs("tdx/ccel-gcp/quote.bin",
                                        "eventlog/ccel-cos-113-intel-tdx-dupe-separator.bin"),
                        0);
}

static void the_nonce_of_a_real_quote_is_found(void)
{
    static const char *const set[8] = {"tdx/phala-uptodate/collateral.json"};
    struct attest_collateral *c;
    struct tdx_case t = {.members = "", .top = "", .at = tdx_time("2025-06-25")};
    uint8_t *quote, nonce[64];

    if (cu_vectors() == NULL) {
        cu_skip(1, "no vectors: no nonce to find");
        return;
    }
    c = collateral_of(set);
    quote = quote_of("phala-uptodate/quote.bin", &t.len);
    t.quote = quote;
    t.collateral = c;
    memcpy(nonce, quote + 48 + TD_REPORTDATA, 64);
    t.nonce = nonce;
    t.nonce_len = 64;
    tdx_expect(tdx_judge(&t), ATTEST_OK, NULL, NULL);
    nonce[63] ^= 1;
    tdx_expect(tdx_judge(&t), ATTEST_NONCE, "REPORTDATA", NULL);
    free(quote);
    attest_collateral_free(c);
}

/* ---- the reference verifier's own sample, under a test root ---- */

static struct attest_verdict *judge_intel_sample(const char *top)
{
    static const char *const set[8] = {
        "tdx/intel-qvl-testpki/tcbInfo.json", "tdx/intel-qvl-testpki/qeIdentity.json",
        "tdx/intel-qvl-testpki/tcbSignChain.pem", "tdx/intel-qvl-testpki/rootCaCrl.der",
        "tdx/intel-qvl-testpki/intermediateCaCrl.der"};
    struct attest_collateral *c = collateral_of(set);
    struct tdx_quote q;
    struct attest_verdict *v;
    size_t len;
    uint8_t *quote = quote_of("intel-qvl-testpki/quote.dat", &len);
    char members[200], attributes[17];

    CU_ASSERT_EQUAL_FATAL(tdx_quote_parse(quote, len, &q, NULL), ATTEST_OK);
    snprintf(members, sizeof(members), ",\"debug\":true,\"td-attributes\":\"%s\"",
             hex_encode(q.body + TD_ATTRIBUTES, 8, attributes));
    v = tdx_judge(&(struct tdx_case){.quote = quote,
                                     .len = len,
                                     .collateral = c,
                                     .members = members,
                                     .top = top,
                                     .at = tdx_time("2022-01-01")});
    free(quote);
    attest_collateral_free(c);
    return v;
}

static void a_test_root_is_refused_unless_the_policy_names_it(void)
{
    uint8_t *pem;
    size_t len;
    struct attest_collateral *c;
    char top[256], spki[65];
    struct attest_verdict *v;

    if (cu_vectors() == NULL) {
        cu_skip(2, "no vectors: the sample with a test root is not judged");
        return;
    }
    tdx_expect(judge_intel_sample(""), ATTEST_ROOT_UNTRUSTED, NULL, NULL);
    c = attest_collateral_new();
    pem = vector_read("tdx/intel-qvl-testpki/trustedRootCaCert.pem", &len);
    CU_ASSERT_EQUAL_FATAL(attest_collateral_add(c, "root", pem, len, NULL), ATTEST_OK);
    snprintf(top, sizeof(top),
             ",\"test-roots\":[{\"name\":\"sample\",\"kind\":\"tdx\",\"spki-sha256\":\"%s\"}]",
             hex_encode(attest_cert_spki_sha256(attest_collateral_cert(c, 0)), 32, spki));
    v = judge_intel_sample(top);
    CU_ASSERT(attest_verdict_root(v) != NULL && attest_verdict_root(v)->emulated);
    /* The sample's signatures are good; its QE identity has another MRSIGNER than its QE report. */
    tdx_expect(v, ATTEST_IDENTITY, "MRSIGNER", "e4bd9fc2");
    attest_collateral_free(c);
    free(pem);
}

static const struct cu_test tests[] = {
    CU(every_real_quote_gets_its_stated_outcome),
    CU(real_quotes_show_their_fields),
    CU(a_log_that_explains_part_of_a_quote_is_refused_for_the_rest),
    CU(a_log_with_a_second_separator_does_not_replay),
    CU(the_nonce_of_a_real_quote_is_found),
    CU(a_test_root_is_refused_unless_the_policy_names_it),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("attest_tdx_vectors", tests, argc, argv);
}
