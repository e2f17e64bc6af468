/* CCA tokens minted in the test, with every form and fault by a knob. */
#ifndef TESTS_LIB_ATTEST_CCAMINT_H
#define TESTS_LIB_ATTEST_CCAMINT_H

#include <attest/cca.h>

#define TOKEN_MAX 8192

struct token {
    uint8_t p[TOKEN_MAX];
    size_t len;
};

struct mint {
    EVP_PKEY *cpak;
    EVP_PKEY *rak;
    bool legacy;
    bool collection;
    uint16_t lifecycle;
    enum attest_hash rak_hash;
    bool wrong_binding;
    bool wrong_rak;
    const char *realm_profile;
    const char *component; /* type of the platform's component; NULL: none */
};

/* Fresh keys, the 2023 profiles, a secured platform; mint_free afterwards. */
struct mint a_mint(enum jose_curve cpak, enum jose_curve rak);
void mint_free(struct mint *m);
void mint(const struct mint *m, struct token *t);

#endif
