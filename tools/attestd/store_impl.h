/* What the store's files share. */
#ifndef ATTESTD_STORE_IMPL_H
#define ATTESTD_STORE_IMPL_H

#include "store.h"

#include <sqlite3.h>

/* In the file as user_version; 0 in those from before it was told, which are the same. */
#define STORE_SCHEMA 1

/* What is prepared once for each table. */
enum store_sql { SQL_PUT, SQL_GET, SQL_DELETE, SQL_EACH, SQL_KINDS };

struct store {
    char *path;
    sqlite3 *db;
    uint8_t seal_key[STORE_KEY_SIZE];
    sqlite3_stmt *stmt[STORE_TABLES + 1][SQL_KINDS];
    sqlite3_stmt *revision;
};

/* Tells SQLite's last error as one of the file, with what to do about it. */
enum attest_status store_fail(const struct store *s, struct attest_error *err);
/* Is it a store, and of a version that this program knows? create: or nothing yet. */
enum attest_status store_check_schema(const struct store *s, bool create,
                                      struct attest_error *err);

#endif
