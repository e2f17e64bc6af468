/*
 * What every verb of the cloister program shares.
 *
 * A verb is a row of verbs.def and a function int verb_NAME(int argc, char **argv), where argv[0]
 * is the verb itself. It returns one of the exit statuses below, prints results to stdout and
 * errors to stderr by cli_error, and knows --help (opts.h).
 */
#ifndef CLOISTER_CLI_H
#define CLOISTER_CLI_H

#define VERB(name, function, summary) int function(int argc, char **argv);
#include "verbs.def"
#undef VERB

/* verbs.c; guest/verbs.c in the program for ramdisks. Ends with a row without a name. */
extern const struct verb {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
} cli_verbs[];

enum cli_status {
    CLI_OK = 0,      /* done, and all is as it should be */
    CLI_FAILED = 1,  /* the answer is no: a guest failed, a bundle is bad */
    CLI_USAGE = 2,   /* the command line, or a file that it names, makes no sense */
    CLI_MACHINE = 3, /* the surroundings failed: a missing program or image, QEMU, the hypervisor */
};

/* Prints "cloister: ..." on stderr. */
__attribute__((format(printf, 1, 2))) void cli_error(const char *format, ...);
/* The same, and returns status: `return cli_fail(CLI_USAGE, "...")`. */
__attribute__((format(printf, 2, 3))) int cli_fail(enum cli_status status, const char *format, ...);

/*
 * A file of the build folder that this program sits in (BUILD/bin/cloister): cli_built("guest/x").
 * The result is allocated, and never NULL: running out of memory ends the program.
 */
char *cli_built(const char *name);

/* A template for mkstemp and mkdtemp, in $TMPDIR or /tmp; allocated. */
char *cli_temporary(void);

/* asprintf and strdup that end the program when memory runs out. */
__attribute__((format(printf, 1, 2))) char *cli_format(const char *format, ...);
void *cli_alloc(unsigned long size); /* zeroed */

#endif
