/*
 * Quotes of Intel's quoting enclaves: TDX (versions 4 and 5, TD report 1.0 and 1.5) and SGX
 * (versions 3, 4 and 5), ECDSA P-256 attestation keys. Source: Intel TDX DCAP Quoting Library API
 * rev 0.9, appendix A (formats); Intel SGX ECDSA QuoteGenReference, appendix A (version 3).
 */
#ifndef ATTEST_TDX_H
#define ATTEST_TDX_H

#include <attest/evidence.h>
#include <attest/sgx.h>

enum { TDX_TEE_SGX = 0, TDX_TEE_TDX = 0x81 };

enum tdx_body { TDX_BODY_ENCLAVE = 1, TDX_BODY_TD10 = 2, TDX_BODY_TD15 = 3 };

/* TD report body: offsets of its fields. */
enum {
    TD_TEE_TCB_SVN = 0,
    TD_MRSEAM = 16,
    TD_MRSIGNERSEAM = 64,
    TD_SEAMATTRIBUTES = 112,
    TD_ATTRIBUTES = 120,
    TD_XFAM = 128,
    TD_MRTD = 136,
    TD_MRCONFIGID = 184,
    TD_MROWNER = 232,
    TD_MROWNERCONFIG = 280,
    TD_RTMR0 = 328,
    TD_REPORTDATA = 520,
    TD10_SIZE = 584,
    TD_TEE_TCB_SVN_2 = 584, /* 1.5 only, as MRSERVICETD */
    TD_MRSERVICETD = 600,
    TD15_SIZE = 648
};

/* TD ATTRIBUTES (TDX module 1.5 ABI, section 3.4.1). Bits 7:0 (TUD) put the TD under debug. */
#define TD_ATTRIBUTE_TUD UINT64_C(0xFF)
/* Private memory never raises #VE: else the host decides when the TD's handler runs. */
#define TD_ATTRIBUTE_SEPT_VE_DISABLE (UINT64_C(1) << 28)
#define TD_ATTRIBUTE_MIGRATABLE (UINT64_C(1) << 29)
/* Named: 0 4-6 16 27-31 62 63. All others must be zero. */
#define TD_ATTRIBUTES_RESERVED (~UINT64_C(0xC0000000F8010071))

/* Certification data types (appendix A.4). */
enum {
    TDX_CERT_PPID_PLAIN = 1,
    TDX_CERT_PPID_2048 = 2,
    TDX_CERT_PPID_3072 = 3,
    TDX_CERT_PCK = 4,
    TDX_CERT_PCK_CHAIN = 5,
    TDX_CERT_QE_REPORT = 6
};

/* A quote in its parts; everything points into the evidence. */
struct tdx_quote {
    uint16_t version;
    uint32_t tee_type;
    uint16_t qe_svn;  /* reserved, zero, since version 4 */
    uint16_t pce_svn; /* likewise */
    const uint8_t *qe_vendor; /* 16 bytes */
    const uint8_t *user_data; /* 20 bytes; the QE's own id in practice */
    enum tdx_body body_type;
    const uint8_t *body;
    size_t body_len;
    const uint8_t *signed_part; /* header and body, with the body's descriptor in version 5 */
    size_t signed_len;
    const uint8_t *signature;    /* 64 bytes */
    const uint8_t *key;          /* 64 bytes, the attestation key */
    const uint8_t *qe_report;    /* SGX_REPORT_SIZE */
    const uint8_t *qe_signature; /* 64 bytes */
    const uint8_t *auth;
    size_t auth_len;
    uint16_t cert_type;
    const uint8_t *cert;
    size_t cert_len;
    size_t trailing; /* bytes after the quote; not covered by anything */
};

/* Bytes of a quote by this vendor's QE, whatever the version? */
bool tdx_quote_detect(const uint8_t *p, size_t len);
enum attest_status tdx_quote_parse(const uint8_t *p, size_t len, struct tdx_quote *out,
                                   struct attest_error *err);
/* "TDX quote" or "SGX quote" */
const char *tdx_quote_object(const struct tdx_quote *q);
/* "tdx" or "sgx", the kind of evidence. */
const char *tdx_quote_kind(const struct tdx_quote *q);
json_t *tdx_quote_claims(const struct tdx_quote *q);

/* The quote's signature by its key, and the key's binding to the QE report. */
enum attest_status tdx_quote_check_signature(const struct tdx_quote *q, struct attest_error *err);
enum attest_status tdx_quote_check_binding(const struct tdx_quote *q, struct attest_error *err);

/* The PCK certificate that signed the QE report, its extension and its chain. */
struct tdx_pck {
    struct attest_cert *held[ATTEST_CHAIN_MAX]; /* from the evidence, leaf first */
    size_t held_count;
    struct attest_cert *leaf; /* one of held, or the collateral's */
    struct sgx_pck sgx;
    struct attest_chain chain;
};

/* Finds the leaf and builds its chain; tdx_pck_release also after failure. */
enum attest_status tdx_pck_find(const struct tdx_quote *q, const struct attest_collateral *c,
                                struct tdx_pck *out, struct attest_error *err);
void tdx_pck_release(struct tdx_pck *pck);
/* The QE report's signature by the PCK key. */
enum attest_status tdx_pck_check_qe(const struct tdx_quote *q, const struct tdx_pck *pck,
                                    struct attest_error *err);

#endif
