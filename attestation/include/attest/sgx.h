/*
 * What SGX and TDX quotes have in common: the enclave report, the PCK certificate's extension, and
 * ECDSA P-256 in its raw form. Source: Intel SGX ECDSA QuoteGenReference, Intel SDM vol. 3D 38.15,
 * Intel SGX PCK Certificate and CRL Profile Specification 1.4.
 */
#ifndef ATTEST_SGX_H
#define ATTEST_SGX_H

#include <attest/error.h>

#include <jansson.h>
#include <openssl/evp.h>
#include <stdbool.h>

/* REPORTBODY: offsets of its fields; all numbers little-endian. */
enum {
    SGX_REPORT_SIZE = 384,
    SGX_CPUSVN = 0,
    SGX_MISCSELECT = 16,
    SGX_ISVEXTPRODID = 32,
    SGX_ATTRIBUTES = 48,
    SGX_MRENCLAVE = 64,
    SGX_MRSIGNER = 128,
    SGX_CONFIGID = 192,
    SGX_ISVPRODID = 256,
    SGX_ISVSVN = 258,
    SGX_CONFIGSVN = 260,
    SGX_ISVFAMILYID = 304,
    SGX_REPORTDATA = 320
};
#define SGX_ATTRIBUTE_DEBUG 2u /* in the first byte of ATTRIBUTES */

/* Every field as JSON; NULL when out of memory. */
json_t *sgx_report_claims(const uint8_t report[SGX_REPORT_SIZE]);

#define SGX_TCB_COMPONENTS 16

/* The SGX extension of a PCK certificate, OID 1.2.840.113741.1.13.1 (profile, section 1.3.5). */
struct sgx_pck {
    uint8_t ppid[16];
    uint8_t cpusvn[16];
    uint8_t pceid[2];
    uint8_t fmspc[6];
    uint8_t platform_instance[16]; /* platform CA only; zero otherwise */
    uint16_t component[SGX_TCB_COMPONENTS];
    uint16_t pcesvn;
    uint8_t sgx_type; /* 0 standard, 1 scalable, 2 scalable with integrity */
    bool has_platform_instance;
    bool has_configuration; /* the next three are stated: platform CA only */
    bool dynamic_platform;
    bool cached_keys;
    bool smt_enabled;
};

struct attest_cert;

enum attest_status sgx_pck_parse(const uint8_t *ext, size_t len, struct sgx_pck *out,
                                 struct attest_error *err);
/* The extension of this certificate; COLLATERAL_MISSING never: without it, MALFORMED. */
enum attest_status sgx_pck_of(const struct attest_cert *cert, struct sgx_pck *out,
                              struct attest_error *err);
json_t *sgx_pck_claims(const struct sgx_pck *pck);

/* ---- ECDSA on P-256 with SHA-256; keys and signatures as 32 + 32 bytes, big-endian ---- */

/* NULL when x, y is no point of the curve. */
EVP_PKEY *p256_key(const uint8_t xy[64]);
/* Is this a P-256 key at all? */
bool p256_is(EVP_PKEY *key);
bool p256_verify(EVP_PKEY *key, const uint8_t sig[64], const void *msg, size_t len);

#endif
