/*
 * SEV-SNP as a kind of evidence. Three forms are read: the bare report; the report followed by
 * the certificate table of an extended guest request (GHCB specification 56421, "SNP Extended
 * Guest Request"); and MSG_REPORT_RSP, as /dev/sev-guest hands it out.
 */
#include "snp_evidence.h"

#include <attest/reader.h>

#include <stdlib.h>
#include <string.h>

#define OBJECT     "SNP evidence"
#define RSP_HEADER 32

/* MSG_REPORT_RSP: status u32, report size u32, 24 reserved bytes, report. */
static bool is_response(const uint8_t *p, size_t len)
{
    return len >= RSP_HEADER + SNP_REPORT_SIZE && ld32le(p + 4) == SNP_REPORT_SIZE &&
           bytes_are_zero(p, 4) && bytes_are_zero(p + 8, RSP_HEADER - 8);
}

/* Versions are small, the algorithm is 1 and POLICY bit 17 is one: no quote or token looks so. */
static bool is_report(const uint8_t *p, size_t len)
{
    return len >= 0x60 && ld32le(p) > 0 && ld32le(p) < 32 && ld32le(p + 0x34) == 1 &&
           (p[0x0a] & 2) != 0;
}

static bool snp_detect(const uint8_t *p, size_t len)
{
    return is_response(p, len) || is_report(p, len);
}

static enum attest_status add_blob(struct snp_evidence *e, const uint8_t *table, size_t len,
                                   uint32_t offset, uint32_t size, struct attest_error *err)
{
    if (offset > len || size > len - offset || size == 0) {
        return attest_fail(err, ATTEST_TRUNCATED, OBJECT, "certificate table entry",
                           "offset and length inside the table", "%u+%u of %zu", offset, size, len);
    }
    if (e->blobs == SNP_CERTS_MAX) {
        return attest_fail(err, ATTEST_UNSUPPORTED, OBJECT, "certificate table",
                           "at most 8 certificates", "more");
    }
    e->blob[e->blobs].p = table + offset;
    e->blob[e->blobs].len = size;
    e->blobs++;
    return ATTEST_OK;
}

/* VCEK, VLEK, ASK (or ASVK) and ARK, as their GUIDs lie in memory. */
static const uint8_t cert_guids[][16] = {
    {0x8d, 0x75, 0xda, 0x63, 0x64, 0xe6, 0x64, 0x45, 0xad, 0xc5, 0xf4, 0xb9, 0x3b, 0xe8, 0xac,
     0xcd},
    {0xc2, 0x4b, 0x07, 0xa8, 0x5a, 0xa2, 0x3e, 0x48, 0xaa, 0xe6, 0x39, 0xc0, 0x45, 0xa0, 0xb8,
     0xa1},
    {0x79, 0xb3, 0xb7, 0x4a, 0xac, 0xbb, 0xe4, 0x4f, 0xa0, 0x2f, 0x05, 0xae, 0xf3, 0x27, 0xc7,
     0x82},
    {0xa4, 0x06, 0xb4, 0xc0, 0x03, 0xa8, 0x52, 0x49, 0x97, 0x43, 0x3f, 0xb6, 0x01, 0x4c, 0xd0,
     0xae},
};

/* GUID, offset and length per entry, ended by zeros; only the certificates' GUIDs are of use. */
static enum attest_status parse_table(struct snp_evidence *e, const uint8_t *table, size_t len,
                                      struct attest_error *err)
{
    struct reader r = rd_make(table, len);
    enum attest_status st = ATTEST_OK;

    while (st == ATTEST_OK) {
        const uint8_t *guid;
        uint32_t offset;
        uint32_t size;

        if (!rd_bytes(&r, 16, &guid) || !rd_u32le(&r, &offset) || !rd_u32le(&r, &size)) {
            return attest_fail(err, ATTEST_TRUNCATED, OBJECT, "certificate table",
                               "an entry of zeros at its end", "%zu bytes", len);
        }
        if (bytes_are_zero(guid, 16) && offset == 0 && size == 0) {
            return ATTEST_OK;
        }
        for (size_t i = 0; i < sizeof(cert_guids) / sizeof(cert_guids[0]); i++) {
            if (memcmp(guid, cert_guids[i], 16) == 0) {
                st = add_blob(e, table, len, offset, size, err);
            }
        }
    }
    return st;
}

static enum attest_status parse_into(struct snp_evidence *e, const uint8_t *p, size_t len,
                                     struct attest_error *err)
{
    enum attest_status st;

    if (is_response(p, len)) {
        p += RSP_HEADER;
        len -= RSP_HEADER;
    }
    st = snp_report_parse(p, len < SNP_REPORT_SIZE ? len : SNP_REPORT_SIZE, &e->report, err);
    if (st != ATTEST_OK || len <= SNP_REPORT_SIZE ||
        bytes_are_zero(p + SNP_REPORT_SIZE, len - SNP_REPORT_SIZE)) {
        return st;
    }
    return parse_table(e, p + SNP_REPORT_SIZE, len - SNP_REPORT_SIZE, err);
}

static enum attest_status snp_parse(const uint8_t *p, size_t len, void **out,
                                    struct attest_error *err)
{
    struct snp_evidence *e = calloc(1, sizeof(*e));
    enum attest_status st;

    if (e == NULL) {
        return attest_no_memory(err, OBJECT);
    }
    st = parse_into(e, p, len, err);
    if (st != ATTEST_OK) {
        free(e);
        return st;
    }
    *out = e;
    return ATTEST_OK;
}

struct candidates {
    struct attest_cert *own[SNP_CERTS_MAX]; /* from the evidence, referenced */
    size_t owns;
};

static enum attest_status intern_all(const struct snp_evidence *e,
                                     const struct attest_collateral *col, struct candidates *c,
                                     struct attest_error *err)
{
    enum attest_status st = ATTEST_OK;

    for (size_t i = 0; i < e->blobs && st == ATTEST_OK; i++) {
        st = attest_collateral_intern(col, e->blob[i].p, e->blob[i].len, &c->own[c->owns], err);
        c->owns += st == ATTEST_OK;
    }
    return st;
}

/* How well does a certificate fit? 0: it is no VEK; higher is better; 4: it is the one. */
static int fitness(const struct snp_report *r, struct attest_cert *cert, int64_t at)
{
    const struct snp_vek *vek;
    enum snp_product p;

    if (strcmp(attest_cert_name(cert), "SEV-VCEK") != 0 &&
        strcmp(attest_cert_name(cert), "SEV-VLEK") != 0) {
        return 0;
    }
    if (snp_vek_of(cert, &vek, NULL) != ATTEST_OK || vek->signer != r->signer) {
        return 1;
    }
    if (snp_binding_check(r, cert, vek, &p, NULL) != ATTEST_OK) {
        return 2;
    }
    return attest_cert_check_time(cert, at, NULL) == ATTEST_OK ? 4 : 3;
}

static struct attest_cert *candidate(const struct candidates *c,
                                     const struct attest_collateral *col, size_t i)
{
    return i < c->owns ? c->own[i] : attest_collateral_cert(col, i - c->owns);
}

static enum attest_status try_vek(struct snp_evidence *e, struct attest_cert *vek,
                                  const struct candidates *c, const struct attest_input *in,
                                  struct attest_cert **root, struct attest_error *err)
{
    const struct snp_context ctx = {.collateral = in->collateral,
                                    .extra = c->own,
                                    .extras = c->owns,
                                    .at = in->at,
                                    .require_crl = attest_policy_requires_crl(in->policy)};
    const struct snp_vek *parsed;
    struct snp_result result;
    enum attest_status st = snp_verify(&e->report, vek, &ctx, &result, err);

    if (st == ATTEST_OK && (st = snp_vek_of(vek, &parsed, err)) == ATTEST_OK) {
        e->product = result.product;
        e->vek = *parsed;
        e->verified = true;
        *root = result.root;
    }
    return st;
}

/*
 * Tries every certificate that fits, so that a forged one does not hide the true one; else reports
 * what is wrong with the best.
 */
static enum attest_status try_all(struct snp_evidence *e, const struct candidates *c,
                                  const struct attest_input *in, struct attest_cert **root,
                                  struct attest_error *err)
{
    struct attest_cert *best = NULL;
    struct attest_cert *cert;
    int best_fit = 0;

    for (size_t i = 0; (cert = candidate(c, in->collateral, i)) != NULL; i++) {
        int fit = fitness(&e->report, cert, in->at);

        if (fit == 4 && try_vek(e, cert, c, in, root, NULL) == ATTEST_OK) {
            return ATTEST_OK;
        }
        if (fit > best_fit) {
            best_fit = fit;
            best = cert;
        }
    }
    if (best == NULL) {
        return attest_fail(err, ATTEST_COLLATERAL_MISSING, "SNP report", "signer's certificate",
                           e->report.signer == SNP_SIGNER_VLEK ? "a SEV-VLEK certificate"
                                                               : "a SEV-VCEK certificate",
                           "none in the evidence or the collateral");
    }
    return try_vek(e, best, c, in, root, err);
}

/* Without a CRL nothing is known of revocation: a policy may demand one, a verdict tells. */
static void note_revocation(const struct attest_input *in, struct attest_cert *root,
                            struct attest_verdict *v)
{
    struct attest_crl *crl;

    for (size_t i = 0; (crl = attest_collateral_crl(in->collateral, i)) != NULL; i++) {
        if (attest_crl_issued_by(crl, root)) {
            return;
        }
    }
    attest_note(v, "revocation", "not checked: no CRL of %s was given", attest_cert_name(root));
}

/* What is missing can be fetched by who is online. */
static void note_source(const struct snp_evidence *e, enum attest_status st,
                        struct attest_verdict *v)
{
    enum snp_product p = snp_report_product(&e->report);
    char url[SNP_URL_MAX];

    if (st != ATTEST_COLLATERAL_MISSING) {
        return;
    }
    if (snp_vcek_url(&e->report, p, url, sizeof(url))) {
        attest_note(v, "vcek", "%s", url);
    }
    if (p < SNP_PRODUCT_COUNT) {
        attest_note(v, "authorities", "https://kdsintf.amd.com/%s/v1/%s/cert_chain",
                    e->report.signer == SNP_SIGNER_VLEK ? "vlek" : "vcek", snp_product_name(p));
    }
}

static enum attest_status verify_with(struct snp_evidence *e, const struct candidates *c,
                                      const struct attest_input *in, struct attest_verdict *v,
                                      struct attest_error *err)
{
    struct attest_cert *root;
    enum attest_status st = try_all(e, c, in, &root, err);

    if (st != ATTEST_OK) {
        note_source(e, st, v);
        return st;
    }
    note_revocation(in, root, v);
    return attest_trust(v, in, "sev-snp", attest_cert_name(root), attest_cert_spki_sha256(root),
                        err);
}

static enum attest_status snp_evidence_verify(void *ev, const struct attest_input *in,
                                              struct attest_verdict *v, struct attest_error *err)
{
    struct snp_evidence *e = ev;
    struct candidates c = {.owns = 0};
    enum attest_status st = intern_all(e, in->collateral, &c, err);

    if (st == ATTEST_OK) {
        st = verify_with(e, &c, in, v, err);
    }
    for (size_t i = 0; i < c.owns; i++) {
        attest_cert_free(c.own[i]);
    }
    return st;
}

const struct attest_evidence_ops attest_evidence_snp = {
    .kind = "sev-snp",
    .title = "AMD SEV-SNP attestation report",
    .detect = snp_detect,
    .parse = snp_parse,
    .free = free,
    .verify = snp_evidence_verify,
    .appraise = snp_appraise,
    .claims = snp_claims,
    .policy = &snp_policy_section,
};
