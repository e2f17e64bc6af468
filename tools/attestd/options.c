#include "commands.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_known(const char *const *known, const char *name)
{
    for (; *known != NULL; known++) {
        if (strcmp(*known, name) == 0) {
            return true;
        }
    }
    return false;
}

bool options_parse(int argc, char **argv, const char *const *known, const char *help,
                   struct options *out)
{
    memset(out, 0, sizeof(*out));
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            fputs(help, stdout);
            exit(0);
        }
        if (strncmp(argv[i], "--", 2) != 0) {
            if (out->words == sizeof(out->word) / sizeof(out->word[0])) {
                fprintf(stderr, "attestd %s: '%s' is one word too many\n", argv[0], argv[i]);
                return false;
            }
            out->word[out->words++] = argv[i];
            continue;
        }
        if (!is_known(known, argv[i] + 2)) {
            fprintf(stderr, "attestd %s: %s is no option of it; --help lists them\n", argv[0],
                    argv[i]);
            return false;
        }
        if (i + 1 == argc || argv[i + 1][0] == '\0' || out->count == OPTIONS_MAX) {
            fprintf(stderr, "attestd %s: %s %s\n", argv[0], argv[i],
                    out->count == OPTIONS_MAX ? "is one option too many" : "needs a value");
            return false;
        }
        out->name[out->count] = argv[i] + 2;
        out->value[out->count++] = argv[++i];
    }
    return true;
}

const char *option(const struct options *o, const char *name)
{
    for (size_t i = o->count; i > 0; i--) {
        if (strcmp(o->name[i - 1], name) == 0) {
            return o->value[i - 1];
        }
    }
    return NULL;
}

unsigned int option_number(const struct options *o, const char *name, unsigned int def,
                           unsigned int max)
{
    const char *s = option(o, name);
    unsigned long v;
    char *end;

    if (s == NULL) {
        return def;
    }
    v = strtoul(s, &end, 10);
    if (s[0] < '0' || s[0] > '9' || *end != '\0' || v == 0 || v > max) {
        fprintf(stderr, "attestd: --%s %s: expected a number from 1 to %u\n", name, s, max);
        return 0;
    }
    return (unsigned int)v;
}

int tell(const struct attest_error *err)
{
    char text[512];

    fprintf(stderr, "attestd: %s\n", attest_error_text(err, text, sizeof(text)));
    return attest_status_class(err->status) == 1 ? 1 : 2;
}

struct store *open_store(const struct options *o)
{
    const char *db = option(o, "db");
    const char *key_file = option(o, "key");
    uint8_t key[STORE_KEY_SIZE];
    struct attest_error err = {0};
    struct store *s = NULL;

    if (db == NULL || key_file == NULL) {
        fprintf(stderr, "attestd: --db FILE and --key FILE are needed\n");
        return NULL;
    }
    if (store_key_load(key_file, key, &err) != ATTEST_OK ||
        store_open(db, key, false, &s, &err) != ATTEST_OK) {
        tell(&err);
        s = NULL;
    }
    OPENSSL_cleanse(key, sizeof(key));
    return s;
}

enum attest_status read_file(const char *path, size_t max, struct store_bytes *out,
                             struct attest_error *err)
{
    FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "rbe");
    enum attest_status st = ATTEST_OK;
    char limit[40];

    path = f == stdin ? "standard input" : path;
    *out = (struct store_bytes){.p = malloc(max + 1)};
    if (out->p == NULL) {
        st = attest_no_memory(err, "file");
    } else if (f == NULL || (out->len = fread(out->p, 1, max + 1, f), ferror(f) != 0)) {
        st = attest_fail(err, ATTEST_UNUSABLE, "file", path, "a readable file", "%s",
                         strerror(errno));
    } else if (out->len > max) {
        snprintf(limit, sizeof(limit), "at most %zu bytes", max);
        st = attest_fail(err, ATTEST_UNUSABLE, "file", path, limit, "more");
    }
    if (f != NULL && f != stdin) {
        fclose(f);
    }
    if (st != ATTEST_OK) {
        store_bytes_free(out);
    }
    return st;
}
