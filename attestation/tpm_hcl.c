/*
 * A vTPM under a paravisor: the HCL report holds the hardware's report and the runtime data (JSON)
 * whose hash is in REPORT_DATA; the vTPM's attestation key is in that JSON. Layout: Azure
 * confidential VM guest attestation design, "Attestation report": header 32 bytes, hardware report
 * area 1184, then size, version, report type, hash type, variable data size (u32 each) and data.
 */
#include "tpm_evidence.h"

#include <attest/jose.h>
#include <attest/reader.h>
#include <attest/snp.h>
#include <attest/tdx.h>

#include <stdlib.h>
#include <string.h>

#define OBJECT "HCL report"

enum {
    HEADER = 32,
    AREA = 1184,
    RUNTIME_HEADER = 20,
    TYPE_SNP = 2,
    TYPE_TDX = 4,
    HASH_SHA256 = 1,
    SNP_REPORT_DATA = 0x50
};

static enum attest_status bad(const char *field, const char *expected, uint32_t found,
                              struct attest_error *err)
{
    return attest_fail(err, ATTEST_MALFORMED, OBJECT, field, expected, "%u", found);
}

static enum attest_status parse_runtime(struct tpm_evidence *e, struct reader *r, uint32_t *type,
                                        struct attest_error *err)
{
    uint32_t size, version, hash, len;

    if (!rd_u32le(r, &size) || !rd_u32le(r, &version) || !rd_u32le(r, type) ||
        !rd_u32le(r, &hash) || !rd_u32le(r, &len) || !rd_bytes(r, len, &e->hcl.runtime)) {
        return attest_fail(err, ATTEST_TRUNCATED, OBJECT, "runtime data", NULL, "%zu bytes left",
                           r->left);
    }
    e->hcl.runtime_len = len;
    if (version != 1 || size != RUNTIME_HEADER + len) {
        return bad("runtime data version and size", "1, and that of the data", version, err);
    }
    if (hash != HASH_SHA256) {
        return bad("hash type", "1 (SHA-256)", hash, err);
    }
    if (!bytes_are_zero(r->p, r->left)) {
        return attest_fail(err, ATTEST_TRAILING, OBJECT, "padding", "zeros", "other bytes");
    }
    return ATTEST_OK;
}

/*
 * The SNP report with its VCEK as an extended guest request would give it: certificate table of
 * two entries (GUID, offset, length), the second all zeros (GHCB specification, 4.1.8).
 */
static enum attest_status make_snp(struct tpm_evidence *e, const uint8_t *report,
                                   struct attest_error *err)
{
    static const uint8_t vcek_guid[16] = {0x8d, 0x75, 0xda, 0x63, 0x64, 0xe6, 0x64, 0x45,
                                          0xad, 0xc5, 0xf4, 0xb9, 0x3b, 0xe8, 0xac, 0xcd};
    enum { TABLE = 48 };
    struct tpm_blob vcek = {0};
    uint8_t *p;
    enum attest_status st = tpm_bytes(e->json, "vcek", &vcek, err);

    if (st != ATTEST_OK) {
        free(vcek.p);
        return st;
    }
    p = calloc(1, SNP_REPORT_SIZE + TABLE + vcek.len);
    if (p == NULL) {
        free(vcek.p);
        return attest_no_memory(err, OBJECT);
    }
    memcpy(p, report, SNP_REPORT_SIZE);
    if (vcek.p != NULL) {
        memcpy(p + SNP_REPORT_SIZE, vcek_guid, sizeof(vcek_guid));
        st32le(p + SNP_REPORT_SIZE + 16, TABLE);
        st32le(p + SNP_REPORT_SIZE + 20, (uint32_t)vcek.len);
        memcpy(p + SNP_REPORT_SIZE + TABLE, vcek.p, vcek.len);
    }
    e->hcl.platform = (struct tpm_blob){
        .p = p, .len = vcek.p == NULL ? SNP_REPORT_SIZE : SNP_REPORT_SIZE + TABLE + vcek.len};
    e->hcl.ops = attest_kind_named("sev-snp");
    e->hcl.report_data = p + SNP_REPORT_DATA;
    free(vcek.p);
    return ATTEST_OK;
}

/* The area holds a TDREPORT; the quote made from it comes beside. */
static enum attest_status make_tdx(struct tpm_evidence *e, struct attest_error *err)
{
    struct tdx_quote q;
    enum attest_status st = tpm_bytes(e->json, "td_quote", &e->hcl.platform, err);

    if (st == ATTEST_OK && e->hcl.platform.p == NULL) {
        st = bad("td_quote", "present", 0, err);
    }
    if (st == ATTEST_OK) {
        st = tdx_quote_parse(e->hcl.platform.p, e->hcl.platform.len, &q, err);
    }
    if (st == ATTEST_OK && q.tee_type != TDX_TEE_TDX) {
        st = bad("td_quote", "a TDX quote", q.tee_type, err);
    }
    if (st == ATTEST_OK) {
        e->hcl.ops = attest_kind_named("tdx");
        e->hcl.report_data = q.body + TD_REPORTDATA;
    }
    return st;
}

enum attest_status tpm_hcl_parse(struct tpm_evidence *e, struct attest_error *err)
{
    struct reader r = rd_make(e->report.p, e->report.len);
    const uint8_t *header, *area;
    uint32_t type;
    enum attest_status st;

    if (!rd_bytes(&r, HEADER, &header) || !rd_bytes(&r, AREA, &area)) {
        return attest_fail(err, ATTEST_TRUNCATED, OBJECT, "hardware report", NULL, "%zu bytes",
                           e->report.len);
    }
    if (memcmp(header, "HCLA", 4) != 0) {
        return bad("signature", "HCLA", ld32le(header), err);
    }
    st = parse_runtime(e, &r, &type, err);
    if (st != ATTEST_OK) {
        return st;
    }
    if (type != TYPE_SNP && type != TYPE_TDX) {
        return bad("report type", "2 (SNP) or 4 (TDX)", type, err);
    }
    st = type == TYPE_SNP ? make_snp(e, area, err) : make_tdx(e, err);
    if (st != ATTEST_OK) {
        return st;
    }
    return e->hcl.ops->parse(e->hcl.platform.p, e->hcl.platform.len, &e->hcl.ev, err);
}

void tpm_hcl_free(struct tpm_hcl *h)
{
    if (h->ev != NULL) {
        h->ops->free(h->ev);
    }
    free(h->platform.p);
}

/* REPORT_DATA is SHA-256 of the runtime data, then zeros. */
static enum attest_status check_binding(const struct tpm_hcl *h, struct attest_error *err)
{
    uint8_t want[64] = {0};

    if (!attest_hash1(ATTEST_SHA256, h->runtime, h->runtime_len, want)) {
        return attest_fail(err, ATTEST_INTERNAL, OBJECT, "SHA-256", NULL, NULL);
    }
    if (memcmp(want, h->report_data, sizeof(want)) != 0) {
        return attest_fail_bytes(err, ATTEST_BINDING, OBJECT, "REPORT_DATA (hash of runtime data)",
                                 want, 64, h->report_data, 64);
    }
    return ATTEST_OK;
}

static const json_t *ak_of(const json_t *runtime)
{
    const json_t *v;
    size_t i;

    json_array_foreach(json_object_get(runtime, "keys"), i, v)
    {
        const char *kid = json_string_value(json_object_get(v, "kid"));

        if (kid != NULL && strcmp(kid, "HCLAkPub") == 0) {
            return v;
        }
    }
    return NULL;
}

static enum attest_status take_key(struct tpm_evidence *e, struct attest_error *err)
{
    json_t *runtime =
        json_loadb((const char *)e->hcl.runtime, e->hcl.runtime_len, JSON_REJECT_DUPLICATES, NULL);
    EVP_PKEY *key = NULL;
    enum attest_status st;

    if (ak_of(runtime) == NULL) {
        json_decref(runtime);
        return attest_fail(err, ATTEST_MALFORMED, OBJECT, "runtime data", "the key HCLAkPub",
                           "none");
    }
    st = jose_jwk_parse(ak_of(runtime), "HCLAkPub", &key, err);
    json_decref(runtime);
    if (st != ATTEST_OK) {
        return st;
    }
    if (e->key != NULL && EVP_PKEY_eq(e->key, key) != 1) {
        EVP_PKEY_free(key);
        return attest_fail(err, ATTEST_BINDING, OBJECT, "HCLAkPub", "the key in ak_public",
                           "another");
    }
    EVP_PKEY_free(e->key);
    e->key = key;
    return ATTEST_OK;
}

/* The quote carries the nonce; the hardware's report carries the hash instead. */
enum attest_status tpm_hcl_verify(struct tpm_evidence *e, const struct attest_input *in,
                                  struct attest_verdict *v, struct attest_error *err)
{
    struct attest_input inner = *in;
    enum attest_status st;

    inner.nonce = NULL;
    inner.event_log = NULL;
    st = check_binding(&e->hcl, err);
    if (st == ATTEST_OK) {
        st = e->hcl.ops->verify(e->hcl.ev, &inner, v, err);
    }
    return st == ATTEST_OK ? take_key(e, err) : st;
}
