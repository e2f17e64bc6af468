#include "attest_common.h"

#include "cli.h"

#include <attest/evidence.h>
#include <attest/hex.h>

#include <dirent.h>
#include <errno.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

/* Grows by doubling, so that pipes work, too; one byte more than max tells a file too large. */
static bool read_all(FILE *f, size_t max, struct blob *out)
{
    size_t room = 0;

    while (!feof(f) && !ferror(f) && out->len <= max) {
        if (out->len + 1 >= room) {
            uint8_t *more = realloc(out->p, room == 0 ? (room = 65536) : (room *= 2));

            if (more == NULL) {
                return false;
            }
            out->p = more;
        }
        out->len += fread(out->p + out->len, 1, room - out->len - 1, f);
    }
    out->p[out->len] = '\0';
    return !ferror(f);
}

bool blob_load(const char *path, size_t max, struct blob *out)
{
    FILE *f = fopen(path, "rb");
    struct stat st;

    *out = (struct blob){0};
    if (f == NULL || fstat(fileno(f), &st) != 0 || S_ISDIR(st.st_mode)) {
        cli_error("%s: %s", path, f == NULL ? strerror(errno) : "is a folder");
        if (f != NULL) {
            fclose(f);
        }
        return false;
    }
    if (!read_all(f, max, out) || out->len > max) {
        cli_error("%s: %s", path, out->len > max ? "too large" : "cannot be read");
        free(out->p);
        *out = (struct blob){0};
    }
    fclose(f);
    return out->p != NULL;
}

/* The path up to the last '/', or nothing. */
static int folder_length(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash != NULL ? (int)(slash - path + 1) : 0;
}

bool blob_load_beside(const char *path, const char *name, size_t max, struct blob *out)
{
    char *whole = cli_format("%.*s%s", name[0] == '/' ? 0 : folder_length(path), path, name);
    bool ok = blob_load(whole, max, out);

    free(whole);
    return ok;
}

json_t *json_from_file(const char *path)
{
    json_error_t at;
    json_t *j = json_load_file(path, JSON_REJECT_DUPLICATES, &at);

    if (j == NULL && at.line < 0) {
        cli_error("%s", at.text); /* which names the file */
    } else if (j == NULL) {
        cli_error("%s: line %d: %s", path, at.line, at.text);
    }
    return j;
}

static bool is_folder(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int visible(const struct dirent *d)
{
    return d->d_name[0] != '.';
}

/* What a folder holds, in the order of names; the caller frees both levels. */
static int list_folder(const char *folder, struct dirent ***list)
{
    int n = scandir(folder, list, visible, alphasort);

    if (n < 0) {
        cli_error("%s: %s", folder, strerror(errno));
    }
    return n;
}

static void free_list(struct dirent **list, int n)
{
    for (int i = 0; i < n; i++) {
        free(list[i]);
    }
    free(list);
}

/* Disks and pipes may lie in a folder, too. What cannot be looked at may: it is an error later. */
static bool may_matter(const char *path)
{
    struct stat st;

    return stat(path, &st) != 0 ||
           (S_ISREG(st.st_mode) && st.st_size <= (off_t)EVIDENCE_MAX);
}

/* Is this a file of evidence that can be verified, not only shown? */
static bool holds_evidence(const char *path)
{
    const struct attest_evidence_ops *ops;
    struct blob b;

    if (!may_matter(path) || !blob_load(path, EVIDENCE_MAX, &b)) {
        return false;
    }
    ops = attest_kind_detect(b.p, b.len);
    free(b.p);
    return ops != NULL && ops->verify != attest_show_only_verify;
}

static char *find_evidence(const char *folder)
{
    struct dirent **list;
    int n = list_folder(folder, &list);
    unsigned int found = 0;
    char *path = NULL;

    for (int i = 0; i < n; i++) {
        char *candidate = cli_format("%s/%s", folder, list[i]->d_name);

        if (holds_evidence(candidate)) {
            found++;
            free(path);
            path = candidate;
        } else {
            free(candidate);
        }
    }
    if (n >= 0) {
        free_list(list, n);
    }
    if (found != 1) {
        cli_error("%s: %u files of evidence in this folder, where one is wanted", folder, found);
        free(path);
        return NULL;
    }
    return path;
}

bool evidence_load(const char *path, struct blob *out, char **folder)
{
    char *file = is_folder(path) ? find_evidence(path) : cli_format("%s", path);
    char *slash;

    if (file == NULL || !blob_load(file, EVIDENCE_MAX, out)) {
        free(file);
        return false;
    }
    slash = strrchr(file, '/');
    if (slash == NULL) {
        *folder = cli_format(".");
        free(file);
    } else {
        *slash = '\0';
        *folder = file;
    }
    return true;
}

static bool add_file(struct attest_collateral *c, const char *path, FILE *skipped)
{
    struct attest_error err = {0};
    char text[512];
    enum attest_status st;
    struct blob b;

    if (!blob_load(path, EVIDENCE_MAX, &b)) {
        return false;
    }
    st = attest_collateral_add(c, path, b.p, b.len, &err);
    free(b.p);
    if (st == ATTEST_UNRECOGNISED || st == ATTEST_UNSUPPORTED) {
        if (skipped != NULL) {
            fprintf(skipped, "not collateral: %s (%s)\n", path, attest_status_text(st));
        }
        return true;
    }
    if (st != ATTEST_OK) {
        cli_error("%s", attest_error_text(&err, text, sizeof(text)));
    }
    return st == ATTEST_OK;
}

static bool add_folder(struct attest_collateral *c, const char *folder, int depth, FILE *skipped)
{
    struct dirent **list;
    int n = list_folder(folder, &list);
    bool ok = n >= 0;

    for (int i = 0; i < n && ok; i++) {
        char *path = cli_format("%s/%s", folder, list[i]->d_name);

        if (is_folder(path)) {
            ok = depth == 0 || add_folder(c, path, depth - 1, skipped);
        } else if (may_matter(path)) {
            ok = add_file(c, path, skipped);
        } else if (skipped != NULL) {
            fprintf(skipped, "not collateral: %s (no file, or too large)\n", path);
        }
        free(path);
    }
    if (n >= 0) {
        free_list(list, n);
    }
    return ok;
}

struct attest_collateral *collateral_load(const struct attest_policy *policy,
                                          const char *const *folders, size_t count, FILE *skipped)
{
    struct attest_collateral *c = attest_collateral_new();
    struct attest_error err;
    bool ok = c != NULL;

    if (ok && policy != NULL && attest_policy_certificates(policy, c, &err) != ATTEST_OK) {
        attest_complain(&err);
        ok = false;
    }
    for (size_t i = 0; i < count && ok; i++) {
        ok = is_folder(folders[i]) ? add_folder(c, folders[i], 1, skipped)
                                   : add_file(c, folders[i], skipped);
    }
    if (!ok) {
        attest_collateral_free(c);
        return NULL;
    }
    attest_collateral_seal(c);
    return c;
}

bool time_option(const char *text, int64_t *at)
{
    if (text == NULL || strcmp(text, "now") == 0) {
        *at = (int64_t)time(NULL);
        return true;
    }
    if (!attest_time_parse(text, at)) {
        cli_error("--at: '%s' is no time; write 2026-03-20 or 2026-03-20T12:00:00Z", text);
        return false;
    }
    return true;
}

bool hex_option(const char *name, const char *text, uint8_t *out, size_t max, size_t *len)
{
    if (hex_decode(text, out, max, len) && *len > 0) {
        return true;
    }
    cli_error("--%s: want an even number of hex digits, at most %zu", name, 2 * max);
    return false;
}

bool hex_option_exact(const char *name, const char *text, uint8_t *out, size_t len)
{
    if (hex_decode_exact(text, out, len)) {
        return true;
    }
    cli_error("--%s: want exactly %zu hex digits", name, 2 * len);
    return false;
}

EVP_PKEY *key_load(const char *path)
{
    FILE *f = fopen(path, "r");
    EVP_PKEY *key = f != NULL ? PEM_read_PrivateKey(f, NULL, NULL, NULL) : NULL;

    if (f != NULL) {
        fclose(f);
    }
    if (key == NULL) {
        cli_error("%s: no private key in PEM", path);
    }
    return key;
}

/* Lists of plain values fit on one line. */
static bool is_flat(const json_t *j)
{
    const json_t *v;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)j, i, v)
    {
        if (json_is_object(v) || json_is_array(v) || i > 7) {
            return false;
        }
    }
    return true;
}

/* Claims are a stranger's text: it must not drive the terminal, or add lines of its own. */
static void print_text(FILE *out, const char *s)
{
    for (; *s != '\0'; s++) {
        fputc(*s < ' ' || *s > '~' ? '?' : *s, out);
    }
}

static void print_plain(FILE *out, const json_t *j)
{
    if (json_is_string(j)) {
        print_text(out, json_string_value(j));
    } else {
        char *text = json_dumps(j, JSON_ENCODE_ANY);

        fprintf(out, "%s", text != NULL ? text : "?");
        free(text);
    }
}

static void print_list(FILE *out, const json_t *j, int indent)
{
    const json_t *v;
    size_t i;

    if (is_flat(j)) {
        json_array_foreach((json_t *)(uintptr_t)j, i, v)
        {
            fprintf(out, "%s", i == 0 ? " " : ", ");
            print_plain(out, v);
        }
        fprintf(out, "%s\n", json_array_size(j) == 0 ? " none" : "");
        return;
    }
    fprintf(out, "\n");
    json_array_foreach((json_t *)(uintptr_t)j, i, v)
    {
        if (json_is_object(v)) {
            fprintf(out, "%*s- [%zu]\n", indent, "", i);
            print_tree(out, v, indent + 4);
        } else {
            fprintf(out, "%*s- ", indent, "");
            print_plain(out, v);
            fprintf(out, "\n");
        }
    }
}

void print_tree(FILE *out, const json_t *j, int indent)
{
    const char *key;
    json_t *v;

    json_object_foreach((json_t *)(uintptr_t)j, key, v)
    {
        fprintf(out, "%*s", indent, "");
        print_text(out, key);
        fputc(':', out);
        if (json_is_object(v)) {
            fprintf(out, "\n");
            print_tree(out, v, indent + 4);
        } else if (json_is_array(v)) {
            print_list(out, v, indent + 4);
        } else {
            fprintf(out, " ");
            print_plain(out, v);
            fprintf(out, "\n");
        }
    }
}

void print_json(FILE *out, const json_t *j)
{
    json_dumpf(j, out, JSON_INDENT(2));
    fprintf(out, "\n");
}

int attest_complain(const struct attest_error *err)
{
    char text[512];

    cli_error("%s", attest_error_text(err, text, sizeof(text)));
    return attest_status_class(err->status);
}
