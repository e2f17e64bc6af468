/*
 * Quotes of the emulated platform: what a TD's report becomes, before the project's own verifier
 * and beside real quotes.
 */
#include "attest_file.h"
#include "attest_tdx.h"
#include "cu.h"
#include "tdx_host.h"

#include "../../cc/emu/emu_crypto.h"
#include "../../cc/emu/host/tdx_quote.h"
#include "../../cc/emu/tdx_chip.h"

#include <attest/verdict.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILES "build/emu/tdx/"
#define NOW   "2026-11-26"

static struct host_td td;
static uint8_t quote[TDX_QUOTE_MAX];
static char *chain;
static size_t chain_len;

/* A report over 64 times 42h of a TD whose registers all differ. */
static void report(struct tdx_report *r)
{
    struct tdx_tdcs *t;
    uint8_t data[64];

    tdx_host_ready();
    host_td_make(&td, HOST_KEY, false);
    (void)host_td_add(&td, 0, "contents", 8);
    CU_ASSERT_EQUAL(host_call(TDH_MR_FINALIZE, td.tdr, 0, 0, 0), TDX_SUCCESS);
    t = tdx_tdcs_of(host_at(td.tdr));
    for (int i = 0; i < 4; i++) {
        memset(t->rtmr[i], 0x10 + i, sizeof(t->rtmr[i]));
    }
    memset(data, 0x42, sizeof(data));
    tdx_report_make(t, data, r);
}

/* What a module of another kind would sign. */
static void seal(struct tdx_report *r)
{
    emu_sha384(&r->info, sizeof(r->info), r->mac.tee_info_hash);
    tdx_chip_mac(&r->mac, r->mac.mac);
}

static size_t make(const struct tdx_report *r)
{
    if (chain == NULL) {
        chain = (char *)file_read(FILES "pck-chain.pem", &chain_len);
        CU_ASSERT_PTR_NOT_NULL_FATAL(chain);
    }
    return tdx_quote_make((const uint8_t *)r, chain, chain_len, quote);
}

static void load(struct attest_collateral *c, const char *name)
{
    char path[80];
    size_t len;
    uint8_t *p;

    snprintf(path, sizeof(path), FILES "%s", name);
    p = file_read(path, &len);
    CU_ASSERT_PTR_NOT_NULL_FATAL(p);
    CU_ASSERT_EQUAL(attest_collateral_add(c, name, p, len, NULL), ATTEST_OK);
    free(p);
}

static struct attest_collateral *collateral(const char *without)
{
    static const char *const names[] = {"root.pem",      "signer.pem", "tcb-info.json",
                                        "qe-identity.json", "root.crl", "pck.crl"};
    struct attest_collateral *c = attest_collateral_new();

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(names[i], without) != 0) {
            load(c, names[i]);
        }
    }
    attest_collateral_seal(c);
    return c;
}

static void judge(size_t len, bool named, const char *without, enum attest_status st,
                  const char *field)
{
    struct attest_collateral *c = collateral(without);
    char top[200] = "";
    size_t n;
    uint8_t *spki = file_read(FILES "root.spki", &n);

    CU_ASSERT_PTR_NOT_NULL_FATAL(spki);
    if (named) {
        snprintf(top, sizeof(top),
                 ",\"test-roots\":[{\"name\":\"emulated\",\"kind\":\"tdx\","
                 "\"spki-sha256\":\"%.64s\"}]",
                 (const char *)spki);
    }
    tdx_expect(tdx_judge(&(struct tdx_case){.quote = quote,
                                            .len = len,
                                            .collateral = c,
                                            .members = "",
                                            .top = top,
                                            .at = tdx_time(NOW)}),
               st, field, NULL);
    attest_collateral_free(c);
    free(spki);
}

static void a_quote_is_trusted_by_whoever_names_the_root_and_nobody_else(void)
{
    struct tdx_report r;
    size_t len;

    report(&r);
    len = make(&r);
    CU_ASSERT_FATAL(len > 0);
    judge(len, true, "", ATTEST_OK, NULL);
    judge(len, false, "", ATTEST_ROOT_UNTRUSTED, NULL);
}

static void each_part_of_the_collateral_is_needed(void)
{
    static const char *const names[] = {"root.pem",         "signer.pem", "tcb-info.json",
                                        "qe-identity.json", "root.crl",   "pck.crl"};
    struct tdx_report r;
    size_t len;

    report(&r);
    len = make(&r);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        judge(len, true, names[i], ATTEST_COLLATERAL_MISSING, NULL);
    }
}

static void a_quote_tells_what_the_report_tells(void)
{
    struct tdx_report r;
    struct tdx_quote q;

    report(&r);
    CU_ASSERT_EQUAL_FATAL(tdx_quote_parse(quote, make(&r), &q, NULL), ATTEST_OK);
    CU_ASSERT(q.version == 4 && q.body_type == TDX_BODY_TD10 && q.body_len == TD10_SIZE);
    CU_ASSERT_EQUAL(memcmp(q.body + TD_TEE_TCB_SVN, r.tcb.tee_tcb_svn, 16), 0);
    CU_ASSERT_EQUAL(memcmp(q.body + TD_MRSEAM, r.tcb.mrseam, 48), 0);
    CU_ASSERT_EQUAL(memcmp(q.body + TD_MRTD, r.info.mrtd, 48), 0);
    CU_ASSERT_EQUAL(memcmp(q.body + TD_RTMR0, r.info.rtmr, sizeof(r.info.rtmr)), 0);
    CU_ASSERT_EQUAL(memcmp(q.body + TD_REPORTDATA, r.mac.report_data, 64), 0);
    CU_ASSERT_EQUAL(memcmp(q.body + TD_ATTRIBUTES, &r.info.attributes, 8), 0);
    CU_ASSERT_EQUAL(memcmp(q.body + TD_XFAM, &r.info.xfam, 8), 0);
}

/* ABI 3.8.2: VERSION 1 says that there are service TDs' measurements; DCAP: version 5. */
static void a_report_of_version_1_becomes_a_quote_of_version_5(void)
{
    struct tdx_report r;
    struct tdx_quote q;
    size_t len;

    report(&r);
    r.mac.version = 1;
    memset(r.info.servtd_hash, 0x77, sizeof(r.info.servtd_hash));
    seal(&r);
    len = make(&r);
    CU_ASSERT_EQUAL_FATAL(tdx_quote_parse(quote, len, &q, NULL), ATTEST_OK);
    CU_ASSERT(q.version == 5 && q.body_type == TDX_BODY_TD15 && q.body_len == TD15_SIZE);
    CU_ASSERT_EQUAL(memcmp(q.body + TD_MRSERVICETD, r.info.servtd_hash, 48), 0);
    CU_ASSERT_EQUAL(memcmp(q.body + TD_TEE_TCB_SVN_2, r.tcb.tee_tcb_svn2, 16), 0);
    judge(len, true, "", ATTEST_OK, NULL);
}

/* Reserved bytes behind TEE_TCB_INFO's 239 are no part of what is hashed. */
static bool is_covered(size_t at)
{
    return at < offsetof(struct tdx_report, tcb) + TDX_TEE_TCB_INFO_HASHED ||
           at >= offsetof(struct tdx_report, info);
}

static void no_bit_of_a_report_can_be_changed(void)
{
    struct tdx_report r;
    uint8_t *bytes = (uint8_t *)&r;

    report(&r);
    for (size_t i = 0; i < sizeof(r); i++) {
        bytes[i] ^= 1;
        CU_ASSERT_EQUAL(tdx_quote_make(bytes, "", 0, quote) == 0, is_covered(i));
        bytes[i] ^= 1;
    }
}

/* The host may change a quote on its way. */
static void a_changed_quote_is_refused(void)
{
    static const size_t places[] = {48, 48 + TD_MRTD, 48 + TD_RTMR0, 48 + TD_REPORTDATA};
    struct tdx_report r;
    size_t len;

    report(&r);
    len = make(&r);
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        quote[places[i]] ^= 1;
        judge(len, true, "", ATTEST_SIGNATURE, NULL);
        quote[places[i]] ^= 1;
    }
}

/* Real quotes: same header but for the QE's own id, same parts of the same sizes in that order. */
static void it_is_built_as_real_quotes_are(void)
{
    static const struct {
        const char *file;
        uint8_t version; /* of the report that ours is made of */
    } real[] = {{"tdx/phala-uptodate/quote.bin", 0}, {"tdx/coco-v5/quote.bin", 1}};

    if (cu_vectors() == NULL) {
        cu_skip(2, "no folder of vectors");
        return;
    }
    for (size_t i = 0; i < sizeof(real) / sizeof(real[0]); i++) {
        struct tdx_quote ours, theirs;
        struct tdx_report r;
        uint8_t *p;
        size_t n;

        p = vector_read(real[i].file, &n);
        CU_ASSERT_PTR_NOT_NULL_FATAL(p);
        report(&r);
        r.mac.version = real[i].version;
        seal(&r);
        CU_ASSERT_EQUAL_FATAL(tdx_quote_parse(quote, make(&r), &ours, NULL), ATTEST_OK);
        CU_ASSERT_EQUAL_FATAL(tdx_quote_parse(p, n, &theirs, NULL), ATTEST_OK);
        CU_ASSERT_EQUAL(memcmp(quote, p, 28), 0);
        CU_ASSERT_EQUAL(ours.body_type, theirs.body_type);
        CU_ASSERT_EQUAL(ours.signed_len, theirs.signed_len);
        CU_ASSERT_EQUAL(ours.signature - quote, theirs.signature - p);
        CU_ASSERT_EQUAL(ours.qe_report - quote, theirs.qe_report - p);
        CU_ASSERT_EQUAL(ours.auth_len, theirs.auth_len);
        CU_ASSERT_EQUAL(ours.cert_type, theirs.cert_type);
        CU_ASSERT_EQUAL(ours.cert - quote, theirs.cert - p);
        CU_ASSERT_EQUAL(memcmp(ours.cert, "-----BEGIN CERTIFICATE-----", 27), 0);
        CU_ASSERT_EQUAL(memcmp(theirs.cert, "-----BEGIN CERTIFICATE-----", 27), 0);
        free(p);
    }
}

static const struct cu_test tests[] = {
    CU(a_quote_is_trusted_by_whoever_names_the_root_and_nobody_else),
    CU(each_part_of_the_collateral_is_needed),
    CU(a_quote_tells_what_the_report_tells),
    CU(a_report_of_version_1_becomes_a_quote_of_version_5),
    CU(no_bit_of_a_report_can_be_changed),
    CU(a_changed_quote_is_refused),
    CU(it_is_built_as_real_quotes_are),
    CU_END,
};

int main(int argc, char **argv)
{
    int rc = cu_main("tdx_quote", tests, argc, argv);

    free(chain);
    return rc;
}
