/*
 * Many threads judge with one store of collateral and one policy, from a cold start: no race (the
 * program is built with ThreadSanitizer), and every verdict the same.
 */
#include "attest_tdx.h"
#include "attest_tdxpki.h"
#include "cu.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 6, ROUNDS = 40 };

struct shared {
    uint8_t *quote;
    size_t len;
    struct attest_input in;
    enum attest_status want;
    atomic_uint other; /* verdicts that were not as wanted */
};

static void *judge(void *arg)
{
    struct shared *s = arg;
    struct attest_verdict *v = attest_verdict_new();

    for (int i = 0; i < ROUNDS; i++) {
        attest_verdict_reset(v);
        if (attest_verify(s->quote, s->len, &s->in, v) != s->want) {
            atomic_fetch_add(&s->other, 1);
        }
    }
    attest_verdict_free(v);
    return NULL;
}

static void run(const struct tdxpki_knobs *k, enum attest_status want)
{
    struct tdxpki *p = tdxpki_new(k);
    struct shared s = {.want = want};
    struct attest_policy *policy = NULL;
    pthread_t thread[THREADS];
    char *text;

    s.quote = tdxpki_quote(p, &(struct tdxpki_quote){.body = TDX_BODY_TD15}, &s.len);
    text = tdx_policy_text(s.quote, s.len, "", tdxpki_top(p));
    CU_ASSERT_EQUAL_FATAL(attest_policy_parse(text, strlen(text), &policy, NULL), ATTEST_OK);
    free(text);
    s.in = (struct attest_input){
        .collateral = tdxpki_collateral(p), .policy = policy, .at = tdx_time(TDXPKI_NOW)};
    for (size_t i = 0; i < THREADS; i++) {
        CU_ASSERT_EQUAL_FATAL(pthread_create(&thread[i], NULL, judge, &s), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(thread[i], NULL);
    }
    CU_ASSERT_EQUAL(atomic_load(&s.other), 0);
    attest_policy_free(policy);
    free(s.quote);
    tdxpki_free(p);
}

static void threads_share_collateral_from_a_cold_start(void)
{
    run(&(struct tdxpki_knobs){0}, ATTEST_OK);
    run(&(struct tdxpki_knobs){.level = "OutOfDate", .forged_tcb_info = true}, ATTEST_TCB_STATUS);
    run(&(struct tdxpki_knobs){.revoke_pck = true}, ATTEST_REVOKED);
}

static const struct cu_test tests[] = {
    CU(threads_share_collateral_from_a_cold_start),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("attest_threads", tests, argc, argv);
}
