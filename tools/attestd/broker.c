/* Opening, and what is cached of the store. */
#include "broker_impl.h"

#include <attest/hex.h>

#include <openssl/crypto.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define NONCE_SECONDS 300
#define SESSION_SECONDS 300
#define NONCE_ROOM 262144

static int64_t system_clock_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t broker_now(const struct broker *b)
{
    return b->clock_ms() / 1000;
}

void broker_count(struct broker *b, enum broker_metric m)
{
    b->counter[m]++;
}

uint64_t broker_counter(const struct broker *b, enum broker_metric m)
{
    return b->counter[m];
}

static bool file_exists(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0;
}

/* The token key lies in the store as sealed PEM, under the path "meta/token/key". */
#define TOKEN_KEY "meta/token/key"

static enum attest_status make_token_key(struct store *s, struct attest_error *err)
{
    json_t *owner = json_pack("[s]", "attestd");
    EVP_PKEY *key = EVP_EC_gen("prime256v1");
    BIO *bio = BIO_new(BIO_s_secmem());
    enum attest_status st;
    char *pem;
    long len;

    if (key == NULL || bio == NULL || owner == NULL ||
        PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) != 1) {
        st = attest_no_memory(err, "token key");
    } else {
        len = BIO_get_mem_data(bio, &pem);
        st = store_secret_put(s, TOKEN_KEY, pem, (size_t)len, owner, err);
    }
    BIO_free(bio);
    EVP_PKEY_free(key);
    json_decref(owner);
    return st;
}

enum attest_status broker_init(const char *path, const char *key_file, struct attest_error *err)
{
    uint8_t key[STORE_KEY_SIZE];
    enum attest_status st = ATTEST_OK;
    json_t *policies;
    struct store *s;

    if (!file_exists(key_file)) {
        st = store_key_create(key_file, err);
    }
    if (st != ATTEST_OK || (st = store_key_load(key_file, key, err)) != ATTEST_OK) {
        return st;
    }
    st = store_open(path, key, true, &s, err);
    OPENSSL_cleanse(key, sizeof(key));
    if (st != ATTEST_OK) {
        return st;
    }
    st = store_secret_policies(s, TOKEN_KEY, &policies, err);
    json_decref(policies);
    if (st == ATTEST_NOT_FOUND) {
        st = make_token_key(s, err);
    }
    store_close(s);
    return st;
}

static enum attest_status load_token_key(struct broker *b, struct attest_error *err)
{
    struct store_bytes pem;
    enum attest_status st = store_secret_open(b->store, TOKEN_KEY, &pem, err);
    BIO *bio;

    if (st != ATTEST_OK) {
        return st;
    }
    bio = BIO_new_mem_buf(pem.p, (int)pem.len);
    b->token_key = bio != NULL ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL) : NULL;
    BIO_free(bio);
    store_bytes_free(&pem);
    return b->token_key != NULL ? ATTEST_OK
                                : attest_fail(err, ATTEST_MALFORMED, "store", TOKEN_KEY,
                                              "a private key", NULL);
}

static enum attest_status open_keys(struct broker *b, const struct broker_config *cfg,
                                    struct attest_error *err)
{
    uint8_t key[STORE_KEY_SIZE];
    enum attest_status st = store_key_load(cfg->key_file, key, err);

    if (st != ATTEST_OK) {
        return st;
    }
    store_subkey(key, "nonce", b->nonce_key);
    store_subkey(key, "session", b->session_key);
    st = store_open(cfg->store, key, false, &b->store, err);
    OPENSSL_cleanse(key, sizeof(key));
    return st == ATTEST_OK ? load_token_key(b, err) : st;
}

enum attest_status broker_open(const struct broker_config *cfg, struct broker **out,
                               struct attest_error *err)
{
    struct broker *b = calloc(1, sizeof(*b));
    enum attest_status st;

    if (b == NULL) {
        return attest_no_memory(err, "broker");
    }
    b->audit = cfg->audit;
    b->clock_ms = cfg->clock_ms != NULL ? cfg->clock_ms : system_clock_ms;
    b->nonce_ms = 1000 * (int64_t)(cfg->nonce_seconds > 0 ? cfg->nonce_seconds : NONCE_SECONDS);
    b->session_seconds = cfg->session_seconds > 0 ? cfg->session_seconds : SESSION_SECONDS;
    b->issuer = strdup(cfg->issuer != NULL ? cfg->issuer : "attestd");
    b->window = nonce_window_new(b->clock_ms(), b->nonce_ms,
                                 cfg->nonce_room > 0 ? cfg->nonce_room : NONCE_ROOM);
    st = b->issuer == NULL || b->window == NULL ? attest_no_memory(err, "broker")
                                                : open_keys(b, cfg, err);
    if (st == ATTEST_OK) {
        st = broker_refresh(b, err);
    }
    if (st != ATTEST_OK) {
        broker_close(b);
        return st;
    }
    *out = b;
    return ATTEST_OK;
}

static void drop_cache(struct broker *b)
{
    for (size_t i = 0; i < b->policies; i++) {
        attest_policy_free(b->policy[i].policy);
    }
    b->policies = 0;
    attest_collateral_free(b->collateral);
    b->collateral = NULL;
    EVP_PKEY_free(b->admin_key);
    b->admin_key = NULL;
    b->revision = 0;
}

void broker_close(struct broker *b)
{
    if (b == NULL) {
        return;
    }
    drop_cache(b);
    EVP_PKEY_free(b->token_key);
    nonce_window_free(b->window);
    store_close(b->store);
    OPENSSL_cleanse(b->nonce_key, sizeof(b->nonce_key));
    OPENSSL_cleanse(b->session_key, sizeof(b->session_key));
    free(b->issuer);
    free(b);
}

struct load {
    struct attest_collateral *c;
    struct attest_error *err;
    enum attest_status st;
};

static bool load_one(void *arg, const char *name, const uint8_t *p, size_t len)
{
    struct load *l = arg;

    l->st = attest_collateral_add(l->c, name, p, len, l->err);
    return l->st == ATTEST_OK;
}

static enum attest_status load_collateral(struct broker *b, struct attest_error *err)
{
    struct load l = {.c = attest_collateral_new(), .err = err};
    enum attest_status st;

    if (l.c == NULL) {
        return attest_no_memory(err, "collateral");
    }
    st = store_each(b->store, STORE_COLLATERAL, load_one, &l, err);
    st = l.st != ATTEST_OK ? l.st : st;
    if (st != ATTEST_OK) {
        attest_collateral_free(l.c);
        return st;
    }
    b->collateral = l.c;
    return ATTEST_OK;
}

/* Compiles a policy ahead of its use; what is wrong with one is told and is no one else's fault. */
static bool load_policy(void *arg, const char *name, const uint8_t *p, size_t len)
{
    struct broker *b = arg;
    const struct broker_policy *policy;
    struct attest_error err = {0};
    char text[400];

    (void)p;
    (void)len;
    if (broker_policy_named(b, name, &policy, &err) != ATTEST_OK ||
        attest_policy_certificates(policy->policy, b->collateral, &err) != ATTEST_OK) {
        fprintf(stderr, "attestd: policy %s lets nothing through: %s\n", name,
                attest_error_text(&err, text, sizeof(text)));
    }
    return true;
}

/* Without an admin key there is no administration by HTTP. */
static void load_admin_key(struct broker *b)
{
    struct store_bytes pem;
    BIO *bio;

    if (store_get(b->store, STORE_META, "admin-key", &pem, NULL) != ATTEST_OK) {
        return;
    }
    bio = BIO_new_mem_buf(pem.p, (int)pem.len);
    b->admin_key = bio != NULL ? PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL) : NULL;
    BIO_free(bio);
    store_bytes_free(&pem);
}

enum attest_status broker_refresh(struct broker *b, struct attest_error *err)
{
    int64_t now = store_revision(b->store, err);
    enum attest_status st;

    if (now < 0) {
        return ATTEST_UNUSABLE;
    }
    if (now == b->revision) {
        return ATTEST_OK;
    }
    drop_cache(b);
    st = load_collateral(b, err);
    if (st == ATTEST_OK) {
        st = store_each(b->store, STORE_POLICY, load_policy, b, err);
        attest_collateral_seal(b->collateral);
    }
    if (st == ATTEST_OK) {
        load_admin_key(b);
        b->revision = now;
    }
    return st;
}
