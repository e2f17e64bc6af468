/* cloister measure: what will a launch measure to? One row per kind of measurement. */
#include "attest_measure.h"

#include "cli.h"
#include "opts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct measure {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
} kinds[] = {
#define MEASURE(name, function, summary) {name, function, summary},
#include "attest_measure.def"
#undef MEASURE
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static void print_help(FILE *out)
{
    fprintf(out, "Usage: cloister measure KIND [OPTION...]\n\nKinds:\n");
    for (size_t i = 0; i < KINDS; i++) {
        fprintf(out, "  %-12s %s\n", kinds[i].name, kinds[i].summary);
    }
    fprintf(out, "\n`cloister measure KIND --help` tells more.\n");
}

int verb_measure(int argc, char **argv)
{
    int rc;

    if (argc < 2) {
        print_help(stderr);
        return CLI_USAGE;
    }
    if (opts_is_help(argv[1])) {
        print_help(stdout);
        return CLI_OK;
    }
    for (size_t i = 0; i < KINDS; i++) {
        if (strcmp(argv[1], kinds[i].name) == 0) {
            argv[1] = cli_format("measure %s", kinds[i].name); /* as messages call it */
            rc = kinds[i].run(argc - 1, argv + 1);
            free(argv[1]);
            return rc;
        }
    }
    return cli_fail(CLI_USAGE, "'%s' is no kind of measurement; --help lists them", argv[1]);
}
