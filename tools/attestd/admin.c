#include "admin.h"

#include <attest/collateral.h>
#include <attest/hex.h>
#include <attest/policy.h>

#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

bool admin_base64(const char *s, size_t len, uint8_t *out, size_t *out_len)
{
    while (len > 0 && (s[len - 1] == '\n' || s[len - 1] == '\r')) {
        len--;
    }
    return base64_decode(s, len, false, out, len + 1, out_len) ||
           base64_decode(s, len, true, out, len + 1, out_len);
}

static bool has_references(const json_t *j)
{
    const char *s = json_string_value(j);
    const char *key;
    json_t *v;

    if (s != NULL) {
        return s[0] == '@';
    }
    for (size_t i = 0; i < json_array_size(j); i++) {
        if (has_references(json_array_get(j, i))) {
            return true;
        }
    }
    json_object_foreach((json_t *)(uintptr_t)j, key, v)
    {
        if (has_references(v)) {
            return true;
        }
    }
    return false;
}

enum attest_status admin_policy_put(struct store *s, const char *name, const uint8_t *p, size_t len,
                                    struct attest_error *err)
{
    json_error_t at;
    json_t *j = json_loadb((const char *)p, len, JSON_REJECT_DUPLICATES, &at);
    struct attest_policy *policy = NULL;
    enum attest_status st = ATTEST_OK;

    if (j == NULL) {
        return attest_fail(err, ATTEST_POLICY_INVALID, "policy", name, "JSON", "line %d: %s",
                           at.line, at.text);
    }
    /* With references it is compiled when it is used; until then it lets nothing through. */
    if (!has_references(j)) {
        st = attest_policy_parse((const char *)p, len, &policy, err);
        attest_policy_free(policy);
    }
    json_decref(j);
    return st == ATTEST_OK ? store_put(s, STORE_POLICY, name, p, len, err) : st;
}

enum attest_status admin_reference_add(struct store *s, const char *name, const char *value,
                                       struct attest_error *err)
{
    struct store_bytes old = {0};
    json_t *list = NULL;
    json_error_t at;
    json_t *more = json_loads(value, 0, &at);
    enum attest_status st;
    char *text;

    if (value[0] == '[' && more == NULL) {
        return attest_fail(err, ATTEST_MALFORMED, "reference value", name, "a JSON list", "%s",
                           at.text);
    }
    if (store_get(s, STORE_REFERENCE, name, &old, NULL) == ATTEST_OK) {
        list = json_loadb((const char *)old.p, old.len, 0, NULL);
    }
    store_bytes_free(&old);
    list = list != NULL ? list : json_array();
    if (json_is_array(more)) {
        json_array_extend(list, more);
    } else {
        json_array_append_new(list, json_string(value));
    }
    text = json_dumps(list, JSON_COMPACT);
    st = text != NULL ? store_put(s, STORE_REFERENCE, name, text, strlen(text), err)
                      : attest_no_memory(err, "reference value");
    free(text);
    json_decref(list);
    json_decref(more);
    return st;
}

enum attest_status admin_collateral_put(struct store *s, const char *name, const uint8_t *p,
                                        size_t len, struct attest_error *err)
{
    struct attest_collateral *c = attest_collateral_new();
    enum attest_status st = c != NULL ? attest_collateral_add(c, name, p, len, err)
                                      : attest_no_memory(err, "collateral");

    attest_collateral_free(c);
    return st == ATTEST_OK ? store_put(s, STORE_COLLATERAL, name, p, len, err) : st;
}

enum attest_status admin_key_put(struct store *s, const uint8_t *p, size_t len,
                                 struct attest_error *err)
{
    BIO *bio = BIO_new_mem_buf(p, (int)len);
    EVP_PKEY *key = bio != NULL ? PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL) : NULL;
    bool ok = key != NULL && (EVP_PKEY_is_a(key, "EC") || EVP_PKEY_is_a(key, "ED25519"));

    EVP_PKEY_free(key);
    BIO_free(bio);
    return ok ? store_put(s, STORE_META, "admin-key", p, len, err)
              : attest_fail(err, ATTEST_MALFORMED, "admin key", "PEM",
                            "an EC or Ed25519 public key", NULL);
}
