/*
 * Gathering the verdict: detect, parse, verify, appraise; refusals and notes.
 */
#include "verdict_impl.h"

#include <attest/evidence.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct attest_verdict *attest_verdict_new(void)
{
    struct attest_verdict *v = calloc(1, sizeof(*v));

    if (v != NULL) {
        v->status = ATTEST_INTERNAL;
    }
    return v;
}

void attest_verdict_reset(struct attest_verdict *v)
{
    json_decref(v->claims);
    memset(v, 0, sizeof(*v));
    v->status = ATTEST_INTERNAL;
}

void attest_verdict_free(struct attest_verdict *v)
{
    if (v != NULL) {
        json_decref(v->claims);
        free(v);
    }
}

void attest_refuse(struct attest_verdict *v, const struct attest_error *err)
{
    if (v->refusals < VERDICT_REFUSALS_MAX) {
        v->refusal[v->refusals] = *err;
        if (err->status == ATTEST_OK) { /* a refusal is one, whatever its author forgot */
            v->refusal[v->refusals].status = ATTEST_INTERNAL;
        }
    }
    v->refusals++;
}

void attest_note(struct attest_verdict *v, const char *key, const char *fmt, ...)
{
    struct verdict_note *n;
    va_list ap;

    if (v->notes == VERDICT_NOTES_MAX) {
        return;
    }
    n = &v->note[v->notes++];
    snprintf(n->key, sizeof(n->key), "%s", key);
    va_start(ap, fmt);
    vsnprintf(n->text, sizeof(n->text), fmt, ap);
    va_end(ap);
}

enum attest_status attest_trust(struct attest_verdict *v, const struct attest_input *in,
                                const char *kind, const char *root_name,
                                const uint8_t spki_sha256[32], struct attest_error *err)
{
    char object[80];

    if (attest_policy_root(in->policy, kind, spki_sha256, &v->root)) {
        /* The verdict may outlive the policy that the name belongs to. */
        snprintf(v->root_name, sizeof(v->root_name), "%s", v->root.name);
        v->root.name = v->root_name;
        v->root.kind = kind;
        v->has_root = true;
        return ATTEST_OK;
    }
    snprintf(object, sizeof(object), "root %s", root_name);
    /* The hash goes into found, so that it can be copied into a policy by who means it. */
    return attest_fail_bytes(err, ATTEST_ROOT_UNTRUSTED, object, "key (SHA-256 of SPKI)", NULL, 0,
                             spki_sha256, 32);
}

enum attest_status attest_trust_by_policy(struct attest_verdict *v, const char *kind,
                                          const char *root_name, const uint8_t spki_sha256[32])
{
    snprintf(v->root_name, sizeof(v->root_name), "%s", root_name);
    v->root = (struct attest_root){.kind = kind, .name = v->root_name};
    memcpy(v->root.spki_sha256, spki_sha256, 32);
    v->has_root = true;
    return ATTEST_OK;
}

enum attest_status attest_check_nonce(const struct attest_input *in, const char *object,
                                      const char *field, const uint8_t *value, size_t len,
                                      struct attest_error *err)
{
    uint8_t want[64] = {0};

    if (in->nonce == NULL) {
        return ATTEST_OK;
    }
    if (in->nonce_len == 0 || in->nonce_len > len || len > sizeof(want)) {
        return attest_fail(err, ATTEST_NONCE, object, field, "a nonce that fits the field",
                           "a nonce of %zu bytes", in->nonce_len);
    }
    memcpy(want, in->nonce, in->nonce_len);
    if (memcmp(want, value, len) != 0) {
        return attest_fail_bytes(err, ATTEST_NONCE, object, field, want, len, value, len);
    }
    return ATTEST_OK;
}

/* From authentic evidence to refusals; the claims are told from here on. */
static enum attest_status judge(const struct attest_evidence_ops *ops, void *ev,
                                const struct attest_input *in, struct attest_verdict *v,
                                struct attest_error *err)
{
    const void *section = attest_policy_section(in->policy, ops->kind);
    enum attest_status st = ops->verify(ev, in, v, err);

    if (st != ATTEST_OK) {
        return st;
    }
    if (!v->has_root) {
        return attest_fail(err, ATTEST_INTERNAL, ops->kind, "root of trust", "recorded", "none");
    }
    if (in->nonce == NULL) {
        attest_note(v, "freshness", "not checked: no nonce was asked for");
    }
    v->claims = ops->claims(ev);
    if (v->claims == NULL) {
        return attest_no_memory(err, "claims");
    }
    if (section == NULL) {
        return attest_fail(err, ATTEST_REFERENCE_MISSING, "policy", ops->kind,
                           "a section for this kind of evidence", "none");
    }
    ops->appraise(ev, section, in, v);
    return ATTEST_OK;
}

static enum attest_status run(const uint8_t *p, size_t len, const struct attest_input *in,
                              struct attest_verdict *v, struct attest_error *err)
{
    const struct attest_evidence_ops *ops = attest_kind_detect(p, len);
    enum attest_status st;
    void *ev = NULL;

    if (ops == NULL) {
        return attest_fail(err, ATTEST_UNRECOGNISED, "evidence", "contents",
                           "a known kind of evidence", "%zu bytes of something else", len);
    }
    v->ops = ops;
    st = ops->parse(p, len, &ev, err);
    if (st == ATTEST_OK) {
        st = judge(ops, ev, in, v, err);
        ops->free(ev);
    }
    return st;
}

enum attest_status attest_verify(const uint8_t *evidence, size_t len, const struct attest_input *in,
                                 struct attest_verdict *v)
{
    struct attest_error err = {0};
    enum attest_status st;

    v->at = in->at;
    v->policy_name[0] = '\0';
    snprintf(v->policy_name, sizeof(v->policy_name), "%s", attest_policy_name(in->policy));
    st = run(evidence, len, in, v, &err);
    if (st != ATTEST_OK) {
        err.status = st;
        attest_refuse(v, &err);
    }
    v->status = v->refusals > 0 ? v->refusal[0].status : ATTEST_OK;
    return v->status;
}

enum attest_status attest_verdict_status(const struct attest_verdict *v)
{
    return v->status;
}

bool attest_verdict_trusted(const struct attest_verdict *v)
{
    return v->status == ATTEST_OK;
}

const char *attest_verdict_kind(const struct attest_verdict *v)
{
    return v->ops != NULL ? v->ops->kind : NULL;
}

const struct attest_root *attest_verdict_root(const struct attest_verdict *v)
{
    return v->has_root ? &v->root : NULL;
}

size_t attest_verdict_refusals(const struct attest_verdict *v)
{
    return v->refusals < VERDICT_REFUSALS_MAX ? v->refusals : VERDICT_REFUSALS_MAX;
}

const struct attest_error *attest_verdict_refusal(const struct attest_verdict *v, size_t i)
{
    return i < attest_verdict_refusals(v) ? &v->refusal[i] : NULL;
}

const json_t *attest_verdict_claims(const struct attest_verdict *v)
{
    return v->claims;
}
