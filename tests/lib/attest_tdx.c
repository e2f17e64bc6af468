#include "attest_tdx.h"

#include "cu.h"

#include <attest/hex.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *tdx_policy_text(const uint8_t *quote, size_t len, const char *members, const char *top)
{
    struct tdx_quote q;
    char mr[5][97], enclave[65], *text = malloc(8192);

    if (text == NULL || tdx_quote_parse(quote, len, &q, NULL) != ATTEST_OK) {
        free(text);
        return NULL;
    }
    if (q.tee_type == TDX_TEE_SGX) {
        snprintf(text, 8192, "{\"version\":1,\"sgx\":{\"mrenclave\":\"%s\"%s}%s}",
                 hex_encode(q.body + SGX_MRENCLAVE, 32, enclave), members, top);
        return text;
    }
    hex_encode(q.body + TD_MRTD, 48, mr[4]);
    for (size_t i = 0; i < 4; i++) {
        hex_encode(q.body + TD_RTMR0 + 48 * i, 48, mr[i]);
    }
    snprintf(text, 8192,
             "{\"version\":1,\"tdx\":{\"mrtd\":\"%s\",\"rtmr0\":\"%s\",\"rtmr1\":\"%s\","
             "\"rtmr2\":\"%s\",\"rtmr3\":\"%s\"%s}%s}",
             mr[4], mr[0], mr[1], mr[2], mr[3], members, top);
    return text;
}

struct attest_verdict *tdx_judge(const struct tdx_case *c)
{
    char *text = tdx_policy_text(c->quote, c->len, c->members, c->top), why[512];
    struct attest_error err = {0};
    struct attest_policy *policy = NULL;
    struct attest_verdict *v = attest_verdict_new();

    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    if (attest_policy_parse(text, strlen(text), &policy, &err) != ATTEST_OK) {
        fprintf(stderr, "%s\n", attest_error_text(&err, why, sizeof(why)));
    }
    free(text);
    CU_ASSERT_PTR_NOT_NULL_FATAL(policy);
    attest_verify(c->quote, c->len,
                  &(struct attest_input){.collateral = c->collateral,
                                         .policy = policy,
                                         .at = c->at,
                                         .nonce = c->nonce,
                                         .nonce_len = c->nonce_len,
                                         .event_log = c->log,
                                         .event_log_len = c->log_len},
                  v);
    attest_policy_free(policy);
    return v;
}

void tdx_expect(struct attest_verdict *v, enum attest_status st, const char *field,
                const char *found)
{
    const struct attest_error *e = attest_verdict_refusal(v, 0);
    bool good = attest_verdict_status(v) == st &&
                (field == NULL || (e != NULL && strstr(e->field, field) != NULL)) &&
                (found == NULL || (e != NULL && strstr(e->found, found) != NULL));

    if (!good) {
        char *text = attest_verdict_text(v);

        fprintf(stderr, "wanted %s, field %s, found %s; got %s\n", attest_status_name(st),
                field == NULL ? "any" : field, found == NULL ? "any" : found, text);
        free(text);
    }
    CU_ASSERT(good);
    attest_verdict_free(v);
}

int64_t tdx_time(const char *text)
{
    int64_t t = 0;

    CU_ASSERT(attest_time_parse(text, &t));
    return t;
}
