/*
 * Arm CCA attestation tokens. Source: Realm Management Monitor specification DEN0137, A7.2 "Realm
 * attestation" (claims) and draft-ffm-rats-cca-token (the 2023 profiles and the collections).
 */
#ifndef ATTEST_CCA_H
#define ATTEST_CCA_H

#include <attest/collateral.h>
#include <attest/cose.h>

#define CCA_COMPONENTS_MAX 64
#define CCA_REMS 4
#define CCA_CHALLENGE_SIZE 64
#define CCA_IMPLEMENTATION_ID_SIZE 32
#define CCA_INSTANCE_ID_SIZE 33

/* Spans point into the token; p is NULL when an optional claim is absent. */
struct cca_component {
    struct attest_span type;        /* text, optional */
    struct attest_span measurement; /* 32, 48 or 64 bytes */
    struct attest_span version;     /* text, optional */
    struct attest_span signer;      /* 32, 48 or 64 bytes */
    struct attest_span hash;        /* text, optional */
};

struct cca_platform {
    bool legacy;                  /* http://arm.com/CCA-SSD/1.0.0 */
    struct attest_span challenge; /* 32, 48 or 64 bytes */
    struct attest_span implementation_id;
    struct attest_span instance_id;
    struct attest_span config;
    uint16_t lifecycle;
    enum attest_hash hash;
    struct attest_span service; /* text, optional */
    size_t components;
    struct cca_component component[CCA_COMPONENTS_MAX];
};

struct cca_realm {
    bool legacy; /* no profile, RAK as a raw point */
    struct attest_span challenge;
    struct attest_span personalization;
    enum attest_hash hash;
    struct attest_span rak; /* the claim's bytes: what the platform binds */
    enum attest_hash rak_hash;
    struct attest_span rim; /* 32, 48 or 64 bytes */
    struct attest_span rem[CCA_REMS];
    char mec_policy[24]; /* "" when absent; text or a number, RMM 1.1 and later */
};

struct cca_token {
    struct cose_sign1 platform_sign;
    struct cose_sign1 realm_sign;
    struct cca_platform platform;
    struct cca_realm realm;
    bool collection; /* tag 907 */
};

/* One claims set, as it is signed. */
enum attest_status cca_platform_parse(const uint8_t *p, size_t len, struct cca_platform *out,
                                      struct attest_error *err);
enum attest_status cca_realm_parse(const uint8_t *p, size_t len, struct cca_realm *out,
                                   struct attest_error *err);
/* The whole token, structure and claims; signatures and binding are not looked at. */
bool cca_token_detect(const uint8_t *p, size_t len);
enum attest_status cca_token_parse(const uint8_t *p, size_t len, struct cca_token *out,
                                   struct attest_error *err);

/* The platform challenge is the hash of the RAK; then RAK's signature over the realm claims. */
enum attest_status cca_token_check_binding(const struct cca_token *t, struct attest_error *err);

/* "secured", ...; NULL for values outside the specified ranges. */
const char *cca_lifecycle_name(uint16_t lifecycle);
/* NULL-terminated, by index: for policies. */
extern const char *const cca_lifecycle_names[];
/* Index of the name; false outside the ranges. */
bool cca_lifecycle_index(uint16_t lifecycle, size_t *out);

/* A CCA platform attestation key (CPAK), known beforehand: an item of collateral. */
struct cca_anchor {
    EVP_PKEY *key;
    uint8_t spki_sha256[32];
    bool has_instance;
    uint8_t instance_id[CCA_INSTANCE_ID_SIZE];
    bool has_implementation;
    uint8_t implementation_id[CCA_IMPLEMENTATION_ID_SIZE];
};

extern const struct attest_item_ops attest_item_cca_anchor;

/* "sha-256", "sha-384", "sha-512", as claims name them. */
const char *cca_hash_name(enum attest_hash h);

json_t *cca_token_claims(const struct cca_token *t);

#endif
