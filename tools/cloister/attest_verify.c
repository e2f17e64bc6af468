/* cloister verify: is this evidence to be trusted, and why not? */
#include "attest_common.h"
#include "cli.h"

#include <attest/ear.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char usage[] =
    "Usage: cloister verify EVIDENCE --policy FILE [OPTION...]\n"
    "\n"
    "EVIDENCE is an SEV-SNP report, a TDX or SGX quote, a CCA token or a TPM quote; its kind is\n"
    "recognised. A folder that holds one such file serves, too. The policy is JSON: see\n"
    "docs/policy.md. Nothing is fetched: certificates, CRLs and TCB infos come from the\n"
    "collateral folders.\n"
    "Exit status: 0 trusted, 1 refused, 2 the input cannot be used.";

struct options {
    const char *policy;
    struct opt_list collateral;
    const char *at;
    const char *nonce;
    const char *event_log;
    const char *ear;
    bool json;
};

static const struct opt table[] = {
    {"policy", "FILE", "what is expected (required)", OPT_STRING, offsetof(struct options, policy),
     0, 0},
    {"collateral", "DIR", "certificates, CRLs, TCB infos; default: where EVIDENCE is", OPT_LIST,
     offsetof(struct options, collateral), 0, 0},
    {"at", "TIME", "judge as of this time (2026-03-20T12:00:00Z); default: now", OPT_STRING,
     offsetof(struct options, at), 0, 0},
    {"nonce", "HEX", "the evidence must carry this nonce", OPT_STRING,
     offsetof(struct options, nonce), 0, 0},
    {"event-log", "FILE", "replay this log against the quoted registers", OPT_STRING,
     offsetof(struct options, event_log), 0, 0},
    {"ear", "PEM", "print the verdict as a JWT (EAR), signed by this EC or Ed25519 key", OPT_STRING,
     offsetof(struct options, ear), 0, 0},
    {"json", NULL, "print the verdict as JSON", OPT_FLAG, offsetof(struct options, json), 0, 0},
    {NULL, NULL, NULL, OPT_FLAG, 0, 0, 0},
};

/* All that a verification holds; freed together. */
struct job {
    struct blob evidence;
    struct blob log;
    char *folder;
    struct attest_policy *policy;
    struct attest_collateral *collateral;
    struct attest_verdict *verdict;
    uint8_t nonce[64];
};

static void job_free(struct job *j)
{
    free(j->evidence.p);
    free(j->log.p);
    free(j->folder);
    attest_policy_free(j->policy);
    attest_collateral_free(j->collateral);
    attest_verdict_free(j->verdict);
}

static int load_policy(const char *path, struct attest_policy **out)
{
    struct attest_error err = {0};
    enum attest_status st;
    struct blob b;

    if (!blob_load(path, EVIDENCE_MAX, &b)) {
        return CLI_USAGE;
    }
    st = attest_policy_parse((const char *)b.p, b.len, out, &err);
    free(b.p);
    return st == ATTEST_OK ? CLI_OK : attest_complain(&err);
}

static int load(struct job *j, const struct options *o, const char *evidence,
                struct attest_input *in)
{
    const char *folders[OPT_LIST_MAX];
    size_t n = o->collateral.count;

    *in = (struct attest_input){0};
    if (load_policy(o->policy, &j->policy) != CLI_OK ||
        !evidence_load(evidence, &j->evidence, &j->folder) || !time_option(o->at, &in->at) ||
        (o->event_log != NULL && !blob_load(o->event_log, EVIDENCE_MAX, &j->log))) {
        return CLI_USAGE;
    }
    memcpy(folders, o->collateral.value, n * sizeof(folders[0]));
    if (n == 0) {
        folders[n++] = j->folder;
    }
    j->collateral = collateral_load(j->policy, folders, n, NULL);
    j->verdict = attest_verdict_new();
    if (j->collateral == NULL || j->verdict == NULL) {
        return CLI_USAGE;
    }
    if (o->nonce != NULL) {
        in->nonce = j->nonce;
        if (!hex_option("nonce", o->nonce, j->nonce, sizeof(j->nonce), &in->nonce_len)) {
            return CLI_USAGE;
        }
    }
    in->policy = j->policy;
    in->collateral = j->collateral;
    in->event_log = j->log.p;
    in->event_log_len = j->log.len;
    return CLI_OK;
}

/*
 * Trusted for five minutes: long enough to be used, too short to be kept. They begin at the time
 * judged at: what was good in the past says nothing of today, and no token waits for the future.
 */
#define EAR_SECONDS 300

static int print_ear(const struct job *j, const struct options *o, int64_t at)
{
    const char *name = attest_policy_name(j->policy);
    struct ear_info info = {.issuer = "cloister verify",
                            .build = "cloister",
                            .policy_id = name[0] != '\0' ? name : o->policy,
                            .nonce = o->nonce,
                            .issued = (int64_t)time(NULL)};
    EVP_PKEY *key = key_load(o->ear);
    json_t *claims;
    char *token;

    if (key == NULL) {
        return CLI_USAGE;
    }
    info.expires = (at < info.issued ? at : info.issued) + EAR_SECONDS;
    claims = ear_claims(j->verdict, &info);
    token = claims != NULL ? jwt_sign(claims, NULL, key) : NULL;
    json_decref(claims);
    EVP_PKEY_free(key);
    if (token == NULL) {
        return cli_fail(CLI_USAGE, "%s: cannot sign a token with this key", o->ear);
    }
    printf("%s\n", token);
    free(token);
    return CLI_OK;
}

static void print_verdict(const struct attest_verdict *v, bool json)
{
    json_t *j = json ? attest_verdict_json(v) : NULL;
    char *text = json ? NULL : attest_verdict_text(v);

    if (j != NULL) {
        print_json(stdout, j);
        json_decref(j);
    }
    if (text != NULL) {
        fputs(text, stdout);
        free(text);
    }
}

static int judge(const struct job *j, const struct attest_input *in, const struct options *o)
{
    enum attest_status st = attest_verify(j->evidence.p, j->evidence.len, in, j->verdict);

    if (o->ear == NULL) {
        print_verdict(j->verdict, o->json);
    } else if (print_ear(j, o, in->at) != CLI_OK) {
        return CLI_USAGE;
    }
    return attest_status_class(st);
}

int verb_verify(int argc, char **argv)
{
    struct options o = {0};
    struct job j = {0};
    struct attest_input in;
    const char *evidence;
    int n = opts_parse(table, &o, argc, argv, &evidence, 1);
    int rc;

    if (n == -2) {
        opts_help(table, usage);
        return CLI_OK;
    }
    if (n < 0) {
        return CLI_USAGE;
    }
    if (n != 1 || o.policy == NULL) {
        return cli_fail(CLI_USAGE, "verify wants EVIDENCE and --policy; see --help");
    }
    rc = load(&j, &o, evidence, &in);
    if (rc == CLI_OK) {
        rc = judge(&j, &in, &o);
    }
    job_free(&j);
    return rc;
}
