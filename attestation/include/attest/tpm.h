/*
 * TPM 2.0 quotes. Marshalling is tpm2-tss's; these are the results, free of its types. Source: TCG
 * TPM 2.0 Library, part 2: 10.12.12 TPMS_ATTEST, 11.3.4 TPMT_SIGNATURE, 12.2.4 TPMT_PUBLIC.
 */
#ifndef ATTEST_TPM_H
#define ATTEST_TPM_H

#include <attest/evidence.h>

#include <openssl/evp.h>

enum { TPM_PCRS = 24, TPM_SELECTIONS_MAX = 8, TPM_NAME_MAX = 68, TPM_SIGNATURE_MAX = 1024 };

/* TPM_ALG_ID of signature schemes. */
enum { TPM_ID_RSASSA = 0x14, TPM_ID_RSAPSS = 0x16, TPM_ID_ECDSA = 0x18 };

struct tpm_selection {
    uint16_t alg;  /* TPM_ALG_ID of the bank */
    uint32_t pcrs; /* bit i: PCR i */
};

struct tpm_quote {
    const uint8_t *message; /* borrowed */
    size_t message_len;
    uint8_t signer[TPM_NAME_MAX]; /* qualifiedSigner */
    size_t signer_len;
    uint8_t extra[64]; /* extraData: the nonce */
    size_t extra_len;
    uint64_t clock; /* milliseconds */
    uint32_t reset_count;
    uint32_t restart_count;
    bool clock_safe;
    uint64_t firmware;
    size_t selections;
    struct tpm_selection selection[TPM_SELECTIONS_MAX];
    uint8_t pcr_digest[ATTEST_HASH_MAX];
    size_t pcr_digest_len;
};

struct tpm_signature {
    uint16_t scheme; /* TPM_ID_RSASSA, ... */
    uint16_t hash;   /* TPM_ALG_ID */
    uint8_t sig[TPM_SIGNATURE_MAX]; /* RSA: the number; ECDSA: DER */
    size_t len;
};

/* One PCR as the evidence states it. */
struct tpm_pcr {
    uint16_t alg;
    uint8_t index;
    uint8_t value[ATTEST_HASH_MAX];
};

/* A TPMS_ATTEST that is a quote, all of it. */
enum attest_status tpm_quote_parse(const uint8_t *p, size_t len, struct tpm_quote *out,
                                   struct attest_error *err);
/* A TPMT_SIGNATURE; or the bare number of an RSASSA signature with SHA-256. */
enum attest_status tpm_signature_parse(const uint8_t *p, size_t len, struct tpm_signature *out,
                                       struct attest_error *err);
/*
 * A TPM2B_PUBLIC or TPMT_PUBLIC of a restricted signing key that never leaves its TPM, or a
 * SubjectPublicKeyInfo, which says nothing about that.
 */
enum attest_status tpm_public_parse(const uint8_t *p, size_t len, EVP_PKEY **out,
                                    struct attest_error *err);
/* SHA-1 signatures are refused unless allowed. */
enum attest_status tpm_quote_verify(const struct tpm_quote *q, const struct tpm_signature *s,
                                    EVP_PKEY *key, bool allow_sha1, struct attest_error *err);
/* pcrDigest over the selected PCRs, in the order of selection; each must be among pcrs. */
enum attest_status tpm_quote_check_pcrs(const struct tpm_quote *q, uint16_t hash,
                                        const struct tpm_pcr *pcrs, size_t n,
                                        struct attest_error *err);
/*
 * The quoted PCRs against a log: REPLAY, naming the PCR. One that the log never extends must hold
 * its reset value.
 */
enum attest_status tpm_check_log(const struct tpm_quote *q, const struct tpm_pcr *pcrs, size_t n,
                                 const uint8_t *log, size_t len, struct attest_error *err);
const struct tpm_pcr *tpm_pcr_find(const struct tpm_pcr *pcrs, size_t n, uint16_t alg,
                                   unsigned int index);
/* SHA-256 of the key's SubjectPublicKeyInfo. */
bool tpm_key_sha256(EVP_PKEY *key, uint8_t out[32]);

json_t *tpm_quote_claims(const struct tpm_quote *q);

#endif
