/*
 * A verdict: trusted or not, and why. It gathers every refusal, not only the first, with notes
 * (advisories, TCB status) and the claims of the evidence.
 */
#ifndef ATTEST_VERDICT_H
#define ATTEST_VERDICT_H

#include <attest/collateral.h>
#include <attest/policy.h>

struct attest_verdict;

/* All that a verification depends on besides the evidence. Everything is borrowed. */
struct attest_input {
    const struct attest_collateral *collateral; /* sealed; never NULL */
    const struct attest_policy *policy;         /* never NULL */
    int64_t at;                                 /* the time to judge at */
    const uint8_t *nonce;                       /* NULL: freshness is not asked for */
    size_t nonce_len;
    const uint8_t *event_log; /* for quotes whose registers are to be replayed; may be NULL */
    size_t event_log_len;
};

struct attest_verdict *attest_verdict_new(void);
void attest_verdict_free(struct attest_verdict *v);

/*
 * Detects, parses, verifies and appraises. Returns OK (trusted), or the status of the first
 * refusal; the verdict tells all. v must be new or reset.
 */
enum attest_status attest_verify(const uint8_t *evidence, size_t len, const struct attest_input *in,
                                 struct attest_verdict *v);
void attest_verdict_reset(struct attest_verdict *v);

enum attest_status attest_verdict_status(const struct attest_verdict *v);
bool attest_verdict_trusted(const struct attest_verdict *v);
const char *attest_verdict_kind(const struct attest_verdict *v); /* NULL before detection */
const struct attest_root *attest_verdict_root(const struct attest_verdict *v); /* may be NULL */
size_t attest_verdict_refusals(const struct attest_verdict *v);
const struct attest_error *attest_verdict_refusal(const struct attest_verdict *v, size_t i);
/* Authenticated claims; NULL unless the evidence is authentic. Borrowed. */
const json_t *attest_verdict_claims(const struct attest_verdict *v);

/* The verdict for people (malloc'ed, NULL when out of memory) and for programs (new reference). */
char *attest_verdict_text(const struct attest_verdict *v);
json_t *attest_verdict_json(const struct attest_verdict *v);

/* ---- for the kinds ---- */

/* Adds a refusal. The last one kept says how many more there were. */
void attest_refuse(struct attest_verdict *v, const struct attest_error *err);
/* Adds a fact worth telling: attest_note(v, "tcb-status", "UpToDate"); keys may repeat. */
void attest_note(struct attest_verdict *v, const char *key, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/*
 * The chain of trust ended here: finds and records the root, or fails with ROOT_UNTRUSTED.
 * kind must be a string constant.
 */
enum attest_status attest_trust(struct attest_verdict *v, const struct attest_input *in,
                                const char *kind, const char *root_name,
                                const uint8_t spki_sha256[32], struct attest_error *err);
/* The same for kinds without vendor roots, whose policy section has named this very key. */
enum attest_status attest_trust_by_policy(struct attest_verdict *v, const char *kind,
                                          const char *root_name, const uint8_t spki_sha256[32]);
/*
 * Does `field` (len bytes of the evidence) carry in->nonce, zero-padded at its end? NONCE if not.
 * Good when no nonce is asked for.
 */
enum attest_status attest_check_nonce(const struct attest_input *in, const char *object,
                                      const char *field, const uint8_t *value, size_t len,
                                      struct attest_error *err);

#endif
