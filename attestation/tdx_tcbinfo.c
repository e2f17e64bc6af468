/* TCB info, version 3 (PCS API v4). */
#include <attest/tdx_collateral.h>

#include <stdlib.h>
#include <string.h>

#define OBJECT "TCB info"

const char *const tdx_status_names[] = {
#define TDX_STATUS(name, text) text,
    TDX_STATUSES
#undef TDX_STATUS
        NULL,
};

const char *tdx_status_name(enum tdx_status s)
{
    return s < TDX_STATUS_COUNT ? tdx_status_names[s] : "unknown";
}

static enum attest_status parse_module(const json_t *o, struct tdx_module *m,
                                       struct attest_error *err)
{
    enum attest_status st = tj_hex(o, OBJECT, "mrsigner", m->mrsigner, 48, err);

    if (st == ATTEST_OK) {
        st = tj_hex(o, OBJECT, "attributes", m->attributes, 8, err);
    }
    if (st == ATTEST_OK) {
        st = tj_hex(o, OBJECT, "attributesMask", m->attributes_mask, 8, err);
    }
    return st;
}

/* id is "TDX_" and the module's version in two hexadecimal digits. */
static enum attest_status parse_identity(const json_t *o, struct tdx_module *m,
                                         struct attest_error *err)
{
    const char *id = json_string_value(json_object_get(o, "id"));
    char *end;
    enum attest_status st;

    if (id == NULL || strlen(id) != 6 || strncmp(id, "TDX_", 4) != 0 ||
        strspn(id + 4, "0123456789abcdefABCDEF") != 2) {
        return attest_fail(err, ATTEST_MALFORMED, OBJECT, "tdxModuleIdentities.id", "TDX_xx",
                           "%.20s", id == NULL ? "none" : id);
    }
    m->version = (uint8_t)strtoul(id + 4, &end, 16);
    st = parse_module(o, m, err);
    return st == ATTEST_OK ? tj_svn_levels(o, OBJECT, &m->level, &m->level_count, err) : st;
}

static enum attest_status parse_identities(const json_t *o, struct tdx_tcb_info *t,
                                           struct attest_error *err)
{
    const json_t *list, *v;
    size_t i;
    enum attest_status st;

    if (json_object_get(o, "tdxModuleIdentities") == NULL) {
        return ATTEST_OK;
    }
    st = tj_array(o, OBJECT, "tdxModuleIdentities", &list, err);
    if (st != ATTEST_OK) {
        return st;
    }
    t->identity = calloc(json_array_size(list), sizeof(*t->identity));
    if (t->identity == NULL) {
        return attest_no_memory(err, OBJECT);
    }
    t->identity_count = json_array_size(list);
    json_array_foreach(list, i, v)
    {
        st = parse_identity(v, &t->identity[i], err);
        if (st != ATTEST_OK) {
            return st;
        }
    }
    return ATTEST_OK;
}

static enum attest_status parse_components(const json_t *tcb, const char *key, uint16_t out[],
                                           struct attest_error *err)
{
    const json_t *list = json_object_get(tcb, key), *v;
    uint32_t svn;
    size_t i;

    if (json_array_size(list) != SGX_TCB_COMPONENTS) {
        return attest_fail(err, ATTEST_MALFORMED, OBJECT, key, "16 components", "%zu",
                           json_array_size(list));
    }
    json_array_foreach(list, i, v)
    {
        enum attest_status st = tj_uint(v, OBJECT, "svn", UINT16_MAX, &svn, err);

        if (st != ATTEST_OK) {
            return st;
        }
        out[i] = (uint16_t)svn;
    }
    return ATTEST_OK;
}

static enum attest_status parse_level(const json_t *o, bool tdx, struct tdx_level *l,
                                      struct attest_error *err)
{
    const json_t *tcb = json_object_get(o, "tcb");
    uint32_t pcesvn;
    enum attest_status st = parse_components(tcb, "sgxtcbcomponents", l->sgx, err);

    if (st == ATTEST_OK && tdx) {
        st = parse_components(tcb, "tdxtcbcomponents", l->tdx, err);
    }
    if (st == ATTEST_OK) {
        st = tj_uint(tcb, OBJECT, "pcesvn", UINT16_MAX, &pcesvn, err);
    }
    if (st != ATTEST_OK) {
        return st;
    }
    l->pcesvn = (uint16_t)pcesvn;
    return tj_level(o, OBJECT, &l->status, &l->date, &l->advisories, err);
}

static enum attest_status parse_levels(const json_t *o, struct tdx_tcb_info *t,
                                       struct attest_error *err)
{
    const json_t *list, *v;
    size_t i;
    enum attest_status st = tj_array(o, OBJECT, "tcbLevels", &list, err);

    if (st != ATTEST_OK) {
        return st;
    }
    t->level = calloc(json_array_size(list), sizeof(*t->level));
    if (t->level == NULL) {
        return attest_no_memory(err, OBJECT);
    }
    t->level_count = json_array_size(list);
    json_array_foreach(list, i, v)
    {
        st = parse_level(v, t->tee_type == TDX_TEE_TDX, &t->level[i], err);
        if (st != ATTEST_OK) {
            return st;
        }
    }
    return ATTEST_OK;
}

static enum attest_status parse_head(const json_t *o, struct tdx_tcb_info *t,
                                     struct attest_error *err)
{
    const char *id = json_string_value(json_object_get(o, "id"));
    uint32_t version, type;
    enum attest_status st = tj_uint(o, OBJECT, "version", UINT32_MAX, &version, err);

    if (st != ATTEST_OK) {
        return st;
    }
    if (version != 3) {
        return attest_fail(err, ATTEST_UNSUPPORTED, OBJECT, "version", "3", "%u", version);
    }
    st = tj_uint(o, OBJECT, "tcbType", UINT32_MAX, &type, err);
    if (st == ATTEST_OK && type != 0) {
        return attest_fail(err, ATTEST_UNSUPPORTED, OBJECT, "tcbType", "0", "%u", type);
    }
    if (id == NULL || (strcmp(id, "TDX") != 0 && strcmp(id, "SGX") != 0)) {
        return attest_fail(err, ATTEST_MALFORMED, OBJECT, "id", "TDX or SGX", "%.20s",
                           id == NULL ? "none" : id);
    }
    t->tee_type = id[0] == 'T' ? TDX_TEE_TDX : TDX_TEE_SGX;
    if (st == ATTEST_OK) {
        st = tj_hex(o, OBJECT, "fmspc", t->fmspc, 6, err);
    }
    return st == ATTEST_OK ? tj_hex(o, OBJECT, "pceId", t->pceid, 2, err) : st;
}

static enum attest_status parse_body(struct tdx_tcb_info *t, struct attest_error *err)
{
    const json_t *o = t->s.json, *module = json_object_get(o, "tdxModule");
    enum attest_status st = parse_head(o, t, err);

    if (st == ATTEST_OK && module != NULL) {
        t->has_module = true;
        st = parse_module(module, &t->module, err);
    }
    if (st == ATTEST_OK) {
        st = parse_identities(o, t, err);
    }
    return st == ATTEST_OK ? parse_levels(o, t, err) : st;
}

enum attest_status tdx_tcb_info_parse(const char *raw, size_t len, const uint8_t sig[64],
                                      struct tdx_tcb_info **out, struct attest_error *err)
{
    struct tdx_tcb_info *t = calloc(1, sizeof(*t));
    enum attest_status st;

    if (t == NULL) {
        return attest_no_memory(err, OBJECT);
    }
    t->s.object = OBJECT;
    st = tj_signed(&t->s, raw, len, sig, err);
    if (st == ATTEST_OK) {
        st = parse_body(t, err);
    }
    if (st != ATTEST_OK) {
        tdx_tcb_info_free(t);
        return st;
    }
    *out = t;
    return ATTEST_OK;
}

void tdx_tcb_info_free(void *info)
{
    struct tdx_tcb_info *t = info;

    for (size_t i = 0; i < t->identity_count; i++) {
        free(t->identity[i].level);
    }
    free(t->identity);
    free(t->level);
    tj_signed_free(&t->s);
    free(t);
}
