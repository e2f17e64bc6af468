/* The platform claims set: DEN0137, A7.2.3.2. */
#include "cca_claims.h"

#include <string.h>

#define OBJECT "CCA platform token"
#define CONFIG_MAX 4096

static const struct {
    uint8_t high;
    const char *name;
} lifecycles[] = {
    {0x00, "unknown"},
    {0x10, "assembly-and-test"},
    {0x20, "rot-provisioning"},
    {0x30, "secured"},
    {0x40, "non-cca-platform-rot-debug"},
    {0x50, "recoverable-cca-platform-rot-debug"},
    {0x60, "decommissioned"},
};
#define LIFECYCLES (sizeof(lifecycles) / sizeof(lifecycles[0]))

const char *const cca_lifecycle_names[] = {
    "unknown",
    "assembly-and-test",
    "rot-provisioning",
    "secured",
    "non-cca-platform-rot-debug",
    "recoverable-cca-platform-rot-debug",
    "decommissioned",
    NULL,
};

bool cca_lifecycle_index(uint16_t lifecycle, size_t *out)
{
    for (size_t i = 0; i < LIFECYCLES; i++) {
        if (lifecycles[i].high == lifecycle >> 8) {
            *out = i;
            return true;
        }
    }
    return false;
}

const char *cca_lifecycle_name(uint16_t lifecycle)
{
    size_t i;

    return cca_lifecycle_index(lifecycle, &i) ? lifecycles[i].name : NULL;
}

static enum attest_status parse_profile(const struct claims *c, struct cca_platform *out)
{
    struct attest_span s;
    enum attest_status st = claims_text(c, CLAIM_PROFILE, "cca-platform-profile", &s);

    if (st != ATTEST_OK) {
        return st;
    }
    if (s.p == NULL) {
        return claim_missing(c, "cca-platform-profile");
    }
    out->legacy = span_is(&s, PROFILE_PLATFORM_LEGACY);
    if (!out->legacy && !span_is(&s, PROFILE_PLATFORM)) {
        return attest_fail(c->err, ATTEST_UNSUPPORTED, c->object, "cca-platform-profile",
                           PROFILE_PLATFORM " or " PROFILE_PLATFORM_LEGACY, "%.*s", (int)s.len,
                           (const char *)s.p);
    }
    return ATTEST_OK;
}

static enum attest_status parse_lifecycle(const struct claims *c, struct cca_platform *out)
{
    struct cbor_item v;
    struct reader rest;

    if (!claims_find(c, CLAIM_LIFECYCLE, &v, &rest)) {
        return claim_missing(c, "cca-platform-lifecycle");
    }
    if (v.type != CBOR_UINT || v.value > UINT16_MAX ||
        cca_lifecycle_name((uint16_t)v.value) == NULL) {
        return attest_fail(c->err, ATTEST_MALFORMED, c->object, "cca-platform-lifecycle",
                           "a state in the specified ranges", "%llu", (unsigned long long)v.value);
    }
    out->lifecycle = (uint16_t)v.value;
    return ATTEST_OK;
}

static enum attest_status parse_ids(const struct claims *c, struct cca_platform *out)
{
    enum attest_status st;

    if ((st = claims_bytes(c, CLAIM_IMPLEMENTATION_ID, "cca-platform-implementation-id",
                           CCA_IMPLEMENTATION_ID_SIZE, CCA_IMPLEMENTATION_ID_SIZE,
                           &out->implementation_id)) != ATTEST_OK ||
        (st = claims_bytes(c, CLAIM_INSTANCE_ID, "cca-platform-instance-id", CCA_INSTANCE_ID_SIZE,
                           CCA_INSTANCE_ID_SIZE, &out->instance_id)) != ATTEST_OK) {
        return st;
    }
    /* A UEID of type RAND, RFC 9711 section 4.2.1. */
    if (*(const uint8_t *)out->instance_id.p != 0x01) {
        return claim_wrong(c, "cca-platform-instance-id", "a UEID of type 01");
    }
    return ATTEST_OK;
}

enum { SW_TYPE = 1, SW_VALUE = 2, SW_VERSION = 4, SW_SIGNER = 5, SW_HASH = 6 };

static enum attest_status parse_component(const struct claims *set, struct reader *r,
                                          struct cca_component *out)
{
    struct claims c = {.object = set->object, .err = set->err};
    struct attest_span whole;
    struct cbor_item map;
    enum attest_status st;

    c.pairs = *r;
    if (!cbor_next(&c.pairs, &map) || map.type != CBOR_MAP || !cbor_skip(r, &whole)) {
        return claim_wrong(set, "cca-platform-sw-components", "maps");
    }
    c.count = map.value;
    if ((st = claims_digest(&c, SW_VALUE, "measurement-value", &out->measurement)) != ATTEST_OK ||
        (st = claims_digest(&c, SW_SIGNER, "signer-id", &out->signer)) != ATTEST_OK ||
        (st = claims_text(&c, SW_TYPE, "measurement-type", &out->type)) != ATTEST_OK ||
        (st = claims_text(&c, SW_VERSION, "version", &out->version)) != ATTEST_OK) {
        return st;
    }
    return claims_text(&c, SW_HASH, "hash-algo-id", &out->hash);
}

static enum attest_status parse_components(const struct claims *c, struct cca_platform *out)
{
    struct cbor_item v;
    struct reader rest;
    enum attest_status st = ATTEST_OK;

    if (!claims_find(c, CLAIM_SW_COMPONENTS, &v, &rest)) {
        return claim_missing(c, "cca-platform-sw-components");
    }
    if (v.type != CBOR_ARRAY || v.value == 0 || v.value > CCA_COMPONENTS_MAX) {
        return claim_wrong(c, "cca-platform-sw-components", "a list of 1 to 64 components");
    }
    for (size_t i = 0; i < v.value && st == ATTEST_OK; i++) {
        st = parse_component(c, &rest, &out->component[i]);
        out->components = i + 1;
    }
    return st;
}

enum attest_status cca_platform_parse(const uint8_t *p, size_t len, struct cca_platform *out,
                                      struct attest_error *err)
{
    struct claims c;
    enum attest_status st = claims_open(&c, OBJECT, p, len, err);
    struct cbor_item v;
    struct reader rest;

    memset(out, 0, sizeof(*out));
    if (st != ATTEST_OK || (st = parse_profile(&c, out)) != ATTEST_OK ||
        (st = claims_digest(&c, CLAIM_CHALLENGE, "cca-platform-challenge", &out->challenge)) !=
            ATTEST_OK ||
        (st = parse_ids(&c, out)) != ATTEST_OK ||
        (st = claims_bytes(&c, CLAIM_CONFIG, "cca-platform-config", 1, CONFIG_MAX,
                           &out->config)) != ATTEST_OK ||
        (st = parse_lifecycle(&c, out)) != ATTEST_OK ||
        (st = claims_hash(&c, CLAIM_HASH, "cca-platform-hash-algo-id", &out->hash)) != ATTEST_OK ||
        (st = parse_components(&c, out)) != ATTEST_OK) {
        return st;
    }
    if (!claims_find(&c, CLAIM_SERVICE, &v, &rest)) {
        return ATTEST_OK;
    }
    return claims_text(&c, CLAIM_SERVICE, "cca-platform-service-indicator", &out->service);
}
