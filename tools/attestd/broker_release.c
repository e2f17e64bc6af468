/* Letting a secret go, wrapped to the key that the evidence vouches for. */
#include "broker_impl.h"

#include <attest/jwe.h>

#include <string.h>

bool broker_path_public(const char *path)
{
    return store_path_valid(path) && strncmp(path, "meta/", 5) != 0;
}

static bool lists(const json_t *policies, const char *name)
{
    for (size_t i = 0; i < json_array_size(policies); i++) {
        const char *s = json_string_value(json_array_get(policies, i));

        if (s != NULL && strcmp(s, name) == 0) {
            return true;
        }
    }
    return false;
}

static int wrap(struct broker *b, const char *path, EVP_PKEY *key, json_t **jwe,
                struct attest_error *err)
{
    struct store_bytes secret;
    enum attest_status st = store_secret_open(b->store, path, &secret, err);

    if (st == ATTEST_OK) {
        st = jwe_encrypt(key, secret.p, secret.len, jwe, err);
    }
    store_bytes_free(&secret);
    return st == ATTEST_OK ? 200 : 503;
}

int broker_release(struct broker *b, const char *path, const char *policy, EVP_PKEY *key,
                   json_t **jwe, struct attest_error *err)
{
    json_t *policies = NULL;
    enum attest_status st;
    int status;

    *jwe = NULL;
    if (!broker_path_public(path)) {
        attest_fail(err, ATTEST_NOT_FOUND, "secret", "path", "repository/type/tag", NULL);
        return 404;
    }
    st = store_secret_policies(b->store, path, &policies, err);
    if (st != ATTEST_OK) {
        status = st == ATTEST_NOT_FOUND ? 404 : 503;
    } else if (!lists(policies, policy)) {
        attest_fail(err, ATTEST_POLICY, "secret", "policies", "one that the evidence met", "%s",
                    policy);
        status = 403;
    } else {
        status = wrap(b, path, key, jwe, err);
    }
    json_decref(policies);
    return status;
}
