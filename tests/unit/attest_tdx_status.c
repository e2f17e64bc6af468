/* What the levels of platform, module and quoting enclave come to, in a minted world. */
#include "attest_tdx.h"
#include "attest_tdxpki.h"
#include "cu.h"

#include <attest/tdx_tcb.h>

#include <stdlib.h>
#include <string.h>

static struct attest_verdict *judge(const struct tdxpki_knobs *k, const struct tdxpki_quote *qk,
                                    const char *members)
{
    struct tdxpki *p = tdxpki_new(k);
    size_t len;
    uint8_t *quote = tdxpki_quote(p, qk, &len);
    struct attest_verdict *v = tdx_judge(&(struct tdx_case){.quote = quote,
                                                            .len = len,
                                                            .collateral = tdxpki_collateral(p),
                                                            .members = members,
                                                            .top = tdxpki_top(p),
                                                            .at = tdx_time(TDXPKI_NOW)});
    free(quote);
    tdxpki_free(p);
    return v;
}

static void expect_status(const struct tdxpki_knobs *k, const struct tdxpki_quote *qk,
                          const char *want)
{
    char members[128];
    struct attest_verdict *v;
    const char *got;

    snprintf(members, sizeof(members), ",\"tcb-status\":[\"%s\"]", want);
    v = judge(k, qk, members);
    got = json_string_value(
        json_object_get(json_object_get(attest_verdict_claims(v), "tcb"), "status"));
    CU_ASSERT(got != NULL && strcmp(got, want) == 0);
    tdx_expect(v, ATTEST_OK, NULL, NULL);
}

static void an_up_to_date_platform_is_trusted(void)
{
    expect_status(&(struct tdxpki_knobs){0}, &(struct tdxpki_quote){0}, "UpToDate");
    expect_status(&(struct tdxpki_knobs){0}, &(struct tdxpki_quote){.padded = true}, "UpToDate");
    expect_status(&(struct tdxpki_knobs){0}, &(struct tdxpki_quote){.version = 5}, "UpToDate");
    expect_status(&(struct tdxpki_knobs){0}, &(struct tdxpki_quote){.body = TDX_BODY_TD15},
                  "UpToDate");
}

static const char *const forgivable[] = {"UpToDate",
                                         "SWHardeningNeeded",
                                         "ConfigurationNeeded",
                                         "ConfigurationAndSWHardeningNeeded",
                                         "OutOfDate",
                                         "OutOfDateConfigurationNeeded"};
enum { FORGIVABLE = sizeof(forgivable) / sizeof(forgivable[0]) };

static void each_status_of_a_level_is_told_and_refused_unless_allowed(void)
{
    for (size_t i = 0; i < FORGIVABLE; i++) {
        const struct tdxpki_knobs k = {.level = forgivable[i]};

        expect_status(&k, &(struct tdxpki_quote){0}, forgivable[i]);
        if (i > 0) {
            tdx_expect(judge(&k, &(struct tdxpki_quote){0}, ""), ATTEST_TCB_STATUS, "TCB status",
                       forgivable[i]);
        }
    }
}

/* What an OutOfDate part makes of each status of the whole. */
static const char *const dragged[FORGIVABLE] = {"OutOfDate",
                                                "OutOfDate",
                                                "OutOfDateConfigurationNeeded",
                                                "OutOfDateConfigurationNeeded",
                                                "OutOfDate",
                                                "OutOfDateConfigurationNeeded"};

static void an_old_module_drags_the_platform_down(void)
{
    for (size_t i = 0; i < FORGIVABLE; i++) {
        expect_status(&(struct tdxpki_knobs){.level = forgivable[i], .module = "OutOfDate"},
                      &(struct tdxpki_quote){0}, dragged[i]);
    }
}

static void an_old_quoting_enclave_drags_the_platform_down(void)
{
    for (size_t i = 0; i < FORGIVABLE; i++) {
        expect_status(&(struct tdxpki_knobs){.level = forgivable[i], .qe = "OutOfDate"},
                      &(struct tdxpki_quote){0}, dragged[i]);
    }
}

/* Intel's schema knows three statuses of a part: another one must not be read as none. */
static void a_part_of_unknown_standing_does_not_pass_for_good(void)
{
    tdx_expect(judge(&(struct tdxpki_knobs){.module = "ConfigurationNeeded"},
                     &(struct tdxpki_quote){0}, ""),
               ATTEST_TCB_STATUS, "TCB status", "module ConfigurationNeeded");
    tdx_expect(judge(&(struct tdxpki_knobs){.qe = "SWHardeningNeeded"}, &(struct tdxpki_quote){0},
                     ""),
               ATTEST_TCB_STATUS, "TCB status", "QE SWHardeningNeeded");
}

static void a_revoked_part_is_never_forgiven(void)
{
    static const char all[] = ",\"tcb-status\":[\"UpToDate\",\"OutOfDate\","
                              "\"OutOfDateConfigurationNeeded\",\"SWHardeningNeeded\"]";

    tdx_expect(judge(&(struct tdxpki_knobs){.level = "Revoked"}, &(struct tdxpki_quote){0}, all),
               ATTEST_REVOKED, "TCB status", "level Revoked");
    tdx_expect(judge(&(struct tdxpki_knobs){.module = "Revoked"}, &(struct tdxpki_quote){0}, all),
               ATTEST_REVOKED, "TCB status", "module Revoked");
    tdx_expect(judge(&(struct tdxpki_knobs){.qe = "Revoked"}, &(struct tdxpki_quote){0}, all),
               ATTEST_REVOKED, "TCB status", "QE Revoked");
    tdx_expect(judge(&(struct tdxpki_knobs){.level = "OutOfDate", .qe = "Revoked"},
                     &(struct tdxpki_quote){0}, all),
               ATTEST_REVOKED, "TCB status", "QE Revoked");
}

static void svns_below_every_level_are_not_supported(void)
{
    tdx_expect(judge(&(struct tdxpki_knobs){.pcesvn = 11}, &(struct tdxpki_quote){0}, ""),
               ATTEST_TCB_STATUS, "TCB status", "PCESVN is 10, not 11");
    tdx_expect(
        judge(&(struct tdxpki_knobs){0},
              &(struct tdxpki_quote){.svn = {3, 1, 4, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5}}, ""),
        ATTEST_TCB_STATUS, "TCB status", "TCB_NOT_SUPPORTED: level none");
    tdx_expect(
        judge(&(struct tdxpki_knobs){0},
              &(struct tdxpki_quote){.svn = {2, 1, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5}}, ""),
        ATTEST_TCB_STATUS, "TCB status", "module NotSupported");
    tdx_expect(judge(&(struct tdxpki_knobs){0}, &(struct tdxpki_quote){.qe_isvsvn = 1}, ""),
               ATTEST_TCB_STATUS, "TCB status", "QE NotSupported");
}

/* A module of version 0 has no identity of its own: its SVN is component 0 of the level. */
static void an_unnamed_module_is_judged_by_the_level_alone(void)
{
    const struct tdxpki_quote good = {.svn = {3, 0, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5}};
    const struct tdxpki_quote low = {.svn = {2, 0, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5}};

    expect_status(&(struct tdxpki_knobs){.module = "Revoked"}, &good, "UpToDate");
    /* A named module's SVN is judged by its own levels alone. */
    expect_status(&(struct tdxpki_knobs){.tdx_first = 9}, &(struct tdxpki_quote){0}, "UpToDate");
    tdx_expect(judge(&(struct tdxpki_knobs){.tdx_first = 9}, &good, ""), ATTEST_TCB_STATUS,
               "TCB status", "TDX component 1 is 3, not 9");
    tdx_expect(judge(&(struct tdxpki_knobs){0}, &low, ""), ATTEST_TCB_STATUS, "TCB status",
               "TCB_NOT_SUPPORTED: level none");
}

#define RUNNING_NEWEST                                                                             \
    {                                                                                              \
        4, 1, 6                                                                                    \
    }

static void a_td_older_than_its_running_module_is_advised_to_relaunch(void)
{
    const struct tdxpki_quote q = {.body = TDX_BODY_TD15, .svn2 = RUNNING_NEWEST};
    struct tdxpki_knobs k = {.level = "OutOfDate", .module = "OutOfDate", .newest = "UpToDate"};

    expect_status(&k, &q, "TDRelaunchAdvised");
    k.level = "OutOfDateConfigurationNeeded";
    expect_status(&k, &q, "TDRelaunchAdvisedConfigurationNeeded");
    k.level = "OutOfDate";
    k.newest = "ConfigurationNeeded";
    expect_status(&k, &q, "TDRelaunchAdvisedConfigurationNeeded");
    tdx_expect(judge(&k, &q, ""), ATTEST_TCB_STATUS, "TCB status", "TDRelaunchAdvised");
}

static void relaunching_is_not_advised_when_it_would_not_help(void)
{
    const struct tdxpki_knobs good = {
        .level = "OutOfDate", .module = "OutOfDate", .newest = "UpToDate"};
    struct tdxpki_knobs k = good;

    /* TD report 1.0 does not tell the running module. */
    expect_status(&k, &(struct tdxpki_quote){.body = TDX_BODY_TD10}, "OutOfDate");
    /* The running module is old, too: its SVN, or the microcode's. */
    expect_status(&k, &(struct tdxpki_quote){.body = TDX_BODY_TD15, .svn2 = {3, 1, 6}},
                  "OutOfDate");
    expect_status(&k, &(struct tdxpki_quote){.body = TDX_BODY_TD15, .svn2 = {4, 1, 5}},
                  "OutOfDate");
    /* A running module that the TCB info does not know. */
    expect_status(&k, &(struct tdxpki_quote){.body = TDX_BODY_TD15, .svn2 = {9, 7, 9}},
                  "OutOfDate");
    /* The SGX part, or the QE, is old. */
    k.newest = NULL;
    expect_status(&k, &(struct tdxpki_quote){.body = TDX_BODY_TD15, .svn2 = RUNNING_NEWEST},
                  "OutOfDate");
    k = good;
    k.qe = "OutOfDate";
    expect_status(&k, &(struct tdxpki_quote){.body = TDX_BODY_TD15, .svn2 = RUNNING_NEWEST},
                  "OutOfDate");
}

static void an_unnamed_running_module_is_compared_with_the_newest_level(void)
{
    const struct tdxpki_knobs k = {
        .level = "OutOfDate", .module = "OutOfDate", .newest = "UpToDate"};

    expect_status(&k, &(struct tdxpki_quote){.body = TDX_BODY_TD15, .svn2 = {4, 0, 6}},
                  "TDRelaunchAdvised");
    expect_status(&k, &(struct tdxpki_quote){.body = TDX_BODY_TD15, .svn2 = {3, 0, 6}},
                  "OutOfDate");
}

static void advisories_of_all_parts_are_gathered_once_each(void)
{
    struct attest_verdict *v = judge(&(struct tdxpki_knobs){0}, &(struct tdxpki_quote){0}, "");
    json_t *want = json_pack("[s, s, s]", "INTEL-SA-00001", "INTEL-SA-00002", "INTEL-SA-00003");
    const json_t *tcb = json_object_get(attest_verdict_claims(v), "tcb");

    CU_ASSERT(json_equal(json_object_get(tcb, "advisories"), want));
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(tcb, "date")), "2025-01-01T00:00:00Z");
    json_decref(want);
    attest_verdict_free(v);
}

static void the_policy_limits_statuses_in_time_and_advisories_by_name(void)
{
    const struct tdxpki_knobs old = {.level = "OutOfDate"}, good = {0};
    const struct tdxpki_quote q = {0};

    tdx_expect(
        judge(&old, &q, ",\"tcb-status\":[{\"status\":\"OutOfDate\",\"until\":\"2026-12-31\"}]"),
        ATTEST_OK, NULL, NULL);
    tdx_expect(
        judge(&old, &q, ",\"tcb-status\":[{\"status\":\"OutOfDate\",\"until\":\"2026-01-31\"}]"),
        ATTEST_TCB_STATUS, "TCB status", "allowed until 2026-01-31");
    tdx_expect(judge(&good, &q, ",\"advisories\":[\"INTEL-SA-00001\",\"INTEL-SA-00003\"]"),
               ATTEST_TCB, "advisory", "INTEL-SA-00002");
    tdx_expect(judge(&good, &q, ",\"min-tcb-evaluation\":18"), ATTEST_TCB,
               "tcbEvaluationDataNumber", "17");
    tdx_expect(judge(&good, &q, ",\"min-tcb-evaluation\":17"), ATTEST_OK, NULL, NULL);
    tdx_expect(judge(&good, &q, ",\"min-tcb-date\":\"2025-06-01\""), ATTEST_TCB, "tcbDate",
               "2025-01-01");
    tdx_expect(judge(&good, &q, ",\"fmspc\":\"00906ED50000\""), ATTEST_PLATFORM, "FMSPC",
               "50806f000000");
}

static const struct cu_test tests[] = {
    CU(an_up_to_date_platform_is_trusted),
    CU(each_status_of_a_level_is_told_and_refused_unless_allowed),
    CU(an_old_module_drags_the_platform_down),
    CU(an_old_quoting_enclave_drags_the_platform_down),
    CU(a_part_of_unknown_standing_does_not_pass_for_good),
    CU(a_revoked_part_is_never_forgiven),
    CU(svns_below_every_level_are_not_supported),
    CU(an_unnamed_module_is_judged_by_the_level_alone),
    CU(a_td_older_than_its_running_module_is_advised_to_relaunch),
    CU(relaunching_is_not_advised_when_it_would_not_help),
    CU(an_unnamed_running_module_is_compared_with_the_newest_level),
    CU(advisories_of_all_parts_are_gathered_once_each),
    CU(the_policy_limits_statuses_in_time_and_advisories_by_name),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("attest_tdx_status", tests, argc, argv);
}
