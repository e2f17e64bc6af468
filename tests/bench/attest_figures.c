/*
 * The figures of the attestation library, each as a ratio to the raw operation, measured in turns
 * in one run so that the machine's noise hits both sides. Processor time, least of several rounds.
 */
#include "attest_file.h"
#include "attest_snppki.h"
#include "attest_tdx.h"
#include "attest_tdxpki.h"
#include "cu.h"

#include <attest/measure_snp.h>

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROUNDS 9

static double seconds(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Something to be timed; returns false when it does not do what it should. */
struct work {
    const char *name;
    bool (*run)(void *arg);
    void *arg;
    unsigned int times; /* in one round */
    clockid_t clock;
    double best; /* seconds for one */
};

static void time_round(struct work *w)
{
    double start = seconds(w->clock);
    double took;

    for (unsigned int i = 0; i < w->times; i++) {
        if (!w->run(w->arg)) {
            CU_FAIL("the timed work fails");
            return;
        }
    }
    took = (seconds(w->clock) - start) / w->times;
    w->best = w->best == 0 || took < w->best ? took : w->best;
}

/* Prints both and their ratio; fails above the limit (0: none). */
static void compare(struct work *raw, struct work *ours, double limit)
{
    double ratio;

    ours->run(ours->arg); /* warm */
    for (int i = 0; i < ROUNDS; i++) {
        time_round(raw);
        time_round(ours);
    }
    ratio = ours->best / raw->best;
    printf("%-44s %9.1f us\n%-44s %9.1f us = %.2fx", raw->name, raw->best * 1e6, ours->name,
           ours->best * 1e6, ratio);
    if (limit > 0) {
        printf(" (at most %.1fx)", limit);
        CU_ASSERT(ratio <= limit);
    }
    printf("\n");
}

/* ---- one raw ECDSA verification ---- */

struct raw {
    EVP_PKEY *key;
    uint8_t digest[48];
    size_t digest_len;
    uint8_t sig[160];
    size_t sig_len;
    EVP_PKEY_CTX *ctx;
};

static void raw_init(struct raw *r, const char *curve, size_t digest_len)
{
    EVP_PKEY_CTX *sign;

    r->key = EVP_EC_gen(curve);
    r->digest_len = digest_len;
    memset(r->digest, 0x42, sizeof(r->digest));
    r->sig_len = sizeof(r->sig);
    sign = EVP_PKEY_CTX_new(r->key, NULL);
    CU_ASSERT(EVP_PKEY_sign_init(sign) == 1 &&
              EVP_PKEY_sign(sign, r->sig, &r->sig_len, r->digest, digest_len) == 1);
    EVP_PKEY_CTX_free(sign);
    r->ctx = EVP_PKEY_CTX_new(r->key, NULL);
    CU_ASSERT_EQUAL(EVP_PKEY_verify_init(r->ctx), 1);
}

static bool raw_verify(void *arg)
{
    struct raw *r = arg;

    return EVP_PKEY_verify(r->ctx, r->sig, r->sig_len, r->digest, r->digest_len) == 1;
}

static void raw_done(struct raw *r)
{
    EVP_PKEY_CTX_free(r->ctx);
    EVP_PKEY_free(r->key);
}

/* ---- the whole way from bytes to a verdict ---- */

struct judged {
    const uint8_t *evidence;
    size_t len;
    struct attest_input in;
    struct attest_verdict *verdict;
};

static bool judge(void *arg)
{
    struct judged *j = arg;

    attest_verdict_reset(j->verdict);
    return attest_verify(j->evidence, j->len, &j->in, j->verdict) == ATTEST_OK;
}

static void a_warm_snp_verdict_costs_little_more_than_its_signature(void)
{
    struct snppki *pki = snppki_new(&(struct snppki_knobs){.with_crl = true});
    struct attest_policy *policy = snppki_policy(pki, false, ",\"require-crl\":true", "");
    uint8_t report[SNP_REPORT_SIZE];
    struct judged j = {report,
                       sizeof(report),
                       {.collateral = snppki_collateral(pki), .policy = policy, .at = SNPPKI_NOW},
                       attest_verdict_new()};
    struct raw raw;
    struct work a = {"ECDSA P-384 verification", raw_verify, &raw, 60, CLOCK_PROCESS_CPUTIME_ID, 0};
    struct work b = {"SNP report to verdict, warm", judge, &j, 60, CLOCK_PROCESS_CPUTIME_ID, 0};

    snppki_report(pki, 5, report);
    raw_init(&raw, "P-384", 48);
    compare(&a, &b, 1.5);
    raw_done(&raw);
    attest_verdict_free(j.verdict);
    attest_policy_free(policy);
    snppki_free(pki);
}

/* A real chain with its RSA-4096 signatures, parsed anew each time. */
struct cold {
    uint8_t *report, *chain, *vek;
    size_t report_len, chain_len, vek_len;
};

static bool judge_cold(void *arg)
{
    struct cold *f = arg;
    struct attest_collateral *c = attest_collateral_new();
    struct attest_cert *vek = NULL;
    struct snp_result out;
    struct snp_report r;
    bool ok = attest_collateral_add(c, "chain", f->chain, f->chain_len, NULL) == ATTEST_OK;

    attest_collateral_seal(c);
    ok = ok && attest_cert_parse(f->vek, f->vek_len, &vek, NULL) == ATTEST_OK &&
         snp_report_parse(f->report, f->report_len, &r, NULL) == ATTEST_OK &&
         snp_verify(&r, vek, &(struct snp_context){.collateral = c, .at = 1772323200}, &out,
                    NULL) == ATTEST_OK;
    attest_cert_free(vek);
    attest_collateral_free(c);
    return ok;
}

static void a_cold_snp_verification_is_told_for_comparison(void)
{
    struct cold f = {0};
    struct raw raw;
    struct work a = {"ECDSA P-384 verification", raw_verify, &raw, 60, CLOCK_PROCESS_CPUTIME_ID, 0};
    struct work b = {"real SNP report, all parsed anew", judge_cold, &f, 20,
                     CLOCK_PROCESS_CPUTIME_ID,           0};

    f.report = vector_read("snp/reports/genoa-v3-ms/report.bin", &f.report_len);
    f.vek = vector_read("snp/reports/genoa-v3-ms/vek.der", &f.vek_len);
    f.chain = vector_read("snp/ca/ask_ark_genoa.pem", &f.chain_len);
    if (f.report == NULL || f.vek == NULL || f.chain == NULL) {
        cu_skip(1, "no vectors: no real chain to time");
    } else {
        raw_init(&raw, "P-384", 48);
        compare(&a, &b, 0);
        raw_done(&raw);
    }
    free(f.report);
    free(f.vek);
    free(f.chain);
}

static void a_warm_tdx_verdict_costs_a_few_signatures(void)
{
    struct tdxpki *pki = tdxpki_new(&(struct tdxpki_knobs){0});
    struct attest_policy *policy = NULL;
    struct judged j = {.verdict = attest_verdict_new()};
    struct raw raw;
    struct work a = {"ECDSA P-256 verification", raw_verify, &raw, 400,
                     CLOCK_PROCESS_CPUTIME_ID,   0};
    struct work b = {"TDX quote to verdict, warm", judge, &j, 100, CLOCK_PROCESS_CPUTIME_ID, 0};
    uint8_t *quote = tdxpki_quote(pki, &(struct tdxpki_quote){0}, &j.len);
    char *text = tdx_policy_text(quote, j.len, "", tdxpki_top(pki));

    CU_ASSERT_EQUAL_FATAL(attest_policy_parse(text, strlen(text), &policy, NULL), ATTEST_OK);
    free(text);
    j.evidence = quote;
    j.in = (struct attest_input){
        .collateral = tdxpki_collateral(pki), .policy = policy, .at = tdx_time(TDXPKI_NOW)};
    raw_init(&raw, "P-256", 32);
    compare(&a, &b, 8.0);
    raw_done(&raw);
    free(quote);
    attest_verdict_free(j.verdict);
    attest_policy_free(policy);
    tdxpki_free(pki);
}

/* ---- launch digest ---- */

#define IMAGE_SIZE (32UL * 1024 * 1024)

struct image {
    uint8_t *data;
    unsigned int threads;
    EVP_MD *md;
};

static bool hash_image(void *arg)
{
    struct image *i = arg;
    uint8_t out[48];

    return EVP_Digest(i->data, IMAGE_SIZE, out, NULL, i->md, NULL) == 1;
}

static bool measure_image(void *arg)
{
    struct image *i = arg;
    struct snp_region r = {
        .gpa = 0x200000, .size = IMAGE_SIZE, .type = SNP_PAGE_NORMAL, .data = i->data};
    uint8_t ld[48];

    return snp_launch_digest(&r, 1, i->threads, ld, NULL) == ATTEST_OK;
}

static void a_launch_digest_costs_little_more_than_hashing_the_same_bytes(void)
{
    struct image i = {malloc(IMAGE_SIZE), 1, EVP_MD_fetch(NULL, "SHA2-384", NULL)};
    struct work a = {"SHA-384 of 32 MiB", hash_image, &i, 1, CLOCK_PROCESS_CPUTIME_ID, 0};
    struct work b = {
        "launch digest of 32 MiB, one thread", measure_image, &i, 1, CLOCK_PROCESS_CPUTIME_ID, 0};
    struct work c = {"SHA-384 of 32 MiB, on the clock", hash_image, &i, 1, CLOCK_MONOTONIC, 0};
    struct work d = {
        "launch digest of 32 MiB, all processors", measure_image, &i, 1, CLOCK_MONOTONIC, 0};

    CU_ASSERT_PTR_NOT_NULL_FATAL(i.data);
    memset(i.data, 0x5a, IMAGE_SIZE);
    compare(&a, &b, 1.2);
    i.threads = 0;
    compare(&c, &d, 0); /* as good as the processors are idle */
    EVP_MD_free(i.md);
    free(i.data);
}

static const struct cu_test tests[] = {
    CU(a_warm_snp_verdict_costs_little_more_than_its_signature),
    CU(a_cold_snp_verification_is_told_for_comparison),
    CU(a_warm_tdx_verdict_costs_a_few_signatures),
    CU(a_launch_digest_costs_little_more_than_hashing_the_same_bytes),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("bench-attest", tests, argc, argv);
}
