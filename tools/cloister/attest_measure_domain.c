/* cloister measure domain: what a domain of a bundle measures to when launched. */
#include "attest_common.h"
#include "attest_kind.h"
#include "attest_measure.h"
#include "cli.h"

#include <attest/hex.h>
#include <cloister/predict.h>

#include <stdlib.h>
#include <stdio.h>
#include <string.h>

static const char usage[] =
    "Usage: cloister measure domain BUNDLE [--domain NAME] [--c-bit N]\n"
    "\n"
    "Predicts what a domain of a bundle (cloister bundle) measures to when Cloister launches it,\n"
    "as its \"cc\" says; where the bundle has several, each line begins with domain and \"cc\".\n"
    "none: nothing measures its launch. It has a configuration hash (cloister measure config),\n"
    "which the hypervisor measures into the TPM, if there is one. Exit status 1 when no domain\n"
    "that was asked for has a launch measurement.\n"
    "sev-snp: the launch digest of kernel, ramdisk, command line, tables, shim and save area. An\n"
    "ID block of the domain must be for that digest and its policy, and its signatures good. The\n"
    "C-bit is the machine's: CPUID 8000001Fh EBX, bits 5:0; 51 on current chips.\n"
    "tdx: MRTD and the RTMRs as the TD's kernel finds them.\n"
    "cca: the realm initial measurement, which covers its parameters, memory, kernel, ramdisk and\n"
    "Device Tree, and where it starts; and its personalisation value.";

struct domain_measure_opts {
    const char *domain;
    uint32_t c_bit;
};

static const struct opt table[] = {
    {"domain", "NAME", "that one alone", OPT_STRING,
     offsetof(struct domain_measure_opts, domain), 0, 0},
    {"c-bit", "N", "the machine's C-bit (39, the emulated chip's)", OPT_COUNT,
     offsetof(struct domain_measure_opts, c_bit), 32, 51},
    {NULL, NULL, NULL, OPT_FLAG, 0, 0, 0},
};

struct pages {
    struct snp_region *region;
    size_t count, room;
};

/* Pages of one kind that follow each other could be one region; one each is as good, and simple. */
static bool keep(void *arg, const struct predict_page *page)
{
    struct pages *p = arg;
    struct snp_region *r;
    uint8_t *copy = cli_alloc(SNP_PAGE_SIZE);

    if (p->count == p->room) {
        p->room = p->room == 0 ? 4096 : p->room * 2;
        p->region = realloc(p->region, p->room * sizeof(p->region[0]));
        if (p->region == NULL) {
            abort();
        }
    }
    memcpy(copy, page->data, SNP_PAGE_SIZE);
    r = &p->region[p->count++];
    memset(r, 0, sizeof(*r));
    r->gpa = page->gpa;
    r->size = SNP_PAGE_SIZE;
    r->type = (enum snp_page_type)page->type;
    r->data = copy;
    if (r->type != SNP_PAGE_NORMAL && r->type != SNP_PAGE_VMSA) {
        r->data = NULL;
        free(copy);
    }
    return true;
}

/* An ID block that the firmware would refuse is better seen here: ABI table 75. */
static int check_id(const struct blob *bundle, const char *domain, const uint8_t ld[SNP_LD_SIZE])
{
    struct attest_error err = {0};
    struct predict_snp_id id;
    char why[256], hex[2 * SNP_LD_SIZE + 1];
    uint64_t policy;

    if (!predict_snp_id(bundle->p, bundle->len, domain, &id, why, sizeof(why))) {
        return cli_fail(CLI_USAGE, "%s", why);
    }
    if (id.id_block == NULL) {
        return CLI_OK;
    }
    if (memcmp(id.id_block, ld, SNP_LD_SIZE) != 0) {
        return cli_fail(CLI_FAILED, "snp-id-block: is for the launch digest %s",
                        hex_encode(id.id_block, SNP_LD_SIZE, hex));
    }
    memcpy(&policy, id.id_block + 0x58, sizeof(policy));
    if (policy != id.policy) {
        return cli_fail(CLI_FAILED, "snp-id-block: is for policy %llx, snp-policy is %llx",
                        (unsigned long long)policy, (unsigned long long)id.policy);
    }
    return snp_id_check(id.id_block, id.id_auth, id.author_key, &err) == ATTEST_OK
               ? CLI_OK
               : attest_complain(&err);
}

bool domain_digest(const void *bundle, size_t size, const char *domain, unsigned int c_bit,
                   uint8_t ld[SNP_LD_SIZE], char *why, size_t why_size)
{
    struct attest_error err = {0};
    struct pages pages = {0};
    bool ok = predict_snp(bundle, size, domain, c_bit, keep, &pages, why, why_size);

    if (ok && snp_launch_digest(pages.region, pages.count, 0, ld, &err) != ATTEST_OK) {
        (void)attest_error_text(&err, why, why_size);
        ok = false;
    }
    for (size_t i = 0; i < pages.count; i++) {
        free((void *)(uintptr_t)pages.region[i].data);
    }
    free(pages.region);
    return ok;
}

struct asked {
    const struct blob *bundle;
    const char *domain, *cc;
    uint32_t c_bit;
    bool several; /* each line says whose it is */
};

static void print_whose(const struct asked *a)
{
    if (a->several) {
        printf("%s: %s: ", a->domain, a->cc);
    }
}

static int measure_kind(const struct asked *a)
{
    const struct attest_kind *kind = attest_kind_of(a->cc);
    struct measures m = {0};
    char why[256];

    if (kind == NULL) {
        return cli_fail(CLI_USAGE, "%s: cc = \"%s\" cannot be predicted yet", a->domain, a->cc);
    }
    if (!kind->predict(a->bundle->p, a->bundle->len, a->domain, &m, why, sizeof(why))) {
        return cli_fail(CLI_USAGE, "%s", why);
    }
    for (size_t i = 0; kind->measure[i] != NULL; i++) {
        print_whose(a);
        printf("%s: %s\n", kind->measure[i], m.value[i]);
    }
    return CLI_OK;
}

static int measure_snp_domain(const struct asked *a)
{
    uint8_t ld[SNP_LD_SIZE];
    char why[256], hex[2 * SNP_LD_SIZE + 1];

    if (!domain_digest(a->bundle->p, a->bundle->len, a->domain, a->c_bit, ld, why, sizeof(why))) {
        return cli_fail(CLI_USAGE, "%s", why);
    }
    print_whose(a);
    printf("%s\n", hex_encode(ld, sizeof(ld), hex));
    return check_id(a->bundle, a->domain, ld);
}

/* What is no measurement must not be taken for one: it does not go to stdout. */
static int tell_plain(const struct asked *a)
{
    uint8_t hash[32];
    char why[256], hex[2 * sizeof(hash) + 1];

    if (!predict_config(a->bundle->p, a->bundle->len, a->domain, hash, why, sizeof(why))) {
        return cli_fail(CLI_USAGE, "%s", why);
    }
    return cli_fail(CLI_FAILED,
                    "%s: cc = \"none\": a plain domain has no launch measurement; its "
                    "configuration hash is %s",
                    a->domain, hex_encode(hash, sizeof(hash), hex));
}

static int measure_one(const struct asked *a)
{
    return strcmp(a->cc, "none") == 0      ? tell_plain(a)
           : strcmp(a->cc, "sev-snp") == 0 ? measure_snp_domain(a)
                                           : measure_kind(a);
}

/* Plain domains among others take nothing from their measurements. */
static int measure(const struct blob *bundle, const struct domain_measure_opts *o)
{
    struct predict_domain list[PREDICT_DOMAINS_MAX];
    char why[256];
    uint32_t n = predict_list(bundle->p, bundle->len, o->domain, list, why, sizeof(why));
    uint32_t plain = 0;
    int worst = CLI_OK;

    if (n == 0) {
        return cli_fail(CLI_USAGE, "%s", why);
    }
    for (uint32_t i = 0; i < n; i++) {
        struct asked a = {bundle, list[i].name, list[i].cc, o->c_bit, n > 1};
        int rc = measure_one(&a);

        if (rc == CLI_FAILED && strcmp(list[i].cc, "none") == 0) {
            plain++;
        } else if (rc > worst) {
            worst = rc;
        }
    }
    return worst == CLI_OK && plain == n ? CLI_FAILED : worst;
}

int measure_domain(int argc, char **argv)
{
    struct domain_measure_opts o = {NULL, EMULATED_C_BIT};
    struct blob b;
    int rc;
    const char *file = opts_one(table, &o, argc, argv, usage, "measure domain wants a BUNDLE", &rc);

    if (file == NULL) {
        return rc;
    }
    if (!blob_load(file, BUNDLE_SIZE_MAX, &b)) {
        return CLI_USAGE;
    }
    rc = measure(&b, &o);
    free(b.p);
    return rc;
}
