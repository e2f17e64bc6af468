#include "attest_ccamint.h"

#include "cu.h"

#include <string.h>

static void put_digest(struct cbor_writer *w, uint8_t fill, size_t len)
{
    uint8_t d[64];

    memset(d, fill, sizeof(d));
    cbor_put_bytes(w, d, len);
}

static size_t put_rak(const struct mint *m, uint8_t *out, size_t size)
{
    uint8_t point[1 + 2 * JOSE_COORD_MAX];
    struct cbor_writer w = cbor_writer(out, size);
    enum jose_curve c;
    size_t len;

    CU_ASSERT_FATAL(jose_curve_of(m->rak, &c) && jose_ec_point(m->rak, point, &len));
    if (m->legacy) {
        memcpy(out, point, len);
        return len;
    }
    cbor_put_head(&w, CBOR_MAP, 4);
    cbor_put_int(&w, 1);
    cbor_put_int(&w, 2);
    cbor_put_int(&w, -1);
    cbor_put_int(&w, (int64_t)c + 1);
    cbor_put_int(&w, -2);
    cbor_put_bytes(&w, point + 1, jose_curve_size(c));
    cbor_put_int(&w, -3);
    cbor_put_bytes(&w, point + 1 + jose_curve_size(c), jose_curve_size(c));
    return w.used;
}

static size_t put_realm(const struct mint *m, const uint8_t *rak, size_t rak_len, uint8_t *out,
                        size_t size)
{
    struct cbor_writer w = cbor_writer(out, size);

    cbor_put_head(&w, CBOR_MAP, m->realm_profile != NULL ? 8 : 7);
    if (m->realm_profile != NULL) {
        cbor_put_int(&w, 265);
        cbor_put_text(&w, m->realm_profile);
    }
    cbor_put_int(&w, 10);
    put_digest(&w, 0xab, 64);
    cbor_put_int(&w, 44235);
    put_digest(&w, 0x11, 64);
    cbor_put_int(&w, 44236);
    cbor_put_text(&w, "sha-384");
    cbor_put_int(&w, 44237);
    cbor_put_bytes(&w, rak, rak_len);
    cbor_put_int(&w, 44240);
    cbor_put_text(&w, cca_hash_name(m->rak_hash));
    cbor_put_int(&w, 44238);
    put_digest(&w, 0x22, 48);
    cbor_put_int(&w, 44239);
    cbor_put_head(&w, CBOR_ARRAY, 4);
    for (unsigned int i = 0; i < 4; i++) {
        put_digest(&w, (uint8_t)i, 48);
    }
    CU_ASSERT_FATAL(w.ok);
    return w.used;
}

static size_t put_platform(const struct mint *m, const uint8_t *rak, size_t rak_len, uint8_t *out,
                           size_t size)
{
    struct cbor_writer w = cbor_writer(out, size);
    uint8_t instance[33] = {1};
    uint8_t digest[64];

    CU_ASSERT_FATAL(attest_hash1(m->rak_hash, rak, rak_len, digest));
    digest[5] ^= m->wrong_binding;
    cbor_put_head(&w, CBOR_MAP, 8);
    cbor_put_int(&w, 265);
    cbor_put_text(&w, m->legacy ? "http://arm.com/CCA-SSD/1.0.0"
                                : "tag:arm.com,2023:cca_platform#1.0.0");
    cbor_put_int(&w, 10);
    cbor_put_bytes(&w, digest, attest_hash_size(m->rak_hash));
    cbor_put_int(&w, 2396);
    put_digest(&w, 0x33, 32);
    cbor_put_int(&w, 256);
    cbor_put_bytes(&w, instance, sizeof(instance));
    cbor_put_int(&w, 2401);
    cbor_put_bytes(&w, "cfg", 3);
    cbor_put_int(&w, 2395);
    cbor_put_int(&w, m->lifecycle);
    cbor_put_int(&w, 2402);
    cbor_put_text(&w, "sha-256");
    cbor_put_int(&w, 2399);
    cbor_put_head(&w, CBOR_ARRAY, 1);
    cbor_put_head(&w, CBOR_MAP, m->component != NULL ? 3 : 2);
    if (m->component != NULL) {
        cbor_put_int(&w, 1);
        cbor_put_text(&w, m->component);
    }
    cbor_put_int(&w, 2);
    put_digest(&w, 0x44, 32);
    cbor_put_int(&w, 5);
    put_digest(&w, 0x55, 32);
    CU_ASSERT_FATAL(w.ok);
    return w.used;
}

static void put_signed(struct cbor_writer *w, const struct mint *m, int64_t label, EVP_PKEY *key,
                       const uint8_t *payload, size_t len)
{
    uint8_t sign[TOKEN_MAX];
    size_t sign_len = sizeof(sign);

    CU_ASSERT_FATAL(cose_sign1_make(key, payload, len, sign, &sign_len));
    cbor_put_int(w, label);
    if (m->collection) {
        cbor_put_head(w, CBOR_ARRAY, 2);
        cbor_put_int(w, 263);
    }
    cbor_put_bytes(w, sign, sign_len);
}

void mint(const struct mint *m, struct token *t)
{
    struct cbor_writer w = cbor_writer(t->p, sizeof(t->p));
    EVP_PKEY *other = jose_ec_generate(JOSE_P384);
    uint8_t claims[2048];
    uint8_t rak[256];
    size_t rak_len = put_rak(m, rak, sizeof(rak));
    size_t len = put_platform(m, rak, rak_len, claims, sizeof(claims));

    cbor_put_head(&w, CBOR_TAG, m->collection ? 907 : 399);
    cbor_put_head(&w, CBOR_MAP, 2);
    put_signed(&w, m, 44234, m->cpak, claims, len);
    len = put_realm(m, rak, rak_len, claims, sizeof(claims));
    put_signed(&w, m, 44241, m->wrong_rak ? other : m->rak, claims, len);
    CU_ASSERT_FATAL(w.ok);
    t->len = w.used;
    EVP_PKEY_free(other);
}

struct mint a_mint(enum jose_curve cpak, enum jose_curve rak)
{
    return (struct mint){.cpak = jose_ec_generate(cpak),
                         .rak = jose_ec_generate(rak),
                         .lifecycle = 0x3000,
                         .rak_hash = ATTEST_SHA256,
                         .realm_profile = "tag:arm.com,2023:realm#1.0.0"};
}

void mint_free(struct mint *m)
{
    EVP_PKEY_free(m->cpak);
    EVP_PKEY_free(m->rak);
}
