/* The shim's SHA-384 against OpenSSL's, at every length around its blocks. */
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "../../arch/x86_64/shim/sha384.h"
#include "../lib/cu.h"

static void expect_same(const uint8_t *p, size_t len)
{
    uint8_t ours[SHA384_SIZE], theirs[SHA384_SIZE];
    uint8_t *copy = malloc(len + 1); /* of its very size, so that ASan sees a byte too many */

    memcpy(copy + 1, p, len); /* unaligned */
    sha384(copy + 1, len, ours);
    CU_ASSERT_EQUAL_FATAL(EVP_Digest(p, len, theirs, NULL, EVP_sha384(), NULL), 1);
    CU_ASSERT_EQUAL(memcmp(ours, theirs, sizeof(ours)), 0);
    free(copy);
}

/* FIPS 180-4's own example */
static void abc_has_the_digest_of_the_standard(void)
{
    static const uint8_t want[SHA384_SIZE] = {
        0xcb, 0x00, 0x75, 0x3f, 0x45, 0xa3, 0x5e, 0x8b, 0xb5, 0xa0, 0x3d, 0x69,
        0x9a, 0xc6, 0x50, 0x07, 0x27, 0x2c, 0x32, 0xab, 0x0e, 0xde, 0xd1, 0x63,
        0x1a, 0x8b, 0x60, 0x5a, 0x43, 0xff, 0x5b, 0xed, 0x80, 0x86, 0x07, 0x2b,
        0xa1, 0xe7, 0xcc, 0x23, 0x58, 0xba, 0xec, 0xa1, 0x34, 0xc8, 0x25, 0xa7};
    uint8_t got[SHA384_SIZE];

    sha384((const uint8_t *)"abc", 3, got);
    CU_ASSERT_EQUAL(memcmp(got, want, sizeof(got)), 0);
}

static void all_lengths_up_to_five_blocks_agree_with_openssl(void)
{
    uint8_t p[640];

    for (size_t i = 0; i < sizeof(p); i++) {
        p[i] = (uint8_t)(i * 167 + i / 7);
    }
    for (size_t len = 0; len <= sizeof(p); len++) {
        expect_same(p, len);
    }
}

static void a_mebibyte_and_a_bit_agrees_with_openssl(void)
{
    size_t len = (1u << 20) + 77;
    uint8_t *p = malloc(len);

    for (size_t i = 0; i < len; i++) {
        p[i] = (uint8_t)(i ^ i >> 8);
    }
    expect_same(p, len);
    free(p);
}

static const struct cu_test tests[] = {
    CU(abc_has_the_digest_of_the_standard),
    CU(all_lengths_up_to_five_blocks_agree_with_openssl),
    CU(a_mebibyte_and_a_bit_agrees_with_openssl),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("shim_sha384", tests, argc, argv);
}
