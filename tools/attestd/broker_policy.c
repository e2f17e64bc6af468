/* Policies out of the store, and judging by them. */
#include "broker_impl.h"

#include <attest/hex.h>

#include <stdlib.h>
#include <string.h>

/* "@name" in place of a value: the reference values of that name, a list. */
static enum attest_status expand(struct broker *b, json_t *j, unsigned int depth,
                                 struct attest_error *err);

static enum attest_status reference(struct broker *b, const char *name, json_t **out,
                                    struct attest_error *err)
{
    struct store_bytes bytes;
    enum attest_status st = store_get(b->store, STORE_REFERENCE, name, &bytes, NULL);

    if (st != ATTEST_OK) {
        return attest_fail(err, ATTEST_POLICY_INVALID, "policy reference value", name,
                           "a reference value of that name", "none");
    }
    *out = json_loadb((const char *)bytes.p, bytes.len, JSON_REJECT_DUPLICATES, NULL);
    store_bytes_free(&bytes);
    return json_array_size(*out) > 0 ? ATTEST_OK
                                     : attest_fail(err, ATTEST_POLICY_INVALID,
                                                   "policy reference value", name,
                                                   "a list that is not empty", NULL);
}

static enum attest_status expand_members(struct broker *b, json_t *obj, unsigned int depth,
                                         struct attest_error *err)
{
    const char *key;
    json_t *value;
    void *tmp;

    json_object_foreach_safe(obj, tmp, key, value)
    {
        const char *s = json_string_value(value);
        enum attest_status st = ATTEST_OK;
        json_t *list = NULL;

        if (s != NULL && s[0] == '@') {
            st = reference(b, s + 1, &list, err);
            if (st == ATTEST_OK && json_object_set(obj, key, list) != 0) {
                st = attest_no_memory(err, "policy");
            }
            json_decref(list);
        } else {
            st = expand(b, value, depth + 1, err);
        }
        if (st != ATTEST_OK) {
            return st;
        }
    }
    return ATTEST_OK;
}

static enum attest_status expand(struct broker *b, json_t *j, unsigned int depth,
                                 struct attest_error *err)
{
    enum attest_status st = ATTEST_OK;

    if (depth > 8) {
        return attest_fail(err, ATTEST_POLICY_INVALID, "policy", "nesting", "at most 8 levels",
                           "more");
    }
    if (json_is_object(j)) {
        return expand_members(b, j, depth, err);
    }
    for (size_t i = 0; i < json_array_size(j) && st == ATTEST_OK; i++) {
        st = expand(b, json_array_get(j, i), depth + 1, err);
    }
    return st;
}

static enum attest_status compile(struct broker_policy *p, const char *text,
                                  struct attest_error *err)
{
    uint8_t hash[32];

    if (!attest_hash1(ATTEST_SHA256, text, strlen(text), hash)) {
        return attest_fail(err, ATTEST_INTERNAL, "policy", "SHA-256", NULL, NULL);
    }
    hex_encode(hash, sizeof(hash), p->sha256);
    return attest_policy_parse(text, strlen(text), &p->policy, err);
}

static enum attest_status load(struct broker *b, const char *name, struct broker_policy *p,
                               struct attest_error *err)
{
    struct store_bytes bytes;
    enum attest_status st = store_get(b->store, STORE_POLICY, name, &bytes, err);
    json_t *j;
    char *text;

    if (st != ATTEST_OK) {
        return st;
    }
    j = json_loadb((const char *)bytes.p, bytes.len, JSON_REJECT_DUPLICATES, NULL);
    store_bytes_free(&bytes);
    if (j == NULL) {
        return attest_fail(err, ATTEST_POLICY_INVALID, "policy", name, "JSON", NULL);
    }
    st = expand(b, j, 0, err);
    text = st == ATTEST_OK ? json_dumps(j, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    if (st == ATTEST_OK) {
        st = text != NULL ? compile(p, text, err) : attest_no_memory(err, "policy");
    }
    free(text);
    json_decref(j);
    return st;
}

enum attest_status broker_policy_named(struct broker *b, const char *name,
                                       const struct broker_policy **out, struct attest_error *err)
{
    struct broker_policy *p;
    enum attest_status st;

    for (size_t i = 0; i < b->policies; i++) {
        if (strcmp(b->policy[i].name, name) == 0) {
            *out = &b->policy[i];
            return ATTEST_OK;
        }
    }
    if (!store_name_valid(name) || b->policies == POLICIES_MAX) {
        return attest_fail(err, ATTEST_NOT_FOUND, "policy", "name",
                           "one of at most 1024 policies", NULL);
    }
    p = &b->policy[b->policies];
    memset(p, 0, sizeof(*p));
    st = load(b, name, p, err);
    if (st != ATTEST_OK) {
        return st;
    }
    snprintf(p->name, sizeof(p->name), "%s", name);
    b->policies++;
    *out = p;
    return ATTEST_OK;
}

enum attest_status broker_judge(struct broker *b, const struct broker_policy *p,
                                const struct broker_evidence *e, const uint8_t *report_data,
                                size_t report_data_len, struct attest_verdict *v,
                                struct attest_error *err)
{
    struct attest_input in = {.collateral = b->collateral,
                              .policy = p->policy,
                              .at = broker_now(b),
                              .nonce = report_data,
                              .nonce_len = report_data_len,
                              .event_log = e->event_log,
                              .event_log_len = e->event_log_len};
    enum attest_status st;

    attest_verdict_reset(v);
    st = attest_verify(e->p, e->len, &in, v);
    if (st == ATTEST_OK && e->kind != NULL && strcmp(attest_verdict_kind(v), e->kind) != 0) {
        st = attest_fail(err, ATTEST_POLICY, "evidence", "kind", e->kind, "%s",
                         attest_verdict_kind(v));
        attest_refuse(v, err);
        return st;
    }
    if (st != ATTEST_OK && attest_verdict_refusals(v) > 0) {
        *err = *attest_verdict_refusal(v, 0);
    }
    return st;
}

char *plain_text(char *s)
{
    for (char *p = s; *p != '\0'; p++) {
        if (*p < ' ' || *p > '~') {
            *p = '?';
        }
    }
    return s;
}

void brief_reason(const struct attest_error *err, char *buf, size_t size)
{
    snprintf(buf, size, "%s: %s: %s", attest_status_name(err->status), err->object, err->field);
    plain_text(buf);
}
