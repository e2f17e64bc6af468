/*
 * Platform attestation keys as collateral: a PEM public key; one JWK; or a list of anchors with
 * "pkey", "instance-id" and "implementation-id" in hex, as the Veraison tools write it.
 */
#include <attest/cca.h>
#include <attest/hex.h>

#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OBJECT "CCA trust anchor"
#define PEM_BEGIN "-----BEGIN PUBLIC KEY-----"
#define ANCHOR_FILE_MAX (1024 * 1024)

static bool starts_with(const uint8_t *p, size_t len, const char *s)
{
    return len >= strlen(s) && memcmp(p, s, strlen(s)) == 0;
}

static bool anchor_detect(const uint8_t *p, size_t len)
{
    if (len > ANCHOR_FILE_MAX) {
        return false;
    }
    while (len > 0 && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t')) {
        p++;
        len--;
    }
    if (starts_with(p, len, PEM_BEGIN)) {
        return true;
    }
    return len > 0 && ((*p == '[' && memmem(p, len, "\"pkey\"", 6) != NULL) ||
                       (*p == '{' && memmem(p, len, "\"kty\"", 5) != NULL));
}

static void anchor_free(void *obj)
{
    struct cca_anchor *a = obj;

    EVP_PKEY_free(a->key);
    free(a);
}

static bool spki_sha256(EVP_PKEY *key, uint8_t out[32])
{
    unsigned char *der = NULL;
    int len = i2d_PUBKEY(key, &der);
    bool ok = len > 0 && attest_hash1(ATTEST_SHA256, der, (size_t)len, out);

    OPENSSL_free(der);
    return ok;
}

/* Takes a->key over. */
static enum attest_status put(struct attest_collateral *c, const char *name,
                              const struct cca_anchor *a, struct attest_error *err)
{
    struct cca_anchor *copy = malloc(sizeof(*copy));
    struct attest_item item = {.ops = &attest_item_cca_anchor, .obj = copy};
    enum jose_curve curve;

    if (copy == NULL) {
        EVP_PKEY_free(a->key);
        return attest_no_memory(err, OBJECT);
    }
    *copy = *a;
    if (!jose_curve_of(a->key, &curve) || !spki_sha256(a->key, copy->spki_sha256)) {
        anchor_free(copy);
        return attest_fail(err, ATTEST_UNSUPPORTED, OBJECT, "key", "P-256, P-384 or P-521", NULL);
    }
    snprintf(item.name, sizeof(item.name), "%s", name);
    return attest_collateral_put(c, &item, err);
}

static enum attest_status id_of(const json_t *j, const char *key, uint8_t *out, size_t size,
                                bool *has, struct attest_error *err)
{
    const json_t *v = json_object_get(j, key);

    *has = v != NULL;
    if (v != NULL && (!json_is_string(v) || !hex_decode_exact(json_string_value(v), out, size))) {
        return attest_fail(err, ATTEST_MALFORMED, OBJECT, key, "hex digits in its size", NULL);
    }
    return ATTEST_OK;
}

static enum attest_status parse_entry(struct attest_collateral *c, const char *name,
                                      const json_t *j, struct attest_error *err)
{
    struct cca_anchor a = {0};
    enum attest_status st;

    if (!json_is_object(j)) {
        return attest_fail(err, ATTEST_MALFORMED, OBJECT, "entry", "an object", NULL);
    }
    if ((st = id_of(j, "instance-id", a.instance_id, sizeof(a.instance_id), &a.has_instance,
                    err)) != ATTEST_OK ||
        (st = id_of(j, "implementation-id", a.implementation_id, sizeof(a.implementation_id),
                    &a.has_implementation, err)) != ATTEST_OK ||
        (st = jose_jwk_parse(json_object_get(j, "pkey"), OBJECT, &a.key, err)) != ATTEST_OK) {
        return st;
    }
    return put(c, name, &a, err);
}

static enum attest_status parse_json(struct attest_collateral *c, const char *name,
                                     const json_t *j, struct attest_error *err)
{
    enum attest_status st = ATTEST_OK;
    struct cca_anchor a = {0};

    if (json_is_object(j)) {
        st = jose_jwk_parse(j, OBJECT, &a.key, err);
        return st == ATTEST_OK ? put(c, name, &a, err) : st;
    }
    for (size_t i = 0; i < json_array_size(j) && st == ATTEST_OK; i++) {
        st = parse_entry(c, name, json_array_get(j, i), err);
    }
    return st;
}

static enum attest_status parse_pem(struct attest_collateral *c, const char *name,
                                    const uint8_t *p, size_t len, struct attest_error *err)
{
    BIO *bio = BIO_new_mem_buf(p, (int)len);
    struct cca_anchor a = {.key = bio != NULL ? PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL) : NULL};

    BIO_free(bio);
    if (a.key == NULL) {
        return attest_fail(err, ATTEST_MALFORMED, OBJECT, "PEM", "a public key", NULL);
    }
    return put(c, name, &a, err);
}

static enum attest_status anchor_parse(struct attest_collateral *c, const char *name,
                                       const uint8_t *p, size_t len, struct attest_error *err)
{
    enum attest_status st;
    json_error_t je;
    json_t *j;

    if (memmem(p, len, PEM_BEGIN, strlen(PEM_BEGIN)) != NULL) {
        return parse_pem(c, name, p, len, err);
    }
    j = json_loadb((const char *)p, len, JSON_REJECT_DUPLICATES, &je);
    if (j == NULL) {
        return attest_fail(err, ATTEST_MALFORMED, OBJECT, "JSON", NULL, "line %d: %s", je.line,
                           je.text);
    }
    st = parse_json(c, name, j, err);
    json_decref(j);
    return st;
}

static void anchor_describe(const void *obj, char *buf, size_t size)
{
    const struct cca_anchor *a = obj;
    char spki[65];
    char id[2 * CCA_INSTANCE_ID_SIZE + 1];

    snprintf(buf, size, "CCA platform attestation key %s%s%s", hex_encode(a->spki_sha256, 32, spki),
             a->has_instance ? " of instance " : "",
             a->has_instance ? hex_encode(a->instance_id, CCA_INSTANCE_ID_SIZE, id) : "");
}

const struct attest_item_ops attest_item_cca_anchor = {
    .kind = "cca-trust-anchor",
    .detect = anchor_detect,
    .parse = anchor_parse,
    .free = anchor_free,
    .describe = anchor_describe,
};
