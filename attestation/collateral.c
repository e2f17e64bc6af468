/*
 * The store of collateral and the cache of certificates that came with evidence.
 */
#include "collateral_impl.h"

#include <attest/evidence.h>

#include <openssl/pem.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Evidence brings two to five certificates; a busy host rarely sees more than a few machines. */
#define CACHE_SLOTS 64

struct cache_slot {
    struct attest_cert *cert;
    uint64_t used;
};

struct attest_collateral {
    struct attest_cert **cert;
    size_t certs;
    struct attest_crl **crl;
    size_t crls;
    struct attest_item *item;
    size_t items;
    bool sealed;
    pthread_mutex_t lock; /* guards the cache below */
    uint64_t tick;
    struct cache_slot cache[CACHE_SLOTS];
    size_t paths; /* remembered so far; the oldest makes room */
    uint8_t path[CACHE_SLOTS][32];
};

struct attest_collateral *attest_collateral_new(void)
{
    struct attest_collateral *c = calloc(1, sizeof(*c));

    if (c != NULL && pthread_mutex_init(&c->lock, NULL) != 0) {
        free(c);
        return NULL;
    }
    return c;
}

void attest_collateral_free(struct attest_collateral *c)
{
    if (c == NULL) {
        return;
    }
    for (size_t i = 0; i < c->certs; i++) {
        attest_cert_free(c->cert[i]);
    }
    for (size_t i = 0; i < c->crls; i++) {
        attest_crl_free(c->crl[i]);
    }
    for (size_t i = 0; i < c->items; i++) {
        c->item[i].ops->free(c->item[i].obj);
    }
    for (size_t i = 0; i < CACHE_SLOTS; i++) {
        attest_cert_free(c->cache[i].cert);
    }
    pthread_mutex_destroy(&c->lock);
    free(c->cert);
    free(c->crl);
    free(c->item);
    free(c);
}

/* Makes room for one more element; the array doubles at powers of two. */
static bool grow(void **array, size_t count, size_t size)
{
    void *bigger;

    if (count != 0 && (count & (count - 1)) != 0) {
        return true;
    }
    bigger = realloc(*array, (count == 0 ? 1 : 2 * count) * size);
    if (bigger == NULL) {
        return false;
    }
    *array = bigger;
    return true;
}

static enum attest_status add_cert(struct attest_collateral *c, const uint8_t *der, size_t len,
                                   struct attest_error *err)
{
    struct attest_cert *cert;
    enum attest_status st = attest_cert_parse(der, len, &cert, err);

    if (st != ATTEST_OK) {
        return st;
    }
    for (size_t i = 0; i < c->certs; i++) {
        if (memcmp(attest_cert_sha256(c->cert[i]), attest_cert_sha256(cert), 32) == 0) {
            attest_cert_free(cert);
            return ATTEST_OK;
        }
    }
    if (!grow((void **)&c->cert, c->certs, sizeof(*c->cert))) {
        attest_cert_free(cert);
        return attest_no_memory(err, "collateral");
    }
    c->cert[c->certs++] = cert;
    return ATTEST_OK;
}

static enum attest_status add_crl(struct attest_collateral *c, const uint8_t *der, size_t len,
                                  struct attest_error *err)
{
    struct attest_crl *crl;
    enum attest_status st = attest_crl_parse(der, len, &crl, err);

    if (st != ATTEST_OK) {
        return st;
    }
    if (!grow((void **)&c->crl, c->crls, sizeof(*c->crl))) {
        attest_crl_free(crl);
        return attest_no_memory(err, "collateral");
    }
    c->crl[c->crls++] = crl;
    return ATTEST_OK;
}

enum attest_status attest_collateral_put(struct attest_collateral *c,
                                         const struct attest_item *item, struct attest_error *err)
{
    if (c->sealed || !grow((void **)&c->item, c->items, sizeof(*c->item))) {
        item->ops->free(item->obj);
        return c->sealed ? attest_fail(err, ATTEST_INTERNAL, "collateral", "sealed", NULL, NULL)
                         : attest_no_memory(err, "collateral");
    }
    c->item[c->items++] = *item;
    return ATTEST_OK;
}

static enum attest_status add_pem_block(struct attest_collateral *c, const char *label,
                                        const uint8_t *der, size_t len, struct attest_error *err)
{
    if (strcmp(label, PEM_STRING_X509) == 0 || strcmp(label, PEM_STRING_X509_TRUSTED) == 0) {
        return add_cert(c, der, len, err);
    }
    if (strcmp(label, PEM_STRING_X509_CRL) == 0) {
        return add_crl(c, der, len, err);
    }
    return attest_fail(err, ATTEST_UNSUPPORTED, "PEM file", "label", "CERTIFICATE or X509 CRL",
                       "%s", label);
}

static enum attest_status add_pem(struct attest_collateral *c, const uint8_t *p, size_t len,
                                  struct attest_error *err)
{
    enum attest_status st = ATTEST_OK;
    BIO *bio = BIO_new_mem_buf(p, (int)len);
    size_t blocks = 0;

    while (bio != NULL && st == ATTEST_OK) {
        char *label = NULL;
        char *header = NULL;
        unsigned char *der = NULL;
        long n = 0;

        if (PEM_read_bio(bio, &label, &header, &der, &n) != 1) {
            break;
        }
        st = add_pem_block(c, label, der, (size_t)n, err);
        blocks++;
        OPENSSL_free(label);
        OPENSSL_free(header);
        OPENSSL_free(der);
    }
    BIO_free(bio);
    if (st == ATTEST_OK && blocks == 0) {
        return attest_fail(err, ATTEST_MALFORMED, "PEM file", "block", "a PEM block", "none");
    }
    return st;
}

/* Text with a line that begins a block: programs have these words somewhere among their data. */
static bool is_pem(const uint8_t *p, size_t len)
{
    const char line[] = "\n-----BEGIN ";

    len = strnlen((const char *)p, len);
    return memmem(p, len, line, strlen(line)) != NULL ||
           (len >= strlen(line + 1) && memcmp(p, line + 1, strlen(line + 1)) == 0);
}

/* A certificate's TBS begins with [0] version or a serial; a CRL's with version or an algorithm. */
static enum attest_status add_der(struct attest_collateral *c, const uint8_t *p, size_t len,
                                  struct attest_error *err)
{
    const unsigned char *at = p;
    X509_CRL *crl = d2i_X509_CRL(NULL, &at, (long)len);

    if (crl != NULL) {
        X509_CRL_free(crl);
        return add_crl(c, p, len, err);
    }
    return add_cert(c, p, len, err);
}

static enum attest_status add_any(struct attest_collateral *c, const char *name, const uint8_t *p,
                                  size_t len, struct attest_error *err)
{
    const struct attest_item_ops *ops;

    for (size_t i = 0; (ops = attest_item_kind(i)) != NULL; i++) {
        if (ops->detect(p, len)) {
            return ops->parse(c, name, p, len, err);
        }
    }
    if (is_pem(p, len)) {
        return add_pem(c, p, len, err);
    }
    if (len > 4 && p[0] == 0x30 && (p[1] == 0x81 || p[1] == 0x82)) {
        return add_der(c, p, len, err);
    }
    return attest_fail(err, ATTEST_UNRECOGNISED, "collateral", "contents",
                       "a certificate, a CRL or a known kind of collateral", NULL);
}

enum attest_status attest_collateral_add(struct attest_collateral *c, const char *name,
                                         const uint8_t *p, size_t len, struct attest_error *err)
{
    enum attest_status st;

    if (c->sealed) {
        return attest_fail(err, ATTEST_INTERNAL, "collateral", "sealed", NULL, NULL);
    }
    if (len > INT32_MAX) {
        return attest_fail(err, ATTEST_MALFORMED, name, "length", "below 2 GiB", "%zu", len);
    }
    st = add_any(c, name, p, len, err);
    if (st != ATTEST_OK && err != NULL) {
        char where[sizeof(err->field)];

        snprintf(where, sizeof(where), "%.40s, %.36s", err->object, err->field);
        memcpy(err->field, where, sizeof(where));
        snprintf(err->object, sizeof(err->object), "%s", name);
    }
    return st;
}

void attest_collateral_seal(struct attest_collateral *c)
{
    c->sealed = true;
}

struct attest_cert *attest_collateral_cert(const struct attest_collateral *c, size_t i)
{
    return i < c->certs ? c->cert[i] : NULL;
}

struct attest_crl *attest_collateral_crl(const struct attest_collateral *c, size_t i)
{
    return i < c->crls ? c->crl[i] : NULL;
}

const struct attest_item *attest_collateral_item(const struct attest_collateral *c, size_t i)
{
    return i < c->items ? &c->item[i] : NULL;
}

static struct attest_cert *cache_find(struct attest_collateral *c, const uint8_t sha256[32])
{
    for (size_t i = 0; i < CACHE_SLOTS; i++) {
        struct cache_slot *s = &c->cache[i];

        if (s->cert != NULL && memcmp(attest_cert_sha256(s->cert), sha256, 32) == 0) {
            s->used = ++c->tick;
            return attest_cert_ref(s->cert);
        }
    }
    return NULL;
}

static void cache_put(struct attest_collateral *c, struct attest_cert *cert)
{
    struct cache_slot *oldest = &c->cache[0];

    for (size_t i = 1; i < CACHE_SLOTS; i++) {
        if (c->cache[i].used < oldest->used) {
            oldest = &c->cache[i];
        }
    }
    attest_cert_free(oldest->cert);
    oldest->cert = attest_cert_ref(cert);
    oldest->used = ++c->tick;
}

/* The caches are not part of what the collateral says: filling them leaves it logically const. */
static struct attest_collateral *caches(const struct attest_collateral *c)
{
    return (struct attest_collateral *)(uintptr_t)c;
}

bool collateral_path_known(const struct attest_collateral *cc, const uint8_t path[32])
{
    struct attest_collateral *c = caches(cc);
    bool known = false;

    pthread_mutex_lock(&c->lock);
    for (size_t i = 0; i < CACHE_SLOTS && i < c->paths && !known; i++) {
        known = memcmp(c->path[i], path, 32) == 0;
    }
    pthread_mutex_unlock(&c->lock);
    return known;
}

void collateral_path_remember(const struct attest_collateral *cc, const uint8_t path[32])
{
    struct attest_collateral *c = caches(cc);

    pthread_mutex_lock(&c->lock);
    memcpy(c->path[c->paths++ % CACHE_SLOTS], path, 32);
    pthread_mutex_unlock(&c->lock);
}

enum attest_status attest_collateral_intern(const struct attest_collateral *cc, const uint8_t *der,
                                            size_t len, struct attest_cert **out,
                                            struct attest_error *err)
{
    struct attest_collateral *c = caches(cc);
    uint8_t sha256[32];
    enum attest_status st;

    if (!attest_hash1(ATTEST_SHA256, der, len, sha256)) {
        return attest_fail(err, ATTEST_INTERNAL, "certificate", "SHA-256", NULL, NULL);
    }
    pthread_mutex_lock(&c->lock);
    *out = cache_find(c, sha256);
    pthread_mutex_unlock(&c->lock);
    if (*out != NULL) {
        return ATTEST_OK;
    }
    st = attest_cert_parse(der, len, out, err);
    if (st == ATTEST_OK) {
        pthread_mutex_lock(&c->lock);
        cache_put(c, *out);
        pthread_mutex_unlock(&c->lock);
    }
    return st;
}
