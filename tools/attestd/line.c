/*
 * The line mode, for guests that reach the broker over a console or a vsock stream: docs/attestd.md
 * has the grammar. Every line gets one line in answer.
 */
#include "admin.h"
#include "broker_impl.h"

#include <attest/cose.h>
#include <attest/hex.h>
#include <attest/jwe.h>

#include <stdlib.h>
#include <string.h>

#define ERRORS_MAX 8
#define POLICIES_TRIED_MAX 16

struct broker_line {
    struct broker *b;
    char peer[64];
    unsigned int errors;
    bool has_nonce;
    uint8_t nonce[NONCE_SIZE];
    int64_t until;     /* 0: the nonce is not spent; else evidence counts until then (seconds) */
    EVP_PKEY *key;
    uint8_t report_data[64]; /* SHA-512 over nonce and key */
    struct kbs_evidence evidence;
    struct attest_verdict *verdict;
};

struct broker_line *broker_line_new(struct broker *b, const char *peer)
{
    struct broker_line *l = calloc(1, sizeof(*l));

    if (l == NULL) {
        return NULL;
    }
    l->b = b;
    l->verdict = attest_verdict_new();
    snprintf(l->peer, sizeof(l->peer), "%s", peer);
    if (l->verdict == NULL) {
        free(l);
        return NULL;
    }
    broker_count(b, BROKER_line_sessions);
    return l;
}

static void forget(struct broker_line *l)
{
    EVP_PKEY_free(l->key);
    l->key = NULL;
    kbs_evidence_free(&l->evidence);
    l->has_nonce = false;
    l->until = 0;
}

void broker_line_free(struct broker_line *l)
{
    if (l != NULL) {
        forget(l);
        attest_verdict_free(l->verdict);
        free(l);
    }
}

__attribute__((format(printf, 2, 3))) static void say(char **reply, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    if (vasprintf(reply, fmt, ap) < 0) {
        *reply = NULL;
    }
    va_end(ap);
}

static bool complain(struct broker_line *l, char **reply, const char *why)
{
    say(reply, "error %s\n", why);
    return ++l->errors < ERRORS_MAX;
}

static bool on_attest(struct broker_line *l, const char *arg, char **reply)
{
    char hex[2 * NONCE_SIZE + 1];

    if (strcmp(arg, "1") != 0) {
        return complain(l, reply, "attest: expected version 1");
    }
    forget(l);
    if (!nonce_make(l->b->nonce_key, l->b->clock_ms(), l->nonce)) {
        return complain(l, reply, "attest: no random bytes");
    }
    l->has_nonce = true;
    say(reply, "nonce %s %lld\n", hex_encode(l->nonce, NONCE_SIZE, hex),
        (long long)(l->b->nonce_ms / 1000));
    return true;
}

static bool on_key(struct broker_line *l, const char *arg, char **reply)
{
    uint8_t point[1 + 2 * JOSE_COORD_MAX];
    struct attest_span spans[2] = {{l->nonce, NONCE_SIZE}, {point, 0}};
    size_t len;

    if (!l->has_nonce || l->key != NULL) {
        return complain(l, reply, "key: expected once, after a nonce");
    }
    if (!hex_decode(arg, point, sizeof(point), &len) ||
        cose_point_parse(point, len, "key", &l->key, NULL) != ATTEST_OK) {
        return complain(l, reply, "key: expected an uncompressed EC point in hex");
    }
    spans[1].len = len;
    if (!attest_hash(ATTEST_SHA512, spans, 2, l->report_data)) {
        return complain(l, reply, "key: cannot be hashed");
    }
    say(reply, "ok\n");
    return true;
}

static bool on_bytes(struct broker_line *l, const char *arg, uint8_t **p, size_t *len, char **reply)
{
    size_t n = strlen(arg);

    if (!l->has_nonce || *p != NULL) {
        return complain(l, reply, "expected once, after a nonce");
    }
    *p = malloc(n + 1);
    if (*p == NULL || n == 0 || !admin_base64(arg, n, *p, len)) {
        free(*p);
        *p = NULL;
        return complain(l, reply, "expected base64");
    }
    say(reply, "ok\n");
    return true;
}

/* The first policy of the secret that the evidence meets; its name is copied. */
static enum attest_status find_policy(struct broker_line *l, const json_t *policies, char *name,
                                      size_t size, struct attest_error *err)
{
    const struct broker_evidence e = {.p = l->evidence.p,
                                      .len = l->evidence.len,
                                      .event_log = l->evidence.event_log,
                                      .event_log_len = l->evidence.event_log_len};
    enum attest_status st =
        attest_fail(err, ATTEST_NOT_FOUND, "secret", "policies", "a policy", "none");

    for (size_t i = 0; i < json_array_size(policies) && i < POLICIES_TRIED_MAX; i++) {
        const char *s = json_string_value(json_array_get(policies, i));
        const struct broker_policy *p;

        if (s == NULL) {
            continue;
        }
        snprintf(name, size, "%s", s);
        st = broker_policy_named(l->b, s, &p, err);
        if (st == ATTEST_OK) {
            st = broker_judge(l->b, p, &e, l->report_data, sizeof(l->report_data), l->verdict,
                              err);
        }
        if (st == ATTEST_OK) {
            return ATTEST_OK;
        }
    }
    return st;
}

/* Fresh the first time; later requests live off the same attestation, for a session's life. */
static enum attest_status check_nonce(struct broker_line *l, bool use, struct attest_error *err)
{
    enum nonce_state s;

    if (l->until != 0) {
        return broker_now(l->b) < l->until
                   ? ATTEST_OK
                   : attest_fail(err, ATTEST_NONCE, "session", "age", "a session's life", "over");
    }
    s = use ? nonce_use(l->b->window, l->b->nonce_key, l->b->clock_ms(), l->nonce)
            : nonce_check(l->b->window, l->b->nonce_key, l->b->clock_ms(), l->nonce);
    if (s != NONCE_GOOD) {
        return attest_fail(err, ATTEST_NONCE, "session", "nonce", "a fresh nonce", "%s",
                           nonce_state_text(s));
    }
    if (use) {
        l->until = broker_now(l->b) + l->b->session_seconds;
    }
    return ATTEST_OK;
}

static int status_of(const struct broker_line *l, enum attest_status st)
{
    if (st == ATTEST_OK) {
        return 200;
    }
    if (st == ATTEST_NOT_FOUND && l->until != 0) {
        return 404;
    }
    return attest_verdict_claims(l->verdict) != NULL ? 403 : 401;
}

/* Judges and releases; the outcome as an HTTP status, so that both modes speak of the same. */
static int try_get(struct broker_line *l, const char *path, char *policy, size_t size, json_t **jwe,
                   struct attest_error *err)
{
    json_t *policies = NULL;
    enum attest_status st = check_nonce(l, false, err);
    int status;

    attest_verdict_reset(l->verdict);
    if (st == ATTEST_OK && (st = broker_refresh(l->b, err)) != ATTEST_OK) {
        return 503;
    }
    if (st == ATTEST_OK) {
        st = broker_path_public(path)
                 ? store_secret_policies(l->b->store, path, &policies, err)
                 : attest_fail(err, ATTEST_NOT_FOUND, "secret", "path",
                               "repository/type/tag", NULL);
    }
    if (st == ATTEST_OK) {
        st = find_policy(l, policies, policy, size, err);
    }
    if (st == ATTEST_OK) {
        st = check_nonce(l, true, err);
    }
    status = status_of(l, st);
    if (st == ATTEST_OK) {
        status = broker_release(l->b, path, policy, l->key, jwe, err);
    }
    json_decref(policies);
    return status;
}

static void count(struct broker *b, int status)
{
    broker_count(b, BROKER_resource_requests);
    broker_count(b, status == 200   ? BROKER_resource_released
                    : status == 401 ? BROKER_resource_unauthenticated
                    : status == 403 ? BROKER_resource_forbidden
                                    : BROKER_resource_missing);
}

static void answer(int status, const json_t *jwe, const struct attest_error *err, char **reply)
{
    char *compact = status == 200 ? jwe_compact(jwe) : NULL;
    char why[200];

    if (compact != NULL) {
        say(reply, "secret %s\n", compact);
    } else {
        brief_reason(err, why, sizeof(why));
        say(reply, "refused %d %s\n", status == 200 ? 503 : status, why);
    }
    free(compact);
}

static bool on_get(struct broker_line *l, const char *path, char **reply)
{
    struct attest_error err = {0};
    char policy[STORE_NAME_MAX + 1] = "";
    char why[400];
    json_t *jwe = NULL;
    struct broker_decision d = {.peer = l->peer, .action = "resource", .nonce = l->nonce};
    int status;

    if (!l->has_nonce || l->key == NULL || l->evidence.p == NULL) {
        return complain(l, reply, "get: expected after nonce, key and evidence");
    }
    status = try_get(l, path, policy, sizeof(policy), &jwe, &err);
    d.granted = status == 200;
    d.policy = policy[0] != '\0' ? policy : NULL;
    d.resource = store_path_valid(path) ? path : "(malformed path)";
    d.reason = status != 200 ? attest_error_text(&err, why, sizeof(why)) : NULL;
    d.verdict = l->verdict;
    count(l->b, status);
    if (!broker_audit(l->b, &d)) {
        attest_fail(&err, ATTEST_INTERNAL, "audit log", "line", NULL, NULL);
        status = 503;
    }
    answer(status, jwe, &err, reply);
    json_decref(jwe);
    return true;
}

static bool dispatch(struct broker_line *l, const char *verb, const char *arg, char **reply)
{
    if (strcmp(verb, "attest") == 0) {
        return on_attest(l, arg, reply);
    }
    if (strcmp(verb, "key") == 0) {
        return on_key(l, arg, reply);
    }
    if (strcmp(verb, "evidence") == 0) {
        return on_bytes(l, arg, &l->evidence.p, &l->evidence.len, reply);
    }
    if (strcmp(verb, "event-log") == 0) {
        return on_bytes(l, arg, &l->evidence.event_log, &l->evidence.event_log_len, reply);
    }
    if (strcmp(verb, "get") == 0) {
        return on_get(l, arg, reply);
    }
    if (strcmp(verb, "quit") == 0) {
        say(reply, "bye\n");
        return false;
    }
    return complain(l, reply, "expected attest, key, evidence, event-log, get or quit");
}

bool broker_line_feed(struct broker_line *l, const char *line, size_t len, char **reply)
{
    char *copy;
    char *arg;
    bool more;

    *reply = NULL;
    if (len > 0 && line[len - 1] == '\r') {
        len--;
    }
    if (len > BROKER_LINE_MAX || memchr(line, '\0', len) != NULL) {
        return complain(l, reply, "expected a line of text of at most 2 MiB");
    }
    copy = strndup(line, len);
    if (copy == NULL) {
        return false;
    }
    arg = strchr(copy, ' ');
    if (arg != NULL) {
        *arg++ = '\0';
    }
    more = dispatch(l, copy, arg != NULL ? arg : "", reply);
    free(copy);
    return more && *reply != NULL;
}
