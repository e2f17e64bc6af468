/* SGX quotes of each version in a minted world. */
#include "attest_tdx.h"
#include "attest_tdxpki.h"
#include "cu.h"

#include <stdlib.h>
#include <string.h>

static const struct tdxpki_knobs world = {.sgx = true};

static struct attest_verdict *judge(const struct tdxpki_knobs *k, struct tdxpki_quote q,
                                    const char *members)
{
    struct tdxpki *p = tdxpki_new(k);
    size_t len;
    struct attest_verdict *v;
    uint8_t *quote;

    q.body = TDX_BODY_ENCLAVE;
    quote = tdxpki_quote(p, &q, &len);
    v = tdx_judge(&(struct tdx_case){.quote = quote,
                                     .len = len,
                                     .collateral = tdxpki_collateral(p),
                                     .members = members,
                                     .top = tdxpki_top(p),
                                     .at = tdx_time(TDXPKI_NOW)});
    free(quote);
    tdxpki_free(p);
    return v;
}

static void quotes_of_versions_3_to_5_are_trusted(void)
{
    for (int version = 3; version <= 5; version++) {
        tdx_expect(judge(&world, (struct tdxpki_quote){.version = version}, ""), ATTEST_OK, NULL,
                   NULL);
    }
}

static void each_status_is_told(void)
{
    static const char *const names[] = {"SWHardeningNeeded", "ConfigurationNeeded",
                                        "ConfigurationAndSWHardeningNeeded", "OutOfDate",
                                        "OutOfDateConfigurationNeeded"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const struct tdxpki_knobs k = {.sgx = true, .level = names[i]};

        tdx_expect(judge(&k, (struct tdxpki_quote){.version = 3}, ""), ATTEST_TCB_STATUS,
                   "TCB status", names[i]);
    }
    tdx_expect(judge(&(struct tdxpki_knobs){.sgx = true, .level = "Revoked"},
                     (struct tdxpki_quote){.version = 3}, ""),
               ATTEST_REVOKED, "TCB status", NULL);
}

static void collateral_for_tds_does_not_serve_enclaves(void)
{
    tdx_expect(judge(&(struct tdxpki_knobs){0}, (struct tdxpki_quote){.version = 3}, ""),
               ATTEST_COLLATERAL_MISSING, "fmspc", "SGX");
}

static void a_debug_enclave_is_refused_unless_allowed(void)
{
    const struct tdxpki_quote q = {.version = 3, .sgx_debug = true};

    tdx_expect(judge(&world, q, ""), ATTEST_DEBUG, "ATTRIBUTES", NULL);
    tdx_expect(judge(&world, q, ",\"debug\":true"), ATTEST_OK, NULL, NULL);
}

#define ONES "1111111111111111111111111111111111111111111111111111111111111111"

static void the_policys_enclave_is_demanded(void)
{
    const struct tdxpki_quote q = {.version = 3};

    tdx_expect(judge(&world, q, ",\"mrsigner\":\"" ONES "\""), ATTEST_IDENTITY, "MRSIGNER", NULL);
    tdx_expect(judge(&world, q, ",\"isvprodid\":7"), ATTEST_IDENTITY, "ISVPRODID", "0");
    tdx_expect(judge(&world, q, ",\"min-isvsvn\":1"), ATTEST_TCB, "ISVSVN", "0");
}

static const struct cu_test tests[] = {
    CU(quotes_of_versions_3_to_5_are_trusted),
    CU(each_status_is_told),
    CU(collateral_for_tds_does_not_serve_enclaves),
    CU(a_debug_enclave_is_refused_unless_allowed),
    CU(the_policys_enclave_is_demanded),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("attest_sgx", tests, argc, argv);
}
