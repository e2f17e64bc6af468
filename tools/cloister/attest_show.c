/* cloister show: any evidence, certificate, CRL, collateral or firmware, readably. */
#include "attest_common.h"
#include "attest_describe.h"
#include "cli.h"

#include <attest/evidence.h>

#include <stdlib.h>

static const char usage[] =
    "Usage: cloister show FILE [--json]\n"
    "\n"
    "Prints a report, quote, token, event log, certificate, CRL, TCB info or firmware image.\n"
    "Nothing is verified: to know whether it is to be trusted, ask `cloister verify`.\n"
    "Exit status: 0 shown, 2 not recognised or broken.";

struct options {
    bool json;
};

static const struct opt table[] = {
    {"json", NULL, "print JSON", OPT_FLAG, offsetof(struct options, json), 0, 0},
    {NULL, NULL, NULL, OPT_FLAG, 0, 0, 0},
};

static int print(json_t *j, const char *title, bool json)
{
    if (j == NULL) {
        return cli_fail(CLI_MACHINE, "out of memory");
    }
    if (json) {
        print_json(stdout, j);
    } else {
        printf("%s (not verified)\n", title);
        print_tree(stdout, j, 2);
    }
    json_decref(j);
    return CLI_OK;
}

static int show_evidence(const struct attest_evidence_ops *ops, const struct blob *b, bool json)
{
    struct attest_error err = {0};
    void *ev = NULL;
    int rc;

    if (ops->parse(b->p, b->len, &ev, &err) != ATTEST_OK) {
        return attest_complain(&err);
    }
    rc = print(ops->claims(ev), ops->title, json);
    ops->free(ev);
    return rc;
}

static int show(const struct blob *b, const char *path, bool json)
{
    const struct attest_evidence_ops *ops = attest_kind_detect(b->p, b->len);
    struct attest_error err = {0};
    json_t *j = NULL;

    if (ops != NULL) {
        return show_evidence(ops, b, json);
    }
    j = describe_firmware(b->p, b->len);
    if (j != NULL) {
        return print(j, "Firmware image with SEV metadata", json);
    }
    j = describe_collateral(path, b->p, b->len, &err);
    return j != NULL ? print(j, "Collateral", json) : attest_complain(&err);
}

int verb_show(int argc, char **argv)
{
    struct options o = {0};
    struct blob b;
    int rc;
    const char *path = opts_one(table, &o, argc, argv, usage, "show wants a FILE", &rc);

    if (path == NULL) {
        return rc;
    }
    if (!blob_load(path, EVIDENCE_MAX, &b)) {
        return CLI_USAGE;
    }
    rc = show(&b, path, o.json);
    free(b.p);
    return rc;
}
