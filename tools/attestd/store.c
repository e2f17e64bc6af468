#include "store_impl.h"

#include "seal.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#define BUSY_MS 5000

static const char *const tables[STORE_TABLES + 1] = {"policy", "reference_value", "collateral",
                                                     "meta", "secret"};
#define SECRET STORE_TABLES

/* How they are called in errors, and where one sees what there is. */
static const struct {
    const char *object, *expected;
} told[STORE_TABLES + 1] = {
    {"policy", "a name that `attestd policy list` shows"},
    {"reference value", "a name that `attestd reference list` shows"},
    {"collateral", "a name that `attestd collateral list` shows"},
    {"store", NULL},
    {"secret", "a path that `attestd secret list` shows"},
};

/* %s is the table. */
static const char *const sql[SQL_KINDS] = {
    [SQL_PUT] = "INSERT OR REPLACE INTO %s (name, value, policies) VALUES (?1, ?2, ?3)",
    [SQL_GET] = "SELECT value, policies FROM %s WHERE name = ?1",
    [SQL_DELETE] = "DELETE FROM %s WHERE name = ?1",
    [SQL_EACH] = "SELECT name, value, policies FROM %s ORDER BY name",
};

void store_bytes_free(struct store_bytes *b)
{
    if (b->p != NULL) {
        OPENSSL_cleanse(b->p, b->len);
    }
    free(b->p);
    *b = (struct store_bytes){0};
}

static bool run(struct store *s, const char *text)
{
    return sqlite3_exec(s->db, text, NULL, NULL, NULL) == SQLITE_OK;
}

static bool create_tables(struct store *s)
{
    bool ok = run(s, "PRAGMA journal_mode=WAL") &&
              run(s, "CREATE TABLE IF NOT EXISTS revision (value INTEGER NOT NULL)") &&
              run(s, "INSERT INTO revision SELECT 1 WHERE NOT EXISTS (SELECT * FROM revision)");

    for (size_t i = 0; i <= STORE_TABLES && ok; i++) {
        char text[160];

        sqlite3_snprintf(sizeof(text), text,
                         "CREATE TABLE IF NOT EXISTS %s (name TEXT PRIMARY KEY, value BLOB NOT "
                         "NULL, policies TEXT) WITHOUT ROWID",
                         tables[i]);
        ok = run(s, text);
    }
    return ok && run(s, "PRAGMA user_version = 1");
}

static bool prepare(struct store *s)
{
    bool ok = sqlite3_prepare_v3(s->db, "SELECT value FROM revision", -1,
                                 SQLITE_PREPARE_PERSISTENT, &s->revision, NULL) == SQLITE_OK;

    for (size_t t = 0; t <= STORE_TABLES; t++) {
        for (size_t k = 0; k < SQL_KINDS && ok; k++) {
            char text[160];

            sqlite3_snprintf(sizeof(text), text, sql[k], tables[t]);
            ok = sqlite3_prepare_v3(s->db, text, -1, SQLITE_PREPARE_PERSISTENT, &s->stmt[t][k],
                                    NULL) == SQLITE_OK;
        }
    }
    return ok;
}

/* A value sealed at creation shows whether the key is the one that belongs to the file. */
static enum attest_status check_key(struct store *s, bool create, struct attest_error *err)
{
    static const char probe[] = "attestd";
    uint8_t sealed[sizeof(probe) + SEAL_OVERHEAD];
    struct store_bytes b = {0};
    enum attest_status st = store_get(s, STORE_META, "key-check", &b, err);

    if (st == ATTEST_NOT_FOUND && create) {
        if (!seal(s->seal_key, "key-check", probe, sizeof(probe), sealed)) {
            return attest_fail(err, ATTEST_INTERNAL, "store", "seal", NULL, NULL);
        }
        return store_put(s, STORE_META, "key-check", sealed, sizeof(sealed), err);
    }
    if (st != ATTEST_OK && st != ATTEST_NOT_FOUND) {
        return st;
    }
    if (b.len != sizeof(sealed) || !unseal(s->seal_key, "key-check", b.p, b.len, sealed)) {
        st = attest_fail(err, ATTEST_UNUSABLE, "store", s->path,
                         "the key file that it began with, as --key", "another key");
    }
    store_bytes_free(&b);
    return st;
}

enum attest_status store_open(const char *path, const uint8_t key[STORE_KEY_SIZE], bool create,
                              struct store **out, struct attest_error *err)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | (create ? SQLITE_OPEN_CREATE : 0);
    struct store *s = calloc(1, sizeof(*s));
    enum attest_status st = ATTEST_OK;

    if (path[0] == '\0' || path[0] == ':') { /* SQLite would keep it in memory */
        free(s);
        return attest_fail(err, ATTEST_UNUSABLE, "store", "path",
                           "the path of a file; with a ':' in front as ./:NAME", "'%s'", path);
    }
    if (s == NULL) {
        return attest_no_memory(err, "store");
    }
    store_subkey(key, "seal", s->seal_key);
    s->path = strdup(path);
    if (s->path == NULL) {
        st = attest_no_memory(err, "store");
    } else if (sqlite3_open_v2(path, &s->db, flags, NULL) != SQLITE_OK ||
               sqlite3_busy_timeout(s->db, BUSY_MS) != SQLITE_OK ||
               !run(s, "PRAGMA synchronous=NORMAL")) {
        st = store_fail(s, err);
    } else {
        st = store_check_schema(s, create, err);
    }
    if (st == ATTEST_OK && ((create && !create_tables(s)) || !prepare(s))) {
        st = store_fail(s, err);
    }
    if (st == ATTEST_OK) {
        st = check_key(s, create, err);
    }
    if (st != ATTEST_OK) {
        store_close(s);
        return st;
    }
    *out = s;
    return ATTEST_OK;
}

void store_close(struct store *s)
{
    if (s == NULL) {
        return;
    }
    for (size_t t = 0; t <= STORE_TABLES; t++) {
        for (size_t k = 0; k < SQL_KINDS; k++) {
            sqlite3_finalize(s->stmt[t][k]);
        }
    }
    sqlite3_finalize(s->revision);
    sqlite3_close(s->db);
    OPENSSL_cleanse(s->seal_key, sizeof(s->seal_key));
    free(s->path);
    free(s);
}

int64_t store_revision(struct store *s, struct attest_error *err)
{
    int64_t v = -1;

    if (sqlite3_step(s->revision) == SQLITE_ROW) {
        v = sqlite3_column_int64(s->revision, 0);
    } else {
        (void)store_fail(s, err);
    }
    sqlite3_reset(s->revision);
    return v;
}

bool store_name_valid(const char *name)
{
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");

    return n > 0 && n <= STORE_NAME_MAX && name[n] == '\0' && name[0] != '.';
}

bool store_path_valid(const char *path)
{
    char part[STORE_NAME_MAX + 1];
    size_t slashes = 0;

    for (;;) {
        size_t n = strcspn(path, "/");

        if (n > STORE_NAME_MAX) {
            return false;
        }
        memcpy(part, path, n);
        part[n] = '\0';
        if (!store_name_valid(part)) {
            return false;
        }
        if (path[n] == '\0') {
            return slashes == 2;
        }
        slashes++;
        path += n + 1;
    }
}

static enum attest_status not_found(size_t table, const char *name, struct attest_error *err)
{
    return attest_fail(err, ATTEST_NOT_FOUND, told[table].object, name, told[table].expected, NULL);
}

/* A change and its revision are one transaction. */
static enum attest_status change(struct store *s, size_t table, enum store_sql kind,
                                 const char *name, struct attest_error *err)
{
    sqlite3_stmt *q = s->stmt[table][kind];
    bool ok = run(s, "BEGIN IMMEDIATE");
    int rc = ok ? sqlite3_step(q) : SQLITE_ERROR;
    int rows = rc == SQLITE_DONE ? sqlite3_changes(s->db) : 0;
    enum attest_status st = ATTEST_OK;

    ok = ok && rc == SQLITE_DONE && run(s, "UPDATE revision SET value = value + 1") &&
         run(s, "COMMIT");
    if (!ok) {
        st = store_fail(s, err);
        (void)run(s, "ROLLBACK");
    } else if (rows == 0) {
        st = not_found(table, name, err);
    }
    sqlite3_reset(q);
    sqlite3_clear_bindings(q);
    return st;
}

static enum attest_status put(struct store *s, size_t table, const char *name, const void *p,
                              size_t len, const char *policies, struct attest_error *err)
{
    sqlite3_stmt *q = s->stmt[table][SQL_PUT];

    if (sqlite3_bind_text(q, 1, name, -1, SQLITE_TRANSIENT) != SQLITE_OK ||
        sqlite3_bind_blob64(q, 2, len > 0 ? p : "", len, SQLITE_TRANSIENT) != SQLITE_OK ||
        (policies != NULL &&
         sqlite3_bind_text(q, 3, policies, -1, SQLITE_TRANSIENT) != SQLITE_OK)) {
        return store_fail(s, err);
    }
    return change(s, table, SQL_PUT, name, err);
}

enum attest_status store_put(struct store *s, enum store_table t, const char *name, const void *p,
                             size_t len, struct attest_error *err)
{
    if (!store_name_valid(name)) {
        return attest_fail(err, ATTEST_MALFORMED, told[t].object, "name",
                           "1 to 128 letters, digits, '.', '_', '-'; no '.' in front", "'%s'",
                           name);
    }
    if (len > STORE_FILE_MAX) {
        return attest_fail(err, ATTEST_MALFORMED, told[t].object, name, "at most 8 MiB",
                           "%zu bytes", len);
    }
    return put(s, t, name, p, len, NULL, err);
}

static enum attest_status copy(const void *p, int len, struct store_bytes *out,
                               struct attest_error *err)
{
    out->p = malloc((size_t)len + 1);
    if (out->p == NULL) {
        return attest_no_memory(err, "store");
    }
    out->len = (size_t)len;
    if (len > 0) {
        memcpy(out->p, p, out->len);
    }
    out->p[len] = '\0';
    return ATTEST_OK;
}

/* column: 0 the value, 1 the policies. */
static enum attest_status get(struct store *s, size_t table, const char *name, int column,
                              struct store_bytes *out, struct attest_error *err)
{
    sqlite3_stmt *q = s->stmt[table][SQL_GET];
    enum attest_status st;
    int rc;

    *out = (struct store_bytes){0};
    rc = sqlite3_bind_text(q, 1, name, -1, SQLITE_TRANSIENT) == SQLITE_OK ? sqlite3_step(q)
                                                                           : SQLITE_ERROR;
    if (rc == SQLITE_ROW) {
        const void *p = sqlite3_column_blob(q, column);

        st = copy(p, sqlite3_column_bytes(q, column), out, err);
    } else if (rc == SQLITE_DONE) {
        st = not_found(table, name, err);
    } else {
        st = store_fail(s, err);
    }
    sqlite3_reset(q);
    return st;
}

enum attest_status store_get(struct store *s, enum store_table t, const char *name,
                             struct store_bytes *out, struct attest_error *err)
{
    return get(s, t, name, 0, out, err);
}

static enum attest_status del(struct store *s, size_t table, const char *name,
                              struct attest_error *err)
{
    sqlite3_stmt *q = s->stmt[table][SQL_DELETE];

    if (sqlite3_bind_text(q, 1, name, -1, SQLITE_TRANSIENT) != SQLITE_OK) {
        return store_fail(s, err);
    }
    return change(s, table, SQL_DELETE, name, err);
}

enum attest_status store_delete(struct store *s, enum store_table t, const char *name,
                                struct attest_error *err)
{
    return del(s, t, name, err);
}

static enum attest_status each(struct store *s, size_t table, int column, store_each_fn *fn,
                               void *arg, struct attest_error *err)
{
    sqlite3_stmt *q = s->stmt[table][SQL_EACH];
    bool more = true;
    int rc = SQLITE_DONE;

    while (more && (rc = sqlite3_step(q)) == SQLITE_ROW) {
        const uint8_t *p = sqlite3_column_blob(q, column);

        more = fn(arg, (const char *)sqlite3_column_text(q, 0), p,
                  (size_t)sqlite3_column_bytes(q, column));
    }
    sqlite3_reset(q);
    return !more || rc == SQLITE_DONE ? ATTEST_OK : store_fail(s, err);
}

enum attest_status store_each(struct store *s, enum store_table t, store_each_fn *fn, void *arg,
                              struct attest_error *err)
{
    return each(s, t, 1, fn, arg, err);
}

/* A policy that nobody could put would keep the secret for ever. */
static enum attest_status check_secret(const char *path, size_t len, const json_t *policies,
                                       struct attest_error *err)
{
    if (!store_path_valid(path)) {
        return attest_fail(err, ATTEST_MALFORMED, "secret", "path", "REPOSITORY/TYPE/TAG", "'%s'",
                           path);
    }
    if (len > STORE_SECRET_MAX) {
        return attest_fail(err, ATTEST_MALFORMED, "secret", path, "at most 1 MiB", "%zu bytes",
                           len);
    }
    if (json_array_size(policies) == 0) {
        return attest_fail(err, ATTEST_MALFORMED, "secret", path,
                           "a policy that may release it (--policy NAME)", "none");
    }
    for (size_t i = 0; i < json_array_size(policies); i++) {
        const char *name = json_string_value(json_array_get(policies, i));

        if (name == NULL || !store_name_valid(name)) {
            return attest_fail(err, ATTEST_MALFORMED, "secret", path,
                               "a policy by a name that policies may have", "'%s'",
                               name != NULL ? name : "");
        }
    }
    return ATTEST_OK;
}

enum attest_status store_secret_put(struct store *s, const char *path, const void *p, size_t len,
                                    const json_t *policies, struct attest_error *err)
{
    enum attest_status st = check_secret(path, len, policies, err);
    uint8_t *sealed;
    char *list;

    if (st != ATTEST_OK) {
        return st;
    }
    sealed = malloc(len + SEAL_OVERHEAD);
    list = json_dumps(policies, JSON_COMPACT);
    if (sealed == NULL || list == NULL || !seal(s->seal_key, path, p, len, sealed)) {
        st = attest_no_memory(err, "store");
    } else {
        st = put(s, SECRET, path, sealed, len + SEAL_OVERHEAD, list, err);
    }
    free(sealed);
    free(list);
    return st;
}

enum attest_status store_secret_policies(struct store *s, const char *path, json_t **policies,
                                         struct attest_error *err)
{
    struct store_bytes b;
    enum attest_status st = get(s, SECRET, path, 1, &b, err);

    *policies = NULL;
    if (st == ATTEST_OK) {
        *policies = json_loadb((const char *)b.p, b.len, JSON_REJECT_DUPLICATES, NULL);
        st = json_is_array(*policies) ? ATTEST_OK
                                      : attest_fail(err, ATTEST_MALFORMED, "store", path,
                                                    "a list of policies", NULL);
    }
    store_bytes_free(&b);
    return st;
}

enum attest_status store_secret_open(struct store *s, const char *path, struct store_bytes *out,
                                     struct attest_error *err)
{
    struct store_bytes b;
    enum attest_status st = get(s, SECRET, path, 0, &b, err);

    *out = (struct store_bytes){0};
    if (st == ATTEST_OK) {
        out->len = b.len >= SEAL_OVERHEAD ? b.len - SEAL_OVERHEAD : 0;
        out->p = malloc(out->len + 16);
        if (out->p == NULL || !unseal(s->seal_key, path, b.p, b.len, out->p)) {
            store_bytes_free(out);
            st = attest_fail(err, ATTEST_SIGNATURE, "store", path, "a secret sealed by this broker",
                             "something else");
        }
    }
    store_bytes_free(&b);
    return st;
}

enum attest_status store_secret_delete(struct store *s, const char *path, struct attest_error *err)
{
    return del(s, SECRET, path, err);
}

enum attest_status store_secret_each(struct store *s, store_each_fn *fn, void *arg,
                                     struct attest_error *err)
{
    return each(s, SECRET, 2, fn, arg, err);
}
