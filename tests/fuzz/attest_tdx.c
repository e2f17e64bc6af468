/*
 * Quotes, PCK extensions and signed JSON. The first byte picks the parser; a quote's header and
 * lengths are made plausible half of the time, so that the certification data is reached.
 */
#include <attest/reader.h>
#include <attest/tdx_tcb.h>

#include <stdlib.h>
#include <string.h>

static const uint8_t vendor[16] = {0x93, 0x9A, 0x72, 0x33, 0xF7, 0x9C, 0x4C, 0xA9,
                                   0x94, 0x0A, 0x0D, 0xB3, 0x95, 0x7F, 0x06, 0x07};

static struct tdx_tcb_info *last_info;
static struct tdx_identity *last_identity;

static void make_plausible(uint8_t *p, size_t len, uint8_t pick)
{
    static const struct {
        uint8_t version, tee;
        size_t body;
    } kinds[] = {{3, 0, 384}, {4, 0x81, 584}, {5, 0x81, 648}, {4, 0, 384}};
    size_t at = 48 + kinds[pick % 4].body + (kinds[pick % 4].version == 5 ? 6 : 0);

    if (len < at + 4 + 128 + 6) {
        return;
    }
    st32le(p, kinds[pick % 4].version | 2u << 16);
    st32le(p + 4, kinds[pick % 4].tee);
    memcpy(p + 12, vendor, sizeof(vendor));
    if (kinds[pick % 4].version == 5) {
        st16le(p + 48, 3);
        st32le(p + 50, 648);
    }
    st32le(p + at, (uint32_t)(len - at - 4));
    if (kinds[pick % 4].version > 3) {
        st16le(p + at + 4 + 128, 6);
        st32le(p + at + 4 + 130, (uint32_t)(len - at - 4 - 134));
    }
}

/* A quote that parses is evaluated against whatever collateral parsed last. */
static void quote(const uint8_t *p, size_t len)
{
    const struct attest_evidence_ops *ops = attest_kind_named("tdx");
    struct tdx_result r = {0};
    struct sgx_pck pck = {0};
    struct attest_error err;
    struct tdx_quote q;
    void *ev = NULL;

    if (tdx_quote_parse(p, len, &q, &err) != ATTEST_OK) {
        return;
    }
    if (q.signed_len > len || q.trailing > len || q.cert + q.cert_len > p + len) {
        abort();
    }
    if (ops->parse(p, len, &ev, &err) == ATTEST_OK) {
        json_decref(ops->claims(ev));
        ops->free(ev);
    }
    if (last_info != NULL && tdx_check_module(&q, last_info, &err) == ATTEST_OK) {
        tdx_evaluate(&q, &pck, last_info, &r);
    }
    if (last_identity != NULL && tdx_check_qe_identity(&q, last_identity, &r, &err) == ATTEST_OK &&
        r.qe > TDX_NOT_SUPPORTED) {
        abort();
    }
}

static void tcb_info(const uint8_t *p, size_t len)
{
    static const uint8_t sig[64];
    struct tdx_tcb_info *t;
    struct attest_error err;

    if (tdx_tcb_info_parse((const char *)p, len, sig, &t, &err) == ATTEST_OK) {
        if (last_info != NULL) {
            tdx_tcb_info_free(last_info);
        }
        last_info = t;
    }
}

static void identity(const uint8_t *p, size_t len)
{
    static const uint8_t sig[64];
    struct tdx_identity *id;
    struct attest_error err;

    if (tdx_identity_parse((const char *)p, len, sig, &id, &err) == ATTEST_OK) {
        if (last_identity != NULL) {
            tdx_identity_free(last_identity);
        }
        last_identity = id;
    }
}

static void extent(const uint8_t *p, size_t len)
{
    const char *value;
    size_t n;
    json_t *whole = json_loadb((const char *)p, len, JSON_REJECT_DUPLICATES, NULL), *part;

    if (tj_extent((const char *)p, len, "k", &value, &n)) {
        if (value < (const char *)p || value + n > (const char *)p + len) {
            abort();
        }
        /* In JSON that jansson accepts, the extent is that member's value and nothing else. */
        part = json_loadb(value, n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
        if (json_is_object(whole) && json_object_get(whole, "k") != NULL &&
            !json_equal(part, json_object_get(whole, "k"))) {
            abort();
        }
        json_decref(part);
    }
    json_decref(whole);
}

static void pck(const uint8_t *p, size_t len)
{
    struct sgx_pck out;
    struct attest_error err;

    if (sgx_pck_parse(p, len, &out, &err) == ATTEST_OK) {
        json_decref(sgx_pck_claims(&out));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t pick, *copy;

    if (size < 2) {
        return 0;
    }
    pick = *data++;
    size--;
    copy = malloc(size);
    memcpy(copy, data, size);
    switch (pick % 5) {
    case 0:
        if ((pick & 0x80) != 0) {
            make_plausible(copy, size, pick >> 4);
        }
        quote(copy, size);
        break;
    case 1:
        tcb_info(copy, size);
        break;
    case 2:
        identity(copy, size);
        break;
    case 3:
        extent(copy, size);
        break;
    default:
        pck(copy, size);
        break;
    }
    free(copy);
    return 0;
}
