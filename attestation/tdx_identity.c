/* Enclave identity, version 2 (PCS API v4): what a quoting enclave must look like. */
#include <attest/tdx_collateral.h>

#include <stdlib.h>
#include <string.h>

#define OBJECT "QE identity"

static enum attest_status parse_head(const json_t *o, struct tdx_identity *id,
                                     struct attest_error *err)
{
    const char *name = json_string_value(json_object_get(o, "id"));
    uint32_t version;
    enum attest_status st = tj_uint(o, OBJECT, "version", UINT32_MAX, &version, err);

    if (st != ATTEST_OK) {
        return st;
    }
    if (version != 2) {
        return attest_fail(err, ATTEST_UNSUPPORTED, OBJECT, "version", "2", "%u", version);
    }
    if (name == NULL || strlen(name) >= sizeof(id->id)) {
        return attest_fail(err, ATTEST_MALFORMED, OBJECT, "id", "QE, QVE or TD_QE", "%.20s",
                           name == NULL ? "none" : name);
    }
    memcpy(id->id, name, strlen(name) + 1);
    return ATTEST_OK;
}

static enum attest_status parse_body(struct tdx_identity *id, struct attest_error *err)
{
    const json_t *o = id->s.json;
    const struct {
        const char *key;
        uint8_t *out;
        size_t len;
    } bytes[] = {{"miscselect", id->miscselect, 4}, /* in the report's byte order, as all here */
                 {"miscselectMask", id->miscselect_mask, 4},
                 {"attributes", id->attributes, 16},
                 {"attributesMask", id->attributes_mask, 16},
                 {"mrsigner", id->mrsigner, 32}};
    uint32_t prodid = 0;
    enum attest_status st = parse_head(o, id, err);

    for (size_t i = 0; i < sizeof(bytes) / sizeof(bytes[0]) && st == ATTEST_OK; i++) {
        st = tj_hex(o, OBJECT, bytes[i].key, bytes[i].out, bytes[i].len, err);
    }
    if (st == ATTEST_OK) {
        st = tj_uint(o, OBJECT, "isvprodid", UINT16_MAX, &prodid, err);
    }
    id->isvprodid = (uint16_t)prodid;
    return st == ATTEST_OK ? tj_svn_levels(o, OBJECT, &id->level, &id->level_count, err) : st;
}

enum attest_status tdx_identity_parse(const char *raw, size_t len, const uint8_t sig[64],
                                      struct tdx_identity **out, struct attest_error *err)
{
    struct tdx_identity *id = calloc(1, sizeof(*id));
    enum attest_status st;

    if (id == NULL) {
        return attest_no_memory(err, OBJECT);
    }
    id->s.object = OBJECT;
    st = tj_signed(&id->s, raw, len, sig, err);
    if (st == ATTEST_OK) {
        st = parse_body(id, err);
    }
    if (st != ATTEST_OK) {
        tdx_identity_free(id);
        return st;
    }
    *out = id;
    return ATTEST_OK;
}

void tdx_identity_free(void *obj)
{
    struct tdx_identity *id = obj;

    free(id->level);
    tj_signed_free(&id->s);
    free(id);
}
