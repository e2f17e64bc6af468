/* A volume for a guest: plain dm-crypt, aes-xts-plain64, 512-byte sectors numbered from 0. */
#include "attest_prepare.h"
#include "cli.h"

#include <attest/hash.h>
#include <attest/hex.h>

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECTOR  512u
#define SECTORS 256u

const struct run_volume *attest_volume_of(const struct run *run, const char *name)
{
    const struct run_attest *a = &run->attest;

    for (unsigned int i = 0; i < a->volumes; i++) {
        if (strcmp(a->volume[i].name, name) == 0) {
            return &a->volume[i];
        }
    }
    return NULL;
}

/* XTS takes the sector's number, little-endian, as its tweak: IEEE 1619, dm-crypt's plain64. */
static bool encrypt(const uint8_t *key, uint8_t *sectors)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    bool ok = ctx != NULL;

    for (uint32_t i = 0; ok && i < SECTORS; i++) {
        uint8_t *at = sectors + i * SECTOR;
        uint8_t tweak[16] = {(uint8_t)i, (uint8_t)(i >> 8)};
        int n = 0;

        ok = EVP_EncryptInit_ex(ctx, EVP_aes_256_xts(), NULL, key, tweak) == 1 &&
             EVP_EncryptUpdate(ctx, at, &n, at, SECTOR) == 1 && n == (int)SECTOR;
    }
    EVP_CIPHER_CTX_free(ctx);
    return ok;
}

static bool save(const struct run *run, const char *name, const uint8_t *p, size_t size)
{
    char *path = attest_file(run, "volume", name);
    FILE *f = fopen(path, "wbe");
    bool ok = f != NULL && fwrite(p, 1, size, f) == size;

    if (f != NULL && fclose(f) != 0) {
        ok = false;
    }
    if (!ok) {
        cli_error("%s: cannot be written: %s", path, strerror(errno));
    }
    free(path);
    return ok;
}

bool attest_make_volume(struct run *run, const char *name)
{
    struct run_volume *v = &run->attest.volume[run->attest.volumes];
    uint8_t digest[32];
    uint8_t *content;
    bool ok;

    if (run->attest.volumes == BUNDLE_DOMAINS_MAX) {
        return true; /* more guests than a bundle takes, which it will say */
    }
    content = cli_alloc(SECTORS * SECTOR);
    ok = RAND_bytes(content, SECTORS * SECTOR) == 1 && RAND_priv_bytes(v->key, sizeof(v->key)) == 1;
    snprintf((char *)content, SECTOR, "A volume of %s, for this run alone.\n", name);
    ok = ok && attest_hash1(ATTEST_SHA256, content, SECTORS * SECTOR, digest) &&
         encrypt(v->key, content);
    if (ok) {
        snprintf(v->name, sizeof(v->name), "%s", name);
        run->attest.volumes++;
        hex_encode(digest, sizeof(digest), v->content);
        ok = save(run, name, content, SECTORS * SECTOR);
    } else {
        cli_error("the volume of %s cannot be made: OpenSSL failed", name);
    }
    free(content);
    return ok;
}
