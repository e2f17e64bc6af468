/* cloister collateral: what is in a store, and is all of it still good? */
#include "attest_common.h"
#include "attest_describe.h"
#include "cli.h"

#include <attest/policy.h>

#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "Usage: cloister collateral DIR... [--at TIME] [--json]\n"
    "\n"
    "Lists certificates, CRLs, TCB infos and identities with their expiry, and checks that each\n"
    "certificate chains to a root in the store. Works offline.\n"
    "Exit status: 0 all good, 1 something has expired, is revoked or does not chain, or there is\n"
    "nothing; 2 unusable.";

struct options {
    const char *at;
    bool json;
};

static const struct opt table[] = {
    {"at", "TIME", "judge as of this time; default: now", OPT_STRING, offsetof(struct options, at),
     0, 0},
    {"json", NULL, "print JSON", OPT_FLAG, offsetof(struct options, json), 0, 0},
    {NULL, NULL, NULL, OPT_FLAG, 0, 0, 0},
};

/* Adds "state" to the description; counts what is not good. */
static void set_state(json_t *j, const char *state, unsigned int *bad)
{
    json_object_set_new(j, "state", json_string(state));
    *bad += strcmp(state, "good") != 0;
}

static const char *span_state(int64_t from, int64_t until, int64_t at)
{
    if (at < from) {
        return "not yet valid";
    }
    return until != 0 && at > until ? "expired" : "good";
}

static void note_root(json_t *j, const struct attest_cert *root)
{
    struct attest_root r;

    for (size_t i = 0; attest_vendor_root(i, &r); i++) {
        if (memcmp(r.spki_sha256, attest_cert_spki_sha256(root), 32) == 0) {
            json_object_set_new(j, "root", json_string(r.name));
            return;
        }
    }
    json_object_set_new(
        j, "root",
        json_sprintf("%s (no vendor's: needs a test root in the policy)", attest_cert_name(root)));
}

static void check_cert(const struct attest_collateral *c, struct attest_cert *cert, int64_t at,
                       json_t *j, unsigned int *bad)
{
    struct attest_error err = {0};
    struct attest_chain chain;
    char text[512];

    if (attest_chain_build(c, cert, NULL, 0, &chain, &err) != ATTEST_OK) {
        set_state(j, attest_error_text(&err, text, sizeof(text)), bad);
        return;
    }
    note_root(j, chain.cert[chain.count - 1]);
    if (attest_chain_check_time(&chain, at, &err) != ATTEST_OK ||
        attest_chain_check_crls(c, &chain, at, false, &err) == ATTEST_REVOKED) {
        set_state(j, attest_error_text(&err, text, sizeof(text)), bad);
        return;
    }
    set_state(j, "good", bad);
}

static json_t *list(const struct attest_collateral *c, int64_t at, unsigned int *bad)
{
    const struct attest_item *item;
    struct attest_cert *cert;
    struct attest_crl *crl;
    json_t *all = json_array();
    json_t *j;

    for (size_t i = 0; (cert = attest_collateral_cert(c, i)) != NULL; i++) {
        j = describe_cert(cert);
        check_cert(c, cert, at, j, bad);
        json_array_append_new(all, j);
    }
    for (size_t i = 0; (crl = attest_collateral_crl(c, i)) != NULL; i++) {
        j = describe_crl(crl);
        set_state(j, span_state(attest_crl_this_update(crl), attest_crl_next_update(crl), at), bad);
        json_array_append_new(all, j);
    }
    for (size_t i = 0; (item = attest_collateral_item(c, i)) != NULL; i++) {
        j = describe_item(item);
        json_object_set_new(j, "file", json_string(item->name));
        set_state(j, span_state(item->issued, item->expires, at), bad);
        json_array_append_new(all, j);
    }
    return all;
}

static const char *text_of(const json_t *j, const char *key)
{
    const char *s = json_string_value(json_object_get(j, key));

    return s != NULL ? s : "";
}

static void print_lines(const json_t *all)
{
    const json_t *j;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)all, i, j)
    {
        bool cert = json_object_get(j, "subject") != NULL;
        const char *what = cert                                  ? text_of(j, "subject")
                           : json_object_get(j, "about") != NULL ? text_of(j, "about")
                                                                 : text_of(j, "issuer");

        printf("%-16s %-44s until %-20s %s\n", text_of(j, "kind"), what,
               text_of(j, cert ? "not-after" : "next-update"), text_of(j, "state"));
    }
}

static int run(const struct options *o, const char *const *folders, size_t count)
{
    struct attest_collateral *c;
    unsigned int bad = 0;
    int64_t at;
    json_t *all;

    if (!time_option(o->at, &at)) {
        return CLI_USAGE;
    }
    c = collateral_load(NULL, folders, count, o->json ? NULL : stdout);
    if (c == NULL) {
        return CLI_USAGE;
    }
    all = list(c, at, &bad);
    if (o->json) {
        print_json(stdout, all);
    } else {
        print_lines(all);
        printf("%zu items, %u of them not good\n", json_array_size(all), bad);
    }
    if (json_array_size(all) == 0) {
        cli_error("no collateral is there");
    }
    bad += json_array_size(all) == 0;
    json_decref(all);
    attest_collateral_free(c);
    return bad == 0 ? CLI_OK : CLI_FAILED;
}

int verb_collateral(int argc, char **argv)
{
    struct options o = {0};
    const char *folders[16];
    int n = opts_parse(table, &o, argc, argv, folders, 16);

    if (n == -2) {
        opts_help(table, usage);
        return CLI_OK;
    }
    if (n < 1) {
        return n < 0 ? CLI_USAGE : cli_fail(CLI_USAGE, "collateral wants a DIR; see --help");
    }
    return run(&o, folders, (size_t)n);
}
