/*
 * A policy: what a relying party expects, as JSON (docs/policy.md). Parsed once, immutable, shared
 * by threads. A missing or empty reference value is an error, never a pass; unknown keys are
 * errors, so that a misspelt demand is not silently dropped.
 */
#ifndef ATTEST_POLICY_H
#define ATTEST_POLICY_H

#include <attest/error.h>

#include <jansson.h>
#include <stdbool.h>

struct attest_policy;

enum attest_status attest_policy_parse(const char *json, size_t len, struct attest_policy **out,
                                       struct attest_error *err);
void attest_policy_free(struct attest_policy *p);

const char *attest_policy_name(const struct attest_policy *p); /* "" when it has none */

/* What the kind's section was read into; NULL when the policy has no such section. */
const void *attest_policy_section(const struct attest_policy *p, const char *kind);

/* Must every certificate below a root be covered by a CRL? "require-crl", default false. */
bool attest_policy_requires_crl(const struct attest_policy *p);

/*
 * A root of trust: a vendor's (roots.def) or a test root that the policy names. The strings live
 * as long as the policy.
 */
struct attest_root {
    const char *kind; /* evidence kind it vouches for */
    const char *name; /* "AMD ARK-Milan", or the policy's name for a test root */
    uint8_t spki_sha256[32];
    bool emulated; /* true for test roots: the evidence is not from hardware */
};

/*
 * Adds the certificates that test roots bring in the policy (root, intermediate ones) to
 * collateral that is not sealed yet.
 */
struct attest_collateral;
enum attest_status attest_policy_certificates(const struct attest_policy *p,
                                              struct attest_collateral *c,
                                              struct attest_error *err);

/* Row i of the vendors' roots; false past the end. */
bool attest_vendor_root(size_t i, struct attest_root *out);

/*
 * The root with this key for this kind: vendors' first, then the policy's "test-roots" (the policy
 * may be NULL: vendors' only). False: nobody vouches for it.
 */
bool attest_policy_root(const struct attest_policy *p, const char *kind,
                        const uint8_t spki_sha256[32], struct attest_root *out);

/* ---- for the kinds: strict readers that name the path in errors ---- */

/* obj is an object and has no other keys than these (NULL-terminated). path: "policy.sev-snp". */
enum attest_status pj_only_keys(const json_t *obj, const char *path, const char *const *keys,
                                struct attest_error *err);

/* A section: cleared memory of that size, that `members` fills; `free` frees it in any state. */
struct pj_section {
    size_t size;
    const char *const *keys; /* as above */
    enum attest_status (*members)(const json_t *j, const char *path, void *section,
                                  struct attest_error *err);
    void (*free)(void *section);
};
enum attest_status pj_section(const json_t *j, const char *path, const struct pj_section *form,
                              void **out, struct attest_error *err);

/* Optional members: *out keeps its value when the key is absent. */
enum attest_status pj_bool(const json_t *obj, const char *path, const char *key, bool *out,
                           struct attest_error *err);
enum attest_status pj_uint(const json_t *obj, const char *path, const char *key, uint64_t max,
                           uint64_t *out, struct attest_error *err);
enum attest_status pj_string(const json_t *obj, const char *path, const char *key, const char **out,
                             struct attest_error *err);
enum attest_status pj_time(const json_t *obj, const char *path, const char *key, int64_t *out,
                           struct attest_error *err);

/* A set of reference values of one length. */
struct pj_values {
    size_t count; /* 0: the policy does not speak of it */
    size_t len;   /* bytes in each */
    uint8_t *v;   /* count * len bytes */
};

/* A hex string or a non-empty array of them, each of exactly len bytes; absent leaves count 0. */
enum attest_status pj_values(const json_t *obj, const char *path, const char *key, size_t len,
                             struct pj_values *out, struct attest_error *err);
bool pj_values_contain(const struct pj_values *s, const uint8_t *v);
void pj_values_free(struct pj_values *s);

/* A non-empty array of strings out of names[] (NULL-terminated) as a bit mask by index. */
enum attest_status pj_names(const json_t *obj, const char *path, const char *key,
                            const char *const *names, uint64_t *mask, struct attest_error *err);

#endif
