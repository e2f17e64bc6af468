/*
 * Options from a table: one row names an option, says how its argument is read, where the value
 * goes and what the help prints. "--name value" and "--name=value" are the same.
 */
#ifndef CLOISTER_OPTS_H
#define CLOISTER_OPTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum opt_kind {
    OPT_FLAG,   /* bool; takes no argument */
    OPT_STRING, /* const char *: the argument itself */
    OPT_LIST,   /* struct opt_list: every argument given, in order */
    OPT_COUNT,  /* uint32_t, min..max */
    OPT_SIZE,   /* uint64_t bytes, min..max; the suffixes K M G T are powers of 1024 */
};

#define OPT_LIST_MAX 64u

struct opt_list {
    const char *value[OPT_LIST_MAX];
    unsigned int count;
};

struct opt {
    const char *name;     /* without the dashes; NULL ends the table */
    const char *argument; /* what the help calls it; NULL for a flag */
    const char *help;
    enum opt_kind kind;
    size_t offset; /* of the value in the target */
    uint64_t min;
    uint64_t max;
};

/*
 * Reads argv[1..] into target. Words that are no options go to positional, at most max of them.
 * Returns their number, or -1 after an error message, or -2 when help was asked for (the caller
 * prints it by opts_help and succeeds).
 */
int opts_parse(const struct opt *table, void *target, int argc, char **argv,
               const char **positional, int max);
void opts_help(const struct opt *table, const char *usage);
/*
 * Both for a verb that takes one word, and the word; wants is the error without it ("show wants a
 * FILE"). NULL: the verb ends with *status, for the help or the error is printed.
 */
const char *opts_one(const struct opt *table, void *target, int argc, char **argv,
                     const char *usage, const char *wants, int *status);
bool opts_is_help(const char *word); /* --help, -h */

/* A size with suffix; false unless the whole text is one that fits. */
bool opts_size(const char *text, uint64_t *bytes);
/* A decimal number; false unless the whole text is one that fits. */
bool opts_number(const char *text, uint64_t *value);

#endif
