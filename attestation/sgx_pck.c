/* The SGX extension of PCK certificates: SEQUENCE OF SEQUENCE { OID, value }, nested once. */
#include <attest/sgx.h>

#include <attest/cert.h>
#include <attest/hex.h>
#include <attest/reader.h>

#include <string.h>

#define OBJECT "PCK certificate"

enum {
    DER_BOOLEAN = 0x01,
    DER_INTEGER = 0x02,
    DER_OCTETS = 0x04,
    DER_OID = 0x06,
    DER_ENUM = 0x0A,
    DER_SEQUENCE = 0x30
};

/* 1.2.840.113741.1.13.1 */
static const uint8_t sgx_oid[9] = {0x2A, 0x86, 0x48, 0x86, 0xF8, 0x4D, 0x01, 0x0D, 0x01};

/* One TLV with this tag; lengths of up to two bytes, in their shortest form. */
static bool der_next(struct reader *r, uint8_t tag, struct reader *content)
{
    uint8_t t, n;
    uint16_t len16;
    size_t len;

    if (!rd_u8(r, &t) || t != tag || !rd_u8(r, &n)) {
        return false;
    }
    len = n;
    if (n == 0x81) {
        if (!rd_u8(r, &n) || n < 0x80) {
            return false;
        }
        len = n;
    } else if (n == 0x82) {
        if (!rd_u16be(r, &len16) || len16 < 0x100) {
            return false;
        }
        len = len16;
    } else if (n > 0x7F) {
        return false;
    }
    return rd_sub(r, len, content);
}

/* A small non-negative INTEGER or ENUMERATED. */
static bool der_u16(struct reader *r, uint8_t tag, uint16_t *out)
{
    struct reader c;
    uint16_t v = 0;

    if (!der_next(r, tag, &c) || c.left == 0 || c.left > 3 || (c.p[0] & 0x80) != 0 ||
        (c.left == 3 && c.p[0] != 0) || (c.left > 1 && c.p[0] == 0 && c.p[1] < 0x80)) {
        return false;
    }
    for (size_t i = 0; i < c.left; i++) {
        v = (uint16_t)(v << 8 | c.p[i]);
    }
    *out = v;
    return r->left == 0;
}

static bool der_octets(struct reader *r, void *out, size_t len)
{
    struct reader c;

    return der_next(r, DER_OCTETS, &c) && c.left == len && rd_copy(&c, out, len) && r->left == 0;
}

static bool der_bool(struct reader *r, bool *out)
{
    struct reader c;

    if (!der_next(r, DER_BOOLEAN, &c) || c.left != 1 || (c.p[0] != 0 && c.p[0] != 0xFF)) {
        return false;
    }
    *out = c.p[0] != 0;
    return r->left == 0;
}

/* The next member of a sequence: its last OID arc after `arcs` known ones, and its value. */
static bool next_member(struct reader *seq, const uint8_t *prefix, size_t prefix_len, uint8_t *arc,
                        struct reader *value)
{
    struct reader member, oid;
    const uint8_t *p;

    if (!der_next(seq, DER_SEQUENCE, &member) || !der_next(&member, DER_OID, &oid) ||
        !rd_bytes(&oid, prefix_len, &p) || memcmp(p, prefix, prefix_len) != 0 ||
        !rd_u8(&oid, arc) || oid.left != 0 || *arc > 0x7F) {
        return false;
    }
    *value = member;
    return true;
}

typedef bool (*member_fn)(uint8_t arc, struct reader *value, struct sgx_pck *out);

/* All members of a sequence, each arc at most once; the arcs seen as a mask. */
static bool each_member(struct reader *seq, uint8_t group, member_fn fn, struct sgx_pck *out,
                        uint32_t *seen)
{
    uint8_t prefix[10];
    size_t len = sizeof(sgx_oid);
    uint8_t arc;
    struct reader value;

    memcpy(prefix, sgx_oid, len);
    if (group != 0) {
        prefix[len++] = group;
    }
    *seen = 0;
    while (seq->left > 0) {
        if (!next_member(seq, prefix, len, &arc, &value) || arc == 0 || arc > 31 ||
            (*seen & 1u << arc) != 0 || !fn(arc, &value, out)) {
            return false;
        }
        *seen |= 1u << arc;
    }
    return true;
}

/* Members 1-16 are the components, 17 PCESVN, 18 CPUSVN. */
static bool tcb_member(uint8_t arc, struct reader *value, struct sgx_pck *out)
{
    if (arc <= SGX_TCB_COMPONENTS) {
        return der_u16(value, DER_INTEGER, &out->component[arc - 1]);
    }
    if (arc == 17) {
        return der_u16(value, DER_INTEGER, &out->pcesvn);
    }
    return arc == 18 && der_octets(value, out->cpusvn, sizeof(out->cpusvn));
}

static bool configuration_member(uint8_t arc, struct reader *value, struct sgx_pck *out)
{
    bool *const flag[] = {&out->dynamic_platform, &out->cached_keys, &out->smt_enabled};

    return arc <= 3 && der_bool(value, flag[arc - 1]);
}

static bool nested(struct reader *value, uint8_t group, member_fn fn, struct sgx_pck *out,
                   uint32_t wanted)
{
    struct reader seq;
    uint32_t seen;

    return der_next(value, DER_SEQUENCE, &seq) && value->left == 0 &&
           each_member(&seq, group, fn, out, &seen) && (seen & wanted) == wanted;
}

static bool top_member(uint8_t arc, struct reader *value, struct sgx_pck *out)
{
    uint16_t v;

    switch (arc) {
    case 1:
        return der_octets(value, out->ppid, sizeof(out->ppid));
    case 2:
        return nested(value, 2, tcb_member, out, 0x7FFFE);
    case 3:
        return der_octets(value, out->pceid, sizeof(out->pceid));
    case 4:
        return der_octets(value, out->fmspc, sizeof(out->fmspc));
    case 5:
        if (!der_u16(value, DER_ENUM, &v) || v > 2) {
            return false;
        }
        out->sgx_type = (uint8_t)v;
        return true;
    case 6:
        out->has_platform_instance = true;
        return der_octets(value, out->platform_instance, sizeof(out->platform_instance));
    case 7:
        out->has_configuration = true;
        return nested(value, 7, configuration_member, out, 0xE);
    default:
        return false;
    }
}

enum attest_status sgx_pck_parse(const uint8_t *ext, size_t len, struct sgx_pck *out,
                                 struct attest_error *err)
{
    struct reader r = rd_make(ext, len), seq;
    uint32_t seen = 0;

    memset(out, 0, sizeof(*out));
    if (!der_next(&r, DER_SEQUENCE, &seq) || r.left != 0 ||
        !each_member(&seq, 0, top_member, out, &seen)) {
        return attest_fail(err, ATTEST_MALFORMED, OBJECT, "SGX extension",
                           "the profile's members, in DER", "member %u",
                           seen == 0 ? 1u : 32u - (unsigned)__builtin_clz(seen));
    }
    if ((seen & 0x3E) != 0x3E) {
        return attest_fail(err, ATTEST_MALFORMED, OBJECT, "SGX extension",
                           "PPID, TCB, PCE-ID, FMSPC and SGX type", "members %#x", seen);
    }
    return ATTEST_OK;
}

enum attest_status sgx_pck_of(const struct attest_cert *cert, struct sgx_pck *out,
                              struct attest_error *err)
{
    const uint8_t *p;
    size_t len;
    enum attest_status st;

    st = attest_cert_extension(cert, "1.2.840.113741.1.13.1", &p, &len, err);
    if (st != ATTEST_OK) {
        return attest_fail(err, ATTEST_MALFORMED, OBJECT, "SGX extension",
                           "OID 1.2.840.113741.1.13.1", "none in \"%s\"", attest_cert_name(cert));
    }
    return sgx_pck_parse(p, len, out, err);
}

json_t *sgx_pck_claims(const struct sgx_pck *pck)
{
    static const char *const types[] = {"standard", "scalable", "scalable-with-integrity"};
    char ppid[33], cpusvn[33], pceid[5], fmspc[13], platform[33];
    json_t *components = json_array(), *o;

    for (size_t i = 0; i < SGX_TCB_COMPONENTS; i++) {
        json_array_append_new(components, json_integer(pck->component[i]));
    }
    o = json_pack(
        "{s:s, s:s, s:s, s:s, s:o, s:i, s:s, s:s*}", "ppid", hex_encode(pck->ppid, 16, ppid),
        "fmspc", hex_encode(pck->fmspc, 6, fmspc), "pce-id", hex_encode(pck->pceid, 2, pceid),
        "cpusvn", hex_encode(pck->cpusvn, 16, cpusvn), "tcb-components", components, "pcesvn",
        pck->pcesvn, "sgx-type", types[pck->sgx_type], "platform-instance-id",
        pck->has_platform_instance ? hex_encode(pck->platform_instance, 16, platform) : NULL);
    if (pck->has_configuration) {
        json_object_set_new(o, "dynamic-platform", json_boolean(pck->dynamic_platform));
        json_object_set_new(o, "cached-keys", json_boolean(pck->cached_keys));
        json_object_set_new(o, "smt-enabled", json_boolean(pck->smt_enabled));
    }
    return o;
}
