/* The broker's command line. */
#include "commands.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int (*fn)(int argc, char **argv);
    const char *summary;
} commands[] = {
#define COMMAND(name, fn, summary) {name, fn, summary},
#include "commands.def"
#undef COMMAND
};

static int usage(FILE *to)
{
    fprintf(to, "Usage: attestd COMMAND [OPTIONS]\n\n"
                "A key broker: releases secrets to guests that prove what they are.\n\n");
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        fprintf(to, "  %-12s %s\n", commands[i].name, commands[i].summary);
    }
    fprintf(to, "\nattestd COMMAND --help tells a command's options, attestd --version which this "
                "is.\nDocumentation: docs/attestd.md\n");
    return to == stdout ? 0 : 2;
}

/* An answer that did not reach whoever asked is none. */
static int delivered(int status)
{
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "attestd: standard output cannot be written\n");
        return 2;
    }
    return status;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        return usage(stderr);
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        return usage(stdout);
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("attestd %s\n", CLOISTER_VERSION);
        return 0;
    }
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(commands[i].name, argv[1]) == 0) {
            return delivered(commands[i].fn(argc - 1, argv + 1));
        }
    }
    fprintf(stderr, "attestd: %s: no such command; attestd --help lists them\n", argv[1]);
    return 2;
}
