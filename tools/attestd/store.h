/*
 * What the broker keeps: one SQLite file with secrets (sealed with AES-256-GCM under the broker's
 * key), policies, reference values and collateral. Writers bump a revision, so that a running
 * broker notices. Errors are told on the attest_error; object is what a row holds ("policy",
 * "secret", ...), or "store": of the file itself the status is UNUSABLE, the field its path, and
 * what is expected says what to do.
 */
#ifndef ATTESTD_STORE_H
#define ATTESTD_STORE_H

#include <attest/error.h>

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STORE_KEY_SIZE 32
#define STORE_NAME_MAX 128
#define STORE_SECRET_MAX (1024 * 1024)
#define STORE_FILE_MAX (8 * 1024 * 1024)

struct store;

struct store_bytes {
    uint8_t *p; /* malloc'ed; secrets are cleansed by store_bytes_free */
    size_t len;
};
void store_bytes_free(struct store_bytes *b);

/* A key file holds 64 hex digits. */
enum attest_status store_key_load(const char *path, uint8_t key[STORE_KEY_SIZE],
                                  struct attest_error *err);
/* Creates it, readable by its owner only; fails when it exists. */
enum attest_status store_key_create(const char *path, struct attest_error *err);
/* HMAC-SHA256(key, label): one key per use. */
void store_subkey(const uint8_t key[STORE_KEY_SIZE], const char *label, uint8_t out[32]);

/* create: makes the tables of a new file. The key must be the one that the file began with. */
enum attest_status store_open(const char *path, const uint8_t key[STORE_KEY_SIZE], bool create,
                              struct store **out, struct attest_error *err);
void store_close(struct store *s);

/* Grows with every change; -1 when the file cannot be read, which err tells. */
int64_t store_revision(struct store *s, struct attest_error *err);

/* What can be named; the order of enum store_table is the order of the tables in store.c. */
enum store_table { STORE_POLICY, STORE_REFERENCE, STORE_COLLATERAL, STORE_META, STORE_TABLES };

/* Letters, digits, '.', '_', '-' and, for secrets, two '/'; at most 128. */
bool store_name_valid(const char *name);
bool store_path_valid(const char *path); /* repository/type/tag */

enum attest_status store_put(struct store *s, enum store_table t, const char *name, const void *p,
                             size_t len, struct attest_error *err);
/* NOT_FOUND when there is none. */
enum attest_status store_get(struct store *s, enum store_table t, const char *name,
                             struct store_bytes *out, struct attest_error *err);
enum attest_status store_delete(struct store *s, enum store_table t, const char *name,
                                struct attest_error *err);
/* Calls fn for each row, in the order of names. A false return ends it. */
typedef bool store_each_fn(void *arg, const char *name, const uint8_t *p, size_t len);
enum attest_status store_each(struct store *s, enum store_table t, store_each_fn *fn, void *arg,
                              struct attest_error *err);

/* policies: a JSON array of names, not empty. */
enum attest_status store_secret_put(struct store *s, const char *path, const void *p, size_t len,
                                    const json_t *policies, struct attest_error *err);
/* The policies alone (new reference), without opening the secret. */
enum attest_status store_secret_policies(struct store *s, const char *path, json_t **policies,
                                         struct attest_error *err);
enum attest_status store_secret_open(struct store *s, const char *path, struct store_bytes *out,
                                     struct attest_error *err);
enum attest_status store_secret_delete(struct store *s, const char *path,
                                       struct attest_error *err);
/* Path and its policies as JSON text; never the secret. */
enum attest_status store_secret_each(struct store *s, store_each_fn *fn, void *arg,
                                     struct attest_error *err);

#endif
