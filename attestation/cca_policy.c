/* The policy section "cca" (docs/policy.md): from JSON to a struct. */
#include "cca_evidence.h"

#include <attest/hex.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONFIG_MAX 4096

static bool digest_of(const char *s, uint8_t *out, size_t *len)
{
    return s != NULL && hex_decode(s, out, ATTEST_HASH_MAX, len) &&
           (*len == 32 || *len == 48 || *len == 64);
}

/* Like pj_values, but each digest may be of any of the three algorithms. */
static enum attest_status digests(const json_t *obj, const char *path, const char *key,
                                  struct cca_digests *out, struct attest_error *err)
{
    const json_t *j = json_object_get(obj, key);
    size_t n = json_is_array(j) ? json_array_size(j) : 1;

    if (j == NULL) {
        return ATTEST_OK;
    }
    out->v = n > 0 ? calloc(n, sizeof(*out->v)) : NULL;
    if (n > 0 && out->v == NULL) {
        return attest_no_memory(err, path);
    }
    for (size_t i = 0; i < n; i++) {
        const json_t *e = json_is_array(j) ? json_array_get(j, i) : j;

        if (!digest_of(json_string_value(e), out->v[i].v, &out->v[i].len)) {
            return attest_fail(err, ATTEST_POLICY_INVALID, path, key, "64, 96 or 128 hex digits",
                               "%s", json_is_string(e) ? json_string_value(e) : "no string");
        }
        out->count++;
    }
    return n > 0 ? ATTEST_OK
                 : attest_fail(err, ATTEST_POLICY_INVALID, path, key, "at least one value",
                               "an empty list");
}

bool cca_digests_contain(const struct cca_digests *d, const struct attest_span *s)
{
    for (size_t i = 0; i < d->count; i++) {
        if (d->v[i].len == s->len && memcmp(d->v[i].v, s->p, s->len) == 0) {
            return true;
        }
    }
    return false;
}

static enum attest_status parse_reference(const json_t *j, const char *path,
                                          struct cca_reference *out, struct attest_error *err)
{
    static const char *const keys[] = {"type", "measurement", "version", "signer", NULL};
    const char *measurement = NULL;
    const char *signer = NULL;
    enum attest_status st;

    if ((st = pj_only_keys(j, path, keys, err)) != ATTEST_OK ||
        (st = pj_string(j, path, "type", &out->type, err)) != ATTEST_OK ||
        (st = pj_string(j, path, "version", &out->version, err)) != ATTEST_OK ||
        (st = pj_string(j, path, "measurement", &measurement, err)) != ATTEST_OK ||
        (st = pj_string(j, path, "signer", &signer, err)) != ATTEST_OK) {
        return st;
    }
    if (!digest_of(measurement, out->measurement, &out->measurement_len)) {
        return attest_fail(err, ATTEST_POLICY_INVALID, path, "measurement",
                           "64, 96 or 128 hex digits", "%s",
                           measurement != NULL ? measurement : "nothing");
    }
    if (signer != NULL && !digest_of(signer, out->signer, &out->signer_len)) {
        return attest_fail(err, ATTEST_POLICY_INVALID, path, "signer", "64, 96 or 128 hex digits",
                           "%s", signer);
    }
    return ATTEST_OK;
}

static enum attest_status parse_references(const json_t *j, const char *section,
                                           struct cca_policy *p, struct attest_error *err)
{
    const json_t *list = json_object_get(j, "platform-components");
    size_t n = json_array_size(list);
    enum attest_status st = ATTEST_OK;
    char path[80];

    if (n == 0 || n > 4096) {
        return attest_fail(err, ATTEST_POLICY_INVALID, section, "platform-components",
                           "a list of 1 to 4096 components", "%s",
                           list == NULL ? "nothing" : "something else");
    }
    p->reference = calloc(n, sizeof(*p->reference));
    if (p->reference == NULL) {
        return attest_no_memory(err, section);
    }
    for (size_t i = 0; i < n && st == ATTEST_OK; i++) {
        snprintf(path, sizeof(path), "%s.platform-components[%zu]", section, i);
        st = parse_reference(json_array_get(list, i), path, &p->reference[i], err);
        p->references = i + 1;
    }
    return st;
}

static enum attest_status parse_measurements(const json_t *j, const char *path,
                                             struct cca_policy *p, struct attest_error *err)
{
    static const char *const rems[CCA_REMS] = {"rem0", "rem1", "rem2", "rem3"};
    enum attest_status st = digests(j, path, "initial-measurement", &p->rim, err);

    if (st == ATTEST_OK && p->rim.count == 0) {
        return attest_fail(err, ATTEST_POLICY_INVALID, path, "initial-measurement",
                           "at least one realm initial measurement", "nothing");
    }
    for (size_t i = 0; i < CCA_REMS && st == ATTEST_OK; i++) {
        st = digests(j, path, rems[i], &p->rem[i], err);
    }
    return st;
}

static enum attest_status parse_config(const json_t *j, const char *path, struct cca_policy *p,
                                       struct attest_error *err)
{
    const char *s = NULL;
    enum attest_status st = pj_string(j, path, "platform-config", &s, err);

    if (st != ATTEST_OK || s == NULL) {
        return st;
    }
    p->config = malloc(CONFIG_MAX);
    if (p->config == NULL) {
        return attest_no_memory(err, path);
    }
    if (!hex_decode(s, p->config, CONFIG_MAX, &p->config_len) || p->config_len == 0) {
        return attest_fail(err, ATTEST_POLICY_INVALID, path, "platform-config", "hex digits", "%s",
                           s);
    }
    return ATTEST_OK;
}

static enum attest_status parse_rest(const json_t *j, const char *path, struct cca_policy *p,
                                     struct attest_error *err)
{
    enum attest_status st;
    size_t secured;

    if (cca_lifecycle_index(0x3000, &secured)) {
        p->lifecycles = (uint64_t)1 << secured;
    }
    if ((st = pj_values(j, path, "personalization-value", 64, &p->personalization, err)) !=
            ATTEST_OK ||
        (st = pj_values(j, path, "challenge", 64, &p->challenge, err)) != ATTEST_OK ||
        (st = pj_values(j, path, "implementation-id", CCA_IMPLEMENTATION_ID_SIZE,
                        &p->implementation_id, err)) != ATTEST_OK ||
        (st = pj_values(j, path, "instance-id", CCA_INSTANCE_ID_SIZE, &p->instance_id, err)) !=
            ATTEST_OK ||
        (st = pj_values(j, path, "trusted-keys", 32, &p->trusted_keys, err)) != ATTEST_OK ||
        (st = pj_names(j, path, "lifecycle", cca_lifecycle_names, &p->lifecycles, err)) !=
            ATTEST_OK) {
        return st;
    }
    return parse_config(j, path, p, err);
}

static enum attest_status parse_members(const json_t *j, const char *path, void *section,
                                        struct attest_error *err)
{
    struct cca_policy *p = section;
    enum attest_status st = parse_measurements(j, path, p, err);

    if (st == ATTEST_OK) {
        st = parse_references(j, path, p, err);
    }
    return st == ATTEST_OK ? parse_rest(j, path, p, err) : st;
}

static void release(void *section)
{
    struct cca_policy *p = section;

    free(p->rim.v);
    for (size_t i = 0; i < CCA_REMS; i++) {
        free(p->rem[i].v);
    }
    pj_values_free(&p->personalization);
    pj_values_free(&p->challenge);
    pj_values_free(&p->implementation_id);
    pj_values_free(&p->instance_id);
    pj_values_free(&p->trusted_keys);
    free(p->reference);
    free(p->config);
    free(p);
}

static const char *const keys[] = {
    "initial-measurement", "rem0",      "rem1",
    "rem2",                "rem3",      "personalization-value",
    "challenge",           "lifecycle", "platform-components",
    "implementation-id",   "comment",   "instance-id",
    "platform-config",     "trusted-keys", NULL};
const struct pj_section cca_policy_section = {sizeof(struct cca_policy), keys, parse_members,
                                             release};
