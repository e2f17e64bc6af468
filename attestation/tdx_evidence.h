/* Between the tdx_*.c and sgx_*.c files: a quote with what verification found out about it. */
#ifndef TDX_EVIDENCE_H
#define TDX_EVIDENCE_H

#include <attest/tdx_tcb.h>

struct tdx_evidence {
    struct tdx_quote q;
    /* Filled by verify. */
    bool verified;
    struct tdx_pck pck;
    struct tdx_result r;
};

/* What both policy sections share, and begin with: the standing of the platform. */
struct tdx_tcb_policy {
    uint64_t statuses;                   /* by tdx_status */
    int64_t until[TDX_STATUS_COUNT];     /* 0: no limit */
    uint64_t min_evaluation;             /* tcbEvaluationDataNumber of both collaterals */
    int64_t min_tcb_date;                /* 0: any */
    bool has_advisories;
    const json_t *advisories;            /* those that are tolerated; borrowed from the policy */
    struct pj_values fmspc;
    /* Wanted PCK configuration flags: dynamic platform, cached keys, SMT; -1: any. */
    int flag[3];
    bool has_time[4];
    int64_t time[4]; /* certificates, crls, tcb-info, qe-identity */
};

/* The keys that tdx_tcb_policy_parse reads; both kinds' key lists begin with them. */
#define TDX_TCB_POLICY_KEYS                                                                        \
    "tcb-status", "min-tcb-evaluation", "min-tcb-date", "advisories", "fmspc", "times",            \
        "dynamic-platform", "cached-keys", "smt-enabled"

enum attest_status tdx_tcb_policy_parse(const json_t *section, const char *path,
                                        struct tdx_tcb_policy *out, struct attest_error *err);
void tdx_tcb_policy_free(struct tdx_tcb_policy *p);
void tdx_tcb_appraise(const struct tdx_evidence *e, const struct tdx_tcb_policy *p,
                      const struct attest_input *in, struct attest_verdict *v);
/* The times to judge at: in->at unless the section (which may be NULL) says otherwise. */
struct tdx_times tdx_times_of(const struct tdx_tcb_policy *p, int64_t at);

/* What a section demands of the quote itself, in one list of byte fields. */
struct tdx_field {
    const char *key;
    uint16_t offset;
    uint16_t len;
};
json_t *tdx_fields_claims(const uint8_t *body, const struct tdx_field *f, size_t n);
extern const struct tdx_field tdx_td_fields[];
enum { TDX_TD10_FIELDS = 15, TDX_TD15_FIELDS = 17 };

extern const struct pj_section tdx_policy_section;
void tdx_appraise(const void *ev, const void *section, const struct attest_input *in,
                  struct attest_verdict *v);
extern const struct pj_section sgx_policy_section;
void sgx_appraise(const void *ev, const void *section, const struct attest_input *in,
                  struct attest_verdict *v);
json_t *tdx_claims(const void *ev);

#endif
