/*
 * The launch digest: a chain of SHA-384 over one PAGE_INFO per page. The pages' own hashes do not
 * depend on each other, so threads share them; the chain itself is short.
 */
#include <attest/hash.h>
#include <attest/measure_snp.h>
#include <attest/reader.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OBJECT         "launch layout"
#define PAGE_INFO_SIZE 0x70
#define THREADS_MAX    64
#define CHUNK          64
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

static bool has_contents(const struct snp_region *r)
{
    return r->type == SNP_PAGE_NORMAL || r->type == SNP_PAGE_VMSA;
}

/* A page to be hashed and its hash. */
struct page {
    const uint8_t *data;
    uint8_t digest[SNP_LD_SIZE];
};

/* Threads take the pages a chunk at a time, so that a starved thread holds up one chunk at most. */
struct work {
    struct page *page;
    size_t pages;
    atomic_size_t next;
    atomic_bool failed;
};

static void *hash_chunks(void *arg)
{
    struct work *w = arg;
    struct hasher h;
    bool ok = hasher_init(&h);
    size_t at;

    while (ok && (at = atomic_fetch_add(&w->next, CHUNK)) < w->pages) {
        size_t end = w->pages - at < CHUNK ? w->pages : at + CHUNK;

        for (; ok && at < end; at++) {
            ok = hash_one(&h, w->page[at].data, SNP_PAGE_SIZE, w->page[at].digest);
        }
    }
    if (!ok) {
        atomic_store(&w->failed, true);
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

/* This thread works, too, and alone finishes what threads that could not be had would have done. */
static bool hash_pages(struct page *page, size_t pages, unsigned int threads)
{
    struct work w = {.page = page, .pages = pages};
    size_t n = thread_count(threads, pages);
    pthread_t tid[THREADS_MAX];
    size_t started = 0;

    while (started + 1 < n && pthread_create(&tid[started], NULL, hash_chunks, &w) == 0) {
        started++;
    }
    hash_chunks(&w);
    for (size_t i = 0; i < started; i++) {
        pthread_join(tid[i], NULL);
    }
    return !atomic_load(&w.failed);
}

static void list_pages(const struct snp_region *regions, size_t count, struct page *page)
{
    for (size_t i = 0; i < count; i++) {
        for (uint64_t at = 0; has_contents(&regions[i]) && at < regions[i].size;
             at += SNP_PAGE_SIZE) {
            page++->data = regions[i].data + at;
        }
    }
}

/* PAGE_INFO: DIGEST_CUR, CONTENTS, LENGTH, PAGE_TYPE, IMI_PAGE, permissions, GPA. */
static bool chain_region(struct hasher *h, const struct snp_region *r, const struct page *page,
                         uint8_t ld[SNP_LD_SIZE])
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
            memcpy(info + SNP_LD_SIZE, page[i].digest, SNP_LD_SIZE);
        }
        st64le(info + 0x68, r->gpa + i * SNP_PAGE_SIZE);
        ok = hash_one(h, info, sizeof(info), ld);
    }
    return ok;
}

static bool chain(const struct snp_region *regions, size_t count, const struct page *page,
                  uint8_t ld[SNP_LD_SIZE])
{
    struct hasher h;
    bool ok = hasher_init(&h);

    memset(ld, 0, SNP_LD_SIZE);
    for (size_t i = 0; i < count && ok; i++) {
        ok = chain_region(&h, &regions[i], page, ld);
        page += has_contents(&regions[i]) ? regions[i].size / SNP_PAGE_SIZE : 0;
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
    struct page *page;
    size_t pages = 0;
    bool ok;

    for (size_t i = 0; i < count; i++) {
        enum attest_status st = check_region(&regions[i], err);

        if (st != ATTEST_OK) {
            return st;
        }
        pages += has_contents(&regions[i]) ? regions[i].size / SNP_PAGE_SIZE : 0;
    }
    page = calloc(pages + 1, sizeof(*page));
    if (page == NULL) {
        return attest_no_memory(err, OBJECT);
    }
    list_pages(regions, count, page);
    ok = hash_pages(page, pages, threads) && chain(regions, count, page, ld);
    free(page);
    return ok ? ATTEST_OK : attest_fail(err, ATTEST_INTERNAL, OBJECT, "SHA-384", NULL, NULL);
}
