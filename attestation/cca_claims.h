/* Walking a claims set, for cca_platform.c and cca_realm.c. */
#ifndef CCA_CLAIMS_H
#define CCA_CLAIMS_H

#include <attest/cca.h>

/* Claim keys of both sets. */
enum {
    CLAIM_CHALLENGE = 10,
    CLAIM_INSTANCE_ID = 256,
    CLAIM_PROFILE = 265,
    CLAIM_LIFECYCLE = 2395,
    CLAIM_IMPLEMENTATION_ID = 2396,
    CLAIM_SW_COMPONENTS = 2399,
    CLAIM_SERVICE = 2400,
    CLAIM_CONFIG = 2401,
    CLAIM_HASH = 2402,
    CLAIM_RPV = 44235,
    CLAIM_REALM_HASH = 44236,
    CLAIM_RAK = 44237,
    CLAIM_RIM = 44238,
    CLAIM_REM = 44239,
    CLAIM_RAK_HASH = 44240,
    CLAIM_MEC_POLICY = 44243
};

#define PROFILE_PLATFORM_LEGACY "http://arm.com/CCA-SSD/1.0.0"
#define PROFILE_PLATFORM "tag:arm.com,2023:cca_platform#1.0.0"
#define PROFILE_REALM "tag:arm.com,2023:realm#1.0.0"

/* A claims set after cbor_check: claims are looked up by key. */
struct claims {
    const char *object;
    struct reader pairs; /* behind the map's head */
    uint64_t count;
    struct attest_error *err;
};

enum attest_status claims_open(struct claims *c, const char *object, const uint8_t *p, size_t len,
                               struct attest_error *err);
/* The value's head, and in *rest what follows the head (elements of an array). */
bool claims_find(const struct claims *c, int64_t key, struct cbor_item *v, struct reader *rest);

/* Mandatory byte string, min to max bytes. */
enum attest_status claims_bytes(const struct claims *c, int64_t key, const char *name, size_t min,
                                size_t max, struct attest_span *out);
/* A digest in a mandatory byte string: 32, 48 or 64 bytes. */
enum attest_status claims_digest(const struct claims *c, int64_t key, const char *name,
                                 struct attest_span *out);
/* Optional non-empty text of at most 1024 bytes. */
enum attest_status claims_text(const struct claims *c, int64_t key, const char *name,
                               struct attest_span *out);
/* Mandatory hash algorithm name. */
enum attest_status claims_hash(const struct claims *c, int64_t key, const char *name,
                               enum attest_hash *out);

bool is_digest_size(size_t len);
bool span_is(const struct attest_span *s, const char *text);
enum attest_status claim_missing(const struct claims *c, const char *name);
enum attest_status claim_wrong(const struct claims *c, const char *name, const char *expected);

#endif
