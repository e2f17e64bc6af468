/*
 * Strict readers for policy members: wrong types, empty lists and unknown keys are errors that
 * name the path.
 */
#include <attest/cert.h>
#include <attest/hex.h>
#include <attest/policy.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *type_name(const json_t *j)
{
    static const char *const names[] = {"an object", "an array", "a string", "an integer",
                                        "a real",    "true",     "false",    "null"};

    return j == NULL ? "nothing" : names[json_typeof(j)];
}

static enum attest_status wrong(struct attest_error *err, const char *path, const char *key,
                                const char *expected, const json_t *found)
{
    return attest_fail(err, ATTEST_POLICY_INVALID, path, key, expected, "%s", type_name(found));
}

enum attest_status pj_only_keys(const json_t *obj, const char *path, const char *const *keys,
                                struct attest_error *err)
{
    const char *key;
    json_t *value;

    if (!json_is_object(obj)) {
        return wrong(err, path, "type", "an object", obj);
    }
    json_object_foreach((json_t *)(uintptr_t)obj, key, value)
    {
        size_t i = 0;

        while (keys[i] != NULL && strcmp(keys[i], key) != 0) {
            i++;
        }
        if (keys[i] == NULL) {
            return attest_fail(err, ATTEST_POLICY_INVALID, path, key[0] != '\0' ? key : "(empty)",
                               "a known key", "unknown key");
        }
    }
    return ATTEST_OK;
}

enum attest_status pj_section(const json_t *j, const char *path, const struct pj_section *form,
                              void **out, struct attest_error *err)
{
    void *section = calloc(1, form->size);
    enum attest_status st;

    if (section == NULL) {
        return attest_no_memory(err, path);
    }
    st = pj_only_keys(j, path, form->keys, err);
    if (st == ATTEST_OK) {
        st = form->members(j, path, section, err);
    }
    if (st != ATTEST_OK) {
        form->free(section);
        return st;
    }
    *out = section;
    return ATTEST_OK;
}

enum attest_status pj_bool(const json_t *obj, const char *path, const char *key, bool *out,
                           struct attest_error *err)
{
    const json_t *j = json_object_get(obj, key);

    if (j == NULL) {
        return ATTEST_OK;
    }
    if (!json_is_boolean(j)) {
        return wrong(err, path, key, "true or false", j);
    }
    *out = json_is_true(j);
    return ATTEST_OK;
}

/* Integers may also be written as "0x..." strings: masks read better so. */
static bool uint_of(const json_t *j, uint64_t *v)
{
    const char *s = json_string_value(j);
    char *end;

    if (json_is_integer(j)) {
        *v = (uint64_t)json_integer_value(j);
        return json_integer_value(j) >= 0;
    }
    if (s == NULL || strncmp(s, "0x", 2) != 0 || strlen(s) < 3 || strlen(s) > 18 ||
        strspn(s + 2, "0123456789abcdefABCDEF") != strlen(s + 2)) {
        return false;
    }
    *v = strtoull(s, &end, 16);
    return *end == '\0';
}

enum attest_status pj_uint(const json_t *obj, const char *path, const char *key, uint64_t max,
                           uint64_t *out, struct attest_error *err)
{
    const json_t *j = json_object_get(obj, key);
    char expected[48];
    uint64_t v;

    if (j == NULL) {
        return ATTEST_OK;
    }
    snprintf(expected, sizeof(expected), "a number from 0 to %llu", (unsigned long long)max);
    if (!uint_of(j, &v)) {
        return wrong(err, path, key, expected, j);
    }
    if (v > max) {
        return attest_fail(err, ATTEST_POLICY_INVALID, path, key, expected, "%llu",
                           (unsigned long long)v);
    }
    *out = v;
    return ATTEST_OK;
}

enum attest_status pj_string(const json_t *obj, const char *path, const char *key, const char **out,
                             struct attest_error *err)
{
    const json_t *j = json_object_get(obj, key);

    if (j == NULL) {
        return ATTEST_OK;
    }
    if (!json_is_string(j) || json_string_length(j) == 0 ||
        strlen(json_string_value(j)) != json_string_length(j)) {
        return wrong(err, path, key, "a non-empty string", j);
    }
    *out = json_string_value(j);
    return ATTEST_OK;
}

enum attest_status pj_time(const json_t *obj, const char *path, const char *key, int64_t *out,
                           struct attest_error *err)
{
    const char *s = NULL;
    enum attest_status st = pj_string(obj, path, key, &s, err);

    if (st == ATTEST_OK && s != NULL && !attest_time_parse(s, out)) {
        return attest_fail(err, ATTEST_POLICY_INVALID, path, key,
                           "a date like 2026-03-16T00:00:00Z", "%s", s);
    }
    return st;
}

static enum attest_status one_value(const json_t *j, const char *path, const char *key, size_t len,
                                    uint8_t *out, struct attest_error *err)
{
    const char *s = json_string_value(j);
    char expected[48];

    snprintf(expected, sizeof(expected), "%zu hex digits", 2 * len);
    if (s == NULL) {
        return wrong(err, path, key, expected, j);
    }
    if (!hex_decode_exact(s, out, len)) {
        return attest_fail(err, ATTEST_POLICY_INVALID, path, key, expected, "%s", s);
    }
    return ATTEST_OK;
}

enum attest_status pj_values(const json_t *obj, const char *path, const char *key, size_t len,
                             struct pj_values *out, struct attest_error *err)
{
    const json_t *j = json_object_get(obj, key);
    size_t n = json_is_array(j) ? json_array_size(j) : 1;
    enum attest_status st = ATTEST_OK;

    *out = (struct pj_values){.len = len};
    if (j == NULL) {
        return ATTEST_OK;
    }
    if (n == 0) {
        return attest_fail(err, ATTEST_POLICY_INVALID, path, key, "at least one value",
                           "an empty list");
    }
    out->v = malloc(n * len);
    if (out->v == NULL) {
        return attest_no_memory(err, path);
    }
    for (size_t i = 0; i < n && st == ATTEST_OK; i++) {
        st = one_value(json_is_array(j) ? json_array_get(j, i) : j, path, key, len,
                       out->v + i * len, err);
    }
    if (st != ATTEST_OK) {
        pj_values_free(out);
        return st;
    }
    out->count = n;
    return ATTEST_OK;
}

bool pj_values_contain(const struct pj_values *s, const uint8_t *v)
{
    for (size_t i = 0; i < s->count; i++) {
        if (memcmp(s->v + i * s->len, v, s->len) == 0) {
            return true;
        }
    }
    return false;
}

void pj_values_free(struct pj_values *s)
{
    free(s->v);
    *s = (struct pj_values){0};
}

enum attest_status pj_names(const json_t *obj, const char *path, const char *key,
                            const char *const *names, uint64_t *mask, struct attest_error *err)
{
    const json_t *j = json_object_get(obj, key);
    uint64_t bits = 0;

    if (j == NULL) {
        return ATTEST_OK;
    }
    if (!json_is_array(j) || json_array_size(j) == 0) {
        return wrong(err, path, key, "a non-empty list of names", j);
    }
    for (size_t i = 0; i < json_array_size(j); i++) {
        const char *s = json_string_value(json_array_get(j, i));
        size_t k = 0;

        while (s != NULL && names[k] != NULL && strcmp(names[k], s) != 0) {
            k++;
        }
        if (s == NULL || names[k] == NULL) {
            return attest_fail(err, ATTEST_POLICY_INVALID, path, key, "a known name", "%s",
                               s == NULL ? "not a string" : s);
        }
        bits |= (uint64_t)1 << k;
    }
    *mask = bits;
    return ATTEST_OK;
}
