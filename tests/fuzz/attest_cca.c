/* CCA tokens, their claims sets by themselves (no signature in the way), and trust anchors. */
#include <attest/cca.h>

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len);

static void anchors(const uint8_t *p, size_t len)
{
    struct attest_collateral *c = attest_collateral_new();

    if (c != NULL && attest_item_cca_anchor.detect(p, len)) {
        (void)!attest_item_cca_anchor.parse(c, "fuzz", p, len, NULL);
    }
    attest_collateral_free(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
    static struct cca_token t;
    struct attest_error err;

    memset(&t, 0, sizeof(t));
    if (cca_token_parse(p, len, &t, &err) == ATTEST_OK) {
        (void)!cca_token_check_binding(&t, &err);
        json_decref(cca_token_claims(&t));
    }
    (void)!cca_platform_parse(p, len, &t.platform, &err);
    (void)!cca_realm_parse(p, len, &t.realm, &err);
    anchors(p, len);
    return 0;
}
