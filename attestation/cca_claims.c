/* Looking up claims in a set that cbor_check has accepted. */
#include "cca_claims.h"

#include <string.h>

#define TEXT_MAX 1024

enum attest_status claim_missing(const struct claims *c, const char *name)
{
    return attest_fail(c->err, ATTEST_MALFORMED, c->object, name, "present", "missing");
}

enum attest_status claim_wrong(const struct claims *c, const char *name, const char *expected)
{
    return attest_fail(c->err, ATTEST_MALFORMED, c->object, name, expected, NULL);
}

enum attest_status claims_open(struct claims *c, const char *object, const uint8_t *p, size_t len,
                               struct attest_error *err)
{
    enum attest_status st = cbor_check(p, len, object, err);
    struct cbor_item map;

    *c = (struct claims){.object = object, .pairs = rd_make(p, len), .err = err};
    if (st != ATTEST_OK) {
        return st;
    }
    if (!cbor_next(&c->pairs, &map) || map.type != CBOR_MAP) {
        return claim_wrong(c, "claims", "a map");
    }
    c->count = map.value;
    return ATTEST_OK;
}

/* Claims that are not ours are passed over: a profile may be extended (RFC 9711, section 6). */
bool claims_find(const struct claims *c, int64_t key, struct cbor_item *v, struct reader *rest)
{
    struct reader r = c->pairs;
    struct attest_span skipped;

    for (uint64_t i = 0; i < c->count; i++) {
        struct reader at = r;
        struct cbor_item k;
        int64_t label;

        if (!cbor_skip(&r, &skipped) || !cbor_next(&at, &k)) {
            return false;
        }
        if (cbor_int(&k, &label) && label == key) {
            *rest = r;
            return cbor_next(rest, v);
        }
        if (!cbor_skip(&r, &skipped)) {
            return false;
        }
    }
    return false;
}

bool is_digest_size(size_t len)
{
    return len == 32 || len == 48 || len == 64;
}

bool span_is(const struct attest_span *s, const char *text)
{
    return s->p != NULL && s->len == strlen(text) && memcmp(s->p, text, s->len) == 0;
}

enum attest_status claims_bytes(const struct claims *c, int64_t key, const char *name, size_t min,
                                size_t max, struct attest_span *out)
{
    struct cbor_item v;
    struct reader rest;

    if (!claims_find(c, key, &v, &rest)) {
        return claim_missing(c, name);
    }
    if (v.type != CBOR_BYTES) {
        return claim_wrong(c, name, "a byte string");
    }
    if (v.value < min || v.value > max) {
        return attest_fail(c->err, ATTEST_MALFORMED, c->object, name, "a byte string in its size",
                           "%llu bytes", (unsigned long long)v.value);
    }
    *out = (struct attest_span){v.p, (size_t)v.value};
    return ATTEST_OK;
}

enum attest_status claims_digest(const struct claims *c, int64_t key, const char *name,
                                 struct attest_span *out)
{
    enum attest_status st = claims_bytes(c, key, name, 32, 64, out);

    if (st == ATTEST_OK && !is_digest_size(out->len)) {
        return attest_fail(c->err, ATTEST_MALFORMED, c->object, name, "32, 48 or 64 bytes", "%zu",
                           out->len);
    }
    return st;
}

enum attest_status claims_text(const struct claims *c, int64_t key, const char *name,
                               struct attest_span *out)
{
    struct cbor_item v;
    struct reader rest;

    *out = (struct attest_span){NULL, 0};
    if (!claims_find(c, key, &v, &rest)) {
        return ATTEST_OK;
    }
    if (v.type != CBOR_TEXT || v.value == 0 || v.value > TEXT_MAX ||
        memchr(v.p, '\0', (size_t)v.value) != NULL) {
        return claim_wrong(c, name, "non-empty text of at most 1024 bytes");
    }
    *out = (struct attest_span){v.p, (size_t)v.value};
    return ATTEST_OK;
}

const char *cca_hash_name(enum attest_hash h)
{
    return h == ATTEST_SHA256   ? "sha-256"
           : h == ATTEST_SHA384 ? "sha-384"
           : h == ATTEST_SHA512 ? "sha-512"
                                : "unknown";
}

enum attest_status claims_hash(const struct claims *c, int64_t key, const char *name,
                               enum attest_hash *out)
{
    struct attest_span s;
    enum attest_status st = claims_text(c, key, name, &s);

    if (st != ATTEST_OK) {
        return st;
    }
    if (s.p == NULL) {
        return claim_missing(c, name);
    }
    for (enum attest_hash h = ATTEST_SHA256; h <= ATTEST_SHA512; h++) {
        if (span_is(&s, cca_hash_name(h))) {
            *out = h;
            return ATTEST_OK;
        }
    }
    return attest_fail(c->err, ATTEST_UNSUPPORTED, c->object, name, "sha-256, sha-384 or sha-512",
                       "%.*s", (int)s.len, (const char *)s.p);
}
