/* TCB infos and QE identities in the store: reading files, finding the right one. */
#include <attest/tdx_collateral.h>

#include <attest/hex.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_json_with(const uint8_t *p, size_t len, const char *key)
{
    size_t i = 0;

    while (i < len && (p[i] == ' ' || p[i] == '\n' || p[i] == '\r' || p[i] == '\t')) {
        i++;
    }
    return i < len && p[i] == '{' && memmem(p, len, key, strlen(key)) != NULL;
}

static bool detect_tcb_info(const uint8_t *p, size_t len)
{
    return is_json_with(p, len, "\"tcbInfo\"");
}

static bool detect_identity(const uint8_t *p, size_t len)
{
    return is_json_with(p, len, "\"enclaveIdentity\"");
}

static bool detect_bundle(const uint8_t *p, size_t len)
{
    return is_json_with(p, len, "\"tcb_info_signature\"");
}

static enum attest_status put_tcb_info(struct attest_collateral *c, const char *name,
                                       const char *raw, size_t len, const uint8_t sig[64],
                                       struct attest_error *err)
{
    struct attest_item item = {.ops = &attest_item_tdx_tcb_info};
    struct tdx_tcb_info *t;
    enum attest_status st = tdx_tcb_info_parse(raw, len, sig, &t, err);

    if (st != ATTEST_OK) {
        return st;
    }
    snprintf(item.name, sizeof(item.name), "%s", name);
    item.obj = t;
    item.issued = t->s.issued;
    item.expires = t->s.next_update;
    return attest_collateral_put(c, &item, err);
}

static enum attest_status put_identity(struct attest_collateral *c, const char *name,
                                       const char *raw, size_t len, const uint8_t sig[64],
                                       struct attest_error *err)
{
    struct attest_item item = {.ops = &attest_item_tdx_identity};
    struct tdx_identity *id;
    enum attest_status st = tdx_identity_parse(raw, len, sig, &id, err);

    if (st != ATTEST_OK) {
        return st;
    }
    snprintf(item.name, sizeof(item.name), "%s", name);
    item.obj = id;
    item.issued = id->s.issued;
    item.expires = id->s.next_update;
    return attest_collateral_put(c, &item, err);
}

/* {"<key>": {...}, "signature": "<hex>"}: the exact bytes of the object, and the signature. */
static enum attest_status unwrap(const char *object, const char *key, const uint8_t *p, size_t len,
                                 const char **raw, size_t *raw_len, uint8_t sig[64],
                                 struct attest_error *err)
{
    json_t *o;
    enum attest_status st = tj_parse(object, (const char *)p, len, &o, err);

    if (st != ATTEST_OK) {
        return st;
    }
    st = tj_hex(o, object, "signature", sig, 64, err);
    if (st == ATTEST_OK && !tj_extent((const char *)p, len, key, raw, raw_len)) {
        st = attest_fail(err, ATTEST_MALFORMED, object, key, "an object", "none");
    }
    json_decref(o);
    return st;
}

static enum attest_status parse_tcb_info(struct attest_collateral *c, const char *name,
                                         const uint8_t *p, size_t len, struct attest_error *err)
{
    const char *raw;
    size_t raw_len;
    uint8_t sig[64];
    enum attest_status st = unwrap("TCB info", "tcbInfo", p, len, &raw, &raw_len, sig, err);

    return st == ATTEST_OK ? put_tcb_info(c, name, raw, raw_len, sig, err) : st;
}

static enum attest_status parse_identity(struct attest_collateral *c, const char *name,
                                         const uint8_t *p, size_t len, struct attest_error *err)
{
    const char *raw;
    size_t raw_len;
    uint8_t sig[64];
    enum attest_status st =
        unwrap("QE identity", "enclaveIdentity", p, len, &raw, &raw_len, sig, err);

    return st == ATTEST_OK ? put_identity(c, name, raw, raw_len, sig, err) : st;
}

/* A CRL of a bundle is hexadecimal DER or PEM. */
static enum attest_status add_crl(struct attest_collateral *c, const char *name, const char *key,
                                  const char *s, struct attest_error *err)
{
    size_t len = strlen(s), n;
    uint8_t *der;
    enum attest_status st;

    if (strncmp(s, "-----BEGIN", 10) == 0) {
        return attest_collateral_add(c, name, (const uint8_t *)s, len, err);
    }
    der = malloc(len / 2 + 1);
    if (der == NULL) {
        return attest_no_memory(err, name);
    }
    st = hex_decode(s, der, len / 2 + 1, &n)
             ? attest_collateral_add(c, name, der, n, err)
             : attest_fail(err, ATTEST_MALFORMED, name, key, "hexadecimal", NULL);
    free(der);
    return st;
}

static enum attest_status add_member(struct attest_collateral *c, const char *name, const json_t *o,
                                     const char *key, bool crl, struct attest_error *err)
{
    const char *s = json_string_value(json_object_get(o, key));

    if (s == NULL) {
        return attest_fail(err, ATTEST_MALFORMED, "TDX collateral", key, "a string", "none");
    }
    return crl ? add_crl(c, name, key, s, err)
               : attest_collateral_add(c, name, (const uint8_t *)s, strlen(s), err);
}

static enum attest_status add_signed(struct attest_collateral *c, const char *name, const json_t *o,
                                     const char *key, struct attest_error *err)
{
    const char *raw = json_string_value(json_object_get(o, key));
    uint8_t sig[64];
    char sig_key[32];
    enum attest_status st;

    snprintf(sig_key, sizeof(sig_key), "%s_signature", key);
    st = tj_hex(o, "TDX collateral", sig_key, sig, sizeof(sig), err);
    if (st == ATTEST_OK && raw == NULL) {
        st = attest_fail(err, ATTEST_MALFORMED, "TDX collateral", key, "a string", "none");
    }
    if (st != ATTEST_OK) {
        return st;
    }
    return strcmp(key, "tcb_info") == 0 ? put_tcb_info(c, name, raw, strlen(raw), sig, err)
                                        : put_identity(c, name, raw, strlen(raw), sig, err);
}

/* The whole set of one platform in the shape of sgx_ql_qve_collateral_t (DCAP library). */
static enum attest_status parse_bundle(struct attest_collateral *c, const char *name,
                                       const uint8_t *p, size_t len, struct attest_error *err)
{
    static const struct {
        const char *key;
        bool crl;
    } member[] = {{"pck_crl_issuer_chain", false},
                  {"tcb_info_issuer_chain", false},
                  {"qe_identity_issuer_chain", false},
                  {"root_ca_crl", true},
                  {"pck_crl", true}};
    json_t *o;
    enum attest_status st = tj_parse("TDX collateral", (const char *)p, len, &o, err);

    if (st != ATTEST_OK) {
        return st;
    }
    for (size_t i = 0; i < sizeof(member) / sizeof(member[0]) && st == ATTEST_OK; i++) {
        st = add_member(c, name, o, member[i].key, member[i].crl, err);
    }
    if (st == ATTEST_OK) {
        st = add_signed(c, name, o, "tcb_info", err);
    }
    if (st == ATTEST_OK) {
        st = add_signed(c, name, o, "qe_identity", err);
    }
    json_decref(o);
    return st;
}

static void describe_tcb_info(const void *obj, char *buf, size_t size)
{
    const struct tdx_tcb_info *t = obj;
    char fmspc[13];

    snprintf(buf, size, "%s TCB info, FMSPC %s, evaluation %u, %zu levels",
             t->tee_type == TDX_TEE_TDX ? "TDX" : "SGX", hex_encode(t->fmspc, 6, fmspc),
             t->s.evaluation, t->level_count);
}

static void describe_identity(const void *obj, char *buf, size_t size)
{
    const struct tdx_identity *id = obj;

    snprintf(buf, size, "identity of %s, evaluation %u, %zu levels", id->id, id->s.evaluation,
             id->level_count);
}

static void free_nothing(void *obj)
{
    (void)obj;
}

static void describe_nothing(const void *obj, char *buf, size_t size)
{
    (void)obj;
    snprintf(buf, size, "TDX collateral");
}

const struct attest_item_ops attest_item_tdx_tcb_info = {
    .kind = "tdx-tcb-info",
    .detect = detect_tcb_info,
    .parse = parse_tcb_info,
    .free = tdx_tcb_info_free,
    .describe = describe_tcb_info,
};

const struct attest_item_ops attest_item_tdx_identity = {
    .kind = "tdx-qe-identity",
    .detect = detect_identity,
    .parse = parse_identity,
    .free = tdx_identity_free,
    .describe = describe_identity,
};

/* A bundle is taken apart: none is ever in the store as such. */
const struct attest_item_ops attest_item_tdx_bundle = {
    .kind = "tdx-collateral",
    .detect = detect_bundle,
    .parse = parse_bundle,
    .free = free_nothing,
    .describe = describe_nothing,
};
