#include <attest/tdx.h>

#include <attest/reader.h>

#include <string.h>

enum { HEADER_SIZE = 48, KEY_ECDSA_P256 = 2 };

/* QE vendor id of Intel (appendix A.3.1). */
static const uint8_t intel_vendor[16] = {0x93, 0x9A, 0x72, 0x33, 0xF7, 0x9C, 0x4C, 0xA9,
                                         0x94, 0x0A, 0x0D, 0xB3, 0x95, 0x7F, 0x06, 0x07};

bool tdx_quote_detect(const uint8_t *p, size_t len)
{
    return len >= 28 && memcmp(p + 12, intel_vendor, sizeof(intel_vendor)) == 0;
}

const char *tdx_quote_object(const struct tdx_quote *q)
{
    return q->tee_type == TDX_TEE_SGX ? "SGX quote" : "TDX quote";
}

const char *tdx_quote_kind(const struct tdx_quote *q)
{
    return q->tee_type == TDX_TEE_SGX ? "sgx" : "tdx";
}

static enum attest_status truncated(const struct tdx_quote *q, const char *field, size_t left,
                                    struct attest_error *err)
{
    return attest_fail(err, ATTEST_TRUNCATED, tdx_quote_object(q), field, NULL, "%zu bytes left",
                       left);
}

static enum attest_status unsupported(const struct tdx_quote *q, const char *field,
                                      const char *known, unsigned int found,
                                      struct attest_error *err)
{
    return attest_fail(err, ATTEST_UNSUPPORTED, tdx_quote_object(q), field, known, "%u", found);
}

static enum attest_status parse_header(struct reader *r, struct tdx_quote *q,
                                       struct attest_error *err)
{
    uint16_t key_type;
    size_t left = r->left;

    if (!rd_u16le(r, &q->version) || !rd_u16le(r, &key_type) || !rd_u32le(r, &q->tee_type) ||
        !rd_u16le(r, &q->qe_svn) || !rd_u16le(r, &q->pce_svn) || !rd_bytes(r, 16, &q->qe_vendor) ||
        !rd_bytes(r, 20, &q->user_data)) {
        return truncated(q, "header", left, err);
    }
    if (q->version < 3 || q->version > 5) {
        return unsupported(q, "version", "3, 4 or 5", q->version, err);
    }
    if (key_type != KEY_ECDSA_P256) {
        return unsupported(q, "attestation key type", "2 (ECDSA P-256)", key_type, err);
    }
    if (q->tee_type != TDX_TEE_SGX && (q->tee_type != TDX_TEE_TDX || q->version == 3)) {
        return unsupported(q, "TEE type", q->version == 3 ? "0 (SGX)" : "0 (SGX) or 129 (TDX)",
                           q->tee_type, err);
    }
    if (memcmp(q->qe_vendor, intel_vendor, sizeof(intel_vendor)) != 0) {
        return attest_fail_bytes(err, ATTEST_UNSUPPORTED, tdx_quote_object(q), "QE vendor id",
                                 intel_vendor, 16, q->qe_vendor, 16);
    }
    return ATTEST_OK;
}

/* Version 5 says which body follows, and how long it is; before, the TEE type implies it. */
static enum attest_status parse_descriptor(struct reader *r, struct tdx_quote *q,
                                           struct attest_error *err)
{
    static const size_t sizes[] = {0, SGX_REPORT_SIZE, TD10_SIZE, TD15_SIZE};
    uint16_t type = q->tee_type == TDX_TEE_TDX ? TDX_BODY_TD10 : TDX_BODY_ENCLAVE;
    uint32_t size;

    if (q->version == 5 && (!rd_u16le(r, &type) || !rd_u32le(r, &size))) {
        return truncated(q, "body descriptor", r->left, err);
    }
    if (type < TDX_BODY_ENCLAVE || type > TDX_BODY_TD15) {
        return unsupported(q, "body type", "1, 2 or 3", type, err);
    }
    if ((type == TDX_BODY_ENCLAVE) != (q->tee_type == TDX_TEE_SGX)) {
        return attest_fail(err, ATTEST_MALFORMED, tdx_quote_object(q), "body type",
                           "one that fits the TEE type", "%u", type);
    }
    q->body_type = (enum tdx_body)type;
    q->body_len = sizes[type];
    if (q->version == 5 && size != q->body_len) {
        return attest_fail(err, ATTEST_MALFORMED, tdx_quote_object(q), "body size", NULL,
                           "%u for type %u", size, type);
    }
    return ATTEST_OK;
}

/* QE report certification data (appendix A.4): the tail of every version's signature section. */
static enum attest_status parse_qe(struct reader *r, struct tdx_quote *q, struct attest_error *err)
{
    uint16_t auth_len;
    uint32_t cert_len;

    if (!rd_bytes(r, SGX_REPORT_SIZE, &q->qe_report) || !rd_bytes(r, 64, &q->qe_signature)) {
        return truncated(q, "QE report", r->left, err);
    }
    if (!rd_u16le(r, &auth_len) || !rd_bytes(r, auth_len, &q->auth)) {
        return truncated(q, "QE authentication data", r->left, err);
    }
    q->auth_len = auth_len;
    if (!rd_u16le(r, &q->cert_type) || !rd_u32le(r, &cert_len) ||
        !rd_bytes(r, cert_len, &q->cert)) {
        return truncated(q, "certification data", r->left, err);
    }
    q->cert_len = cert_len;
    if (q->cert_type < TDX_CERT_PPID_PLAIN || q->cert_type > TDX_CERT_PCK_CHAIN) {
        return unsupported(q, "certification data type", "1 to 5", q->cert_type, err);
    }
    return ATTEST_OK;
}

/* Since version 4 the QE's part is wrapped once more, as certification data of type 6. */
static enum attest_status unwrap_qe(struct reader *r, struct tdx_quote *q, struct reader *qe,
                                    struct attest_error *err)
{
    uint16_t type;
    uint32_t len;

    if (q->version == 3) {
        *qe = *r;
        return ATTEST_OK;
    }
    if (!rd_u16le(r, &type) || !rd_u32le(r, &len) || !rd_sub(r, len, qe)) {
        return truncated(q, "QE report certification data", r->left, err);
    }
    if (type != TDX_CERT_QE_REPORT) {
        return unsupported(q, "outer certification data type", "6", type, err);
    }
    if (r->left != 0) {
        return attest_fail(err, ATTEST_TRAILING, tdx_quote_object(q), "signature data", NULL,
                           "%zu bytes too many", r->left);
    }
    return ATTEST_OK;
}

static enum attest_status parse_signature(struct reader *r, struct tdx_quote *q,
                                          struct attest_error *err)
{
    struct reader sig, qe;
    uint32_t len;
    enum attest_status st;

    if (!rd_u32le(r, &len) || !rd_sub(r, len, &sig)) {
        return truncated(q, "signature data", r->left, err);
    }
    if (!rd_bytes(&sig, 64, &q->signature) || !rd_bytes(&sig, 64, &q->key)) {
        return truncated(q, "signature", sig.left, err);
    }
    st = unwrap_qe(&sig, q, &qe, err);
    if (st != ATTEST_OK) {
        return st;
    }
    st = parse_qe(&qe, q, err);
    if (st == ATTEST_OK && qe.left != 0) {
        return attest_fail(err, ATTEST_TRAILING, tdx_quote_object(q), "certification data", NULL,
                           "%zu bytes too many", qe.left);
    }
    return st;
}

enum attest_status tdx_quote_parse(const uint8_t *p, size_t len, struct tdx_quote *out,
                                   struct attest_error *err)
{
    struct reader r = rd_make(p, len);
    enum attest_status st;

    memset(out, 0, sizeof(*out));
    out->tee_type = TDX_TEE_TDX;
    out->signed_part = p;
    st = parse_header(&r, out, err);
    if (st == ATTEST_OK) {
        st = parse_descriptor(&r, out, err);
    }
    if (st != ATTEST_OK) {
        return st;
    }
    if (!rd_bytes(&r, out->body_len, &out->body)) {
        return truncated(out, "body", r.left, err);
    }
    out->signed_len = len - r.left;
    st = parse_signature(&r, out, err);
    out->trailing = r.left;
    return st;
}

enum attest_status tdx_quote_check_signature(const struct tdx_quote *q, struct attest_error *err)
{
    EVP_PKEY *key = p256_key(q->key);
    bool ok;

    if (key == NULL) {
        return attest_fail(err, ATTEST_SIGNATURE, tdx_quote_object(q), "attestation key",
                           "a point on P-256", "something else");
    }
    ok = p256_verify(key, q->signature, q->signed_part, q->signed_len);
    EVP_PKEY_free(key);
    if (!ok) {
        return attest_fail(err, ATTEST_SIGNATURE, tdx_quote_object(q), "signature",
                           "one by the attestation key over header and body", "another");
    }
    return ATTEST_OK;
}

/* QE REPORTDATA = SHA-256(attestation key || authentication data), 32 zero bytes. */
enum attest_status tdx_quote_check_binding(const struct tdx_quote *q, struct attest_error *err)
{
    const struct attest_span spans[] = {{q->key, 64}, {q->auth, q->auth_len}};
    uint8_t want[64] = {0};

    if (!attest_hash(ATTEST_SHA256, spans, 2, want)) {
        return attest_fail(err, ATTEST_INTERNAL, tdx_quote_object(q), "SHA-256", NULL, NULL);
    }
    if (memcmp(want, q->qe_report + SGX_REPORTDATA, sizeof(want)) != 0) {
        return attest_fail_bytes(err, ATTEST_BINDING, "QE report", "REPORTDATA", want, 64,
                                 q->qe_report + SGX_REPORTDATA, 64);
    }
    return ATTEST_OK;
}
