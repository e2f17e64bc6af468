/*
 * The token as a whole: a collection of two COSE_Sign1. Tag 399 is DEN0137's CCA token; tag 907 is
 * the RATS conceptual message collection that later firmware emits, each value a pair of content
 * format 263 (application/eat+cwt) and the same bytes.
 */
#include "cca_claims.h"

#include <string.h>

#define OBJECT "CCA token"

enum { TAG_CCA_TOKEN = 399, TAG_COLLECTION = 907, FORMAT_EAT_CWT = 263 };
enum { TOKEN_PLATFORM = 44234, TOKEN_REALM = 44241 };
#define COLLECTION_TYPE "__cmwc_t"

bool cca_token_detect(const uint8_t *p, size_t len)
{
    struct reader r = rd_make(p, len);
    struct cbor_item tag;

    return cbor_next(&r, &tag) && tag.type == CBOR_TAG &&
           (tag.value == TAG_CCA_TOKEN || tag.value == TAG_COLLECTION);
}

static enum attest_status bad(struct attest_error *err, const char *field, const char *expected)
{
    return attest_fail(err, ATTEST_MALFORMED, OBJECT, field, expected, NULL);
}

/* The byte string of one member, bare or behind its content format. */
static bool member(struct reader *r, bool collection, struct attest_span *out)
{
    struct cbor_item v;

    if (collection && (!cbor_next(r, &v) || v.type != CBOR_ARRAY || v.value != 2 ||
                       !cbor_next(r, &v) || v.type != CBOR_UINT || v.value != FORMAT_EAT_CWT)) {
        return false;
    }
    if (!cbor_next(r, &v) || v.type != CBOR_BYTES) {
        return false;
    }
    *out = (struct attest_span){v.p, (size_t)v.value};
    return true;
}

/* A collection may state its own type as text; nothing else may stand beside the two tokens. */
static bool is_type_label(const struct cbor_item *key, bool collection)
{
    return collection && key->type == CBOR_TEXT && key->value == strlen(COLLECTION_TYPE) &&
           memcmp(key->p, COLLECTION_TYPE, strlen(COLLECTION_TYPE)) == 0;
}

static enum attest_status split(const uint8_t *p, size_t len, bool *collection,
                                struct attest_span *platform, struct attest_span *realm,
                                struct attest_error *err)
{
    struct reader r = rd_make(p, len);
    struct cbor_item map;
    struct cbor_item v;

    if (!cbor_next(&r, &v) || v.type != CBOR_TAG ||
        (v.value != TAG_CCA_TOKEN && v.value != TAG_COLLECTION)) {
        return bad(err, "tag", "399 or 907");
    }
    *collection = v.value == TAG_COLLECTION;
    if (!cbor_next(&r, &map) || map.type != CBOR_MAP) {
        return bad(err, "contents", "a map of two tokens");
    }
    for (uint64_t i = 0; i < map.value; i++) {
        struct attest_span *to;

        if (!cbor_next(&r, &v)) {
            return bad(err, "contents", "a map of two tokens");
        }
        if (is_type_label(&v, *collection) && cbor_next(&r, &v) && v.type == CBOR_TEXT) {
            continue;
        }
        to = v.type != CBOR_UINT          ? NULL
             : v.value == TOKEN_PLATFORM ? platform
             : v.value == TOKEN_REALM    ? realm
                                         : NULL;
        if (to == NULL || !member(&r, *collection, to)) {
            return bad(err, "contents", "platform (44234) and realm (44241) tokens only");
        }
    }
    return platform->p != NULL && realm->p != NULL
               ? ATTEST_OK
               : bad(err, "contents", "both the platform and the realm token");
}

enum attest_status cca_token_parse(const uint8_t *p, size_t len, struct cca_token *out,
                                   struct attest_error *err)
{
    struct attest_span platform = {NULL, 0};
    struct attest_span realm = {NULL, 0};
    enum attest_status st = cbor_check(p, len, OBJECT, err);

    if (st != ATTEST_OK ||
        (st = split(p, len, &out->collection, &platform, &realm, err)) != ATTEST_OK ||
        (st = cose_sign1_parse(platform.p, platform.len, "CCA platform token",
                               &out->platform_sign, err)) != ATTEST_OK ||
        (st = cose_sign1_parse(realm.p, realm.len, "CCA realm token", &out->realm_sign, err)) !=
            ATTEST_OK ||
        (st = cca_platform_parse(out->platform_sign.payload.p, out->platform_sign.payload.len,
                                 &out->platform, err)) != ATTEST_OK) {
        return st;
    }
    return cca_realm_parse(out->realm_sign.payload.p, out->realm_sign.payload.len, &out->realm,
                           err);
}

static enum attest_status rak_parse(const struct cca_realm *r, EVP_PKEY **out,
                                    struct attest_error *err)
{
    const char *object = "CCA realm token RAK";

    return r->legacy ? cose_point_parse(r->rak.p, r->rak.len, object, out, err)
                     : cose_key_parse(r->rak.p, r->rak.len, object, out, err);
}

enum attest_status cca_token_check_binding(const struct cca_token *t, struct attest_error *err)
{
    const struct cca_realm *r = &t->realm;
    size_t size = attest_hash_size(r->rak_hash);
    uint8_t digest[ATTEST_HASH_MAX];
    EVP_PKEY *rak = NULL;
    enum attest_status st;

    if (!attest_hash1(r->rak_hash, r->rak.p, r->rak.len, digest)) {
        return attest_fail(err, ATTEST_INTERNAL, OBJECT, "RAK hash", NULL, NULL);
    }
    if (t->platform.challenge.len != size || memcmp(t->platform.challenge.p, digest, size) != 0) {
        return attest_fail_bytes(err, ATTEST_BINDING, OBJECT,
                                 "cca-platform-challenge (hash of RAK)", digest, size,
                                 t->platform.challenge.p, t->platform.challenge.len);
    }
    st = rak_parse(r, &rak, err);
    if (st == ATTEST_OK) {
        st = cose_sign1_verify(&t->realm_sign, rak, "CCA realm token", err);
        EVP_PKEY_free(rak);
    }
    return st;
}
