/*
 * Writes the emulated CCA platform's public key, the same bytes each time: cpak.pem, and cpak.spki
 * (SHA-256 of it, as policies name a root). A verifier gets a platform's key from its maker; this
 * program stands in for the maker.
 */
#include "../aarch64/monitor/token.h"

#include "hv/check.h"

#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static EVP_PKEY *public_key(void)
{
    uint8_t d[EMU_P384], point[1 + 2 * EMU_P384] = {4};
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char[]){"P-384"}, 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)),
        OSSL_PARAM_construct_end(),
    };
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    EVP_PKEY *key = NULL;

    platform_cpak(d);
    emu_p384_public(d, point + 1);
    if (ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1) {
        panic("cca_certs: the key cannot be made");
    }
    EVP_PKEY_CTX_free(ctx);
    return key;
}

static FILE *open_in(const char *folder, const char *name)
{
    char path[4096];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    f = fopen(path, "w");
    if (f == NULL) {
        panic("cca_certs: cannot write %s", path);
    }
    return f;
}

static void write_spki(const char *folder, EVP_PKEY *key)
{
    unsigned char *der = NULL, hash[32];
    int len = i2d_PUBKEY(key, &der);
    FILE *f = open_in(folder, "cpak.spki");

    if (len <= 0 || EVP_Digest(der, (size_t)len, hash, NULL, EVP_sha256(), NULL) != 1) {
        panic("cca_certs: the key's hash failed");
    }
    for (size_t i = 0; i < sizeof(hash); i++) {
        fprintf(f, "%02x", hash[i]);
    }
    OPENSSL_free(der);
    if (fclose(f) != 0) {
        panic("cca_certs: cannot write cpak.spki");
    }
}

int main(int argc, char **argv)
{
    EVP_PKEY *key;
    FILE *f;

    if (argc != 2) {
        panic("usage: cca_certs FOLDER");
    }
    key = public_key();
    f = open_in(argv[1], "cpak.pem");
    if (PEM_write_PUBKEY(f, key) != 1 || fclose(f) != 0) {
        panic("cca_certs: cannot write cpak.pem");
    }
    write_spki(argv[1], key);
    EVP_PKEY_free(key);
    return 0;
}
