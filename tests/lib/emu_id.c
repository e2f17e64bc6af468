#include "emu_id.h"

#include <attest/measure_snp.h>

#include <openssl/ec.h>
#include <string.h>

bool id_make(const uint8_t ld[48], uint64_t policy, uint32_t svn, bool author, struct id_pages *out)
{
    static struct snp_id_result made;
    struct snp_id id = {.policy = policy, .guest_svn = svn};
    EVP_PKEY *key = EVP_EC_gen("P-384"), *second = author ? EVP_EC_gen("P-384") : NULL;
    struct attest_error err = {0};
    bool ok;

    memcpy(id.ld, ld, sizeof(id.ld));
    memset(id.family_id, 0x0f, sizeof(id.family_id));
    memset(id.image_id, 0x1a, sizeof(id.image_id));
    ok = snp_id_sign(&id, key, second, &made, &err) == ATTEST_OK;
    memcpy(out->block, made.block, sizeof(out->block));
    memcpy(out->auth, made.auth, sizeof(out->auth));
    memcpy(out->id_key_digest, made.id_key_digest, 48);
    memcpy(out->author_key_digest, made.author_key_digest, 48);
    EVP_PKEY_free(key);
    EVP_PKEY_free(second);
    return ok;
}
