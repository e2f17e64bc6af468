/* One property's bytes, from a stranger's Device Tree, to a JSON value. */
#include "bundle_reader.h"

#include <stdio.h>
#include <string.h>

json_t *bundle_wrong(struct reader *r, const char *property, const char *what)
{
    bundle_fail(r->error, "%s: %s: %s", r->path, property, what);
    return NULL;
}

static bool text_allowed(const struct prop *p, const char *text)
{
    switch (p->kind) {
    case PROP_FIXED:
        return strcmp(text, p->text) == 0;
    case PROP_CHOICE:
        return bundle_choice(p->text, text);
    case PROP_NAME:
        return bundle_name_ok(text);
    default:
        return strlen(text) <= p->max;
    }
}

static json_t *read_text(struct reader *r, const struct prop *p, const char *data, int length)
{
    json_t *value;
    char what[160];

    if (length < 1 || memchr(data, '\0', (size_t)length) != data + length - 1) {
        return bundle_wrong(r, p->name, "is not one string");
    }
    if (!text_allowed(p, data)) {
        snprintf(what, sizeof(what), "'%.40s' must be %s", data,
                 p->text                ? p->text
                 : p->kind == PROP_NAME ? "1 to 31 characters of [a-z0-9._-]"
                                        : "shorter");
        return bundle_wrong(r, p->name, what);
    }
    value = json_string(data);
    return value != NULL ? value : bundle_wrong(r, p->name, "is not UTF-8");
}

static json_t *read_number(struct reader *r, const struct prop *p, const uint8_t *data, int length)
{
    int size = p->kind == PROP_U32 ? 4 : 8;
    uint64_t v = 0;
    char text[128];

    if (length != size) {
        snprintf(text, sizeof(text), "has %d bytes, not %d", length, size);
        return bundle_wrong(r, p->name, text);
    }
    for (int i = 0; i < size; i++) {
        v = v << 8 | data[i];
    }
    if (p->kind == PROP_MASK) {
        snprintf(text, sizeof(text), "0x%llx", (unsigned long long)v);
        return v != 0 ? json_string(text) : bundle_wrong(r, p->name, "has no bit set");
    }
    if (v < p->min || v > p->max || (p->step != 0 && v % p->step != 0)) {
        snprintf(text, sizeof(text), "%llu must be %llu to %llu%s%.0llu", (unsigned long long)v,
                 (unsigned long long)p->min, (unsigned long long)p->max,
                 p->step ? ", a multiple of " : "", (unsigned long long)p->step);
        return bundle_wrong(r, p->name, text);
    }
    return json_integer((json_int_t)v);
}

static json_t *read_mac(struct reader *r, const struct prop *p, const uint8_t *b, int length)
{
    char text[18];

    if (length != 6) {
        return bundle_wrong(r, p->name, "is not 6 bytes");
    }
    if ((b[0] & 1) != 0) {
        return bundle_wrong(r, p->name, "is not a unicast address");
    }
    snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4],
             b[5]);
    return json_string(text);
}

static bool has_word(const json_t *words, const char *text)
{
    json_t *word;
    size_t i;

    json_array_foreach((json_t *)words, i, word)
    {
        if (strcmp(json_string_value(word), text) == 0) {
            return true;
        }
    }
    return false;
}

static json_t *read_words(struct reader *r, const struct prop *p, const char *data, int length)
{
    json_t *words = json_array();
    char what[160];
    int used = 0;

    while (used < length) {
        const char *word = data + used;
        size_t n = strnlen(word, (size_t)(length - used));

        what[0] = '\0';
        if (used + (int)n == length) {
            snprintf(what, sizeof(what), "is not a list of strings");
        } else if (p->text != NULL ? !bundle_choice(p->text, word) : !bundle_name_ok(word)) {
            snprintf(what, sizeof(what), "'%.40s' must be %s", word,
                     p->text != NULL ? p->text : "1 to 31 characters of [a-z0-9._-]");
        } else if (has_word(words, word) || json_array_size(words) == p->max) {
            snprintf(what, sizeof(what), "'%.40s' is one too many", word);
        }
        if (what[0] != '\0') {
            json_decref(words);
            return bundle_wrong(r, p->name, what);
        }
        json_array_append_new(words, json_string(word));
        used += (int)n + 1;
    }
    return words;
}

json_t *bundle_read_value(struct reader *r, const struct prop *p, const void *data, int length)
{
    switch (p->kind) {
    case PROP_U32:
    case PROP_U64:
    case PROP_MASK:
        return read_number(r, p, data, length);
    case PROP_EMPTY:
        return length == 0 ? json_true() : bundle_wrong(r, p->name, "must have no value");
    case PROP_WORDS:
        return read_words(r, p, data, length);
    case PROP_MAC:
        return read_mac(r, p, data, length);
    case PROP_FIXED:
    case PROP_CHOICE:
    case PROP_STRING:
    case PROP_NAME:
        return read_text(r, p, data, length);
    }
    return NULL;
}
