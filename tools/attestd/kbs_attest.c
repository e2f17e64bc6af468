/* The handshake's second half: evidence in, a token out. */
#include "broker_impl.h"

#include <attest/ear.h>
#include <attest/hex.h>
#include <attest/jwe.h>

#include <stdlib.h>
#include <string.h>

#define BUILD "attestd 1"

/* All that one attestation gathers on its way. */
struct attempt {
    json_t *session;   /* of the challenge */
    json_t *body;
    json_t *runtime;   /* what report data hashes; canonical */
    EVP_PKEY *key;     /* the guest's */
    uint8_t nonce[NONCE_SIZE];
    uint8_t report_data[48];
    struct kbs_evidence evidence;
    const struct broker_policy *policy;
    struct attest_verdict *verdict;
};

static void release(struct attempt *a)
{
    json_decref(a->session);
    json_decref(a->body);
    json_decref(a->runtime);
    EVP_PKEY_free(a->key);
    kbs_evidence_free(&a->evidence);
    attest_verdict_free(a->verdict);
}

static bool is_ascii(const char *s)
{
    for (; *s != '\0'; s++) {
        if (*s < ' ' || *s > '~') {
            return false;
        }
    }
    return true;
}

/* Only printable ASCII: then our canonical form and the client's (RFC 8785) are the same. */
static bool plain_strings(const json_t *obj)
{
    const char *key;
    json_t *v;

    json_object_foreach((json_t *)(uintptr_t)obj, key, v)
    {
        if (!is_ascii(key) || !json_is_string(v) || !is_ascii(json_string_value(v))) {
            return false;
        }
    }
    return true;
}

static enum attest_status read_key(struct attempt *a, const json_t *jwk, struct attest_error *err)
{
    const char *alg = json_string_value(json_object_get(jwk, "alg"));
    enum attest_status st = jose_jwk_parse(jwk, "tee-pubkey", &a->key, err);

    if (st != ATTEST_OK) {
        return st;
    }
    if (!plain_strings(jwk)) {
        return attest_fail(err, ATTEST_MALFORMED, "tee-pubkey", "members", "strings of ASCII",
                           NULL);
    }
    /* RSA1_5 is not offered: it is broken, RFC 8017 section 7.2. */
    if (alg == NULL || strcmp(alg, jwe_alg(a->key)) != 0) {
        return attest_fail(err, ATTEST_UNSUPPORTED, "tee-pubkey", "alg", jwe_alg(a->key), "%s",
                           alg != NULL ? alg : "nothing");
    }
    return ATTEST_OK;
}

/* Nonce and key are bound by SHA-384 over their canonical JSON in the report data. */
static enum attest_status read_runtime(struct attempt *a, struct attest_error *err)
{
    const json_t *rt = json_object_get(a->body, "runtime-data");
    const char *nonce = json_string_value(json_object_get(rt, "nonce"));
    const char *want = json_string_value(json_object_get(a->session, "nonce"));
    json_t *jwk = json_object_get(rt, "tee-pubkey");
    enum attest_status st;
    size_t len;
    char *text;

    if (nonce == NULL || want == NULL || strcmp(nonce, want) != 0 ||
        !base64_decode(nonce, strlen(nonce), false, a->nonce, sizeof(a->nonce), &len) ||
        len != NONCE_SIZE) {
        return attest_fail(err, ATTEST_NONCE, "runtime-data", "nonce", "the session's nonce",
                           NULL);
    }
    if ((st = read_key(a, jwk, err)) != ATTEST_OK) {
        return st;
    }
    a->runtime = json_pack("{s:s, s:s, s:O}", "additional-evidence", "", "nonce", nonce,
                           "tee-pubkey", jwk);
    text = json_dumps(a->runtime, JSON_COMPACT | JSON_SORT_KEYS);
    if (text == NULL || !attest_hash1(ATTEST_SHA384, text, strlen(text), a->report_data)) {
        st = attest_no_memory(err, "runtime-data");
    }
    free(text);
    return st;
}

static enum attest_status read_evidence(struct attempt *a, struct attest_error *err)
{
    const json_t *e = json_object_get(a->body, "tee-evidence");
    const json_t *more = json_object_get(e, "additional_evidence");
    const char *tee = json_string_value(json_object_get(a->session, "tee"));

    if (more != NULL && (!json_is_string(more) || json_string_length(more) != 0)) {
        return attest_fail(err, ATTEST_UNSUPPORTED, "tee-evidence", "additional_evidence",
                           "an empty string", "something");
    }
    return kbs_evidence_parse(kbs_kind(tee), json_object_get(e, "primary_evidence"), &a->evidence,
                              err);
}

/* Form: nothing is judged yet. */
static enum attest_status read_attempt(struct broker *b, const struct broker_request *rq,
                                       struct attempt *a, struct attest_error *err)
{
    enum attest_status st;

    a->session = session_open(b, rq->session, "challenge");
    if (a->session == NULL) {
        return attest_fail(err, ATTEST_NONCE, "session", "kbs-session-id",
                           "the cookie of a challenge that has not expired", NULL);
    }
    a->body = json_loadb((const char *)rq->body, rq->body_len, JSON_REJECT_DUPLICATES, NULL);
    if (a->body == NULL) {
        return attest_fail(err, ATTEST_MALFORMED, "attestation", "body", "JSON", NULL);
    }
    if ((st = read_runtime(a, err)) != ATTEST_OK || (st = read_evidence(a, err)) != ATTEST_OK) {
        return st;
    }
    return broker_policy_named(b, json_string_value(json_object_get(a->session, "policy")),
                               &a->policy, err);
}

static enum attest_status check_nonce(struct broker *b, const struct attempt *a, bool use,
                                      struct attest_error *err)
{
    enum nonce_state s = use ? nonce_use(b->window, b->nonce_key, b->clock_ms(), a->nonce)
                             : nonce_check(b->window, b->nonce_key, b->clock_ms(), a->nonce);

    if (s == NONCE_GOOD) {
        return ATTEST_OK;
    }
    if (s == NONCE_USED) {
        broker_count(b, BROKER_nonce_replays);
    }
    return attest_fail(err, ATTEST_NONCE, "runtime-data", "nonce", "a fresh nonce", "%s",
                       nonce_state_text(s));
}

static enum attest_status judge(struct broker *b, struct attempt *a, struct attest_error *err)
{
    struct broker_evidence e = {
        .p = a->evidence.p,
        .len = a->evidence.len,
        .event_log = a->evidence.event_log,
        .event_log_len = a->evidence.event_log_len,
        .kind = kbs_kind(json_string_value(json_object_get(a->session, "tee"))),
    };

    a->verdict = attest_verdict_new();
    return a->verdict != NULL ? broker_judge(b, a->policy, &e, a->report_data,
                                             sizeof(a->report_data), a->verdict, err)
                              : attest_no_memory(err, "verdict");
}

static char *make_token(struct broker *b, const struct attempt *a)
{
    const struct ear_info info = {
        .issuer = b->issuer,
        .build = BUILD,
        .policy_id = a->policy->name,
        .nonce = json_string_value(json_object_get(a->runtime, "nonce")),
        .runtime = a->runtime,
        .issued = broker_now(b),
        .expires = broker_now(b) + b->session_seconds,
    };
    json_t *claims = ear_claims(a->verdict, &info);
    json_t *header = json_pack("{s:o*}", "jwk", jose_jwk_of(b->token_key));
    char *token = NULL;

    if (claims != NULL && header != NULL &&
        json_object_set_new(claims, "cloister.policy-sha256", json_string(a->policy->sha256)) ==
            0) {
        token = jwt_sign(claims, header, b->token_key);
    }
    json_decref(claims);
    json_decref(header);
    return token;
}

static void grant(struct broker *b, const struct attempt *a, struct broker_reply *rp)
{
    char *token = make_token(b, a);
    json_t *s = json_pack("{s:O, s:s, s:s}", "tee-pubkey",
                          json_object_get(a->runtime, "tee-pubkey"), "policy", a->policy->name,
                          "policy-sha256", a->policy->sha256);

    rp->session_seconds = b->session_seconds;
    rp->session = s != NULL ? session_seal(b, "attested", s, b->session_seconds) : NULL;
    json_decref(s);
    if (token == NULL || rp->session == NULL) {
        reply_error(rp, 503, "AttestationError", "out of memory");
    } else {
        reply_json(rp, json_pack("{s:s}", "token", token));
    }
    free(token);
}

void kbs_attest(struct broker *b, const struct broker_request *rq, struct broker_reply *rp)
{
    struct attempt a = {0};
    struct attest_error err = {0};
    struct broker_decision d = {.peer = rq->peer, .action = "attest"};
    char why[256];
    enum attest_status st = read_attempt(b, rq, &a, &err);
    bool judged = false;

    broker_count(b, BROKER_attest_requests);
    if (st == ATTEST_OK && (st = check_nonce(b, &a, false, &err)) == ATTEST_OK) {
        st = judge(b, &a, &err);
        judged = true;
    }
    /* The nonce is spent by success alone: failures must not fill the window. */
    if (st == ATTEST_OK) {
        st = check_nonce(b, &a, true, &err);
    }
    attest_error_text(&err, why, sizeof(why));
    d.granted = st == ATTEST_OK;
    d.policy = a.policy != NULL ? a.policy->name : NULL;
    d.reason = st != ATTEST_OK ? why : NULL;
    d.verdict = judged ? a.verdict : NULL;
    d.nonce = a.nonce;
    broker_count(b, st == ATTEST_OK ? BROKER_attest_trusted
                    : judged        ? BROKER_attest_refused
                                    : BROKER_attest_errors);
    if (!broker_audit(b, &d)) {
        reply_error(rp, 503, "AttestationError", "the audit log cannot be written");
    } else if (st != ATTEST_OK) {
        brief_reason(&err, why, sizeof(why));
        reply_error(rp, st == ATTEST_NO_MEMORY ? 503 : 401, "AttestationError", why);
    } else {
        grant(b, &a, rp);
    }
    release(&a);
}
