/* Administration of the store at hand; whoever has its key may. */
#include "admin.h"
#include "broker.h"
#include "commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *const store_options[] = {"db", "key", NULL};
static const char *const secret_options[] = {"db", "key", "policy", NULL};

#define STORE_HELP "  --db FILE     the store\n  --key FILE    its key\n"

int cmd_init(int argc, char **argv)
{
    static const char help[] = "Usage: attestd init --db FILE --key FILE\n\n"
                               "Makes the key file (mode 0600) and the store, whichever is "
                               "missing.\n\n" STORE_HELP;
    struct attest_error err = {0};
    struct options o;

    if (!options_parse(argc, argv, store_options, help, &o)) {
        return 2;
    }
    if (option(&o, "db") == NULL || option(&o, "key") == NULL || o.words != 0) {
        fputs(help, stderr);
        return 2;
    }
    umask(077);
    return broker_init(option(&o, "db"), option(&o, "key"), &err) == ATTEST_OK ? 0 : tell(&err);
}

static bool print_secret(void *arg, const char *name, const uint8_t *p, size_t len)
{
    (void)arg;
    if (strncmp(name, "meta/", 5) != 0) {
        printf("%s %.*s\n", name, (int)len, (const char *)p);
    }
    return true;
}

static bool print_row(void *arg, const char *name, const uint8_t *p, size_t len)
{
    (void)arg;
    (void)p;
    printf("%s %zu\n", name, len);
    return true;
}

static bool words_are(const struct options *o, size_t n, const char *verb)
{
    return o->words == n && strcmp(o->word[0], verb) == 0;
}

static json_t *policies_of(const struct options *o)
{
    json_t *list = json_array();

    for (size_t i = 0; i < o->count; i++) {
        if (strcmp(o->name[i], "policy") == 0) {
            json_array_append_new(list, json_string(o->value[i]));
        }
    }
    return list;
}

static enum attest_status put_secret(struct store *s, const struct options *o,
                                     struct attest_error *err)
{
    json_t *policies = policies_of(o);
    struct store_bytes b;
    enum attest_status st;

    if (strncmp(o->word[1], "meta/", 5) == 0) {
        st = attest_fail(err, ATTEST_MALFORMED, "secret", o->word[1],
                         "a repository that is not the broker's own", "meta");
    } else if ((st = read_file("-", STORE_SECRET_MAX, &b, err)) == ATTEST_OK) {
        st = store_secret_put(s, o->word[1], b.p, b.len, policies, err);
        store_bytes_free(&b);
    }
    json_decref(policies);
    return st;
}

int cmd_secret(int argc, char **argv)
{
    static const char help[] =
        "Usage: attestd secret put REPOSITORY/TYPE/TAG --policy NAME ... < VALUE\n"
        "       attestd secret list\n"
        "       attestd secret delete REPOSITORY/TYPE/TAG\n\n" STORE_HELP
        "  --policy NAME a policy that may release it; give it again for more\n";
    struct attest_error err = {0};
    enum attest_status st = ATTEST_OK;
    struct options o;
    struct store *s;

    if (!options_parse(argc, argv, secret_options, help, &o) || (s = open_store(&o)) == NULL) {
        return 2;
    }
    if (words_are(&o, 2, "put")) {
        st = put_secret(s, &o, &err);
    } else if (words_are(&o, 1, "list")) {
        st = store_secret_each(s, print_secret, NULL, &err);
    } else if (words_are(&o, 2, "delete")) {
        st = store_secret_delete(s, o.word[1], &err);
    } else {
        fputs(help, stderr);
        store_close(s);
        return 2;
    }
    store_close(s);
    return st == ATTEST_OK ? 0 : tell(&err);
}

static enum attest_status show(struct store *s, enum store_table t, const char *name,
                               struct attest_error *err)
{
    struct store_bytes b;
    enum attest_status st = store_get(s, t, name, &b, err);

    if (st == ATTEST_OK) {
        fwrite(b.p, 1, b.len, stdout);
        putchar('\n');
    }
    store_bytes_free(&b);
    return st;
}

typedef enum attest_status put_fn(struct store *s, const char *name, const uint8_t *p, size_t len,
                                  struct attest_error *err);

static enum attest_status put_file(struct store *s, const struct options *o, put_fn *put,
                                   struct attest_error *err)
{
    struct store_bytes b;
    enum attest_status st = read_file(o->word[2], STORE_FILE_MAX, &b, err);

    if (st == ATTEST_OK) {
        st = put(s, o->word[1], b.p, b.len, err);
        store_bytes_free(&b);
    }
    return st;
}

/* put NAME FILE, list, show NAME, delete NAME on one table; -1: none of these. */
static int on_table(struct store *s, enum store_table t, const struct options *o, put_fn *put)
{
    struct attest_error err = {0};
    enum attest_status st;

    if (put != NULL && words_are(o, 3, "put")) {
        st = put_file(s, o, put, &err);
    } else if (words_are(o, 1, "list")) {
        st = store_each(s, t, print_row, NULL, &err);
    } else if (words_are(o, 2, "show")) {
        st = show(s, t, o->word[1], &err);
    } else if (words_are(o, 2, "delete")) {
        st = store_delete(s, t, o->word[1], &err);
    } else {
        return -1;
    }
    return st == ATTEST_OK ? 0 : tell(&err);
}

static int table_command(int argc, char **argv, const char *help, enum store_table t, put_fn *put)
{
    struct options o;
    struct store *s;
    int rc;

    if (!options_parse(argc, argv, store_options, help, &o) || (s = open_store(&o)) == NULL) {
        return 2;
    }
    rc = on_table(s, t, &o, put);
    store_close(s);
    if (rc < 0) {
        fputs(help, stderr);
        return 2;
    }
    return rc;
}

int cmd_policy(int argc, char **argv)
{
    static const char help[] = "Usage: attestd policy put NAME FILE | list | show NAME | delete "
                               "NAME\n\nPolicies are those of docs/policy.md. \"@NAME\" in place "
                               "of a value stands for the\nreference values of that name.\n\n"
                               STORE_HELP;

    return table_command(argc, argv, help, STORE_POLICY, admin_policy_put);
}

int cmd_collateral(int argc, char **argv)
{
    static const char help[] = "Usage: attestd collateral put NAME FILE | list | show NAME | "
                               "delete NAME\n\n" STORE_HELP;

    return table_command(argc, argv, help, STORE_COLLATERAL, admin_collateral_put);
}

int cmd_reference(int argc, char **argv)
{
    static const char help[] = "Usage: attestd reference add NAME VALUE | list | show NAME | "
                               "delete NAME\n\nVALUE is one value or a JSON list of values.\n\n"
                               STORE_HELP;
    struct attest_error err = {0};
    enum attest_status st;
    struct options o;
    struct store *s;

    if (!options_parse(argc, argv, store_options, help, &o)) {
        return 2;
    }
    if (!words_are(&o, 3, "add")) {
        return table_command(argc, argv, help, STORE_REFERENCE, NULL);
    }
    if ((s = open_store(&o)) == NULL) {
        return 2;
    }
    st = admin_reference_add(s, o.word[1], o.word[2], &err);
    store_close(s);
    return st == ATTEST_OK ? 0 : tell(&err);
}

int cmd_admin_key(int argc, char **argv)
{
    static const char help[] = "Usage: attestd admin-key put FILE | delete\n\nFILE is a PEM public "
                               "key, EC or Ed25519: bearer tokens by its private key may\nput "
                               "secrets and policies by HTTP.\n\n" STORE_HELP;
    struct attest_error err = {0};
    enum attest_status st;
    struct store_bytes b;
    struct options o;
    struct store *s;

    if (!options_parse(argc, argv, store_options, help, &o) || (s = open_store(&o)) == NULL) {
        return 2;
    }
    if (words_are(&o, 2, "put")) {
        st = read_file(o.word[1], 65536, &b, &err);
        if (st == ATTEST_OK) {
            st = admin_key_put(s, b.p, b.len, &err);
            store_bytes_free(&b);
        }
    } else if (words_are(&o, 1, "delete")) {
        st = store_delete(s, STORE_META, "admin-key", &err);
    } else {
        fputs(help, stderr);
        store_close(s);
        return 2;
    }
    store_close(s);
    return st == ATTEST_OK ? 0 : tell(&err);
}
