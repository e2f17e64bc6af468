/*
 * What the attestation verbs share: files, stores of collateral, times, printing.
 */
#ifndef CLOISTER_ATTEST_COMMON_H
#define CLOISTER_ATTEST_COMMON_H

#include "opts.h"

#include <attest/collateral.h>
#include <attest/policy.h>

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct blob {
    uint8_t *p; /* malloc'ed, with a NUL behind its end */
    size_t len;
};

/* Reads a whole regular file or pipe of at most max bytes; prints what went wrong. */
bool blob_load(const char *path, size_t max, struct blob *out);
/* The same of a file that another one names, from the folder that this one is in. */
bool blob_load_beside(const char *path, const char *name, size_t max, struct blob *out);

/* A JSON file without a name twice in one object; NULL after a message. */
json_t *json_from_file(const char *path);

#define EVIDENCE_MAX (32u * 1024 * 1024)
#define IMAGE_MAX    (1024u * 1024 * 1024)

/*
 * Evidence from a file, or from a folder that holds exactly one file of a known kind. *folder is
 * where its collateral is looked for by default; both are the caller's to free.
 */
bool evidence_load(const char *path, struct blob *out, char **folder);

/*
 * Everything in these folders (and one level below) that is collateral. Files that nobody
 * recognises are passed over, and named on `skipped` when that is not NULL; a broken certificate,
 * CRL or TCB info is an error. The policy's own certificates come first (it may be NULL). NULL
 * after a message.
 */
struct attest_collateral *collateral_load(const struct attest_policy *policy,
                                          const char *const *folders, size_t count, FILE *skipped);

/* "now", a date, or a date with time; prints what went wrong. NULL means now. */
bool time_option(const char *text, int64_t *at);

/* Hex of up to max bytes; prints what went wrong. */
bool hex_option(const char *name, const char *text, uint8_t *out, size_t max, size_t *len);
bool hex_option_exact(const char *name, const char *text, uint8_t *out, size_t len);

/* A private key in PEM; NULL after a message. */
EVP_PKEY *key_load(const char *path);

/* JSON as lines "key: value", nested by indentation. */
void print_tree(FILE *out, const json_t *j, int indent);
/* The same as pretty JSON, and a newline. */
void print_json(FILE *out, const json_t *j);

/* Prints "cloister: ..." for the error and returns the exit status of its class. */
int attest_complain(const struct attest_error *err);

#endif
