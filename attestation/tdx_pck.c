/* From a quote's certification data to the PCK certificate and its chain. */
#include <attest/tdx.h>

#include <attest/reader.h>

#include <openssl/pem.h>
#include <string.h>

#define PCK_NAME "Intel SGX PCK Certificate"

static enum attest_status hold(struct tdx_pck *out, const struct attest_collateral *c,
                               const uint8_t *der, size_t len, struct attest_error *err)
{
    enum attest_status st;

    if (out->held_count == ATTEST_CHAIN_MAX) {
        return attest_fail(err, ATTEST_MALFORMED, "quote", "certification data",
                           "at most 6 certificates", "more");
    }
    st = attest_collateral_intern(c, der, len, &out->held[out->held_count], err);
    if (st == ATTEST_OK) {
        out->held_count++;
    }
    return st;
}

static enum attest_status hold_pem(struct tdx_pck *out, const struct attest_collateral *c,
                                   const uint8_t *p, size_t len, struct attest_error *err)
{
    BIO *bio = BIO_new_mem_buf(p, (int)len);
    enum attest_status st = ATTEST_OK;

    while (bio != NULL && st == ATTEST_OK) {
        char *label = NULL, *header = NULL;
        unsigned char *der = NULL;
        long n = 0;

        if (PEM_read_bio(bio, &label, &header, &der, &n) != 1) {
            break;
        }
        if (strcmp(label, PEM_STRING_X509) != 0) {
            st = attest_fail(err, ATTEST_MALFORMED, "quote", "certification data", "CERTIFICATE",
                             "%.40s", label);
        } else {
            st = hold(out, c, der, (size_t)n, err);
        }
        OPENSSL_free(label);
        OPENSSL_free(header);
        OPENSSL_free(der);
    }
    BIO_free(bio);
    return st;
}

/* Certificates in DER, one after the other: seen in test quotes of the reference verifier. */
static enum attest_status hold_der(struct tdx_pck *out, const struct attest_collateral *c,
                                   const uint8_t *p, size_t len, struct attest_error *err)
{
    struct reader r = rd_make(p, len);
    enum attest_status st = ATTEST_OK;

    while (st == ATTEST_OK && r.left > 0) {
        const uint8_t *der;
        size_t n = r.left < 4 ? 0 : 4 + (size_t)(r.p[2] << 8 | r.p[3]);

        if (n == 0 || r.p[0] != 0x30 || r.p[1] != 0x82 || !rd_bytes(&r, n, &der)) {
            return attest_fail(err, ATTEST_MALFORMED, "quote", "certification data",
                               "whole certificates in DER", "%zu other bytes", r.left);
        }
        st = hold(out, c, der, n, err);
    }
    return st;
}

static enum attest_status leaf_of_chain(const struct tdx_quote *q,
                                        const struct attest_collateral *c, struct tdx_pck *out,
                                        struct attest_error *err)
{
    enum attest_status st = q->cert_len > 2 && q->cert[0] == 0x30 && q->cert[1] == 0x82
                                ? hold_der(out, c, q->cert, q->cert_len, err)
                                : hold_pem(out, c, q->cert, q->cert_len, err);

    if (st != ATTEST_OK) {
        return st;
    }
    if (out->held_count == 0 || (out->held_count == 1) != (q->cert_type == TDX_CERT_PCK)) {
        return attest_fail(err, ATTEST_MALFORMED, tdx_quote_object(q), "certification data",
                           q->cert_type == TDX_CERT_PCK ? "one PCK certificate"
                                                        : "a PCK certificate with its chain",
                           "%zu certificates", out->held_count);
    }
    /* Leaf first in PEM; the reference verifier's DER samples begin with the root. */
    out->leaf = out->held[0];
    for (size_t i = 0; i < out->held_count; i++) {
        if (strcmp(attest_cert_name(out->held[i]), PCK_NAME) == 0) {
            out->leaf = out->held[i];
            break;
        }
    }
    return sgx_pck_of(out->leaf, &out->sgx, err);
}

/*
 * Certification data by PPID: (encrypted) PPID of 384 bytes, CPUSVN, PCESVN, PCE-ID (appendix A.4).
 * The certificate must come from the collateral: the one for this TCB that signed the QE report.
 */
static enum attest_status leaf_of_collateral(const struct tdx_quote *q,
                                             const struct attest_collateral *c, struct tdx_pck *out,
                                             struct attest_error *err)
{
    struct reader r = rd_make(q->cert, q->cert_len);
    const uint8_t *ppid, *cpusvn, *pceid;
    struct attest_cert *cert;
    uint16_t pcesvn;

    if (!rd_bytes(&r, 384, &ppid) || !rd_bytes(&r, 16, &cpusvn) || !rd_u16le(&r, &pcesvn) ||
        !rd_bytes(&r, 2, &pceid) || r.left != 0) {
        return attest_fail(err, ATTEST_MALFORMED, tdx_quote_object(q), "certification data",
                           "404 bytes", "%zu", q->cert_len);
    }
    for (size_t i = 0; (cert = attest_collateral_cert(c, i)) != NULL; i++) {
        out->leaf = cert;
        if (strcmp(attest_cert_name(cert), PCK_NAME) == 0 &&
            sgx_pck_of(cert, &out->sgx, NULL) == ATTEST_OK && out->sgx.pcesvn == pcesvn &&
            memcmp(out->sgx.cpusvn, cpusvn, 16) == 0 && ld16le(out->sgx.pceid) == ld16le(pceid) &&
            tdx_pck_check_qe(q, out, NULL) == ATTEST_OK) {
            return ATTEST_OK;
        }
    }
    return attest_fail(err, ATTEST_COLLATERAL_MISSING, tdx_quote_object(q), "PCK certificate",
                       "the one that signed the QE report", "none in the collateral");
}

enum attest_status tdx_pck_find(const struct tdx_quote *q, const struct attest_collateral *c,
                                struct tdx_pck *out, struct attest_error *err)
{
    enum attest_status st;

    memset(out, 0, sizeof(*out));
    st = q->cert_type >= TDX_CERT_PCK ? leaf_of_chain(q, c, out, err)
                                      : leaf_of_collateral(q, c, out, err);
    if (st != ATTEST_OK) {
        return st;
    }
    if (strcmp(attest_cert_name(out->leaf), PCK_NAME) != 0) {
        return attest_fail(err, ATTEST_IDENTITY, "PCK certificate", "subject", PCK_NAME, "%.60s",
                           attest_cert_name(out->leaf));
    }
    return attest_chain_build(c, out->leaf, out->held, out->held_count, &out->chain, err);
}

void tdx_pck_release(struct tdx_pck *pck)
{
    for (size_t i = 0; i < pck->held_count; i++) {
        attest_cert_free(pck->held[i]);
    }
    memset(pck, 0, sizeof(*pck));
}

enum attest_status tdx_pck_check_qe(const struct tdx_quote *q, const struct tdx_pck *pck,
                                    struct attest_error *err)
{
    EVP_PKEY *key = attest_cert_key(pck->leaf);

    if (!p256_is(key)) {
        return attest_fail(err, ATTEST_UNSUPPORTED, "PCK certificate", "public key", "P-256",
                           "another kind");
    }
    if (!p256_verify(key, q->qe_signature, q->qe_report, SGX_REPORT_SIZE)) {
        return attest_fail(err, ATTEST_SIGNATURE, "QE report", "signature", "one by the PCK key",
                           "another");
    }
    return ATTEST_OK;
}
