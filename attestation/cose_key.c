/* Public keys as COSE and the older tokens carry them. */
#include <attest/cose.h>

#include <string.h>

enum { KEY_KTY = 1, KEY_CRV = -1, KEY_X = -2, KEY_Y = -3, KEY_D = -4 };
enum { KTY_EC2 = 2 };

struct ec2 {
    int64_t kty;
    int64_t crv; /* 1 P-256, 2 P-384, 3 P-521 */
    struct attest_span x;
    struct attest_span y;
    bool private_part;
};

static bool take(struct ec2 *k, int64_t label, const struct cbor_item *v)
{
    struct attest_span s = {v->p, v->type == CBOR_BYTES ? (size_t)v->value : 0};

    switch (label) {
    case KEY_KTY:
        return cbor_int(v, &k->kty);
    case KEY_CRV:
        return cbor_int(v, &k->crv);
    case KEY_X:
        k->x = s;
        return v->type == CBOR_BYTES;
    case KEY_Y:
        k->y = s;
        return v->type == CBOR_BYTES;
    case KEY_D:
        k->private_part = true;
        return true;
    default: /* kid, alg, key_ops: of no weight for a public key */
        return true;
    }
}

static bool read_members(const uint8_t *p, size_t len, struct ec2 *k)
{
    struct reader r = rd_make(p, len);
    struct attest_span value;
    struct cbor_item map;
    struct cbor_item key;
    struct cbor_item v;

    if (!cbor_next(&r, &map) || map.type != CBOR_MAP) {
        return false;
    }
    for (uint64_t i = 0; i < map.value; i++) {
        struct reader at;
        int64_t label;

        if (!cbor_next(&r, &key) || !cbor_int(&key, &label)) {
            return false;
        }
        at = r;
        if (!cbor_next(&at, &v) || !cbor_skip(&r, &value) || !take(k, label, &v)) {
            return false;
        }
    }
    return true;
}

enum attest_status cose_key_parse(const uint8_t *p, size_t len, const char *object, EVP_PKEY **out,
                                  struct attest_error *err)
{
    enum attest_status st = cbor_check(p, len, object, err);
    struct ec2 k = {0};
    enum jose_curve c;

    if (st != ATTEST_OK) {
        return st;
    }
    if (!read_members(p, len, &k) || k.kty != KTY_EC2 || k.crv < 1 || k.crv > JOSE_CURVES ||
        k.private_part) {
        return attest_fail(err, ATTEST_MALFORMED, object, "COSE_Key",
                           "a public EC2 key on P-256, P-384 or P-521", NULL);
    }
    c = (enum jose_curve)(k.crv - 1);
    if (k.x.len != jose_curve_size(c) || k.y.len != k.x.len) {
        return attest_fail(err, ATTEST_MALFORMED, object, "COSE_Key x, y",
                           "two coordinates in full size", "%zu and %zu bytes", k.x.len, k.y.len);
    }
    *out = jose_ec_public(c, k.x.p, k.y.p);
    return *out != NULL ? ATTEST_OK
                        : attest_fail(err, ATTEST_MALFORMED, object, "COSE_Key x, y",
                                      "a point on the curve", NULL);
}

enum attest_status cose_point_parse(const uint8_t *p, size_t len, const char *object,
                                    EVP_PKEY **out, struct attest_error *err)
{
    for (enum jose_curve c = 0; c < JOSE_CURVES; c++) {
        size_t n = jose_curve_size(c);

        if (len != 1 + 2 * n || p[0] != 4) {
            continue;
        }
        *out = jose_ec_public(c, p + 1, p + 1 + n);
        return *out != NULL ? ATTEST_OK
                            : attest_fail(err, ATTEST_MALFORMED, object, "key",
                                          "a point on the curve", NULL);
    }
    return attest_fail(err, ATTEST_MALFORMED, object, "key",
                       "an uncompressed point of P-256, P-384 or P-521", "%zu bytes", len);
}
