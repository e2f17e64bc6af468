/* cloister measure config: the configuration hash of a domain of a bundle. */
#include "attest_common.h"
#include "attest_measure.h"
#include "cli.h"

#include <attest/hex.h>
#include <cloister/predict.h>

#include <stdio.h>
#include <stdlib.h>

static const char usage[] =
    "Usage: cloister measure config BUNDLE [--domain NAME]\n"
    "\n"
    "Prints the configuration hash of a domain of a bundle: SHA-256 over its description in the\n"
    "canonical form of docs/bundle.md. The hypervisor tells the same of the domain it creates.";

struct config_opts {
    const char *domain;
};

static const struct opt table[] = {
    {"domain", "NAME", "which one, where the bundle has several", OPT_STRING,
     offsetof(struct config_opts, domain), 0, 0},
    {NULL, NULL, NULL, OPT_FLAG, 0, 0, 0},
};

static int measure(const struct blob *bundle, const struct config_opts *o)
{
    uint8_t hash[32];
    char why[256], hex[2 * sizeof(hash) + 1];

    if (!predict_config(bundle->p, bundle->len, o->domain, hash, why, sizeof(why))) {
        return cli_fail(CLI_USAGE, "%s", why);
    }
    printf("%s\n", hex_encode(hash, sizeof(hash), hex));
    return CLI_OK;
}

int measure_config(int argc, char **argv)
{
    struct config_opts o = {NULL};
    struct blob b;
    int rc;
    const char *file = opts_one(table, &o, argc, argv, usage, "measure config wants a BUNDLE", &rc);

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
