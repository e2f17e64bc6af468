/* The strict reader. */
#include <attest/cbor.h>

#include <string.h>

/* The argument behind the first byte; only the shortest form is taken. */
static bool argument(struct reader *r, uint8_t info, bool is_float, uint64_t *v)
{
    uint8_t b;
    uint16_t h;
    uint32_t w;

    if (info < 24) {
        *v = info;
        return true;
    }
    switch (info) {
    case 24:
        *v = rd_u8(r, &b) ? b : 0;
        return *v >= 24;
    case 25:
        *v = rd_u16be(r, &h) ? h : 0;
        return is_float || *v > UINT8_MAX;
    case 26:
        *v = rd_u32be(r, &w) ? w : 0;
        return is_float || *v > UINT16_MAX;
    case 27:
        return rd_u64be(r, v) && (is_float || *v > UINT32_MAX);
    default: /* 28-30 are reserved, 31 is an indefinite length */
        return false;
    }
}

/* Continuation bytes of a UTF-8 sequence by its first byte, and its least code point. */
static int utf8_tail(uint8_t first, uint32_t *cp, uint32_t *least)
{
    if (first < 0x80) {
        *cp = first;
        *least = 0;
        return 0;
    }
    if (first >= 0xc2 && first < 0xe0) {
        *cp = first & 0x1fU;
        *least = 0x80;
        return 1;
    }
    if (first >= 0xe0 && first < 0xf0) {
        *cp = first & 0x0fU;
        *least = 0x800;
        return 2;
    }
    if (first >= 0xf0 && first < 0xf5) {
        *cp = first & 0x07U;
        *least = 0x10000;
        return 3;
    }
    return -1;
}

static bool is_utf8(const uint8_t *p, size_t len)
{
    while (len > 0) {
        uint32_t cp;
        uint32_t least;
        int tail = utf8_tail(*p, &cp, &least);

        if (tail < 0 || (size_t)tail >= len) {
            return false;
        }
        for (int i = 1; i <= tail; i++) {
            if ((p[i] & 0xc0) != 0x80) {
                return false;
            }
            cp = cp << 6 | (p[i] & 0x3fU);
        }
        if (cp < least || cp > 0x10ffff || (cp >= 0xd800 && cp < 0xe000)) {
            return false;
        }
        p += tail + 1;
        len -= (size_t)tail + 1;
    }
    return true;
}

/* Elements that must follow; every one takes a byte at least. */
static uint64_t children(const struct cbor_item *i)
{
    switch (i->type) {
    case CBOR_ARRAY:
        return i->value;
    case CBOR_MAP:
        return 2 * i->value;
    case CBOR_TAG:
        return 1;
    default:
        return 0;
    }
}

/* What the head promises must fit into what is left. */
static bool head_fits(const struct reader *r, const struct cbor_item *i)
{
    if (i->type == CBOR_MAP && i->value > SIZE_MAX / 4) {
        return false;
    }
    return children(i) <= r->left;
}

bool cbor_next(struct reader *r, struct cbor_item *out)
{
    struct reader ahead = *r;
    uint8_t first;
    bool is_float;

    out->at = r->p;
    out->p = NULL;
    if (!rd_u8(&ahead, &first)) {
        return false;
    }
    out->type = first >> 5;
    out->info = first & 31;
    is_float = out->type == CBOR_SIMPLE && out->info >= 25;
    if (is_float && ahead.left < (size_t)2 << (out->info - 25)) {
        return false;
    }
    if (!argument(&ahead, out->info, is_float, &out->value) || !head_fits(&ahead, out)) {
        return false;
    }
    /* Simple values 0-31 have only the one-byte form, section 3.3. */
    if (out->type == CBOR_SIMPLE && out->info == 24 && out->value < 32) {
        return false;
    }
    if (out->type == CBOR_BYTES || out->type == CBOR_TEXT) {
        if (out->value > ahead.left || !rd_bytes(&ahead, (size_t)out->value, &out->p) ||
            (out->type == CBOR_TEXT && !is_utf8(out->p, (size_t)out->value))) {
            return false;
        }
    }
    *r = ahead;
    return true;
}

bool cbor_skip(struct reader *r, struct attest_span *out)
{
    const uint8_t *start = r->p;
    uint64_t pending = 1;
    struct cbor_item item;

    while (pending > 0) {
        if (!cbor_next(r, &item)) {
            return false;
        }
        pending += children(&item) - 1;
        if (pending > r->left) {
            return false;
        }
    }
    out->p = start;
    out->len = (size_t)(r->p - start);
    return true;
}

bool cbor_int(const struct cbor_item *item, int64_t *out)
{
    if (item->value > INT64_MAX || (item->type != CBOR_UINT && item->type != CBOR_NINT)) {
        return false;
    }
    *out = item->type == CBOR_UINT ? (int64_t)item->value : -1 - (int64_t)item->value;
    return true;
}

struct check {
    struct reader r;
    const uint8_t *start;
    const char *object;
    struct attest_error *err;
};

static enum attest_status bad(const struct check *c, const uint8_t *at, const char *expected)
{
    bool ended = c->r.left == 0 && at == c->r.p;

    return attest_fail(c->err, ended ? ATTEST_TRUNCATED : ATTEST_MALFORMED, c->object, "CBOR",
                       expected, "offset %zu", (size_t)(at - c->start));
}

static bool same(const struct attest_span *a, const struct attest_span *b)
{
    return a->len == b->len && memcmp(a->p, b->p, a->len) == 0;
}

static enum attest_status check_item(struct check *c, unsigned int depth);

/* Encodings are unique, so equal keys have equal bytes. */
static enum attest_status check_map(struct check *c, uint64_t pairs, unsigned int depth)
{
    struct attest_span key[CBOR_MAP_MAX];

    if (pairs > CBOR_MAP_MAX) {
        return attest_fail(c->err, ATTEST_UNSUPPORTED, c->object, "CBOR map", "at most 256 pairs",
                           "%llu", (unsigned long long)pairs);
    }
    for (size_t i = 0; i < pairs; i++) {
        const uint8_t *at = c->r.p;
        enum attest_status st = check_item(c, depth + 1);

        if (st != ATTEST_OK) {
            return st;
        }
        key[i] = (struct attest_span){at, (size_t)(c->r.p - at)};
        for (size_t k = 0; k < i; k++) {
            if (same(&key[k], &key[i])) {
                return bad(c, at, "no map key twice");
            }
        }
        if ((st = check_item(c, depth + 1)) != ATTEST_OK) {
            return st;
        }
    }
    return ATTEST_OK;
}

static enum attest_status check_item(struct check *c, unsigned int depth)
{
    enum attest_status st = ATTEST_OK;
    const uint8_t *at = c->r.p;
    struct cbor_item item;

    if (depth > CBOR_DEPTH_MAX) {
        return attest_fail(c->err, ATTEST_UNSUPPORTED, c->object, "CBOR nesting",
                           "at most 16 levels", "more");
    }
    if (!cbor_next(&c->r, &item)) {
        return bad(c, at, "an item in its shortest form, all of it");
    }
    if (item.type == CBOR_MAP) {
        return check_map(c, item.value, depth);
    }
    for (uint64_t i = 0; i < children(&item) && st == ATTEST_OK; i++) {
        st = check_item(c, depth + 1);
    }
    return st;
}

enum attest_status cbor_check(const uint8_t *p, size_t len, const char *object,
                              struct attest_error *err)
{
    struct check c = {rd_make(p, len), p, object, err};
    enum attest_status st = check_item(&c, 1);

    if (st == ATTEST_OK && c.r.left > 0) {
        return attest_fail(err, ATTEST_TRAILING, object, "CBOR", "one item", "%zu bytes behind it",
                           c.r.left);
    }
    return st;
}
