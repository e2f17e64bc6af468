/*
 * Authenticity of a report: the certificate fits the report, the chain holds, the signature is
 * good. The order is chosen so that the cheap and telling checks come first.
 */
#include <attest/reader.h>
#include <attest/snp.h>

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <stdio.h>
#include <string.h>

#define OBJECT "SNP report"

static const char *signer_name(enum snp_signer s)
{
    return s == SNP_SIGNER_VLEK ? "VLEK" : "VCEK";
}

/* DER of ECDSA-Sig-Value: 72 + 72 bytes little-endian become two integers. */
static int signature_der(const uint8_t *sig, unsigned char **der)
{
    ECDSA_SIG *s = ECDSA_SIG_new();
    BIGNUM *r = BN_lebin2bn(sig, 72, NULL);
    BIGNUM *t = BN_lebin2bn(sig + 72, 72, NULL);
    int len = -1;

    if (s == NULL || r == NULL || t == NULL || ECDSA_SIG_set0(s, r, t) != 1) {
        BN_free(r);
        BN_free(t);
    } else {
        len = i2d_ECDSA_SIG(s, der);
    }
    ECDSA_SIG_free(s);
    return len;
}

enum attest_status snp_signature_verify(const struct snp_report *r, EVP_PKEY *key,
                                        struct attest_error *err)
{
    unsigned char *der = NULL;
    int len = signature_der(r->raw + SNP_SIGNED_SIZE, &der);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    int rc = -1;

    if (len > 0 && ctx != NULL &&
        EVP_DigestVerifyInit(ctx, NULL, attest_hash_md(ATTEST_SHA384), NULL, key) == 1) {
        rc = EVP_DigestVerify(ctx, der, (size_t)len, r->raw, SNP_SIGNED_SIZE);
    }
    EVP_MD_CTX_free(ctx);
    OPENSSL_free(der);
    if (rc == 1) {
        return ATTEST_OK;
    }
    return attest_fail(err, ATTEST_SIGNATURE, OBJECT, "SIGNATURE", "made by the certificate's key",
                       "%s signature that does not verify", signer_name(r->signer));
}

static enum attest_status check_chip(const struct snp_report *r, const struct snp_vek *vek,
                                     struct attest_error *err)
{
    uint8_t want[64] = {0};

    /*
     * A VLEK belongs to a provider, not to a chip. With MASK_CHIP_ID the report carries zeros: the
     * signature still proves the chip, and whether that is enough is for the policy to say.
     */
    if (vek->signer == SNP_SIGNER_VLEK || bytes_are_zero(r->chip_id, 64)) {
        return ATTEST_OK;
    }
    memcpy(want, vek->hwid, vek->hwid_len);
    if (memcmp(want, r->chip_id, 64) == 0) {
        return ATTEST_OK;
    }
    return attest_fail_bytes(err, ATTEST_BINDING, OBJECT, "CHIP_ID (certificate's hwID)", want, 64,
                             r->chip_id, 64);
}

static enum attest_status check_tcb(const struct snp_report *r, const struct snp_vek *vek,
                                    struct attest_error *err)
{
    struct snp_tcb t;
    enum attest_status st = snp_tcb_decode(vek->product, r->reported_tcb, "REPORTED_TCB", &t, err);
    char want[80];
    char got[80];

    if (st != ATTEST_OK || memcmp(&t, &vek->tcb, sizeof(t)) == 0) {
        return st;
    }
    return attest_fail(err, ATTEST_BINDING, OBJECT, "REPORTED_TCB (certificate's SPLs)",
                       snp_tcb_text(vek->product, &vek->tcb, want), "%s",
                       snp_tcb_text(vek->product, &t, got));
}

enum attest_status snp_binding_check(const struct snp_report *r, const struct attest_cert *cert,
                                     const struct snp_vek *vek, enum snp_product *product,
                                     struct attest_error *err)
{
    enum snp_product p = snp_report_product(r);
    enum attest_status st;

    if (vek->signer != r->signer) {
        return attest_fail(err, ATTEST_BINDING, OBJECT, "SIGNING_KEY", signer_name(vek->signer),
                           "%s, but the certificate is %s", signer_name(r->signer),
                           attest_cert_name(cert));
    }
    if (p != SNP_PRODUCT_UNKNOWN && p != vek->product) {
        return attest_fail(err, ATTEST_BINDING, OBJECT, "CPUID_FAM_ID and CPUID_MOD_ID",
                           vek->product_name, "%02x/%02x, which is %s", r->cpuid_family,
                           r->cpuid_model, snp_product_name(p));
    }
    *product = vek->product;
    st = check_chip(r, vek, err);
    return st != ATTEST_OK ? st : check_tcb(r, vek, err);
}

/* The other TCBs must have the product's shape, too: a policy compares them by component. */
static enum attest_status check_tcb_shapes(const struct snp_report *r, enum snp_product p,
                                           struct attest_error *err)
{
    struct snp_tcb t;
    enum attest_status st;

    if ((st = snp_tcb_decode(p, r->current_tcb, "CURRENT_TCB", &t, err)) != ATTEST_OK ||
        (st = snp_tcb_decode(p, r->committed_tcb, "COMMITTED_TCB", &t, err)) != ATTEST_OK) {
        return st;
    }
    return snp_tcb_decode(p, r->launch_tcb, "LAUNCH_TCB", &t, err);
}

/* VCEKs and VLEKs all have serial 0: only the authorities above them can be revoked by CRL. */
static enum attest_status check_crls(const struct snp_context *ctx,
                                     const struct attest_chain *chain, struct attest_error *err)
{
    struct attest_chain above = {.count = chain->count - 1};

    memcpy(above.cert, chain->cert + 1, above.count * sizeof(above.cert[0]));
    return attest_chain_check_crls(ctx->collateral, &above, ctx->at, ctx->require_crl, err);
}

/* VCEKs come from an ASK, VLEKs from an ASVK ("SEV-VLEK-<product>"), both below an ARK. */
static enum attest_status check_roles(const struct attest_chain *chain, const struct snp_vek *vek,
                                      struct attest_error *err)
{
    const char *issuer = chain->count > 1 ? attest_cert_name(chain->cert[1]) : "";
    bool asvk = strncmp(issuer, "SEV-VLEK", 8) == 0;

    if (chain->count != 3) {
        return attest_fail(err, ATTEST_CHAIN, OBJECT, "certificate chain", "VEK, ASK or ASVK, ARK",
                           "%zu certificates", chain->count);
    }
    if (asvk != (vek->signer == SNP_SIGNER_VLEK)) {
        return attest_fail(err, ATTEST_CHAIN, OBJECT, "issuer",
                           asvk ? "of VLEKs only" : "of VCEKs only", "a %s from %s",
                           signer_name(vek->signer), issuer);
    }
    return ATTEST_OK;
}

enum attest_status snp_verify(const struct snp_report *r, struct attest_cert *vek_cert,
                              const struct snp_context *ctx, struct snp_result *out,
                              struct attest_error *err)
{
    const struct snp_vek *vek;
    struct attest_chain chain;
    enum attest_status st = snp_vek_of(vek_cert, &vek, err);

    if (st != ATTEST_OK ||
        (st = snp_binding_check(r, vek_cert, vek, &out->product, err)) != ATTEST_OK ||
        (st = check_tcb_shapes(r, out->product, err)) != ATTEST_OK ||
        (st = attest_chain_build(ctx->collateral, vek_cert, ctx->extra, ctx->extras, &chain,
                                 err)) != ATTEST_OK) {
        return st;
    }
    if ((st = check_roles(&chain, vek, err)) != ATTEST_OK ||
        (st = attest_chain_check_time(&chain, ctx->at, err)) != ATTEST_OK ||
        (st = check_crls(ctx, &chain, err)) != ATTEST_OK) {
        return st;
    }
    out->root = chain.cert[chain.count - 1];
    return snp_signature_verify(r, attest_cert_key(vek_cert), err);
}
