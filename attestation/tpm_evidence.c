/*
 * TPM quotes as a kind of evidence. There is no standard container; this is the JSON that the
 * Confidential Containers attesters send, with an optional event log and AK certificates:
 *   {"tpm_quote": {"message": TPMS_ATTEST, "signature": TPMT_SIGNATURE, "pcrs": [24 in hex]},
 *    "ak_public": key, "ak_certificates": PEM, "event_log": bytes,
 *    "hcl_report": bytes, "vcek": DER, "td_quote": bytes}
 * "pcrs" may also be {"sha256": {"0": hex, ...}}, which a quote over several banks needs.
 */
#include "tpm_evidence.h"

#include <attest/eventlog.h>
#include <attest/hex.h>

#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OBJECT "TPM evidence"
#define KIND   "tpm"

enum { EVIDENCE_MAX = 16 * 1024 * 1024, CERTIFICATES_MAX = 5 };

static bool detect(const uint8_t *p, size_t len)
{
    size_t i = 0;

    while (i < len && (p[i] == ' ' || p[i] == '\n' || p[i] == '\r' || p[i] == '\t')) {
        i++;
    }
    return i < len && p[i] == '{' && memmem(p, len, "\"tpm_quote\"", 11) != NULL;
}

static bool decode_base64(const char *s, size_t n, uint8_t *out, size_t max, size_t *len)
{
    char *copy = malloc(n + 4);
    bool ok;

    if (copy == NULL) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        copy[i] = s[i] == '-' ? '+' : s[i] == '_' ? '/' : s[i];
    }
    while (n % 4 != 0) {
        copy[n++] = '=';
    }
    ok = base64_decode(copy, n, false, out, max, len);
    free(copy);
    return ok;
}

enum attest_status tpm_bytes(const json_t *o, const char *key, struct tpm_blob *out,
                             struct attest_error *err)
{
    const json_t *j = json_object_get(o, key);
    const char *s = json_string_value(j);
    size_t n = json_string_length(j);

    if (j == NULL || json_is_null(j)) {
        return ATTEST_OK;
    }
    out->p = s == NULL ? NULL : malloc(n + 1);
    if (s == NULL || n == 0 || out->p == NULL ||
        (!hex_decode(s, out->p, n, &out->len) && !decode_base64(s, n, out->p, n, &out->len))) {
        return attest_fail(err, ATTEST_MALFORMED, OBJECT, key, "hexadecimal or base64", NULL);
    }
    return ATTEST_OK;
}

/* ---- PCR values ---- */

static enum attest_status add_pcr(struct tpm_evidence *e, uint16_t alg, unsigned int index,
                                  const json_t *v, struct attest_error *err)
{
    struct tpm_pcr *pcr = &e->pcr[e->pcrs];
    const char *s = json_string_value(v);
    enum attest_hash hash;
    char field[32];

    snprintf(field, sizeof(field), "pcrs: %u", index);
    if (e->pcrs == TPM_PCRS_MAX || index >= TPM_PCRS || !eventlog_hash_of(alg, &hash) ||
        tpm_pcr_find(e->pcr, e->pcrs, alg, index) != NULL || s == NULL ||
        !hex_decode_exact(s, pcr->value, attest_hash_size(hash))) {
        return attest_fail(err, ATTEST_MALFORMED, OBJECT, field, "a digest of its bank in hex",
                           "another");
    }
    pcr->alg = alg;
    pcr->index = (uint8_t)index;
    e->pcrs++;
    return ATTEST_OK;
}

static bool bank_named(const char *name, uint16_t *alg)
{
    static const uint16_t algs[] = {TPM_ID_SHA1, TPM_ID_SHA256, TPM_ID_SHA384, TPM_ID_SHA512};

    for (size_t i = 0; i < sizeof(algs) / sizeof(algs[0]); i++) {
        if (strcmp(name, eventlog_alg_name(algs[i])) == 0) {
            *alg = algs[i];
            return true;
        }
    }
    return false;
}

static enum attest_status parse_bank(struct tpm_evidence *e, const char *name, json_t *bank,
                                     struct attest_error *err)
{
    const char *key;
    json_t *v;
    uint16_t alg;
    enum attest_status st = ATTEST_OK;

    if (!bank_named(name, &alg) || !json_is_object(bank)) {
        return attest_fail(err, ATTEST_MALFORMED, OBJECT, "pcrs", "banks of SHA-1 or SHA-2",
                           "%.20s", name);
    }
    json_object_foreach(bank, key, v)
    {
        char *end;
        unsigned long i = strtoul(key, &end, 10);

        if (*key < '0' || *key > '9' || *end != '\0' || strlen(key) > 2) {
            return attest_fail(err, ATTEST_MALFORMED, OBJECT, "pcrs", "numbers from 0 to 23",
                               "%.20s", key);
        }
        st = add_pcr(e, alg, (unsigned int)i, v, err);
        if (st != ATTEST_OK) {
            break;
        }
    }
    return st;
}

/* A plain list is the bank that the quote selects. */
static enum attest_status parse_list(struct tpm_evidence *e, const json_t *list,
                                     struct attest_error *err)
{
    enum attest_status st = ATTEST_OK;
    const json_t *v;
    size_t i;

    if (!json_is_array(list) || e->q.selections != 1) {
        return attest_fail(err, ATTEST_MALFORMED, OBJECT, "pcrs",
                           "values by bank, or a list when one bank is quoted", NULL);
    }
    json_array_foreach(list, i, v)
    {
        st = add_pcr(e, e->q.selection[0].alg, (unsigned int)i, v, err);
        if (st != ATTEST_OK) {
            break;
        }
    }
    return st;
}

static enum attest_status parse_pcrs(struct tpm_evidence *e, json_t *pcrs, struct attest_error *err)
{
    const char *key;
    json_t *v;

    if (!json_is_object(pcrs)) {
        return parse_list(e, pcrs, err);
    }
    json_object_foreach(pcrs, key, v)
    {
        enum attest_status st = parse_bank(e, key, v, err);

        if (st != ATTEST_OK) {
            return st;
        }
    }
    return ATTEST_OK;
}

/* ---- the whole ---- */

static enum attest_status missing(const char *field, struct attest_error *err)
{
    return attest_fail(err, ATTEST_MALFORMED, OBJECT, field, "present", "missing");
}

static enum attest_status parse_quote(struct tpm_evidence *e, struct attest_error *err)
{
    const json_t *o = json_object_get(e->json, "tpm_quote");
    enum attest_status st = tpm_bytes(o, "message", &e->message, err);

    if (st == ATTEST_OK) {
        st = tpm_bytes(o, "signature", &e->signature, err);
    }
    if (st == ATTEST_OK && (e->message.p == NULL || e->signature.p == NULL)) {
        st = missing("tpm_quote: message and signature", err);
    }
    if (st == ATTEST_OK) {
        st = tpm_quote_parse(e->message.p, e->message.len, &e->q, err);
    }
    if (st == ATTEST_OK) {
        st = tpm_signature_parse(e->signature.p, e->signature.len, &e->s, err);
    }
    return st == ATTEST_OK ? parse_pcrs(e, json_object_get(o, "pcrs"), err) : st;
}

static enum attest_status parse_members(struct tpm_evidence *e, struct attest_error *err)
{
    enum attest_status st = parse_quote(e, err);

    if (st == ATTEST_OK) {
        st = tpm_bytes(e->json, "event_log", &e->log, err);
    }
    if (st == ATTEST_OK) {
        st = tpm_bytes(e->json, "ak_public", &e->ak, err);
    }
    if (st == ATTEST_OK && e->ak.p != NULL) {
        st = tpm_public_parse(e->ak.p, e->ak.len, &e->key, err);
    }
    if (st == ATTEST_OK) {
        st = tpm_bytes(e->json, "hcl_report", &e->report, err);
    }
    if (st == ATTEST_OK && e->report.p != NULL) {
        st = tpm_hcl_parse(e, err);
    }
    e->certificates = json_string_value(json_object_get(e->json, "ak_certificates"));
    if (st == ATTEST_OK && e->key == NULL && e->certificates == NULL && e->report.p == NULL) {
        st = missing("ak_public, ak_certificates or hcl_report", err);
    }
    return st;
}

static void release(void *ev)
{
    struct tpm_evidence *e = ev;

    tpm_hcl_free(&e->hcl);
    EVP_PKEY_free(e->key);
    free(e->message.p);
    free(e->signature.p);
    free(e->ak.p);
    free(e->log.p);
    free(e->report.p);
    json_decref(e->json);
    free(e);
}

static enum attest_status parse(const uint8_t *p, size_t len, void **ev, struct attest_error *err)
{
    struct tpm_evidence *e;
    enum attest_status st;
    json_error_t je;

    if (len > EVIDENCE_MAX) {
        return attest_fail(err, ATTEST_MALFORMED, OBJECT, "size", "at most 16 MiB", "%zu", len);
    }
    e = calloc(1, sizeof(*e));
    if (e == NULL) {
        return attest_no_memory(err, OBJECT);
    }
    e->json = json_loadb((const char *)p, len, JSON_REJECT_DUPLICATES, &je);
    st = e->json != NULL ? parse_members(e, err)
                         : attest_fail(err, ATTEST_MALFORMED, OBJECT, "JSON", NULL, "line %d: %s",
                                       je.line, je.text);
    if (st != ATTEST_OK) {
        release(e);
        return st;
    }
    *ev = e;
    return ATTEST_OK;
}

/* ---- authenticity ---- */

struct chain_parts {
    struct attest_cert *cert[CERTIFICATES_MAX];
    size_t count;
};

static enum attest_status read_certificates(const struct tpm_evidence *e,
                                            const struct attest_collateral *c,
                                            struct chain_parts *out, struct attest_error *err)
{
    BIO *bio = BIO_new_mem_buf(e->certificates, -1);
    enum attest_status st = ATTEST_OK;
    char *label = NULL, *header = NULL;
    uint8_t *der = NULL;
    long n = 0;

    while (bio != NULL && st == ATTEST_OK && out->count < CERTIFICATES_MAX &&
           PEM_read_bio(bio, &label, &header, &der, &n) == 1) {
        st = attest_collateral_intern(c, der, (size_t)n, &out->cert[out->count], err);
        out->count += st == ATTEST_OK;
        OPENSSL_free(label);
        OPENSSL_free(header);
        OPENSSL_free(der);
    }
    BIO_free(bio);
    if (st == ATTEST_OK && out->count == 0) {
        return attest_fail(err, ATTEST_MALFORMED, OBJECT, "ak_certificates", "certificates in PEM",
                           "none");
    }
    return st;
}

static enum attest_status trust_key(const struct attest_input *in, const char *name,
                                    const struct pj_values *pins, const uint8_t spki[32],
                                    struct attest_verdict *v, struct attest_error *err)
{
    if (pins != NULL && pj_values_contain(pins, spki)) {
        return attest_trust_by_policy(v, KIND, name, spki);
    }
    return attest_trust(v, in, KIND, name, spki, err);
}

static enum attest_status use_leaf(struct tpm_evidence *e, const struct attest_cert *leaf,
                                   struct attest_error *err)
{
    EVP_PKEY *key = attest_cert_key(leaf);

    if (e->key != NULL && EVP_PKEY_eq(e->key, key) != 1) {
        return attest_fail(err, ATTEST_BINDING, OBJECT, "ak_public",
                           "the key of the first AK certificate", "another");
    }
    EVP_PKEY_free(e->key);
    EVP_PKEY_up_ref(key);
    e->key = key;
    return ATTEST_OK;
}

static enum attest_status check_chain(struct tpm_evidence *e, const struct attest_input *in,
                                      const struct tpm_policy *p, const struct chain_parts *parts,
                                      struct attest_verdict *v, struct attest_error *err)
{
    struct attest_chain chain;
    const struct attest_cert *root;
    enum attest_status st =
        attest_chain_build(in->collateral, parts->cert[0], parts->cert, parts->count, &chain, err);

    if (st != ATTEST_OK) {
        return st;
    }
    root = chain.cert[chain.count - 1];
    st = trust_key(in, attest_cert_name(root), p == NULL ? NULL : &p->roots,
                   attest_cert_spki_sha256(root), v, err);
    if (st == ATTEST_OK) {
        st = attest_chain_check_time(&chain, in->at, err);
    }
    if (st == ATTEST_OK) {
        st = attest_chain_check_crls(in->collateral, &chain, in->at,
                                     attest_policy_requires_crl(in->policy), err);
    }
    return st == ATTEST_OK ? use_leaf(e, parts->cert[0], err) : st;
}

static enum attest_status check_certificates(struct tpm_evidence *e, const struct attest_input *in,
                                             const struct tpm_policy *p, struct attest_verdict *v,
                                             struct attest_error *err)
{
    struct chain_parts parts = {.count = 0};
    enum attest_status st = read_certificates(e, in->collateral, &parts, err);

    if (st == ATTEST_OK) {
        st = check_chain(e, in, p, &parts, v, err);
    }
    for (size_t i = 0; i < parts.count; i++) {
        attest_cert_free(parts.cert[i]);
    }
    return st;
}

/* Why is this key a TPM's? Hardware evidence says so, or a certificate, or the policy itself. */
static enum attest_status find_key(struct tpm_evidence *e, const struct attest_input *in,
                                   const struct tpm_policy *p, struct attest_verdict *v,
                                   struct attest_error *err)
{
    uint8_t spki[32];

    if (e->hcl.ops != NULL) {
        return tpm_hcl_verify(e, in, v, err);
    }
    if (e->certificates != NULL) {
        return check_certificates(e, in, p, v, err);
    }
    if (!tpm_key_sha256(e->key, spki)) {
        return attest_fail(err, ATTEST_INTERNAL, OBJECT, "ak_public", NULL, NULL);
    }
    return trust_key(in, "attestation key", p == NULL ? NULL : &p->ak, spki, v, err);
}

static enum attest_status verify(void *ev, const struct attest_input *in, struct attest_verdict *v,
                                 struct attest_error *err)
{
    struct tpm_evidence *e = ev;
    const struct tpm_policy *p = attest_policy_section(in->policy, KIND);
    enum attest_status st = find_key(e, in, p, v, err);

    if (st == ATTEST_OK) {
        st = tpm_quote_verify(&e->q, &e->s, e->key, p != NULL && p->allow_sha1, err);
    }
    return st == ATTEST_OK ? tpm_quote_check_pcrs(&e->q, e->s.hash, e->pcr, e->pcrs, err) : st;
}

const struct attest_evidence_ops attest_evidence_tpm = {
    .kind = KIND,
    .title = "TPM quote",
    .detect = detect,
    .parse = parse,
    .free = release,
    .verify = verify,
    .appraise = tpm_appraise,
    .claims = tpm_claims,
    .policy = &tpm_policy_section,
};
