/* The realm claims set: DEN0137, A7.2.3.1. */
#include "cca_claims.h"

#include <stdio.h>
#include <string.h>

#define OBJECT "CCA realm token"
/* A COSE_Key of P-521 with kid and alg stays below. */
#define RAK_MAX 256

static enum attest_status parse_profile(const struct claims *c, struct cca_realm *out)
{
    struct attest_span s;
    enum attest_status st = claims_text(c, CLAIM_PROFILE, "cca-realm-profile", &s);

    if (st == ATTEST_OK && s.p != NULL && !span_is(&s, PROFILE_REALM)) {
        return attest_fail(c->err, ATTEST_UNSUPPORTED, c->object, "cca-realm-profile",
                           PROFILE_REALM " or none", "%.*s", (int)s.len, (const char *)s.p);
    }
    out->legacy = s.p == NULL;
    return st;
}

static enum attest_status parse_rem(const struct claims *c, struct cca_realm *out)
{
    struct cbor_item v;
    struct reader rest;

    if (!claims_find(c, CLAIM_REM, &v, &rest)) {
        return claim_missing(c, "cca-realm-extensible-measurements");
    }
    if (v.type != CBOR_ARRAY || v.value != CCA_REMS) {
        return claim_wrong(c, "cca-realm-extensible-measurements", "four measurements");
    }
    for (size_t i = 0; i < CCA_REMS; i++) {
        struct cbor_item m;

        if (!cbor_next(&rest, &m) || m.type != CBOR_BYTES || !is_digest_size((size_t)m.value)) {
            return claim_wrong(c, "cca-realm-extensible-measurements",
                               "byte strings of 32, 48 or 64 bytes");
        }
        out->rem[i] = (struct attest_span){m.p, (size_t)m.value};
    }
    return ATTEST_OK;
}

/* Memory encryption contexts came after RMM 1.0; encoders of both kinds exist. */
static enum attest_status parse_mec(const struct claims *c, struct cca_realm *out)
{
    struct cbor_item v;
    struct reader rest;

    if (!claims_find(c, CLAIM_MEC_POLICY, &v, &rest)) {
        return ATTEST_OK;
    }
    if (v.type == CBOR_TEXT && v.value > 0 && v.value < sizeof(out->mec_policy)) {
        snprintf(out->mec_policy, sizeof(out->mec_policy), "%.*s", (int)v.value,
                 (const char *)v.p);
        return ATTEST_OK;
    }
    if (v.type == CBOR_UINT) {
        snprintf(out->mec_policy, sizeof(out->mec_policy), "%llu", (unsigned long long)v.value);
        return ATTEST_OK;
    }
    return claim_wrong(c, "cca-realm-mec-policy", "short text or a number");
}

enum attest_status cca_realm_parse(const uint8_t *p, size_t len, struct cca_realm *out,
                                   struct attest_error *err)
{
    struct claims c;
    enum attest_status st = claims_open(&c, OBJECT, p, len, err);

    memset(out, 0, sizeof(*out));
    if (st != ATTEST_OK || (st = parse_profile(&c, out)) != ATTEST_OK ||
        (st = claims_bytes(&c, CLAIM_CHALLENGE, "cca-realm-challenge", CCA_CHALLENGE_SIZE,
                           CCA_CHALLENGE_SIZE, &out->challenge)) != ATTEST_OK ||
        (st = claims_bytes(&c, CLAIM_RPV, "cca-realm-personalization-value", 64, 64,
                           &out->personalization)) != ATTEST_OK ||
        (st = claims_hash(&c, CLAIM_REALM_HASH, "cca-realm-hash-algo-id", &out->hash)) !=
            ATTEST_OK ||
        (st = claims_bytes(&c, CLAIM_RAK, "cca-realm-public-key", 1, RAK_MAX, &out->rak)) !=
            ATTEST_OK ||
        (st = claims_hash(&c, CLAIM_RAK_HASH, "cca-realm-public-key-hash-algo-id",
                          &out->rak_hash)) != ATTEST_OK ||
        (st = claims_digest(&c, CLAIM_RIM, "cca-realm-initial-measurement", &out->rim)) !=
            ATTEST_OK ||
        (st = parse_rem(&c, out)) != ATTEST_OK) {
        return st;
    }
    return parse_mec(&c, out);
}
