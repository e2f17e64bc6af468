/* Sealing and opening. */
#include "jwe_impl.h"

#include <attest/hex.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OBJECT "JWE"
#define ENC "A256GCM"
#define IV_SIZE 12
#define TAG_SIZE 16
#define PLAIN_MAX (16 * 1024 * 1024)

const char *jwe_alg(EVP_PKEY *key)
{
    enum jose_curve c;

    if (jose_curve_of(key, &c)) {
        return ALG_ECDH;
    }
    return key != NULL && EVP_PKEY_is_a(key, "RSA") ? ALG_RSA : NULL;
}

/* out has len bytes; the associated data is the protected header's text. */
static bool gcm(bool seal, const uint8_t cek[CEK_SIZE], const uint8_t iv[IV_SIZE], const char *aad,
                const uint8_t *in, size_t len, uint8_t *out, uint8_t tag[TAG_SIZE])
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int n = 0;
    bool ok = ctx != NULL &&
              EVP_CipherInit_ex(ctx, EVP_aes_256_gcm(), NULL, cek, iv, seal) == 1 &&
              EVP_CipherUpdate(ctx, NULL, &n, (const uint8_t *)aad, (int)strlen(aad)) == 1 &&
              (len == 0 || EVP_CipherUpdate(ctx, out, &n, in, (int)len) == 1) &&
              (seal || EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, TAG_SIZE, tag) == 1) &&
              EVP_CipherFinal_ex(ctx, out + len, &n) == 1 &&
              (!seal || EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, TAG_SIZE, tag) == 1);

    EVP_CIPHER_CTX_free(ctx);
    return ok;
}

/* The protected header's text; takes epk over. */
static char *header_text(const char *alg, json_t *epk)
{
    json_t *h = json_pack("{s:s, s:s, s:o*}", "alg", alg, "enc", ENC, "epk", epk);
    char *text = h != NULL ? json_dumps(h, JSON_COMPACT) : NULL;
    char *b64 = text != NULL ? jose_b64_text(text, strlen(text)) : NULL;

    json_decref(h);
    free(text);
    return b64;
}

struct sealed {
    uint8_t wrapped[WRAPPED_MAX];
    size_t wrapped_len;
    uint8_t iv[IV_SIZE];
    uint8_t tag[TAG_SIZE];
    char *header;
    uint8_t *cipher;
};

static bool seal(EVP_PKEY *key, const void *p, size_t len, struct sealed *s)
{
    uint8_t cek[CEK_SIZE];
    json_t *epk = NULL;
    bool ok;

    s->wrapped_len = sizeof(s->wrapped);
    ok = RAND_bytes(cek, sizeof(cek)) == 1 && RAND_bytes(s->iv, sizeof(s->iv)) == 1 &&
         jwe_wrap(key, cek, s->wrapped, &s->wrapped_len, &epk);
    s->header = ok ? header_text(jwe_alg(key), epk) : NULL;
    s->cipher = malloc(len + TAG_SIZE);
    ok = ok && s->header != NULL && s->cipher != NULL &&
         gcm(true, cek, s->iv, s->header, p, len, s->cipher, s->tag);
    OPENSSL_cleanse(cek, sizeof(cek));
    return ok;
}

enum attest_status jwe_encrypt(EVP_PKEY *key, const void *p, size_t len, json_t **out,
                               struct attest_error *err)
{
    struct sealed s = {0};

    *out = NULL;
    if (jwe_alg(key) == NULL || len > PLAIN_MAX) {
        return attest_fail(err, ATTEST_UNSUPPORTED, OBJECT, "key or length",
                           "an RSA or EC key and at most 16 MiB", NULL);
    }
    if (seal(key, p, len, &s)) {
        *out = json_pack("{s:s, s:o, s:o, s:o, s:o}", "protected", s.header, "encrypted_key",
                         jose_b64(s.wrapped, s.wrapped_len), "iv", jose_b64(s.iv, IV_SIZE),
                         "ciphertext", jose_b64(s.cipher, len), "tag", jose_b64(s.tag, TAG_SIZE));
    }
    free(s.header);
    free(s.cipher);
    return *out != NULL ? ATTEST_OK
                        : attest_fail(err, ATTEST_INTERNAL, OBJECT, "encryption", NULL, NULL);
}

static const char *const order[] = {"protected", "encrypted_key", "iv", "ciphertext", "tag"};
#define PARTS 5

char *jwe_compact(const json_t *jwe)
{
    const char *s[PARTS];
    char *out;

    for (size_t i = 0; i < PARTS; i++) {
        s[i] = json_string_value(json_object_get(jwe, order[i]));
        if (s[i] == NULL) {
            return NULL;
        }
    }
    return asprintf(&out, "%s.%s.%s.%s.%s", s[0], s[1], s[2], s[3], s[4]) < 0 ? NULL : out;
}

json_t *jwe_of_compact(const char *s, size_t len)
{
    json_t *j = json_object();
    const char *end = s + len;

    for (size_t i = 0; i < PARTS; i++) {
        const char *dot = i + 1 < PARTS ? memchr(s, '.', (size_t)(end - s)) : end;
        json_t *part = dot != NULL ? json_stringn(s, (size_t)(dot - s)) : NULL;

        if (part == NULL || json_object_set_new(j, order[i], part) != 0) {
            json_decref(j);
            return NULL;
        }
        s = dot + 1;
    }
    return j;
}

/* A member's bytes, malloc'ed with room for a tag behind them. */
static uint8_t *bytes_of(const json_t *jwe, const char *key, size_t *len)
{
    const json_t *j = json_object_get(jwe, key);
    uint8_t *buf;

    if (!json_is_string(j)) {
        return NULL;
    }
    buf = malloc(json_string_length(j) + TAG_SIZE);
    if (buf != NULL && !base64_decode(json_string_value(j), json_string_length(j), true, buf,
                                      json_string_length(j), len)) {
        free(buf);
        return NULL;
    }
    return buf;
}

static json_t *header_of(const json_t *jwe, EVP_PKEY *key)
{
    size_t len;
    uint8_t *p = bytes_of(jwe, "protected", &len);
    json_t *h = p != NULL ? json_loadb((char *)p, len, JSON_REJECT_DUPLICATES, NULL) : NULL;
    const char *alg = json_string_value(json_object_get(h, "alg"));
    const char *enc = json_string_value(json_object_get(h, "enc"));

    free(p);
    if (alg == NULL || enc == NULL || jwe_alg(key) == NULL || strcmp(alg, jwe_alg(key)) != 0 ||
        strcmp(enc, ENC) != 0 || json_object_get(h, "crit") != NULL ||
        json_object_get(h, "zip") != NULL || json_object_get(h, "apu") != NULL ||
        json_object_get(h, "apv") != NULL) {
        json_decref(h);
        return NULL;
    }
    return h;
}

static bool cek_of(const json_t *jwe, EVP_PKEY *key, uint8_t cek[CEK_SIZE])
{
    json_t *h = header_of(jwe, key);
    size_t len;
    uint8_t *wrapped = bytes_of(jwe, "encrypted_key", &len);
    bool ok = h != NULL && wrapped != NULL &&
              jwe_unwrap(key, json_object_get(h, "epk"), wrapped, len, cek);

    json_decref(h);
    free(wrapped);
    return ok;
}

enum attest_status jwe_decrypt(const json_t *jwe, EVP_PKEY *key, uint8_t **out, size_t *len,
                               struct attest_error *err)
{
    const char *aad = json_string_value(json_object_get(jwe, "protected"));
    uint8_t cek[CEK_SIZE];
    size_t iv_len = 0;
    size_t tag_len = 0;
    uint8_t *iv = bytes_of(jwe, "iv", &iv_len);
    uint8_t *tag = bytes_of(jwe, "tag", &tag_len);
    uint8_t *cipher = bytes_of(jwe, "ciphertext", len);
    bool ok;

    *out = cipher != NULL ? malloc(*len + TAG_SIZE) : NULL;
    ok = *out != NULL && iv != NULL && tag != NULL && iv_len == IV_SIZE && tag_len == TAG_SIZE &&
         aad != NULL && cek_of(jwe, key, cek) &&
         gcm(false, cek, iv, aad, cipher, *len, *out, tag);
    OPENSSL_cleanse(cek, sizeof(cek));
    free(iv);
    free(tag);
    free(cipher);
    if (!ok) {
        free(*out);
        *out = NULL;
        return attest_fail(err, ATTEST_SIGNATURE, OBJECT, "contents",
                           "something sealed to this key, unchanged", NULL);
    }
    return ATTEST_OK;
}
