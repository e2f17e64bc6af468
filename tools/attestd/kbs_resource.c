/* Secrets for guests that have attested, by cookie or by token. */
#include "broker_impl.h"

#include <attest/jwt.h>

#include <stdlib.h>
#include <string.h>

/* What a good session or token says; strings are borrowed from claims. */
struct proof {
    json_t *claims;
    const json_t *jwk;
    const char *policy;
    const char *policy_sha256;
};

static bool from_cookie(struct broker *b, const char *cookie, struct proof *out)
{
    out->claims = session_open(b, cookie, "attested");
    out->jwk = json_object_get(out->claims, "tee-pubkey");
    out->policy = json_string_value(json_object_get(out->claims, "policy"));
    out->policy_sha256 = json_string_value(json_object_get(out->claims, "policy-sha256"));
    return out->claims != NULL;
}

/* Only tokens that this broker's key signed, and signed for trusted evidence. */
static bool from_token(struct broker *b, const char *token, struct proof *out)
{
    const json_t *cpu;
    const json_t *evidence;

    if (jwt_verify(token, strlen(token), b->token_key, &out->claims, NULL) != ATTEST_OK ||
        jwt_check_times(out->claims, broker_now(b), NULL) != ATTEST_OK) {
        return false;
    }
    cpu = json_object_get(json_object_get(out->claims, "submods"), "cpu0");
    evidence = json_object_get(cpu, "ear.veraison.annotated-evidence");
    out->jwk = json_object_get(json_object_get(evidence, "runtime_data_claims"), "tee-pubkey");
    out->policy = json_string_value(json_object_get(cpu, "ear.appraisal-policy-id"));
    out->policy_sha256 =
        json_string_value(json_object_get(out->claims, "cloister.policy-sha256"));
    return true;
}

/* A policy that was changed or removed since ends what it granted. */
static bool policy_stands(struct broker *b, const struct proof *p)
{
    const struct broker_policy *now;

    return p->policy != NULL && p->policy_sha256 != NULL &&
           broker_policy_named(b, p->policy, &now, NULL) == ATTEST_OK &&
           strcmp(now->sha256, p->policy_sha256) == 0;
}

static EVP_PKEY *authenticate(struct broker *b, const struct broker_request *rq, struct proof *p,
                              struct attest_error *err)
{
    EVP_PKEY *key = NULL;
    bool ok = rq->bearer != NULL ? from_token(b, rq->bearer, p) : from_cookie(b, rq->session, p);

    if (!ok) {
        attest_fail(err, ATTEST_SIGNATURE, "session", rq->bearer != NULL ? "token" : "cookie",
                    "an attested session that has not expired", NULL);
    } else if (!policy_stands(b, p)) {
        attest_fail(err, ATTEST_POLICY, "session", "policy", "the policy as it stands now",
                    "another or none");
    } else if (jose_jwk_parse(p->jwk, "tee-pubkey", &key, err) != ATTEST_OK) {
        key = NULL;
    }
    return key;
}

static void count(struct broker *b, int status)
{
    broker_count(b, status == 200   ? BROKER_resource_released
                    : status == 401 ? BROKER_resource_unauthenticated
                    : status == 403 ? BROKER_resource_forbidden
                                    : BROKER_resource_missing);
}

/* Nothing leaves before the audit log has it. */
static void answer(struct broker *b, const struct broker_decision *d, int status, json_t *jwe,
                   struct broker_reply *rp)
{
    static const char *const details[] = {"not authenticated", "not allowed by the policy",
                                          "no such resource"};

    count(b, status);
    if (!broker_audit(b, d)) {
        json_decref(jwe);
        reply_error(rp, 503, "PluginInternalError", "the audit log cannot be written");
    } else if (status == 200) {
        reply_json(rp, jwe);
    } else if (status == 503) {
        reply_error(rp, 503, "JweError", "the resource cannot be sealed");
    } else {
        reply_error(rp, status,
                    status == 401   ? "TokenNotFound"
                    : status == 403 ? "PolicyDeny"
                                    : "PluginNotFound",
                    details[status == 401 ? 0 : status == 403 ? 1 : 2]);
    }
}

void kbs_resource_get(struct broker *b, const struct broker_request *rq, const char *path,
                      struct broker_reply *rp)
{
    struct proof p = {0};
    struct attest_error err = {0};
    json_t *jwe = NULL;
    char why[400];
    EVP_PKEY *key = authenticate(b, rq, &p, &err);
    int status = key != NULL ? broker_release(b, path, p.policy, key, &jwe, &err) : 401;
    struct broker_decision d = {
        .peer = rq->peer,
        .action = "resource",
        .granted = status == 200,
        .policy = p.policy,
        .resource = store_path_valid(path) ? path : "(malformed path)",
        .reason = status != 200 ? attest_error_text(&err, why, sizeof(why)) : NULL,
    };

    broker_count(b, BROKER_resource_requests);
    answer(b, &d, status, jwe, rp);
    EVP_PKEY_free(key);
    json_decref(p.claims);
}
