/* Between the tpm_*.c files: a TPM quote with all that came along. */
#ifndef TPM_EVIDENCE_H
#define TPM_EVIDENCE_H

#include <attest/tpm.h>

enum { TPM_PCRS_MAX = TPM_PCRS * 4 };

struct tpm_blob {
    uint8_t *p; /* malloc'ed; NULL: not given */
    size_t len;
};

/* What a paravisor says about its vTPM (see tpm_hcl.c). */
struct tpm_hcl {
    const struct attest_evidence_ops *ops; /* of the hardware evidence; NULL: none */
    void *ev;
    struct tpm_blob platform; /* what ev was parsed from */
    const uint8_t *report_data; /* 64 bytes, in the hardware evidence */
    const uint8_t *runtime; /* the JSON that the hardware vouches for, in the report */
    size_t runtime_len;
};

struct tpm_evidence {
    json_t *json;
    struct tpm_blob message, signature, ak, log, report;
    struct tpm_quote q;
    struct tpm_signature s;
    size_t pcrs;
    struct tpm_pcr pcr[TPM_PCRS_MAX];
    const char *certificates; /* PEM, leaf first; NULL: none */
    struct tpm_hcl hcl;
    EVP_PKEY *key; /* the AK: from the evidence, and after verify the one that is trusted */
};

/* Hexadecimal, or base64 of either alphabet, padded or not; absent leaves out empty. */
enum attest_status tpm_bytes(const json_t *o, const char *key, struct tpm_blob *out,
                             struct attest_error *err);

/* Takes the report apart and parses the hardware evidence. */
enum attest_status tpm_hcl_parse(struct tpm_evidence *e, struct attest_error *err);
void tpm_hcl_free(struct tpm_hcl *h);
/* The hardware evidence, its binding to the runtime data, the AK in there. */
enum attest_status tpm_hcl_verify(struct tpm_evidence *e, const struct attest_input *in,
                                  struct attest_verdict *v, struct attest_error *err);

struct tpm_policy {
    struct pj_values pcr[4][TPM_PCRS]; /* by bank: sha1, sha256, sha384, sha512 */
    struct pj_values ak;               /* SHA-256 of SubjectPublicKeyInfo */
    struct pj_values roots;            /* likewise, of certificate chains' roots */
    bool event_log;                    /* must there be one? */
    bool allow_sha1;
    bool safe_clock;
};
extern const struct pj_section tpm_policy_section;
void tpm_appraise(const void *ev, const void *section, const struct attest_input *in,
                  struct attest_verdict *v);
json_t *tpm_claims(const void *ev);

#endif
