/* The option parser. */
#include "opts.h"

#include "cli.h"

#include <stdio.h>
#include <string.h>

bool opts_number(const char *text, uint64_t *value)
{
    uint64_t v = 0;

    if (*text == '\0') {
        return false;
    }
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9' || __builtin_mul_overflow(v, 10u, &v) ||
            __builtin_add_overflow(v, (uint64_t)(*text - '0'), &v)) {
            return false;
        }
    }
    *value = v;
    return true;
}

bool opts_size(const char *text, uint64_t *bytes)
{
    static const char suffixes[] = "KMGT";
    char digits[24];
    size_t n = strspn(text, "0123456789");
    const char *suffix = text[n] == '\0' ? NULL : strchr(suffixes, text[n] & ~0x20);
    unsigned int shift = 0;

    if (n == 0 || n >= sizeof(digits) || (text[n] != '\0' && (suffix == NULL || *suffix == '\0'))) {
        return false;
    }
    if (suffix != NULL) {
        shift = 10u * (unsigned int)(suffix - suffixes + 1);
        if (text[n + 1] != '\0') {
            return false;
        }
    }
    memcpy(digits, text, n);
    digits[n] = '\0';
    return opts_number(digits, bytes) && !__builtin_mul_overflow(*bytes, 1ull << shift, bytes);
}

static const struct opt *find(const struct opt *table, const char *name, size_t length)
{
    for (; table->name != NULL; table++) {
        if (strlen(table->name) == length && memcmp(table->name, name, length) == 0) {
            return table;
        }
    }
    return NULL;
}

static bool store_list(const struct opt *o, struct opt_list *list, const char *text)
{
    if (list->count == OPT_LIST_MAX) {
        cli_error("--%s is given more than %u times", o->name, OPT_LIST_MAX);
        return false;
    }
    list->value[list->count++] = text;
    return true;
}

static bool store_number(const struct opt *o, void *at, const char *text)
{
    uint64_t value = 0;
    bool good = o->kind == OPT_SIZE ? opts_size(text, &value) : opts_number(text, &value);

    if (!good || value < o->min || value > o->max) {
        cli_error("--%s %s: must be %s from %llu to %llu", o->name, text,
                  o->kind == OPT_SIZE ? "a size" : "a number", (unsigned long long)o->min,
                  (unsigned long long)o->max);
        return false;
    }
    if (o->kind == OPT_SIZE) {
        *(uint64_t *)at = value;
    } else {
        *(uint32_t *)at = (uint32_t)value;
    }
    return true;
}

static bool store(const struct opt *o, void *target, const char *text)
{
    char *at = (char *)target + o->offset;

    switch (o->kind) {
    case OPT_FLAG:
        *(bool *)at = true;
        return true;
    case OPT_STRING:
        *(const char **)at = text;
        return true;
    case OPT_LIST:
        return store_list(o, (struct opt_list *)at, text);
    case OPT_COUNT:
    case OPT_SIZE:
        return store_number(o, at, text);
    }
    return false;
}

/* One word that starts with "-"; *i moves on when the argument is the next word. */
static bool take(const struct opt *table, void *target, int argc, char **argv, int *i)
{
    const char *word = argv[*i] + (argv[*i][1] == '-' ? 2 : 0); /* no option has one dash */
    const char *equals = strchr(word, '=');
    const struct opt *o = find(table, word, equals ? (size_t)(equals - word) : strlen(word));
    const char *text = equals ? equals + 1 : NULL;

    if (o == NULL) {
        cli_error("%s is not an option of %s; --help lists them", argv[*i], argv[0]);
        return false;
    }
    if (o->kind == OPT_FLAG) {
        if (text != NULL) {
            cli_error("--%s takes no argument", o->name);
            return false;
        }
    } else if (text == NULL) {
        if (*i + 1 >= argc) {
            cli_error("--%s needs its %s", o->name, o->argument);
            return false;
        }
        text = argv[++*i];
    }
    return store(o, target, text);
}

bool opts_is_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

int opts_parse(const struct opt *table, void *target, int argc, char **argv,
               const char **positional, int max)
{
    int count = 0;

    for (int i = 1; i < argc; i++) {
        if (opts_is_help(argv[i])) {
            return -2;
        }
        if (argv[i][0] == '-' && argv[i][1] != '\0') {
            if (!take(table, target, argc, argv, &i)) {
                return -1;
            }
        } else if (count == max) {
            cli_error("%s: '%s' is one word too many", argv[0], argv[i]);
            return -1;
        } else {
            positional[count++] = argv[i];
        }
    }
    return count;
}

void opts_help(const struct opt *table, const char *usage)
{
    printf("%s\n\nOptions:\n", usage);
    for (; table->name != NULL; table++) {
        char left[40];

        snprintf(left, sizeof(left), "--%s%s%s", table->name, table->argument ? " " : "",
                 table->argument ? table->argument : "");
        printf("  %-24s %s\n", left, table->help);
    }
    printf("  %-24s %s\n", "--help", "this text");
}

const char *opts_one(const struct opt *table, void *target, int argc, char **argv,
                     const char *usage, const char *wants, int *status)
{
    const char *word;
    int n = opts_parse(table, target, argc, argv, &word, 1);

    *status = n == -2 ? CLI_OK : CLI_USAGE;
    if (n == -2) {
        opts_help(table, usage);
    } else if (n == 0) {
        cli_error("%s; see --help", wants);
    }
    return n == 1 ? word : NULL;
}
