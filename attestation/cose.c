/* COSE_Sign1. */
#include <attest/cose.h>

#include <string.h>

#define TAG_COSE_SIGN1 18
enum { HEADER_ALG = 1, HEADER_CRIT = 2 };
enum { ALG_ES256 = -7, ALG_ES384 = -35, ALG_ES512 = -36 };

/* "Signature1", an empty external AAD and two heads: all but protected header and payload. */
#define SIG_STRUCTURE_EXTRA 64

static const int64_t algs[JOSE_CURVES] = {
    [JOSE_P256] = ALG_ES256, [JOSE_P384] = ALG_ES384, [JOSE_P521] = ALG_ES512};

static enum attest_status set_alg(const struct cbor_item *v, const char *object,
                                  struct cose_sign1 *out, struct attest_error *err)
{
    int64_t alg;

    for (enum jose_curve c = 0; cbor_int(v, &alg) && c < JOSE_CURVES; c++) {
        if (algs[c] == alg) {
            out->curve = c;
            return ATTEST_OK;
        }
    }
    return attest_fail(err, ATTEST_UNSUPPORTED, object, "COSE alg", "ES256, ES384 or ES512", NULL);
}

/* Walks a header map. Only the protected one may, and must, name the algorithm. */
static enum attest_status parse_header(struct reader *r, bool protect, const char *object,
                                       struct cose_sign1 *out, struct attest_error *err)
{
    struct attest_span value;
    struct cbor_item map;
    struct cbor_item key;
    struct cbor_item v;
    bool found = false;

    if (!cbor_next(r, &map) || map.type != CBOR_MAP) {
        return attest_fail(err, ATTEST_MALFORMED, object, "COSE header", "a map", NULL);
    }
    for (uint64_t i = 0; i < map.value; i++) {
        int64_t label = 0;
        struct reader at;

        if (!cbor_next(r, &key) || (key.type > CBOR_NINT && key.type != CBOR_TEXT)) {
            return attest_fail(err, ATTEST_MALFORMED, object, "COSE header label",
                               "an integer or text", NULL);
        }
        at = *r;
        if (!cbor_skip(r, &value) || !cbor_next(&at, &v)) {
            return attest_fail(err, ATTEST_MALFORMED, object, "COSE header", "a value", NULL);
        }
        if (!cbor_int(&key, &label)) {
            continue;
        }
        if (label == HEADER_CRIT || (label == HEADER_ALG && !protect)) {
            return attest_fail(err, ATTEST_UNSUPPORTED, object, "COSE header",
                               "no critical parameters, alg in the protected header only",
                               "label %lld", (long long)label);
        }
        if (label == HEADER_ALG) {
            enum attest_status st = set_alg(&v, object, out, err);

            if (st != ATTEST_OK) {
                return st;
            }
            found = true;
        }
    }
    return !protect || found ? ATTEST_OK
                             : attest_fail(err, ATTEST_MALFORMED, object, "COSE alg",
                                           "in the protected header", "nothing");
}

static bool bytes(struct reader *r, struct attest_span *out)
{
    struct cbor_item i;

    if (!cbor_next(r, &i) || i.type != CBOR_BYTES) {
        return false;
    }
    *out = (struct attest_span){i.p, (size_t)i.value};
    return true;
}

static enum attest_status parse_parts(struct reader *r, const char *object, struct cose_sign1 *out,
                                      struct attest_error *err)
{
    enum attest_status st;
    struct reader header;

    if (!bytes(r, &out->protect)) {
        return attest_fail(err, ATTEST_MALFORMED, object, "COSE protected header", "a byte string",
                           NULL);
    }
    if ((st = cbor_check(out->protect.p, out->protect.len, object, err)) != ATTEST_OK) {
        return st;
    }
    header = rd_make(out->protect.p, out->protect.len);
    if ((st = parse_header(&header, true, object, out, err)) != ATTEST_OK ||
        (st = parse_header(r, false, object, out, err)) != ATTEST_OK) {
        return st;
    }
    if (!bytes(r, &out->payload) || !bytes(r, &out->signature)) {
        return attest_fail(err, ATTEST_MALFORMED, object, "COSE payload and signature",
                           "two byte strings", NULL);
    }
    if (out->signature.len != 2 * jose_curve_size(out->curve)) {
        return attest_fail(err, ATTEST_MALFORMED, object, "COSE signature",
                           jose_curve_alg(out->curve), "%zu bytes", out->signature.len);
    }
    return ATTEST_OK;
}

enum attest_status cose_sign1_parse(const uint8_t *p, size_t len, const char *object,
                                    struct cose_sign1 *out, struct attest_error *err)
{
    enum attest_status st = cbor_check(p, len, object, err);
    struct reader r = rd_make(p, len);
    struct cbor_item tag;
    struct cbor_item list;

    if (st != ATTEST_OK) {
        return st;
    }
    if (!cbor_next(&r, &tag) || tag.type != CBOR_TAG || tag.value != TAG_COSE_SIGN1 ||
        !cbor_next(&r, &list) || list.type != CBOR_ARRAY || list.value != 4) {
        return attest_fail(err, ATTEST_MALFORMED, object, "COSE_Sign1",
                           "tag 18 and an array of four", NULL);
    }
    return parse_parts(&r, object, out, err);
}

/* All of Sig_structure (RFC 9052 section 4.4) but the payload's bytes. */
static bool sig_prefix(const struct attest_span *protect, size_t payload_len, uint8_t *buf,
                       size_t *len)
{
    struct cbor_writer w = cbor_writer(buf, *len);

    cbor_put_head(&w, CBOR_ARRAY, 4);
    cbor_put_text(&w, "Signature1");
    cbor_put_bytes(&w, protect->p, protect->len);
    cbor_put_bytes(&w, NULL, 0);
    cbor_put_head(&w, CBOR_BYTES, payload_len);
    *len = w.used;
    return w.ok;
}

enum attest_status cose_sign1_verify(const struct cose_sign1 *s, EVP_PKEY *key, const char *object,
                                     struct attest_error *err)
{
    uint8_t prefix[SIG_STRUCTURE_EXTRA + 256];
    size_t len = sizeof(prefix);
    struct attest_span spans[2] = {{prefix, 0}, s->payload};
    enum jose_curve c;

    if (!sig_prefix(&s->protect, s->payload.len, prefix, &len)) {
        return attest_fail(err, ATTEST_UNSUPPORTED, object, "COSE protected header",
                           "at most 256 bytes", "%zu", s->protect.len);
    }
    spans[0].len = len;
    if (!jose_curve_of(key, &c) || c != s->curve) {
        return attest_fail(err, ATTEST_SIGNATURE, object, "COSE alg", "the algorithm of the key",
                           "%s", jose_curve_alg(s->curve));
    }
    if (!jose_ec_verify(key, spans, 2, s->signature.p, s->signature.len)) {
        return attest_fail(err, ATTEST_SIGNATURE, object, "signature", "one by the key", NULL);
    }
    return ATTEST_OK;
}

bool cose_sign1_make(EVP_PKEY *key, const uint8_t *payload, size_t payload_len, uint8_t *out,
                     size_t *len)
{
    uint8_t protect[8];
    uint8_t prefix[SIG_STRUCTURE_EXTRA];
    uint8_t sig[JOSE_SIG_MAX];
    size_t prefix_len = sizeof(prefix);
    size_t sig_len;
    struct cbor_writer h = cbor_writer(protect, sizeof(protect));
    struct cbor_writer w = cbor_writer(out, *len);
    struct attest_span spans[2] = {{prefix, 0}, {payload, payload_len}};
    struct attest_span header = {protect, 0};
    enum jose_curve c;

    if (!jose_curve_of(key, &c)) {
        return false;
    }
    cbor_put_head(&h, CBOR_MAP, 1);
    cbor_put_int(&h, HEADER_ALG);
    cbor_put_int(&h, algs[c]);
    header.len = h.used;
    if (!sig_prefix(&header, payload_len, prefix, &prefix_len)) {
        return false;
    }
    spans[0].len = prefix_len;
    if (!jose_ec_sign(key, spans, 2, sig, &sig_len)) {
        return false;
    }
    cbor_put_head(&w, CBOR_TAG, TAG_COSE_SIGN1);
    cbor_put_head(&w, CBOR_ARRAY, 4);
    cbor_put_bytes(&w, protect, h.used);
    cbor_put_head(&w, CBOR_MAP, 0);
    cbor_put_bytes(&w, payload, payload_len);
    cbor_put_bytes(&w, sig, sig_len);
    *len = w.used;
    return w.ok;
}
