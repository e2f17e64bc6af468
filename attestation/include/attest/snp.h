/*
 * AMD SEV-SNP attestation reports.
 * Source: SEV Secure Nested Paging Firmware ABI Specification (56860), ATTESTATION_REPORT;
 * Versioned Chip Endorsement Key Certificate and KDS Interface Specification (57230).
 */
#ifndef ATTEST_SNP_H
#define ATTEST_SNP_H

#include <attest/verdict.h>

#define SNP_REPORT_SIZE 1184
#define SNP_SIGNED_SIZE 0x2a0

enum snp_product {
#define SNP_PRODUCT(id, name, fmc) SNP_##id,
#include <attest/snp.def>
    SNP_PRODUCT_COUNT,
    SNP_PRODUCT_UNKNOWN = SNP_PRODUCT_COUNT
};

/* "Milan", ...; "unknown" past the end. */
const char *snp_product_name(enum snp_product p);
enum snp_product snp_product_named(const char *name, size_t len);
/* By CPUID_FAM_ID and CPUID_MOD_ID. */
enum snp_product snp_product_of_cpu(uint8_t family, uint8_t model);

/* A TCB_VERSION taken apart; fmc is 0 and unused before Turin. */
struct snp_tcb {
    uint8_t fmc;
    uint8_t bootloader;
    uint8_t tee;
    uint8_t snp;
    uint8_t microcode;
};

bool snp_product_has_fmc(enum snp_product p);
/* RESERVED when the product's reserved bytes are not zero. */
enum attest_status snp_tcb_decode(enum snp_product p, uint64_t raw, const char *field,
                                  struct snp_tcb *out, struct attest_error *err);
uint64_t snp_tcb_encode(enum snp_product p, const struct snp_tcb *t);
/* Is every component of a at least that of b? */
bool snp_tcb_at_least(const struct snp_tcb *a, const struct snp_tcb *b);
/* "fmc 1, bootloader 1, tee 1, snp 4, microcode 81"; buf has room for 80. */
char *snp_tcb_text(enum snp_product p, const struct snp_tcb *t, char *buf);

enum snp_signer { SNP_SIGNER_VCEK = 0, SNP_SIGNER_VLEK = 1, SNP_SIGNER_NONE = 7 };

struct snp_version {
    uint8_t major;
    uint8_t minor;
    uint8_t build;
};

/* ATTESTATION_REPORT with its integers decoded. `raw` is borrowed. */
struct snp_report {
    const uint8_t *raw; /* SNP_REPORT_SIZE bytes */
    uint32_t version;   /* 2, 3, 4 or 5 */
    uint32_t guest_svn;
    uint64_t policy;
    uint32_t vmpl; /* 0..3 */
    uint64_t platform_info;
    bool author_key_en;
    bool mask_chip_key;
    enum snp_signer signer;
    const uint8_t *family_id;         /* 16 */
    const uint8_t *image_id;          /* 16 */
    const uint8_t *report_data;       /* 64 */
    const uint8_t *measurement;       /* 48 */
    const uint8_t *host_data;         /* 32 */
    const uint8_t *id_key_digest;     /* 48 */
    const uint8_t *author_key_digest; /* 48 */
    const uint8_t *report_id;         /* 32 */
    const uint8_t *report_id_ma;      /* 32 */
    const uint8_t *chip_id;           /* 64 */
    uint64_t current_tcb;
    uint64_t reported_tcb;
    uint64_t committed_tcb;
    uint64_t launch_tcb;
    bool has_cpuid; /* version 3 and later */
    uint8_t cpuid_family;
    uint8_t cpuid_model;
    uint8_t cpuid_stepping;
    struct snp_version current;
    struct snp_version committed;
    bool has_mitigations; /* version 5 and later */
    uint64_t launch_mitigations;
    uint64_t current_mitigations;
};

/* Structure only; the signature is not looked at beyond its reserved bytes. len must be 1184. */
enum attest_status snp_report_parse(const uint8_t *p, size_t len, struct snp_report *out,
                                    struct attest_error *err);
/* By CPUID for version 3 and later, else UNKNOWN: the certificate tells. */
enum snp_product snp_report_product(const struct snp_report *r);

#define SNP_URL_MAX 320

/*
 * The address of the report's VCEK at AMD's key distribution service; false when the report does
 * not tell (VLEK, masked chip id, product unknown) or buf is too small. Nothing is fetched.
 */
bool snp_vcek_url(const struct snp_report *r, enum snp_product p, char *buf, size_t size);

#define SNP_CSP_ID_MAX 64

/* The extensions of a VCEK or VLEK certificate (57230, "VCEK/VLEK Certificate Extensions"). */
struct snp_vek {
    enum snp_signer signer;
    enum snp_product product;
    char product_name[32]; /* as written: "Milan-B0" */
    struct snp_tcb tcb;
    size_t hwid_len; /* 0 for a VLEK, 8 for Turin and later, else 64 */
    uint8_t hwid[64];
    char csp_id[SNP_CSP_ID_MAX]; /* "" for a VCEK */
};

/* The certificate's extensions, parsed once and kept with it. */
enum attest_status snp_vek_of(struct attest_cert *cert, const struct snp_vek **out,
                              struct attest_error *err);

/* ECDSA P-384 with SHA-384 over the first 2A0h bytes; R and S are little-endian. */
enum attest_status snp_signature_verify(const struct snp_report *r, EVP_PKEY *key,
                                        struct attest_error *err);

/*
 * The certificate must be one for this report: signer, product, chip id and reported TCB.
 * *product is what report and certificate agree on.
 */
enum attest_status snp_binding_check(const struct snp_report *r, const struct attest_cert *cert,
                                     const struct snp_vek *vek, enum snp_product *product,
                                     struct attest_error *err);

/* What a report's authenticity depends on besides the report and its signer's certificate. */
struct snp_context {
    const struct attest_collateral *collateral; /* sealed */
    struct attest_cert *const *extra;           /* certificates that came with the report */
    size_t extras;
    int64_t at;
    bool require_crl;
};

struct snp_result {
    enum snp_product product; /* what report and certificate agree on */
    /* The chain's last certificate, which the caller must still trust (attest_policy_root). */
    struct attest_cert *root; /* borrowed from the context */
};

/*
 * Authenticity of a report whose signer's certificate is known: binding, chain, times, CRLs,
 * signature. Warm, it costs one signature.
 */
enum attest_status snp_verify(const struct snp_report *r, struct attest_cert *vek_cert,
                              const struct snp_context *ctx, struct snp_result *out,
                              struct attest_error *err);

#endif
