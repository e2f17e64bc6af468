#include "seal.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>

#define IV 12
#define TAG 16

static bool crypt(const uint8_t key[32], const char *path, bool enc, const uint8_t *iv,
                  const uint8_t *in, size_t len, uint8_t *out, uint8_t *tag)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int n = 0;
    bool ok = ctx != NULL &&
              EVP_CipherInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, iv, enc) == 1 &&
              EVP_CipherUpdate(ctx, NULL, &n, (const uint8_t *)path, (int)strlen(path)) == 1 &&
              (len == 0 || EVP_CipherUpdate(ctx, out, &n, in, (int)len) == 1) &&
              (enc || EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, TAG, tag) == 1) &&
              EVP_CipherFinal_ex(ctx, out + len, &n) == 1 &&
              (!enc || EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, TAG, tag) == 1);

    EVP_CIPHER_CTX_free(ctx);
    return ok;
}

bool seal(const uint8_t key[32], const char *path, const void *p, size_t len, uint8_t *out)
{
    return RAND_bytes(out, IV) == 1 &&
           crypt(key, path, true, out, p, len, out + IV, out + IV + len);
}

bool unseal(const uint8_t key[32], const char *path, const uint8_t *p, size_t len, uint8_t *out)
{
    uint8_t tag[TAG];

    if (len < SEAL_OVERHEAD) {
        return false;
    }
    memcpy(tag, p + len - TAG, TAG);
    return crypt(key, path, false, p, p + IV, len - SEAL_OVERHEAD, out, tag);
}
