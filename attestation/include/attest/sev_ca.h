/*
 * AMD's CA certificates in their own binary form: ARK and ASK of SEV, SEV-ES and of the early SNP
 * tools. Source: SEV API (55766), appendix "CA Certificate Format". Integers are little-endian.
 */
#ifndef ATTEST_SEV_CA_H
#define ATTEST_SEV_CA_H

#include <attest/collateral.h>

#include <openssl/evp.h>

enum sev_ca_usage { SEV_CA_ARK = 0x00, SEV_CA_ASK = 0x13 };

struct sev_ca {
    enum sev_ca_usage usage;
    uint8_t key_id[16];
    uint8_t certifying_id[16]; /* of the key that signed it */
    unsigned int bits;         /* 2048 or 4096 */
    EVP_PKEY *key;
    size_t signed_len;
    uint8_t signed_part[64 + 2 * 512];
    uint8_t signature[512]; /* big-endian, bits / 8 bytes */
};

enum attest_status sev_ca_parse(const uint8_t *p, size_t len, struct sev_ca **out,
                                struct attest_error *err);
void sev_ca_free(struct sev_ca *c);

/* RSA-PSS by the issuer's key, whose id the certificate names: SHA-256 below 4096 bits, else 384.
 */
enum attest_status sev_ca_verify(const struct sev_ca *c, const struct sev_ca *issuer,
                                 struct attest_error *err);

extern const struct attest_item_ops attest_item_sev_ca;

#endif
