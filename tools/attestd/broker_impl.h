/* Between the files of the broker's core. */
#ifndef ATTESTD_BROKER_IMPL_H
#define ATTESTD_BROKER_IMPL_H

#include "broker.h"

#define KBS_ERROR_PREFIX "https://github.com/confidential-containers/kbs/errors/"
#define DEFAULT_POLICY "default"
#define POLICIES_MAX 1024

/* A policy as it stands in the store, its reference values filled in, compiled. */
struct broker_policy {
    char name[STORE_NAME_MAX + 1];
    char sha256[65]; /* of the expanded text: tokens name it, so a change ends them */
    struct attest_policy *policy;
};

struct broker {
    struct store *store;
    char *issuer;
    FILE *audit;
    int64_t (*clock_ms)(void);
    int64_t nonce_ms;
    unsigned int session_seconds;
    uint8_t nonce_key[32];
    uint8_t session_key[32];
    struct nonce_window *window;
    EVP_PKEY *token_key; /* P-256 */
    EVP_PKEY *admin_key; /* may be NULL */
    /* What follows is valid for one revision of the store. */
    int64_t revision;
    struct attest_collateral *collateral;
    size_t policies;
    struct broker_policy policy[POLICIES_MAX];
    uint64_t counter[BROKER_METRICS];
};

/* Brings the cache up to the store's revision. */
enum attest_status broker_refresh(struct broker *b, struct attest_error *err);
/* Borrowed until the next refresh. */
enum attest_status broker_policy_named(struct broker *b, const char *name,
                                       const struct broker_policy **out, struct attest_error *err);
int64_t broker_now(const struct broker *b); /* seconds */

/* ---- deciding ---- */

struct broker_evidence {
    const uint8_t *p;
    size_t len;
    const uint8_t *event_log; /* NULL: none */
    size_t event_log_len;
    const char *kind; /* it must be of this kind; NULL: any */
};

/*
 * Judges evidence that must carry report_data. v is reset first. TRUSTED is ATTEST_OK; else the
 * first reason is in err.
 */
enum attest_status broker_judge(struct broker *b, const struct broker_policy *p,
                                const struct broker_evidence *e, const uint8_t *report_data,
                                size_t report_data_len, struct attest_verdict *v,
                                struct attest_error *err);

/* ---- audit: a line that cannot be written turns the decision into a refusal ---- */

struct broker_decision {
    const char *peer;
    const char *action;  /* "auth", "attest", "resource", "admin" */
    bool granted;
    const char *policy;  /* may be NULL, like all below */
    const char *resource;
    const char *reason;  /* plain text when there is no verdict */
    const struct attest_verdict *verdict;
    const uint8_t *nonce; /* NONCE_SIZE bytes */
};

bool broker_audit(struct broker *b, const struct broker_decision *d);

/* ---- sessions: what a guest has proved, under the broker's own MAC ---- */

json_t *session_open(struct broker *b, const char *token, const char *stage);
char *session_seal(struct broker *b, const char *stage, json_t *claims, unsigned int seconds);

/* ---- HTTP pieces ---- */

/* problem: "AttestationError"; detail goes to the client, so it holds no expected values. */
void reply_error(struct broker_reply *rp, int status, const char *problem, const char *detail);
/* Takes j over. */
void reply_json(struct broker_reply *rp, json_t *j);

void kbs_auth(struct broker *b, const struct broker_request *rq, struct broker_reply *rp);
void kbs_attest(struct broker *b, const struct broker_request *rq, struct broker_reply *rp);
void kbs_resource_get(struct broker *b, const struct broker_request *rq, const char *path,
                      struct broker_reply *rp);
void kbs_admin_resource(struct broker *b, const struct broker_request *rq, const char *path,
                        struct broker_reply *rp);
void kbs_admin_policy(struct broker *b, const struct broker_request *rq, struct broker_reply *rp);

/* The evidence kind that a KBS TEE name stands for; NULL: not one that this broker takes. */
const char *kbs_kind(const char *tee);

/* Raw evidence out of a client's JSON. Both are malloc'ed; event_log may stay NULL. */
struct kbs_evidence {
    uint8_t *p;
    size_t len;
    uint8_t *event_log;
    size_t event_log_len;
};
enum attest_status kbs_evidence_parse(const char *kind, const json_t *j, struct kbs_evidence *out,
                                      struct attest_error *err);
void kbs_evidence_free(struct kbs_evidence *e);
enum attest_status kbs_snp_parse(const json_t *j, struct kbs_evidence *out,
                                 struct attest_error *err);

/*
 * Releases a secret to a key if one of its policies is among those that the evidence met.
 * status: 200, 403, 404, 503; *jwe is a new reference.
 */
int broker_release(struct broker *b, const char *path, const char *policy, EVP_PKEY *key,
                   json_t **jwe, struct attest_error *err);

/* Valid, and not the broker's own ("meta/..."). */
bool broker_path_public(const char *path);

/*
 * Makes text of whatever origin fit for one line of JSON or of the line mode: what is not printable
 * ASCII becomes '?'. Returns s.
 */
char *plain_text(char *s);

/* One line for clients: status, object, field; no expected or found value. */
void brief_reason(const struct attest_error *err, char *buf, size_t size);

#endif
