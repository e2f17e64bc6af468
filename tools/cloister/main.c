/* The cloister program: one verb, then the verb's own options. */
#include "cli.h"
#include "opts.h"

#include <stdio.h>
#include <string.h>

static void print_help(FILE *out)
{
    fprintf(out, "Usage: cloister VERB [OPTION...]\n\nVerbs:\n");
    for (const struct verb *v = cli_verbs; v->name != NULL; v++) {
        fprintf(out, "  %-12s %s\n", v->name, v->summary);
    }
    fprintf(out,
            "\n`cloister VERB --help` tells more, `cloister --version` which this is.\n"
            "Exit status: 0 good; 1 the answer is no (a guest failed, a check did not hold);\n"
            "2 bad usage or input; 3 the surroundings failed (a program, QEMU, the hypervisor).\n"
            "A control domain is a Linux guest that may rule over others (docs/bundle.md).\n");
}

/* An answer that did not reach whoever asked is none. */
static int delivered(int status)
{
    if (fflush(stdout) != 0 || ferror(stdout)) {
        return cli_fail(CLI_MACHINE, "standard output cannot be written");
    }
    return status;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return CLI_USAGE;
    }
    if (opts_is_help(argv[1]) || strcmp(argv[1], "help") == 0) {
        print_help(stdout);
        return delivered(CLI_OK);
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("cloister %s\n", CLOISTER_VERSION);
        return delivered(CLI_OK);
    }
    for (const struct verb *v = cli_verbs; v->name != NULL; v++) {
        if (strcmp(argv[1], v->name) == 0) {
            return delivered(v->run(argc - 1, argv + 1));
        }
    }
    return cli_fail(CLI_USAGE, "'%s' is not a verb; `cloister --help` lists them", argv[1]);
}
