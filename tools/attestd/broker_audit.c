/* One line of JSON for each decision, with all its reasons; never a secret. */
#include "broker_impl.h"

#include <attest/hex.h>

#include <stdlib.h>
#include <string.h>

static json_t *nonce_tag(const uint8_t *nonce)
{
    char hex[41];

    return nonce != NULL ? json_string(hex_encode(nonce + 12, 20, hex)) : NULL;
}

/* Where claims tell what was launched: the names of sections and of their members. */
static const struct {
    const char *section; /* NULL: the claims themselves */
    const char *name;
} measures[] = {
    {NULL, "measurement"},
    {"td-report", "mrtd"},
    {"td-report", "rtmr0"},
    {"td-report", "rtmr1"},
    {"td-report", "rtmr2"},
    {"td-report", "rtmr3"},
    {"realm", "initial-measurement"},
    {"realm", "personalization-value"},
};

/* Only of evidence that is authentic: the claims of another are NULL. */
static void add_launch(json_t *j, const json_t *claims)
{
    json_t *launch = json_object();

    for (size_t i = 0; i < sizeof(measures) / sizeof(measures[0]); i++) {
        const json_t *from =
            measures[i].section != NULL ? json_object_get(claims, measures[i].section) : claims;
        json_t *value = json_object_get(from, measures[i].name);

        if (json_is_string(value)) {
            json_object_set(launch, measures[i].name, value);
        }
    }
    if (json_object_size(launch) > 0) {
        json_object_set(j, "launch", launch);
    }
    json_decref(launch);
}

/* Values of evidence and certificates show up in reasons: they must not make a line unwritable. */
static void add_verdict(json_t *j, const struct attest_verdict *v)
{
    json_t *reasons = json_array();
    const struct attest_root *root = attest_verdict_root(v);
    char text[512];

    for (size_t i = 0; i < attest_verdict_refusals(v); i++) {
        const struct attest_error *e = attest_verdict_refusal(v, i);

        (void)attest_error_text(e, text, sizeof(text));
        json_array_append_new(reasons, json_pack("{s:s, s:s}", "status",
                                                 attest_status_name(e->status), "text",
                                                 plain_text(text)));
    }
    json_object_set_new(j, "reasons", reasons);
    if (attest_verdict_kind(v) != NULL) {
        json_object_set_new(j, "evidence", json_string(attest_verdict_kind(v)));
    }
    add_launch(j, attest_verdict_claims(v));
    if (root != NULL) {
        snprintf(text, sizeof(text), "%s", root->name);
        json_object_set_new(j, "root", json_string(plain_text(text)));
        json_object_set_new(j, "emulated", json_boolean(root->emulated));
    }
}

bool broker_audit(struct broker *b, const struct broker_decision *d)
{
    char when[24];
    char *reason = d->reason != NULL ? strdup(d->reason) : NULL;
    json_t *j;
    char *line;
    bool ok;

    if (reason != NULL) {
        plain_text(reason);
    }
    j = json_pack("{s:s, s:s, s:s, s:s, s:s*, s:s*, s:s*, s:o*}", "at",
                  attest_time_text(broker_now(b), when), "peer", d->peer != NULL ? d->peer : "",
                  "action", d->action, "decision", d->granted ? "granted" : "refused", "policy",
                  d->policy, "resource", d->resource, "reason", reason, "nonce",
                  nonce_tag(d->nonce));
    if (j != NULL && d->verdict != NULL) {
        add_verdict(j, d->verdict);
    }
    line = j != NULL ? json_dumps(j, JSON_COMPACT) : NULL;
    ok = line != NULL && fprintf(b->audit, "%s\n", line) > 0 && fflush(b->audit) == 0;
    if (!ok) {
        broker_count(b, BROKER_audit_errors);
        clearerr(b->audit);
    }
    free(line);
    free(reason);
    json_decref(j);
    return ok;
}
