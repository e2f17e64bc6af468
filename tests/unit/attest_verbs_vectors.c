/*
 * `cloister verify` over the folders of the vectors, as a relying party would run it: a policy
 * made from what `cloister show` prints, the collateral beside it, the expected verdict and the
 * reason for it.
 */
#include "attest_file.h"
#include "cu.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char policy_path[80];

/* Exit status and output of a command line in which %V stands for the vectors. */
static int run(const char *args, char *out, size_t size)
{
    char command[2048] = "build/bin/cloister ";
    size_t n = strlen(command);
    FILE *f;
    int rc;

    for (; *args != '\0' && n + 300 < sizeof(command); args++) {
        if (strncmp(args, "%V", 2) == 0) {
            n += (size_t)snprintf(command + n, sizeof(command) - n, "%s", cu_vectors());
            args++;
        } else {
            command[n++] = *args;
        }
    }
    command[n] = '\0';
    strcat(command, " 2>&1");
    f = popen(command, "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    n = fread(out, 1, size - 1, f);
    out[n] = '\0';
    rc = pclose(f);
    return WIFEXITED(rc) ? WEXITSTATUS(rc) : -1;
}

static json_t *show(const char *file)
{
    static char out[1 << 18];
    char args[256];

    snprintf(args, sizeof(args), "show %%V/%s --json", file);
    CU_ASSERT_EQUAL(run(args, out, sizeof(out)), 0);
    return json_loads(out, 0, NULL);
}

static void write_policy(json_t *section, const char *kind)
{
    json_t *p = json_pack("{s:i, s:o}", "version", 1, kind, section);

    CU_ASSERT_EQUAL(json_dump_file(p, policy_path, 0), 0);
    json_decref(p);
}

/* Runs verify and looks for the status and the text. */
static void verify(const char *what, const char *rest, int status, const char *text)
{
    static char out[1 << 18];
    char args[1024];
    int rc;

    snprintf(args, sizeof(args), "verify %%V/%s --policy %s %s", what, policy_path, rest);
    rc = run(args, out, sizeof(out));
    if (rc != status || strstr(out, text) == NULL) {
        fprintf(stderr, "%s: wanted %d, \"%s\"; got %d:\n%s", args, status, text, rc, out);
    }
    CU_ASSERT_EQUAL(rc, status);
    CU_ASSERT_PTR_NOT_NULL(strstr(out, text));
}

static json_t *tcb(bool fmc)
{
    json_t *t =
        json_pack("{s:i, s:i, s:i, s:i}", "bootloader", 0, "tee", 0, "snp", 0, "microcode", 0);

    if (fmc) {
        json_object_set_new(t, "fmc", json_integer(0));
    }
    return t;
}

static void every_folder_of_an_snp_report_is_judged(void)
{
    static const char *const names[] = {
        "genoa-v3-ms",   "genoa-v5-live", "genoa-v5-oak",    "milan-v2-azure",   "milan-v2-b",
        "milan-v2-coco", "milan-v3-ms",   "milan-v3-oak-cb", "milan-v3-oak-rel", "turin-v5-ms"};
    char what[96], rest[256];

    if (cu_vectors() == NULL) {
        cu_skip(12, "no vectors: folders of SNP reports");
        return;
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        json_t *claims;

        snprintf(what, sizeof(what), "snp/reports/%s/report.bin", names[i]);
        claims = show(what);
        write_policy(json_pack("{s:O, s:{s:o, s:o, s:o}, s:b}", "measurement",
                               json_object_get(claims, "measurement"), "minimum-tcb", "Milan",
                               tcb(false), "Genoa", tcb(false), "Turin", tcb(true),
                               "provisional-firmware", 1),
                     "sev-snp");
        snprintf(what, sizeof(what), "snp/reports/%s", names[i]);
        snprintf(rest, sizeof(rest), "--collateral %%V/snp/ca --collateral %%V/%s --at 2026-03-01",
                 what);
        verify(what, rest, 0, "trusted: AMD SEV-SNP");
        json_decref(claims);
    }
    /* With the last one's policy: another measurement, and what else is wrong with these two. */
    verify("snp/reports/milan-v2-a",
           "--collateral %V/snp/ca --collateral %V/snp/reports/milan-v2-a --at 2026-03-01", 1,
           "POLICY.DEBUG");
    verify("snp/reports/milan-v3-vlek-aws",
           "--collateral %V/snp/ca --collateral %V/snp/reports/milan-v3-vlek-aws --at 2026-03-01",
           1, "notAfter: certificate has expired (expected 2025-12-10T22:14:21Z");
}

static const struct quote_case {
    const char *folder;
    const char *collateral;
    const char *at;
    int status;
    const char *text;
} quotes[] = {
    {"phala-uptodate", "phala-uptodate", "2025-06-25", 0, "tcb-status: UpToDate"},
    {"phala-notsupported", "phala-notsupported", "2026-03-01", 1, "TCB_NOT_SUPPORTED"},
    {"coco-v4-debug", "collateral-2026-03", "2026-03-20", 1, "OutOfDate"},
    {"coco-v4-debug", "collateral-2026-03", "2026-03-20", 1, "INTEL-SA-01111"},
    {"coco-v4-debug", "collateral-gtg", "2023-06-20", 1, "ATTRIBUTES: debugging is allowed"},
    {"coco-v5", "collateral-2026-03", "2026-03-20", 1, "module OutOfDate"},
    {"gtg-spr-e4", "collateral-gtg", "2023-06-20", 1, "TCB_NOT_SUPPORTED"},
    {"live-ccel", "phala-uptodate", "2026-03-31", 1, "collateral is past its next update"},
    {"phala-uptodate", "phala-uptodate", "2026-11-23", 1, "collateral is past its next update"},
};

static void every_folder_of_a_tdx_quote_is_judged(void)
{
    char what[96], rest[256];

    if (cu_vectors() == NULL) {
        cu_skip(sizeof(quotes) / sizeof(quotes[0]), "no vectors: folders of TDX quotes");
        return;
    }
    for (size_t i = 0; i < sizeof(quotes) / sizeof(quotes[0]); i++) {
        json_t *claims;

        snprintf(what, sizeof(what), "tdx/%s/quote.bin", quotes[i].folder);
        claims = show(what);
        write_policy(json_pack("{s:O, s:[s, s, s, s]}", "mrtd",
                               json_object_get(json_object_get(claims, "td-report"), "mrtd"),
                               "unchecked", "rtmr0", "rtmr1", "rtmr2", "rtmr3"),
                     "tdx");
        snprintf(rest, sizeof(rest), "--collateral %%V/tdx/%s --collateral %%V/tdx/ca --at %s",
                 quotes[i].collateral, quotes[i].at);
        verify(what, rest, quotes[i].status, quotes[i].text);
        json_decref(claims);
    }
}

static void whatever_lies_in_the_vectors_can_be_shown_or_is_refused_in_words(void)
{
    static char out[1 << 20];
    char command[512];
    size_t shown = 0, refused = 0;
    FILE *f;

    if (cu_vectors() == NULL) {
        cu_skip(1, "no vectors to show");
        return;
    }
    snprintf(command, sizeof(command), "find %s -type f -printf '%%P\\n'", cu_vectors());
    f = popen(command, "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    while (fgets(command, 200, f) != NULL) {
        char args[600];
        int rc;

        command[strcspn(command, "\n")] = '\0';
        snprintf(args, sizeof(args), "show '%%V/%s'", command);
        rc = run(args, out, sizeof(out));
        shown += rc == 0;
        refused += rc == 2;
        CU_ASSERT(rc == 0 || (rc == 2 && strncmp(out, "cloister: ", 10) == 0));
    }
    pclose(f);
    printf("show: %zu files printed, %zu refused\n", shown, refused);
    CU_ASSERT(shown > 80);
}

static const struct cu_test tests[] = {
    CU(every_folder_of_an_snp_report_is_judged),
    CU(every_folder_of_a_tdx_quote_is_judged),
    CU(whatever_lies_in_the_vectors_can_be_shown_or_is_refused_in_words),
    CU_END,
};

int main(int argc, char **argv)
{
    snprintf(policy_path, sizeof(policy_path), "%s/policy.json", cu_scratch());
    return cu_main("attest_verbs_vectors", tests, argc, argv);
}
