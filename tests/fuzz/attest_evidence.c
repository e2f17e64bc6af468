/* Any bytes as evidence: detected, parsed, shown, judged against an empty store; never trusted. */
#include <attest/evidence.h>

#include <stdlib.h>
#include <string.h>

static struct attest_policy *policy;
static struct attest_collateral *collateral;

static void set_up(void)
{
    static const char text[] =
        "{\"version\":1,\"sev-snp\":{\"measurement\":\"111111111111111111111111111111111111111111"
        "111111111111111111111111111111111111111111111111111111\",\"minimum-tcb\":{\"Milan\":"
        "{\"bootloader\":0,\"tee\":0,\"snp\":0,\"microcode\":0}}}}";

    if (attest_policy_parse(text, sizeof(text) - 1, &policy, NULL) != ATTEST_OK) {
        abort();
    }
    collateral = attest_collateral_new();
    attest_collateral_seal(collateral);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct attest_evidence_ops *ops = attest_kind_detect(data, size);
    struct attest_verdict *v = attest_verdict_new();
    struct attest_error err;
    void *ev;

    if (policy == NULL) {
        set_up();
    }
    if (ops != NULL && ops->parse(data, size, &ev, &err) == ATTEST_OK) {
        json_decref(ops->claims(ev));
        ops->free(ev);
    }
    if (attest_verify(data, size,
                      &(struct attest_input){.collateral = collateral, .policy = policy, .at = 1},
                      v) == ATTEST_OK) {
        abort();
    }
    free(attest_verdict_text(v));
    json_decref(attest_verdict_json(v));
    attest_verdict_free(v);
    return 0;
}
