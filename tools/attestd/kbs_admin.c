/*
 * Administration by HTTP, as the protocol has it: a bearer token by the admin's private key. Off
 * until an admin key is in the store.
 */
#include "admin.h"
#include "broker_impl.h"

#include <attest/jwt.h>

#include <stdlib.h>
#include <string.h>

#define TOKEN_LIFE_MAX (24 * 3600)

static bool is_admin(struct broker *b, const struct broker_request *rq)
{
    json_t *claims = NULL;
    bool ok = b->admin_key != NULL && rq->bearer != NULL &&
              jwt_verify(rq->bearer, strlen(rq->bearer), b->admin_key, &claims, NULL) ==
                  ATTEST_OK &&
              jwt_check_times(claims, broker_now(b), NULL) == ATTEST_OK &&
              json_integer_value(json_object_get(claims, "exp")) <=
                  broker_now(b) + TOKEN_LIFE_MAX;

    json_decref(claims);
    return ok;
}

static void finish(struct broker *b, const struct broker_request *rq, const char *resource,
                   enum attest_status st, const struct attest_error *err, struct broker_reply *rp)
{
    char why[400];
    struct broker_decision d = {.peer = rq->peer,
                                .action = "admin",
                                .granted = st == ATTEST_OK,
                                .resource = resource};

    if (st != ATTEST_OK) {
        d.reason = attest_error_text(err, why, sizeof(why));
        broker_count(b, BROKER_admin_errors);
    }
    if (!broker_audit(b, &d)) {
        reply_error(rp, 503, "AdminAuth", "the audit log cannot be written");
    } else if (st != ATTEST_OK) {
        reply_error(rp, st == ATTEST_SIGNATURE ? 401 : 400, "AdminAuth", d.reason);
    } else {
        reply_json(rp, json_object());
    }
}

static enum attest_status admit(struct broker *b, const struct broker_request *rq,
                                struct attest_error *err)
{
    broker_count(b, BROKER_admin_requests);
    return is_admin(b, rq) ? ATTEST_OK
                           : attest_fail(err, ATTEST_SIGNATURE, "admin", "bearer token",
                                         "one by the admin key, valid for at most a day", NULL);
}

/* The body is the secret; it goes with the policy "default" until the CLI says otherwise. */
void kbs_admin_resource(struct broker *b, const struct broker_request *rq, const char *path,
                        struct broker_reply *rp)
{
    struct attest_error err = {0};
    enum attest_status st = admit(b, rq, &err);
    json_t *policies = json_pack("[s]", DEFAULT_POLICY);

    if (st == ATTEST_OK && !broker_path_public(path)) {
        st = attest_fail(&err, ATTEST_MALFORMED, "admin", "path", "repository/type/tag", NULL);
    }
    if (st == ATTEST_OK) {
        st = store_secret_put(b->store, path, rq->body, rq->body_len, policies, &err);
    }
    json_decref(policies);
    finish(b, rq, store_path_valid(path) ? path : "(malformed path)", st, &err, rp);
}

/* {"policy_id": name, "policy": base64 of a policy of docs/policy.md} */
static enum attest_status put_policy(struct broker *b, const json_t *j, struct attest_error *err)
{
    const char *id = json_string_value(json_object_get(j, "policy_id"));
    const json_t *text = json_object_get(j, "policy");
    struct store_bytes bytes = {.p = malloc(json_string_length(text) + 1)};
    enum attest_status st;

    if (id == NULL || !json_is_string(text) || bytes.p == NULL ||
        !admin_base64(json_string_value(text), json_string_length(text), bytes.p, &bytes.len)) {
        st = attest_fail(err, ATTEST_MALFORMED, "admin", "body",
                         "policy_id, and the policy in base64", NULL);
    } else {
        st = admin_policy_put(b->store, id, bytes.p, bytes.len, err);
    }
    store_bytes_free(&bytes);
    return st;
}

void kbs_admin_policy(struct broker *b, const struct broker_request *rq, struct broker_reply *rp)
{
    struct attest_error err = {0};
    enum attest_status st = admit(b, rq, &err);
    json_t *j = st == ATTEST_OK ? json_loadb((const char *)rq->body, rq->body_len,
                                             JSON_REJECT_DUPLICATES, NULL)
                                : NULL;
    const char *id = json_string_value(json_object_get(j, "policy_id"));

    if (st == ATTEST_OK) {
        st = put_policy(b, j, &err);
    }
    finish(b, rq, id != NULL && store_name_valid(id) ? id : NULL, st, &err, rp);
    json_decref(j);
}
