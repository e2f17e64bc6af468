/*
 * A verdict as an Entity Attestation Result (draft-ietf-rats-ear), the claims of a JWT. The
 * trustworthiness vector follows draft-ietf-rats-ar4si.
 */
#ifndef ATTEST_EAR_H
#define ATTEST_EAR_H

#include <attest/jwt.h>
#include <attest/verdict.h>

struct ear_info {
    const char *issuer;
    const char *build;        /* of the verifier */
    const char *policy_id;
    const char *nonce;        /* may be NULL */
    const json_t *runtime;    /* what the evidence binds (nonce, key); may be NULL */
    int64_t issued;
    int64_t expires;
};

/* New reference; NULL when out of memory. Evidence claims are only told when authentic. */
json_t *ear_claims(const struct attest_verdict *v, const struct ear_info *info);
/* "affirming", "warning" or "contraindicated". */
const char *ear_status(const struct attest_verdict *v);

#endif
