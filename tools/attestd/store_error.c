/* What is wrong with the store's file, and what to do about it. */
#include "store_impl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct {
    int code;
    const char *expected;
} advice[] = {
    {SQLITE_CANTOPEN, "a store in a folder that this user can write; `attestd init` makes one"},
    {SQLITE_NOTADB, "a store that `attestd init` made"},
    {SQLITE_CORRUPT, "an undamaged store: restore it from a backup"},
    {SQLITE_READONLY, "file and folder writable by this user, even for reading"},
    {SQLITE_FULL, "room on the disk: free some, and try again"},
    {SQLITE_BUSY, "to have it within 5 s: another program holds it"},
    {SQLITE_IOERR, "a disk that reads and writes"},
    {SQLITE_ERROR, "a store that is whole: restore it from a backup"},
};

/* SQLite's last try was to read a file that it could not make: what the folder lacks says more. */
static int why_not(const char *path, int error)
{
    char folder[4096];
    char *slash;

    snprintf(folder, sizeof(folder), "%s", path);
    slash = strrchr(folder, '/');
    if (error != ENOENT || slash == NULL) {
        return error;
    }
    *slash = '\0';
    return access(folder[0] != '\0' ? folder : "/", W_OK) != 0 ? errno : error;
}

enum attest_status store_fail(const struct store *s, struct attest_error *err)
{
    const char *found = s->db != NULL ? sqlite3_errmsg(s->db) : "out of memory";
    int code = s->db != NULL ? sqlite3_errcode(s->db) & 0xff : SQLITE_NOMEM;
    const char *expected = NULL;

    for (size_t i = 0; i < sizeof(advice) / sizeof(advice[0]); i++) {
        if (advice[i].code == code) {
            expected = advice[i].expected;
        }
    }
    if (code == SQLITE_CANTOPEN && sqlite3_system_errno(s->db) != 0) {
        found = strerror(why_not(s->path, sqlite3_system_errno(s->db)));
    }
    return attest_fail(err, ATTEST_UNUSABLE, "store", s->path, expected, "%s", found);
}

/* The first row's first column; -1: there is no row, or an error that store_fail can tell. */
static int64_t number(const struct store *s, const char *sql)
{
    sqlite3_stmt *q = NULL;
    int64_t v = -1;

    if (sqlite3_prepare_v2(s->db, sql, -1, &q, NULL) == SQLITE_OK &&
        sqlite3_step(q) == SQLITE_ROW) {
        v = sqlite3_column_int64(q, 0);
    }
    sqlite3_finalize(q);
    return v;
}

enum attest_status store_check_schema(const struct store *s, bool create, struct attest_error *err)
{
    int64_t version = number(s, "PRAGMA user_version");
    int64_t tables = number(s, "SELECT count(*) FROM sqlite_master");
    int64_t ours = number(s, "SELECT count(*) FROM sqlite_master WHERE name = 'revision'");

    if (version < 0 || tables < 0 || ours < 0) {
        return store_fail(s, err);
    }
    if (version > STORE_SCHEMA) {
        return attest_fail(err, ATTEST_UNUSABLE, "store", s->path,
                           "version 1: use the attestd that made it, or a newer one",
                           "version %lld", (long long)version);
    }
    if (ours == 0 && (tables > 0 || !create)) {
        return attest_fail(err, ATTEST_UNUSABLE, "store", s->path,
                           "a store that `attestd init` made", "%s",
                           tables > 0 ? "a database of another program" : "an empty file");
    }
    return ATTEST_OK;
}
