/* Key wrapping: RSA-OAEP-256, and ECDH-ES with AES key wrap. */
#include "jwe_impl.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <string.h>

#define WRAP_OVERHEAD 8

static bool oaep(EVP_PKEY_CTX *ctx)
{
    return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) == 1 &&
           EVP_PKEY_CTX_set_rsa_oaep_md(ctx, EVP_sha256()) == 1 &&
           EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, EVP_sha256()) == 1;
}

static bool rsa_wrap(EVP_PKEY *key, const uint8_t *cek, uint8_t *out, size_t *len)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
    bool ok = ctx != NULL && EVP_PKEY_encrypt_init(ctx) == 1 && oaep(ctx) &&
              EVP_PKEY_encrypt(ctx, out, len, cek, CEK_SIZE) == 1;

    EVP_PKEY_CTX_free(ctx);
    return ok;
}

static bool rsa_unwrap(EVP_PKEY *key, const uint8_t *wrapped, size_t len, uint8_t *cek)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
    uint8_t buf[WRAPPED_MAX];
    size_t n = sizeof(buf);
    bool ok = ctx != NULL && EVP_PKEY_decrypt_init(ctx) == 1 && oaep(ctx) &&
              EVP_PKEY_decrypt(ctx, buf, &n, wrapped, len) == 1 && n == CEK_SIZE;

    EVP_PKEY_CTX_free(ctx);
    if (ok) {
        memcpy(cek, buf, CEK_SIZE);
    }
    OPENSSL_cleanse(buf, sizeof(buf));
    return ok;
}

static bool agree(EVP_PKEY *own, EVP_PKEY *peer, uint8_t *z, size_t *len)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(own, NULL);
    bool ok = ctx != NULL && EVP_PKEY_derive_init(ctx) == 1 &&
              EVP_PKEY_derive_set_peer(ctx, peer) == 1 && EVP_PKEY_derive(ctx, z, len) == 1;

    EVP_PKEY_CTX_free(ctx);
    return ok;
}

/*
 * Concat KDF, RFC 7518 section 4.6.2, one round of SHA-256: round 1, Z, AlgorithmID, empty
 * PartyUInfo and PartyVInfo, key length in bits.
 */
static bool concat_kdf(const uint8_t *z, size_t z_len, uint8_t kek[32])
{
    static const uint8_t round[4] = {0, 0, 0, 1};
    static const uint8_t alg_len[4] = {0, 0, 0, sizeof(ALG_ECDH) - 1};
    static const uint8_t tail[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0};
    const struct attest_span spans[] = {{round, 4},
                                        {z, z_len},
                                        {alg_len, 4},
                                        {ALG_ECDH, sizeof(ALG_ECDH) - 1},
                                        {tail, sizeof(tail)}};

    return attest_hash(ATTEST_SHA256, spans, 5, kek);
}

static bool aes_kw(const uint8_t kek[32], bool wrap, const uint8_t *in, size_t in_len,
                   uint8_t *out, size_t out_len)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int n = 0;
    int tail = 0;
    bool ok;

    if (ctx == NULL) {
        return false;
    }
    EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
    ok = EVP_CipherInit_ex(ctx, EVP_aes_256_wrap(), NULL, kek, NULL, wrap) == 1 &&
         EVP_CipherUpdate(ctx, out, &n, in, (int)in_len) == 1 &&
         EVP_CipherFinal_ex(ctx, out + n, &tail) == 1 && (size_t)(n + tail) == out_len;
    EVP_CIPHER_CTX_free(ctx);
    return ok;
}

static bool kek_of(EVP_PKEY *own, EVP_PKEY *peer, uint8_t kek[32])
{
    uint8_t z[JOSE_COORD_MAX];
    size_t len = sizeof(z);
    bool ok = agree(own, peer, z, &len) && concat_kdf(z, len, kek);

    OPENSSL_cleanse(z, sizeof(z));
    return ok;
}

static bool ecdh_wrap(EVP_PKEY *key, const uint8_t *cek, uint8_t *out, size_t *len, json_t **epk)
{
    enum jose_curve c;
    EVP_PKEY *own = jose_curve_of(key, &c) ? jose_ec_generate(c) : NULL;
    uint8_t kek[32];
    bool ok;

    *len = CEK_SIZE + WRAP_OVERHEAD;
    ok = own != NULL && kek_of(own, key, kek) && aes_kw(kek, true, cek, CEK_SIZE, out, *len);
    *epk = ok ? jose_jwk_of(own) : NULL;
    OPENSSL_cleanse(kek, sizeof(kek));
    EVP_PKEY_free(own);
    return ok && *epk != NULL;
}

static bool ecdh_unwrap(EVP_PKEY *key, const json_t *epk, const uint8_t *wrapped, size_t len,
                        uint8_t *cek)
{
    EVP_PKEY *peer = NULL;
    enum jose_curve c;
    enum jose_curve own;
    uint8_t kek[32];
    bool ok = jose_jwk_parse(epk, "epk", &peer, NULL) == ATTEST_OK && jose_curve_of(peer, &c) &&
              jose_curve_of(key, &own) && c == own && len == CEK_SIZE + WRAP_OVERHEAD &&
              kek_of(key, peer, kek) && aes_kw(kek, false, wrapped, len, cek, CEK_SIZE);

    OPENSSL_cleanse(kek, sizeof(kek));
    EVP_PKEY_free(peer);
    return ok;
}

bool jwe_wrap(EVP_PKEY *key, const uint8_t cek[CEK_SIZE], uint8_t *out, size_t *len, json_t **epk)
{
    *epk = NULL;
    return EVP_PKEY_is_a(key, "RSA") ? rsa_wrap(key, cek, out, len)
                                     : ecdh_wrap(key, cek, out, len, epk);
}

bool jwe_unwrap(EVP_PKEY *key, const json_t *epk, const uint8_t *wrapped, size_t len,
                uint8_t cek[CEK_SIZE])
{
    return EVP_PKEY_is_a(key, "RSA") ? rsa_unwrap(key, wrapped, len, cek)
                                     : ecdh_unwrap(key, epk, wrapped, len, cek);
}
