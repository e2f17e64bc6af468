/*
 * One row per kind of evidence; the table is kinds.def. Everything that is common (detection,
 * verdicts, policy sections, printing) works through these rows.
 */
#ifndef ATTEST_EVIDENCE_H
#define ATTEST_EVIDENCE_H

#include <attest/verdict.h>

struct attest_evidence_ops {
    const char *kind;  /* "sev-snp": the policy section and the name in JSON */
    const char *title; /* "AMD SEV-SNP attestation report" */
    /* Cheap and strict enough that at most one kind says yes. */
    bool (*detect)(const uint8_t *p, size_t len);
    /* Structure only. The object may point into p, which outlives it. */
    enum attest_status (*parse)(const uint8_t *p, size_t len, void **ev, struct attest_error *err);
    void (*free)(void *ev);
    /*
     * Authenticity: signatures, chains, CRLs, times, bindings, the root (attest_trust). The first
     * failure is the answer. May keep results in ev for appraise, and leave notes in v.
     */
    enum attest_status (*verify)(void *ev, const struct attest_input *in, struct attest_verdict *v,
                                 struct attest_error *err);
    /*
     * Compares authentic evidence with this kind's policy section (never NULL) and the nonce;
     * calls attest_refuse for each difference.
     */
    void (*appraise)(const void *ev, const void *section, const struct attest_input *in,
                     struct attest_verdict *v);
    /* Every field, readably, as a new JSON object (NULL: out of memory); `show` prints it. */
    json_t *(*claims)(const void *ev);
    /* Its policy section, "policy.<kind>"; NULL: it can be shown, and proves nothing alone. */
    const struct pj_section *policy;
};

/* Row i, NULL past the end. */
const struct attest_evidence_ops *attest_kind(size_t i);
const struct attest_evidence_ops *attest_kind_named(const char *kind);
/* The kind that recognises these bytes, or NULL. */
const struct attest_evidence_ops *attest_kind_detect(const uint8_t *p, size_t len);
/* Row i of the collateral kinds, NULL past the end. */
const struct attest_item_ops *attest_item_kind(size_t i);

/* For things that can be shown but prove nothing alone (certificates, event logs). */
enum attest_status attest_show_only_verify(void *ev, const struct attest_input *in,
                                           struct attest_verdict *v, struct attest_error *err);
void attest_show_only_appraise(const void *ev, const void *section, const struct attest_input *in,
                               struct attest_verdict *v);

#endif
