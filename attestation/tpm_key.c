/* Attestation keys and their signatures. */
#include <attest/tpm.h>

#include <attest/eventlog.h>
#include <attest/jose.h>

#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <string.h>
#include <tss2/tss2_mu.h>

#define OBJECT "TPM quote"

/* ---- public keys ---- */

static enum attest_status jwk_rsa(const TPMT_PUBLIC *p, EVP_PKEY **out, struct attest_error *err)
{
    uint32_t e = p->parameters.rsaDetail.exponent;
    uint8_t exponent[4];
    json_t *jwk;
    enum attest_status st;

    e = e == 0 ? 65537 : e; /* 0 stands for the default exponent (12.2.3.5) */
    for (size_t i = 0; i < 4; i++) {
        exponent[i] = (uint8_t)(e >> 8 * (3 - i));
    }
    jwk = json_pack("{s:s, s:o, s:o}", "kty", "RSA", "n",
                    jose_b64(p->unique.rsa.buffer, p->unique.rsa.size), "e",
                    jose_b64(exponent + 1, 3));
    if (e >> 24 != 0) {
        st = attest_fail(err, ATTEST_UNSUPPORTED, "AK", "exponent", "below 2^24", "%u", e);
    } else {
        st = jose_jwk_parse(jwk, "AK", out, err);
    }
    json_decref(jwk);
    return st;
}

static enum attest_status jwk_ecc(const TPMT_PUBLIC *p, EVP_PKEY **out, struct attest_error *err)
{
    const TPM2B_ECC_PARAMETER *x = &p->unique.ecc.x, *y = &p->unique.ecc.y;
    uint16_t curve = p->parameters.eccDetail.curveID;
    size_t size = curve == TPM2_ECC_NIST_P256 ? 32 : curve == TPM2_ECC_NIST_P384 ? 48 : 0;
    uint8_t xy[2][48] = {{0}};
    json_t *jwk;
    enum attest_status st;

    if (size == 0 || x->size > size || y->size > size) {
        return attest_fail(err, ATTEST_UNSUPPORTED, "AK", "curve", "NIST P-256 or P-384", "%#x",
                           curve);
    }
    memcpy(xy[0] + size - x->size, x->buffer, x->size);
    memcpy(xy[1] + size - y->size, y->buffer, y->size);
    jwk = json_pack("{s:s, s:s, s:o, s:o}", "kty", "EC", "crv", size == 32 ? "P-256" : "P-384", "x",
                    jose_b64(xy[0], size), "y", jose_b64(xy[1], size));
    st = jose_jwk_parse(jwk, "AK", out, err);
    json_decref(jwk);
    return st;
}

/* Only such a key signs nothing but what the TPM itself made (part 1, 25.1.5). */
static enum attest_status from_tpmt(const TPMT_PUBLIC *p, EVP_PKEY **out, struct attest_error *err)
{
    const TPMA_OBJECT want =
        TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_SIGN_ENCRYPT;

    if ((p->objectAttributes & (want | TPMA_OBJECT_DECRYPT)) != want) {
        return attest_fail(err, ATTEST_IDENTITY, "AK", "objectAttributes",
                           "fixedTPM, restricted, sign, not decrypt", "%#x", p->objectAttributes);
    }
    if (p->type == TPM2_ALG_RSA) {
        return jwk_rsa(p, out, err);
    }
    if (p->type == TPM2_ALG_ECC) {
        return jwk_ecc(p, out, err);
    }
    return attest_fail(err, ATTEST_UNSUPPORTED, "AK", "type", "RSA or ECC", "%#x", p->type);
}

enum attest_status tpm_public_parse(const uint8_t *p, size_t len, EVP_PKEY **out,
                                    struct attest_error *err)
{
    const uint8_t *at = p;
    TPMT_PUBLIC pub = {0};
    size_t offset = 0;

    if (len > 2 && (size_t)(p[0] << 8 | p[1]) == len - 2) {
        p += 2;
        len -= 2;
    }
    if (len > 0 && p[0] != 0x30) {
        if (Tss2_MU_TPMT_PUBLIC_Unmarshal(p, len, &offset, &pub) != TSS2_RC_SUCCESS ||
            offset != len) {
            return attest_fail(err, ATTEST_MALFORMED, "AK", "TPMT_PUBLIC", NULL, "%zu bytes", len);
        }
        return from_tpmt(&pub, out, err);
    }
    *out = len > INT32_MAX ? NULL : d2i_PUBKEY(NULL, &at, (long)len);
    if (*out == NULL || at != p + len) {
        EVP_PKEY_free(*out);
        return attest_fail(err, ATTEST_MALFORMED, "AK", "SubjectPublicKeyInfo", NULL, "%zu bytes",
                           len);
    }
    return ATTEST_OK;
}

bool tpm_key_sha256(EVP_PKEY *key, uint8_t out[32])
{
    uint8_t *der = NULL;
    int len = i2d_PUBKEY(key, &der);
    bool ok = len > 0 && attest_hash1(ATTEST_SHA256, der, (size_t)len, out);

    OPENSSL_free(der);
    return ok;
}

/* ---- signatures ---- */

static bool ecdsa_der(const TPMS_SIGNATURE_ECC *e, struct tpm_signature *out)
{
    ECDSA_SIG *sig = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(e->signatureR.buffer, e->signatureR.size, NULL);
    BIGNUM *s = BN_bin2bn(e->signatureS.buffer, e->signatureS.size, NULL);
    uint8_t *at = out->sig;
    int len = -1;

    if (sig == NULL || r == NULL || s == NULL || ECDSA_SIG_set0(sig, r, s) != 1) {
        BN_free(r);
        BN_free(s);
    } else if (i2d_ECDSA_SIG(sig, NULL) <= TPM_SIGNATURE_MAX) {
        len = i2d_ECDSA_SIG(sig, &at);
    }
    ECDSA_SIG_free(sig);
    out->len = len > 0 ? (size_t)len : 0;
    return len > 0;
}

static bool take_signature(const TPMT_SIGNATURE *s, struct tpm_signature *out)
{
    out->scheme = s->sigAlg;
    switch (s->sigAlg) {
    case TPM_ID_RSASSA:
    case TPM_ID_RSAPSS: /* both have the same shape */
        out->hash = s->signature.rsassa.hash;
        out->len = s->signature.rsassa.sig.size;
        if (out->len > sizeof(out->sig)) {
            return false;
        }
        memcpy(out->sig, s->signature.rsassa.sig.buffer, out->len);
        return true;
    case TPM_ID_ECDSA:
        out->hash = s->signature.ecdsa.hash;
        return ecdsa_der(&s->signature.ecdsa, out);
    default:
        return false;
    }
}

enum attest_status tpm_signature_parse(const uint8_t *p, size_t len, struct tpm_signature *out,
                                       struct attest_error *err)
{
    TPMT_SIGNATURE s = {0};
    size_t offset = 0;

    memset(out, 0, sizeof(*out));
    if (Tss2_MU_TPMT_SIGNATURE_Unmarshal(p, len, &offset, &s) == TSS2_RC_SUCCESS && offset == len &&
        take_signature(&s, out)) {
        return ATTEST_OK;
    }
    /* A bare number has the modulus's size; inside a TPMT_SIGNATURE six bytes precede it. */
    if (len != 256 && len != 384 && len != 512) {
        return attest_fail(err, ATTEST_MALFORMED, OBJECT, "signature",
                           "a TPMT_SIGNATURE, or a bare RSA signature", "%zu bytes", len);
    }
    out->scheme = TPM_ID_RSASSA;
    out->hash = TPM_ID_SHA256;
    memcpy(out->sig, p, len);
    out->len = len;
    return ATTEST_OK;
}

static bool verify(const struct tpm_quote *q, const struct tpm_signature *s, EVP_PKEY *key,
                   const EVP_MD *md)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *kctx = NULL;
    int padding = s->scheme == TPM_ID_RSAPSS ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING;
    bool ok = ctx != NULL && EVP_DigestVerifyInit(ctx, &kctx, md, NULL, key) == 1;

    if (ok && s->scheme != TPM_ID_ECDSA) {
        ok = EVP_PKEY_CTX_set_rsa_padding(kctx, padding) == 1;
    }
    ok = ok && EVP_DigestVerify(ctx, s->sig, s->len, q->message, q->message_len) == 1;
    EVP_MD_CTX_free(ctx);
    return ok;
}

enum attest_status tpm_quote_verify(const struct tpm_quote *q, const struct tpm_signature *s,
                                    EVP_PKEY *key, bool allow_sha1, struct attest_error *err)
{
    bool ecdsa = s->scheme == TPM_ID_ECDSA;
    enum attest_hash hash = ATTEST_HASH_COUNT;

    if (!eventlog_hash_of(s->hash, &hash) || (hash == ATTEST_SHA1 && !allow_sha1)) {
        return attest_fail(err, ATTEST_UNSUPPORTED, OBJECT, "signature hash",
                           allow_sha1 ? "SHA-1 or SHA-2" : "SHA-2", "%s",
                           hash == ATTEST_SHA1 ? "SHA-1" : "another");
    }
    if (!EVP_PKEY_is_a(key, ecdsa ? "EC" : "RSA") || EVP_PKEY_get_security_bits(key) < 112) {
        return attest_fail(err, ATTEST_SIGNATURE, OBJECT, "signature scheme",
                           "one that fits the attestation key", "%#x", s->scheme);
    }
    if (!verify(q, s, key, attest_hash_md(hash))) {
        return attest_fail(err, ATTEST_SIGNATURE, OBJECT, "signature", "one by the attestation key",
                           "another");
    }
    return ATTEST_OK;
}
