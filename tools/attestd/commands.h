/* The commands of attestd and what they share. Exit codes: 0 done, 1 refused, 2 usage. */
#ifndef ATTESTD_COMMANDS_H
#define ATTESTD_COMMANDS_H

#include "store.h"

#define COMMAND(name, fn, summary) int fn(int argc, char **argv);
#include "commands.def"
#undef COMMAND

#define OPTIONS_MAX 32

/* --name VALUE options; what is no option stays in words. */
struct options {
    size_t count;
    const char *name[OPTIONS_MAX];
    const char *value[OPTIONS_MAX];
    size_t words;
    const char *word[8];
};

/* known: names that may be given, ended by NULL. false: told on stderr. --help prints help. */
bool options_parse(int argc, char **argv, const char *const *known, const char *help,
                   struct options *out);
/* The last one of that name, or NULL. */
const char *option(const struct options *o, const char *name);
/* A number from 1 to max; def when absent; 0 (told) when it is none. */
unsigned int option_number(const struct options *o, const char *name, unsigned int def,
                           unsigned int max);

/* Opens the store by --db and --key; NULL: told. */
struct store *open_store(const struct options *o);
/* A file ("-": stdin) of at most max bytes; the caller frees it. */
enum attest_status read_file(const char *path, size_t max, struct store_bytes *out,
                             struct attest_error *err);
/* Prints what went wrong and gives the exit code. */
int tell(const struct attest_error *err);

#endif
