/*
 * The strict CBOR reader: the examples of RFC 8949, what strictness refuses, and a differential
 * check against libcbor: what we accept it accepts, with the same values.
 */
#include "attest_file.h"
#include "cu.h"

#include <attest/cbor.h>
#include <attest/hex.h>

#include <cbor.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* libcbor allocates what a head promises; the sanitizer is to answer that with NULL. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1:max_allocation_size_mb=64";
}

static enum attest_status check_hex(const char *hex)
{
    uint8_t buf[2048];
    size_t len;

    CU_ASSERT_FATAL(hex_decode(hex, buf, sizeof(buf), &len));
    return cbor_check(buf, len, "test", NULL);
}

static void the_examples_of_the_standard_are_accepted(void)
{
    static const char *const good[] = {
        "00", "17", "1818", "1903e8", "1a000f4240", "1b000000e8d4a51000", "1bffffffffffffffff",
        "3bffffffffffffffff", "20", "3863", "f90000", "f97e00", "fa47c35000",
        "fb3ff199999999999a", "f4", "f5", "f6", "f7", "f0", "f8ff", "c11a514b67b0",
        "d818456449455446", "40", "4401020304", "60", "6161", "62c3bc", "63e6b0b4", "64f0908591",
        "80", "83010203", "8301820203820405", "a0", "a201020304", "a26161016162820203",
        "826161a161626163",
    };

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        CU_ASSERT_EQUAL(check_hex(good[i]), ATTEST_OK);
    }
}

static void what_is_not_strict_is_refused(void)
{
    static const struct {
        const char *hex;
        enum attest_status st;
    } bad[] = {
        {"", ATTEST_TRUNCATED},
        {"1800", ATTEST_MALFORMED},               /* 0 in two bytes */
        {"190017", ATTEST_MALFORMED},             /* 23 in three */
        {"1a0000ffff", ATTEST_MALFORMED},
        {"1b00000000ffffffff", ATTEST_MALFORMED},
        {"5800", ATTEST_MALFORMED},
        {"5f4101ff", ATTEST_MALFORMED},           /* indefinite */
        {"9fff", ATTEST_MALFORMED},
        {"bfff", ATTEST_MALFORMED},
        {"1c", ATTEST_MALFORMED},                 /* reserved */
        {"ff", ATTEST_MALFORMED},
        {"f814", ATTEST_MALFORMED},               /* simple value below 32 in two bytes */
        {"4401", ATTEST_MALFORMED},               /* shorter than it says */
        {"830102", ATTEST_MALFORMED},
        {"61ff", ATTEST_MALFORMED},               /* not UTF-8 */
        {"62c080", ATTEST_MALFORMED},             /* overlong */
        {"63eda080", ATTEST_MALFORMED},           /* surrogate */
        {"64f4908080", ATTEST_MALFORMED},         /* above U+10FFFF */
        {"a201020103", ATTEST_MALFORMED},         /* key twice */
        {"a2616101616102", ATTEST_MALFORMED},
        {"0000", ATTEST_TRAILING},
        {"9b7fffffffffffffff", ATTEST_MALFORMED}, /* more elements than bytes */
        {"bbffffffffffffffff", ATTEST_MALFORMED},
        {"5bffffffffffffffff", ATTEST_MALFORMED},
        {"c0", ATTEST_MALFORMED},
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CU_ASSERT_EQUAL(check_hex(bad[i].hex), bad[i].st);
    }
}

static void nesting_and_maps_are_bounded(void)
{
    uint8_t deep[64];
    uint8_t *wide = malloc(4 * 300 + 8);
    struct cbor_writer w = cbor_writer(wide, 4 * 300 + 8);

    memset(deep, 0x81, sizeof(deep));
    deep[15] = 0;
    CU_ASSERT_EQUAL(cbor_check(deep, 16, "test", NULL), ATTEST_OK);
    deep[15] = 0x81;
    deep[16] = 0;
    CU_ASSERT_EQUAL(cbor_check(deep, 17, "test", NULL), ATTEST_UNSUPPORTED);
    cbor_put_head(&w, CBOR_MAP, 257);
    for (int i = 0; i < 257; i++) {
        cbor_put_int(&w, i);
        cbor_put_int(&w, 0);
    }
    CU_ASSERT(w.ok);
    CU_ASSERT_EQUAL(cbor_check(wide, w.used, "test", NULL), ATTEST_UNSUPPORTED);
    free(wide);
}

static bool types_agree(const struct cbor_item *a, const cbor_item_t *b)
{
    static const cbor_type types[] = {CBOR_TYPE_UINT,   CBOR_TYPE_NEGINT, CBOR_TYPE_BYTESTRING,
                                      CBOR_TYPE_STRING, CBOR_TYPE_ARRAY,  CBOR_TYPE_MAP,
                                      CBOR_TYPE_TAG,    CBOR_TYPE_FLOAT_CTRL};

    return cbor_typeof(b) == types[a->type];
}

/* Compares value and bytes of every item, in the order of the encoding. */
static bool agree(struct reader *r, cbor_item_t *b)
{
    struct cbor_item a;
    bool ok = cbor_next(r, &a) && types_agree(&a, b);

    if (!ok) {
        return false;
    }
    switch (a.type) {
    case CBOR_UINT:
    case CBOR_NINT:
        return cbor_get_int(b) == a.value;
    case CBOR_BYTES:
        return cbor_bytestring_length(b) == a.value &&
               memcmp(cbor_bytestring_handle(b), a.p, (size_t)a.value) == 0;
    case CBOR_TEXT:
        return cbor_string_length(b) == a.value &&
               memcmp(cbor_string_handle(b), a.p, (size_t)a.value) == 0;
    case CBOR_ARRAY:
        for (size_t i = 0; i < a.value && ok; i++) {
            ok = agree(r, cbor_array_handle(b)[i]);
        }
        return ok && cbor_array_size(b) == a.value;
    case CBOR_MAP:
        for (size_t i = 0; i < a.value && ok; i++) {
            ok = agree(r, cbor_map_handle(b)[i].key) && agree(r, cbor_map_handle(b)[i].value);
        }
        return ok && cbor_map_size(b) == a.value;
    case CBOR_TAG:
        ok = cbor_tag_value(b) == a.value;
        return ok && agree(r, b->metadata.tag_metadata.tagged_item);
    default:
        return true;
    }
}

static struct {
    size_t both;
    size_t strict;
    size_t neither;
    size_t unknown; /* to libcbor */
    size_t wrong;
} tally;

/* libcbor 0.8 knows no simple values but false, true, null and undefined, nor tags 6 to 20. */
static bool unknown_to_libcbor(const uint8_t *p, size_t len)
{
    struct reader r = rd_make(p, len);
    struct cbor_item i;

    while (cbor_next(&r, &i)) {
        if ((i.type == CBOR_SIMPLE && (i.info < CBOR_FALSE || i.info == 24)) ||
            (i.type == CBOR_TAG && i.info > 5 && i.info < 21)) {
            return true;
        }
    }
    return false;
}

static void compare(const uint8_t *p, size_t len)
{
    struct cbor_load_result res;
    cbor_item_t *item = cbor_load(p, len, &res);
    bool theirs = item != NULL && res.read == len;
    bool ours = cbor_check(p, len, "test", NULL) == ATTEST_OK;
    struct reader r = rd_make(p, len);

    if (ours && !theirs && unknown_to_libcbor(p, len)) {
        tally.unknown++;
    } else if (ours && (!theirs || !agree(&r, item) || r.left != 0)) {
        tally.wrong++;
    }
    tally.both += ours && theirs;
    tally.strict += !ours && theirs;
    tally.neither += !ours && !theirs;
    if (item != NULL) {
        cbor_decref(&item);
    }
}

/* xorshift: the same bytes in every run. */
static uint64_t next_random(uint64_t *s)
{
    *s ^= *s << 13;
    *s ^= *s >> 7;
    *s ^= *s << 17;
    return *s;
}

/* A random well-formed item, mostly; depth bounds it. */
static void grow(struct cbor_writer *w, uint64_t *s, unsigned int depth)
{
    uint64_t r = next_random(s);
    uint64_t n = r >> 8 & 3;

    switch (depth == 0 ? r % 4 : r % 8) {
    case 0:
        cbor_put_head(w, CBOR_UINT, next_random(s) >> (r >> 16 & 63));
        break;
    case 1:
        cbor_put_head(w, CBOR_NINT, next_random(s) >> (r >> 16 & 63));
        break;
    case 2:
        cbor_put_bytes(w, &r, (size_t)n);
        break;
    case 3:
        cbor_put_text(w, "text" + n);
        break;
    case 4:
        cbor_put_head(w, CBOR_ARRAY, n);
        for (uint64_t i = 0; i < n; i++) {
            grow(w, s, depth - 1);
        }
        break;
    case 5:
        cbor_put_head(w, CBOR_MAP, n);
        for (uint64_t i = 0; i < n; i++) {
            cbor_put_int(w, (int64_t)i);
            grow(w, s, depth - 1);
        }
        break;
    case 6:
        cbor_put_head(w, CBOR_TAG, r >> 40);
        grow(w, s, depth - 1);
        break;
    default:
        cbor_put_head(w, CBOR_SIMPLE, 20 + n);
        break;
    }
}

static void our_reader_and_libcbor_agree_on_generated_items(void)
{
    uint64_t s = 0x243f6a8885a308d3;
    uint8_t buf[4096];

    memset(&tally, 0, sizeof(tally));
    for (int i = 0; i < 20000; i++) {
        struct cbor_writer w = cbor_writer(buf, sizeof(buf));

        grow(&w, &s, 5);
        if (!w.ok) {
            continue;
        }
        compare(buf, w.used);
        buf[next_random(&s) % w.used] ^= (uint8_t)(1U << (next_random(&s) & 7));
        compare(buf, w.used);
    }
    printf("CBOR: %zu accepted by both, %zu by libcbor alone, %zu by neither, %zu that it does not "
           "know, %zu wrongly\n",
           tally.both, tally.strict, tally.neither, tally.unknown, tally.wrong);
    CU_ASSERT_EQUAL(tally.wrong, 0);
    CU_ASSERT(tally.both > 15000);
    CU_ASSERT(tally.neither > 1000);
}

static void our_reader_and_libcbor_agree_on_tokens_with_any_byte_changed(void)
{
    size_t len;
    uint8_t *p = vector_read("cca/cca-token-01.cbor", &len);

    if (p == NULL) {
        cu_skip(1, "no vectors: tokens are not compared with libcbor");
        return;
    }
    memset(&tally, 0, sizeof(tally));
    for (size_t i = 0; i < len; i++) {
        for (int k = 0; k < 8; k++) {
            p[i] ^= (uint8_t)(1U << k);
            compare(p, len);
            p[i] ^= (uint8_t)(1U << k);
        }
    }
    CU_ASSERT_EQUAL(tally.wrong, 0);
    free(p);
}

static void skipping_passes_exactly_one_item(void)
{
    static const uint8_t two[] = {0xa1, 0x01, 0x82, 0x41, 0xff, 0xc1, 0x00, 0x05};
    struct reader r = rd_make(two, sizeof(two));
    struct attest_span span;
    struct cbor_item item;
    int64_t v;

    CU_ASSERT(cbor_skip(&r, &span));
    CU_ASSERT_EQUAL(span.len, 7);
    CU_ASSERT(cbor_next(&r, &item) && cbor_int(&item, &v) && v == 5);
    CU_ASSERT_FALSE(cbor_skip(&r, &span));
}

static void integers_beyond_64_bits_signed_are_not_taken_for_others(void)
{
    static const uint8_t big[] = {0x1b, 0x80, 0, 0, 0, 0, 0, 0, 0};
    static const uint8_t low[] = {0x3b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    struct reader r = rd_make(big, sizeof(big));
    struct cbor_item item;
    int64_t v;

    CU_ASSERT(cbor_next(&r, &item));
    CU_ASSERT_FALSE(cbor_int(&item, &v));
    r = rd_make(low, sizeof(low));
    CU_ASSERT(cbor_next(&r, &item) && cbor_int(&item, &v) && v == INT64_MIN);
}

static const struct cu_test tests[] = {
    CU(the_examples_of_the_standard_are_accepted),
    CU(what_is_not_strict_is_refused),
    CU(nesting_and_maps_are_bounded),
    CU(our_reader_and_libcbor_agree_on_generated_items),
    CU(our_reader_and_libcbor_agree_on_tokens_with_any_byte_changed),
    CU(skipping_passes_exactly_one_item),
    CU(integers_beyond_64_bits_signed_are_not_taken_for_others),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("attest_cbor", tests, argc, argv);
}
