/* For tests of TDX and SGX quotes: a policy made from a quote, and a verdict in one call. */
#ifndef TESTS_LIB_ATTEST_TDX_H
#define TESTS_LIB_ATTEST_TDX_H

#include <attest/tdx.h>

/*
 * The JSON of a policy whose reference values are the quote's own, with `members` (each beginning
 * with a comma) added to its section, and `top` likewise to the policy itself. Malloc'ed.
 */
char *tdx_policy_text(const uint8_t *quote, size_t len, const char *members, const char *top);

/* What the tests vary; everything else comes from the quote. */
struct tdx_case {
    const uint8_t *quote;
    size_t len;
    const struct attest_collateral *collateral;
    const char *members; /* "" or ",\"debug\":true" */
    const char *top;     /* "" or ",\"test-roots\":[...]" */
    int64_t at;
    const uint8_t *log;
    size_t log_len;
    const uint8_t *nonce;
    size_t nonce_len;
};
/* The caller frees the verdict. */
struct attest_verdict *tdx_judge(const struct tdx_case *c);

/*
 * Asserts the verdict's status and that its first refusal names `field` and has `found` in what it
 * found (either may be NULL); frees it.
 */
void tdx_expect(struct attest_verdict *v, enum attest_status st, const char *field,
                const char *found);

int64_t tdx_time(const char *text);

#endif
