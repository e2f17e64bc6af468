/*
 * A strict CBOR reader (RFC 8949): definite lengths, shortest arguments (section 4.2.1), valid
 * UTF-8, no map key twice. Key order is free: tokens in the field are not sorted. A whole item is
 * checked once by cbor_check; walking it afterwards is still bounded.
 */
#ifndef ATTEST_CBOR_H
#define ATTEST_CBOR_H

#include <attest/error.h>
#include <attest/hash.h>
#include <attest/reader.h>

#define CBOR_DEPTH_MAX 16
/* Key pairs in one map: comparing all keys with each other must stay cheap. */
#define CBOR_MAP_MAX 256

/* Major types. */
enum cbor_major {
    CBOR_UINT,
    CBOR_NINT,
    CBOR_BYTES,
    CBOR_TEXT,
    CBOR_ARRAY,
    CBOR_MAP,
    CBOR_TAG,
    CBOR_SIMPLE /* also floating point */
};

enum { CBOR_FALSE = 20, CBOR_TRUE = 21, CBOR_NULL = 22, CBOR_UNDEFINED = 23 };

struct cbor_item {
    enum cbor_major type;
    uint8_t info;      /* the five low bits of the first byte: 25-27 in CBOR_SIMPLE are floats */
    uint64_t value;    /* argument: number, length, count of elements or pairs, tag */
    const uint8_t *p;  /* the value bytes of CBOR_BYTES and CBOR_TEXT */
    const uint8_t *at; /* the first byte of the item */
};

/* One whole item and nothing behind it; MALFORMED, TRUNCATED, TRAILING or UNSUPPORTED. */
enum attest_status cbor_check(const uint8_t *p, size_t len, const char *object,
                              struct attest_error *err);

/* The next head, with the bytes of a string; the elements of containers follow in r. */
ATTEST_MUST_CHECK bool cbor_next(struct reader *r, struct cbor_item *out);
/* Passes one whole item; *out spans its bytes. */
ATTEST_MUST_CHECK bool cbor_skip(struct reader *r, struct attest_span *out);

/* The integer of an item in the range of int64_t. */
ATTEST_MUST_CHECK bool cbor_int(const struct cbor_item *item, int64_t *out);

/* ---- writing, into a buffer of the caller; a false `ok` means that it was too small ---- */

struct cbor_writer {
    uint8_t *p;
    size_t size;
    size_t used;
    bool ok;
};

struct cbor_writer cbor_writer(uint8_t *p, size_t size);
void cbor_put_head(struct cbor_writer *w, enum cbor_major type, uint64_t value);
void cbor_put_int(struct cbor_writer *w, int64_t v);
void cbor_put_bytes(struct cbor_writer *w, const void *p, size_t len);
void cbor_put_text(struct cbor_writer *w, const char *s);
/* Bytes that are CBOR already. */
void cbor_put_raw(struct cbor_writer *w, const void *p, size_t len);

#endif
