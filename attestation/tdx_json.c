/* Members of Intel's signed JSON, and the exact bytes that its signatures cover. */
#include <attest/tdx_collateral.h>

#include <attest/hex.h>

#include <stdlib.h>
#include <string.h>

static size_t skip_space(const char *p, size_t len, size_t i)
{
    while (i < len && (p[i] == ' ' || p[i] == '\t' || p[i] == '\n' || p[i] == '\r')) {
        i++;
    }
    return i;
}

/* i is at a quote; the index after the closing one, or len. */
static size_t skip_string(const char *p, size_t len, size_t i)
{
    for (i++; i < len && p[i] != '"'; i++) {
        if (p[i] == '\\') {
            i++;
        }
    }
    return i < len ? i + 1 : len;
}

/* The index after the value that begins at i: up to the comma or brace that ends it. */
static size_t skip_value(const char *p, size_t len, size_t i)
{
    size_t depth = 0;

    while (i < len) {
        if (p[i] == '"') {
            i = skip_string(p, len, i);
            continue;
        }
        if (depth == 0 && (p[i] == ',' || p[i] == '}' || p[i] == ']')) {
            break;
        }
        depth += p[i] == '{' || p[i] == '[';
        depth -= p[i] == '}' || p[i] == ']';
        i++;
    }
    while (i > 0 && strchr(" \t\r\n", p[i - 1]) != NULL) {
        i--;
    }
    return i;
}

bool tj_extent(const char *p, size_t len, const char *key, const char **value, size_t *value_len)
{
    size_t i = skip_space(p, len, 0), key_len = strlen(key);

    while (i < len && p[i] != '}') {
        size_t name = skip_space(p, len, i + 1), end, from, to;

        if (name >= len || p[name] != '"') {
            return false;
        }
        end = skip_string(p, len, name);
        from = skip_space(p, len, end);
        if (from >= len || p[from] != ':') {
            return false;
        }
        from = skip_space(p, len, from + 1);
        to = skip_value(p, len, from);
        if (end - name == key_len + 2 && memcmp(p + name + 1, key, key_len) == 0) {
            *value = p + from;
            *value_len = to - from;
            return to > from;
        }
        i = skip_space(p, len, to);
    }
    return false;
}

static enum attest_status bad(const char *object, const char *key, const char *expected,
                              struct attest_error *err)
{
    return attest_fail(err, ATTEST_MALFORMED, object, key, expected, "another or none");
}

enum attest_status tj_parse(const char *object, const char *raw, size_t len, json_t **out,
                            struct attest_error *err)
{
    json_error_t je;

    *out = json_loadb(raw, len, JSON_REJECT_DUPLICATES, &je);
    if (*out == NULL) {
        return attest_fail(err, ATTEST_MALFORMED, object, "JSON", NULL, "%.100s at byte %d",
                           je.text, je.position);
    }
    if (!json_is_object(*out)) {
        json_decref(*out);
        *out = NULL;
        return bad(object, "JSON", "an object", err);
    }
    return ATTEST_OK;
}

enum attest_status tj_hex(const json_t *o, const char *object, const char *key, uint8_t *out,
                          size_t len, struct attest_error *err)
{
    const char *s = json_string_value(json_object_get(o, key));

    if (s == NULL || !hex_decode_exact(s, out, len)) {
        return attest_fail(err, ATTEST_MALFORMED, object, key, "hexadecimal", "not %zu bytes", len);
    }
    return ATTEST_OK;
}

enum attest_status tj_uint(const json_t *o, const char *object, const char *key, uint32_t max,
                           uint32_t *out, struct attest_error *err)
{
    const json_t *v = json_object_get(o, key);
    json_int_t n = json_integer_value(v);

    if (!json_is_integer(v) || n < 0 || n > (json_int_t)max) {
        return attest_fail(err, ATTEST_MALFORMED, object, key, "a small number", "another or none");
    }
    *out = (uint32_t)n;
    return ATTEST_OK;
}

enum attest_status tj_array(const json_t *o, const char *object, const char *key,
                            const json_t **out, struct attest_error *err)
{
    *out = json_object_get(o, key);
    if (!json_is_array(*out) || json_array_size(*out) == 0 || json_array_size(*out) > 1024) {
        return bad(object, key, "a list of 1 to 1024", err);
    }
    return ATTEST_OK;
}

static enum attest_status tj_time(const json_t *o, const char *object, const char *key,
                                  int64_t *out, struct attest_error *err)
{
    const char *s = json_string_value(json_object_get(o, key));

    return s != NULL && attest_time_parse(s, out) ? ATTEST_OK : bad(object, key, "a date", err);
}

enum attest_status tj_signed(struct tdx_signed *s, const char *raw, size_t len,
                             const uint8_t sig[64], struct attest_error *err)
{
    enum attest_status st = tj_parse(s->object, raw, len, &s->json, err);

    if (st != ATTEST_OK) {
        return st;
    }
    s->raw = malloc(len);
    if (s->raw == NULL) {
        return attest_no_memory(err, s->object);
    }
    memcpy(s->raw, raw, len);
    s->raw_len = len;
    memcpy(s->signature, sig, sizeof(s->signature));
    st = tj_time(s->json, s->object, "issueDate", &s->issued, err);
    if (st == ATTEST_OK) {
        st = tj_time(s->json, s->object, "nextUpdate", &s->next_update, err);
    }
    if (st == ATTEST_OK) {
        st =
            tj_uint(s->json, s->object, "tcbEvaluationDataNumber", UINT32_MAX, &s->evaluation, err);
    }
    return st;
}

void tj_signed_free(struct tdx_signed *s)
{
    json_decref(s->json);
    free(s->raw);
}

static enum attest_status check_advisories(const json_t *list, const char *object,
                                           struct attest_error *err)
{
    size_t i;
    const json_t *v;

    if (list != NULL && !json_is_array(list)) {
        return bad(object, "advisoryIDs", "a list", err);
    }
    json_array_foreach(list, i, v)
    {
        if (json_string_length(v) == 0 || json_string_length(v) > 40) {
            return bad(object, "advisoryIDs", "names of at most 40 characters", err);
        }
    }
    return ATTEST_OK;
}

enum attest_status tj_level(const json_t *o, const char *object, enum tdx_status *status,
                            int64_t *date, const json_t **advisories, struct attest_error *err)
{
    const char *s = json_string_value(json_object_get(o, "tcbStatus"));
    int i = TDX_UP_TO_DATE;

    while (s != NULL && i <= TDX_REVOKED && strcmp(s, tdx_status_names[i]) != 0) {
        i++;
    }
    if (s == NULL || i > TDX_REVOKED) {
        return attest_fail(err, ATTEST_UNSUPPORTED, object, "tcbStatus", "a known TCB status",
                           "%.40s", s == NULL ? "none" : s);
    }
    *status = (enum tdx_status)i;
    *advisories = json_object_get(o, "advisoryIDs");
    if (check_advisories(*advisories, object, err) != ATTEST_OK) {
        return ATTEST_MALFORMED;
    }
    return tj_time(o, object, "tcbDate", date, err);
}

static enum attest_status svn_level(const json_t *o, const char *object, struct tdx_svn_level *out,
                                    struct attest_error *err)
{
    enum attest_status st =
        tj_uint(json_object_get(o, "tcb"), object, "isvsvn", UINT16_MAX, &out->isvsvn, err);

    return st != ATTEST_OK ? st
                           : tj_level(o, object, &out->status, &out->date, &out->advisories, err);
}

enum attest_status tj_svn_levels(const json_t *o, const char *object, struct tdx_svn_level **out,
                                 size_t *count, struct attest_error *err)
{
    const json_t *list, *v;
    size_t i;
    enum attest_status st = tj_array(o, object, "tcbLevels", &list, err);

    if (st != ATTEST_OK) {
        return st;
    }
    *out = calloc(json_array_size(list), sizeof(**out));
    if (*out == NULL) {
        return attest_no_memory(err, object);
    }
    *count = json_array_size(list);
    json_array_foreach(list, i, v)
    {
        st = svn_level(v, object, &(*out)[i], err);
        if (st != ATTEST_OK) {
            return st;
        }
    }
    return ATTEST_OK;
}
