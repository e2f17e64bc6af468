#include <attest/hash.h>

static const struct {
    const char *name;
    size_t size;
    const EVP_MD *(*md)(void);
} hashes[ATTEST_HASH_COUNT] = {
    [ATTEST_SHA1] = {"sha1", 20, EVP_sha1},
    [ATTEST_SHA256] = {"sha256", 32, EVP_sha256},
    [ATTEST_SHA384] = {"sha384", 48, EVP_sha384},
    [ATTEST_SHA512] = {"sha512", 64, EVP_sha512},
};

size_t attest_hash_size(enum attest_hash alg)
{
    return hashes[alg].size;
}

const char *attest_hash_name(enum attest_hash alg)
{
    return hashes[alg].name;
}

const EVP_MD *attest_hash_md(enum attest_hash alg)
{
    return hashes[alg].md();
}

bool attest_hash(enum attest_hash alg, const struct attest_span *spans, size_t n, uint8_t *out)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx != NULL && EVP_DigestInit_ex(ctx, attest_hash_md(alg), NULL) == 1;

    for (size_t i = 0; ok && i < n; i++) {
        ok = spans[i].len == 0 || EVP_DigestUpdate(ctx, spans[i].p, spans[i].len) == 1;
    }
    ok = ok && EVP_DigestFinal_ex(ctx, out, NULL) == 1;
    EVP_MD_CTX_free(ctx);
    return ok;
}

bool attest_hash1(enum attest_hash alg, const void *p, size_t len, uint8_t *out)
{
    struct attest_span s = {p, len};

    return attest_hash(alg, &s, 1, out);
}
