/*
 * The launch digest: a chain of SHA-384 over one PAGE_INFO per page. The pages' own hashes do not
 * depend on each other, so threads share them; the chain itself is short.
 */
#include <attest/hash.h>
#include <attest/measure_snp.h>
#include <attest/reader.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OBJECT         "launch layout"
#define PAGE_INFO_SIZE 0x70
#define THREADS_MAX    64
/* Below this, starting a thread costs more than it saves. */
#define PAGES_PER_THREAD 128

struct hasher {
    EVP_MD *md;
    EVP_MD_CTX *ctx;
};

static bool hasher_init(struct hasher *h)
{
    h->md = EVP_MD_fetch(NULL, "SHA2-384", NULL);
    h->ctx = EVP_MD_CTX_new();
    return h->md != NULL && h->ctx != NULL && EVP_DigestInit_ex2(h->ctx, h->md, NULL) == 1;
}

static void hasher_done(struct hasher *h)
{
    EVP_MD_CTX_free(h->ctx);
    EVP_MD_free(h->md);
}

static bool hash_one(struct hasher *h, const void *p, size_t len, uint8_t out[48])
{
    return EVP_DigestInit_ex2(h->ctx, NULL, NULL) == 1 && EVP_DigestUpdate(h->ctx, p, len) == 1 &&
           EVP_DigestFinal_ex(h->ctx, out, NULL) == 1;
}

/* One thread's share: every step-th page of all regions with contents. */
struct share {
    const struct snp_region *regions;
    size_t count;
    size_t first;
    size_t step;
    uint8_t (*digest)[SNP_LD_SIZE];
    bool ok;
};

static bool has_contents(const struct snp_region *r)
{
    return r->type == SNP_PAGE_NORMAL || r->type == SNP_PAGE_VMSA;
}

static void *hash_share(void *arg)
{
    struct share *s = arg;
    struct hasher h;
    size_t index = 0;
    size_t next = s->first;

    s->ok = hasher_init(&h);
    for (size_t i = 0; i < s->count && s->ok; i++) {
        const struct snp_region *r = &s->regions[i];
        size_t pages = has_contents(r) ? r->size / SNP_PAGE_SIZE : 0;

        for (; next < index + pages && s->ok; next += s->step) {
            s->ok = hash_one(&h, r->data + (next - index) * SNP_PAGE_SIZE, SNP_PAGE_SIZE,
                             s->digest[next]);
        }
        index += pages;
    }
    hasher_done(&h);
    return NULL;
}

static size_t thread_count(unsigned int wanted, size_t pages)
{
    long cores = wanted != 0 ? (long)wanted : sysconf(_SC_NPROCESSORS_ONLN);
    size_t n = cores < 1 ? 1 : (size_t)cores;

    n = n > THREADS_MAX ? THREADS_MAX : n;
    return n > pages / PAGES_PER_THREAD + 1 ? pages / PAGES_PER_THREAD + 1 : n;
}

static bool hash_pages(const struct snp_region *regions, size_t count, size_t pages,
                       unsigned int threads, uint8_t (*digest)[SNP_LD_SIZE])
{
    size_t n = thread_count(threads, pages);
    struct share share[THREADS_MAX];
    pthread_t tid[THREADS_MAX];
    bool started[THREADS_MAX] = {false};
    bool ok = true;

    for (size_t i = 0; i < n; i++) {
        share[i] = (struct share){regions, count, i, n, digest, false};
        started[i] = i > 0 && pthread_create(&tid[i], NULL, hash_share, &share[i]) == 0;
    }
    for (size_t i = 0; i < n; i++) {
        /* This thread's own share, and those of threads that could not be had. */
        if (!started[i]) {
            hash_share(&share[i]);
        }
    }
    for (size_t i = 0; i < n; i++) {
        if (started[i]) {
            pthread_join(tid[i], NULL);
        }
        ok = ok && share[i].ok;
    }
    return ok;
}

/* PAGE_INFO: DIGEST_CUR, CONTENTS, LENGTH, PAGE_TYPE, IMI_PAGE, permissions, GPA. */
static bool chain_region(struct hasher *h, const struct snp_region *r,
                         const uint8_t (*digest)[SNP_LD_SIZE], uint8_t ld[SNP_LD_SIZE])
{
    uint8_t info[PAGE_INFO_SIZE] = {0};
    bool ok = true;

    st16le(info + 0x60, PAGE_INFO_SIZE);
    info[0x62] = (uint8_t)r->type;
    info[0x63] = r->imi ? 1 : 0;
    info[0x64] = r->vmpl3_perms;
    info[0x65] = r->vmpl2_perms;
    info[0x66] = r->vmpl1_perms;
    for (uint64_t i = 0; i < r->size / SNP_PAGE_SIZE && ok; i++) {
        memcpy(info, ld, SNP_LD_SIZE);
        if (has_contents(r)) {
            memcpy(info + SNP_LD_SIZE, digest[i], SNP_LD_SIZE);
        }
        st64le(info + 0x68, r->gpa + i * SNP_PAGE_SIZE);
        ok = hash_one(h, info, sizeof(info), ld);
    }
    return ok;
}

static bool chain(const struct snp_region *regions, size_t count,
                  const uint8_t (*digest)[SNP_LD_SIZE], uint8_t ld[SNP_LD_SIZE])
{
    struct hasher h;
    bool ok = hasher_init(&h);

    memset(ld, 0, SNP_LD_SIZE);
    for (size_t i = 0; i < count && ok; i++) {
        ok = chain_region(&h, &regions[i], digest, ld);
        digest += has_contents(&regions[i]) ? regions[i].size / SNP_PAGE_SIZE : 0;
    }
    hasher_done(&h);
    return ok;
}

static enum attest_status check_region(const struct snp_region *r, struct attest_error *err)
{
    unsigned long long gpa = r->gpa;
    unsigned long long size = r->size;

    if (r->type < SNP_PAGE_NORMAL || r->type > SNP_PAGE_CPUID) {
        return attest_fail(err, ATTEST_MALFORMED, OBJECT, "page type", "1 to 6", "%d at %llx",
                           (int)r->type, gpa);
    }
    if (size == 0 || size % SNP_PAGE_SIZE != 0 || gpa % SNP_PAGE_SIZE != 0 || gpa + size < gpa) {
        return attest_fail(err, ATTEST_MALFORMED, OBJECT, "region", "whole pages of 4096 bytes",
                           "%llx bytes at %llx", size, gpa);
    }
    if (has_contents(r) != (r->data != NULL)) {
        return attest_fail(err, ATTEST_MALFORMED, OBJECT, "contents",
                           "data for normal and VMSA pages, none for others", "type %d at %llx",
                           (int)r->type, gpa);
    }
    return ATTEST_OK;
}

enum attest_status snp_launch_digest(const struct snp_region *regions, size_t count,
                                     unsigned int threads, uint8_t ld[SNP_LD_SIZE],
                                     struct attest_error *err)
{
    uint8_t(*digest)[SNP_LD_SIZE];
    size_t pages = 0;
    bool ok;

    for (size_t i = 0; i < count; i++) {
        enum attest_status st = check_region(&regions[i], err);

        if (st != ATTEST_OK) {
            return st;
        }
        pages += has_contents(&regions[i]) ? regions[i].size / SNP_PAGE_SIZE : 0;
    }
    digest = calloc(pages + 1, sizeof(*digest));
    if (digest == NULL) {
        return attest_no_memory(err, OBJECT);
    }
    ok = hash_pages(regions, count, pages, threads, digest) &&
         chain(regions, count, (const uint8_t(*)[SNP_LD_SIZE])digest, ld);
    free(digest);
    return ok ? ATTEST_OK : attest_fail(err, ATTEST_INTERNAL, OBJECT, "SHA-384", NULL, NULL);
}
