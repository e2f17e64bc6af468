#include "attest_diag.h"

#include <attest/hex.h>

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define ITEM_MAX 16384

static bool value(const char **s, struct cbor_writer *w);

static const char *space(const char *s)
{
    while (isspace((unsigned char)*s)) {
        s++;
    }
    return s;
}

static bool hex_string(const char **s, struct cbor_writer *w)
{
    const char *end = strchr(*s + 2, '\'');
    uint8_t buf[4096];
    char digits[2 * sizeof(buf) + 1];
    size_t len;

    if (end == NULL || (size_t)(end - *s) > sizeof(digits)) {
        return false;
    }
    memcpy(digits, *s + 2, (size_t)(end - *s) - 2);
    digits[end - *s - 2] = '\0';
    if (!hex_decode(digits, buf, sizeof(buf), &len)) {
        return false;
    }
    cbor_put_bytes(w, buf, len);
    *s = end + 1;
    return true;
}

static bool text_string(const char **s, struct cbor_writer *w)
{
    const char *end = strchr(*s + 1, '"');

    if (end == NULL) {
        return false;
    }
    cbor_put_head(w, CBOR_TEXT, (uint64_t)(end - *s - 1));
    cbor_put_raw(w, *s + 1, (size_t)(end - *s - 1));
    *s = end + 1;
    return true;
}

/* Elements go into a buffer of their own first: the head needs their count. */
static bool container(const char **s, struct cbor_writer *w, char close)
{
    uint8_t *buf = malloc(ITEM_MAX);
    struct cbor_writer inner = cbor_writer(buf, ITEM_MAX);
    bool map = close == '}';
    uint64_t n = 0;
    bool ok = buf != NULL;

    *s = space(*s + 1);
    while (ok && **s != close) {
        ok = value(s, &inner);
        *s = space(*s);
        if (ok && map) {
            ok = **s == ':';
            *s += ok;
            ok = ok && value(s, &inner);
            *s = space(*s);
        }
        n++;
        if (ok && **s == ',') {
            *s = space(*s + 1);
        } else {
            ok = ok && **s == close;
        }
    }
    if (ok) {
        (*s)++;
        cbor_put_head(w, map ? CBOR_MAP : CBOR_ARRAY, n);
        cbor_put_raw(w, buf, inner.used);
    }
    free(buf);
    return ok && inner.ok;
}

static bool value(const char **s, struct cbor_writer *w)
{
    char *end;

    *s = space(*s);
    if (**s == '{') {
        return container(s, w, '}');
    }
    if (**s == '[') {
        return container(s, w, ']');
    }
    if (**s == '"') {
        return text_string(s, w);
    }
    if (strncmp(*s, "h'", 2) == 0) {
        return hex_string(s, w);
    }
    cbor_put_int(w, strtoll(*s, &end, 10));
    if (end == *s) {
        return false;
    }
    *s = end;
    return true;
}

bool diag_to_cbor(const char *text, struct cbor_writer *w)
{
    return value(&text, w) && *space(text) == '\0' && w->ok;
}

static const struct {
    const char *name;
    int64_t key;
    bool bytes;
} names[] = {
    {"cca-platform-profile", 265, false},
    {"cca-platform-challenge", 10, true},
    {"cca-platform-implementation-id", 2396, true},
    {"cca-platform-instance-id", 256, true},
    {"cca-platform-config", 2401, true},
    {"cca-platform-lifecycle", 2395, false},
    {"cca-platform-sw-components", 2399, false},
    {"cca-platform-service-indicator", 2400, false},
    {"cca-platform-hash-algo-id", 2402, false},
    {"measurement-type", 1, false},
    {"measurement-value", 2, true},
    {"version", 4, false},
    {"signer-id", 5, true},
    {"cca-realm-profile", 265, false},
    {"cca-realm-challenge", 10, true},
    {"cca-realm-personalization-value", 44235, true},
    {"cca-realm-initial-measurement", 44238, true},
    {"cca-realm-extensible-measurements", 44239, true},
    {"cca-realm-hash-algo-id", 44236, false},
    {"cca-realm-public-key", 44237, true},
    {"cca-realm-public-key-hash-algo-id", 44240, false},
};

static bool put_json(const json_t *j, bool bytes, struct cbor_writer *w)
{
    uint8_t buf[4096];
    size_t len;

    if (json_is_integer(j)) {
        cbor_put_int(w, json_integer_value(j));
        return true;
    }
    if (json_is_array(j)) {
        bool ok = true;

        cbor_put_head(w, CBOR_ARRAY, json_array_size(j));
        for (size_t i = 0; i < json_array_size(j) && ok; i++) {
            ok = put_json(json_array_get(j, i), bytes, w);
        }
        return ok;
    }
    if (json_is_object(j)) {
        return claims_json_to_cbor(j, w);
    }
    if (!bytes) {
        cbor_put_text(w, json_string_value(j));
        return true;
    }
    if (!base64_decode(json_string_value(j), json_string_length(j), false, buf, sizeof(buf),
                       &len)) {
        return false;
    }
    cbor_put_bytes(w, buf, len);
    return true;
}

bool claims_json_to_cbor(const json_t *j, struct cbor_writer *w)
{
    const char *key;
    json_t *v;
    bool ok = true;

    cbor_put_head(w, CBOR_MAP, json_object_size(j));
    json_object_foreach((json_t *)(uintptr_t)j, key, v)
    {
        size_t i = 0;
        size_t n = sizeof(names) / sizeof(names[0]);

        while (i < n && strcmp(names[i].name, key) != 0) {
            i++;
        }
        if (i < n) {
            cbor_put_int(w, names[i].key);
        } else {
            cbor_put_text(w, key);
        }
        ok = ok && put_json(v, i < n && names[i].bytes, w);
    }
    return ok && w->ok;
}
