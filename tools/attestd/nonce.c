#include "nonce.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#define VERSION 1
#define TIME_AT 4
#define RANDOM_AT 12
#define RANDOM_SIZE 20
#define MAC_AT 32
#define TAG_SIZE 16 /* of the random bytes; the client cannot choose them */

/* Clocks of instances that share a key may differ by this much. */
#define SKEW_MS 2000

struct set {
    int64_t begin; /* covers one span from here */
    size_t count;
    uint8_t (*tag)[TAG_SIZE]; /* open addressing; all zeros: free */
};

/*
 * A nonce that is used during one set's span expires before the next set's ends, so two sets
 * remember all that matters, and forgetting is dropping a whole set. The span allows for nonces of
 * an instance whose clock is ahead.
 */
struct nonce_window {
    int64_t start;
    int64_t lifetime;
    int64_t span;
    size_t room;
    size_t slots; /* power of two, at least 2 * room */
    struct set now;
    struct set before;
};

const char *nonce_state_text(enum nonce_state s)
{
    static const char *const texts[] = {
        [NONCE_GOOD] = "good",
        [NONCE_FORGED] = "not issued by this broker",
        [NONCE_EXPIRED] = "expired",
        [NONCE_EARLY] = "issued before this broker started",
        [NONCE_USED] = "used before",
        [NONCE_FULL] = "too many nonces in use",
    };

    return texts[s];
}

static bool mac(const uint8_t key[32], const uint8_t *nonce, uint8_t out[32])
{
    unsigned int n = 0;

    return HMAC(EVP_sha256(), key, 32, nonce, MAC_AT, out, &n) != NULL && n == 32;
}

bool nonce_make(const uint8_t key[32], int64_t now_ms, uint8_t out[NONCE_SIZE])
{
    memset(out, 0, NONCE_SIZE);
    out[0] = VERSION;
    for (int i = 0; i < 8; i++) {
        out[TIME_AT + i] = (uint8_t)((uint64_t)now_ms >> (8 * (7 - i)));
    }
    return RAND_bytes(out + RANDOM_AT, RANDOM_SIZE) == 1 && mac(key, out, out + MAC_AT);
}

static int64_t issued(const uint8_t *nonce)
{
    uint64_t v = 0;

    for (int i = 0; i < 8; i++) {
        v = v << 8 | nonce[TIME_AT + i];
    }
    return (int64_t)v;
}

struct nonce_window *nonce_window_new(int64_t now_ms, int64_t lifetime_ms, size_t room)
{
    struct nonce_window *w = calloc(1, sizeof(*w));

    if (w == NULL) {
        return NULL;
    }
    w->start = now_ms;
    w->lifetime = lifetime_ms;
    w->span = lifetime_ms + SKEW_MS;
    w->room = room;
    w->slots = 16;
    while (w->slots < 2 * room) {
        w->slots *= 2;
    }
    w->now = (struct set){.begin = now_ms, .tag = calloc(w->slots, TAG_SIZE)};
    w->before = (struct set){.begin = now_ms - w->span, .tag = calloc(w->slots, TAG_SIZE)};
    if (w->now.tag == NULL || w->before.tag == NULL) {
        nonce_window_free(w);
        return NULL;
    }
    return w;
}

void nonce_window_free(struct nonce_window *w)
{
    if (w != NULL) {
        free(w->now.tag);
        free(w->before.tag);
        free(w);
    }
}

static void clear(struct nonce_window *w, struct set *s, int64_t begin)
{
    s->begin = begin;
    s->count = 0;
    memset(s->tag, 0, w->slots * TAG_SIZE);
}

static void roll(struct nonce_window *w, int64_t now_ms)
{
    struct set old;

    if (now_ms - w->now.begin < w->span) {
        return;
    }
    if (now_ms - w->now.begin >= 2 * w->span) {
        clear(w, &w->before, now_ms - w->span);
        clear(w, &w->now, now_ms);
        return;
    }
    old = w->before;
    w->before = w->now;
    w->now = old;
    clear(w, &w->now, w->before.begin + w->span);
}

/* The slot that holds the tag, or the free one where it belongs. */
static uint8_t *slot(const struct nonce_window *w, const struct set *s, const uint8_t *tag)
{
    static const uint8_t none[TAG_SIZE];
    uint64_t h;
    size_t i;

    memcpy(&h, tag, sizeof(h));
    for (i = h & (w->slots - 1);; i = (i + 1) & (w->slots - 1)) {
        if (memcmp(s->tag[i], tag, TAG_SIZE) == 0 || memcmp(s->tag[i], none, TAG_SIZE) == 0) {
            return s->tag[i];
        }
    }
}

static bool known(const struct nonce_window *w, const struct set *s, const uint8_t *tag)
{
    return memcmp(slot(w, s, tag), tag, TAG_SIZE) == 0;
}

enum nonce_state nonce_check(struct nonce_window *w, const uint8_t key[32], int64_t now_ms,
                             const uint8_t nonce[NONCE_SIZE])
{
    const uint8_t *tag = nonce + RANDOM_AT;
    uint8_t want[32];
    int64_t at = issued(nonce);

    if (nonce[0] != VERSION || !mac(key, nonce, want) ||
        CRYPTO_memcmp(want, nonce + MAC_AT, sizeof(want)) != 0) {
        return NONCE_FORGED;
    }
    if (at > now_ms + SKEW_MS || now_ms - at >= w->lifetime) {
        return NONCE_EXPIRED;
    }
    if (at < w->start) {
        return NONCE_EARLY;
    }
    roll(w, now_ms);
    /* It may have been used before what is remembered begins: only when the clock went back. */
    if (at - SKEW_MS < w->before.begin) {
        return NONCE_EXPIRED;
    }
    if (known(w, &w->now, tag) || known(w, &w->before, tag)) {
        return NONCE_USED;
    }
    return w->now.count < w->room ? NONCE_GOOD : NONCE_FULL;
}

enum nonce_state nonce_use(struct nonce_window *w, const uint8_t key[32], int64_t now_ms,
                           const uint8_t nonce[NONCE_SIZE])
{
    enum nonce_state s = nonce_check(w, key, now_ms, nonce);

    if (s == NONCE_GOOD) {
        memcpy(slot(w, &w->now, nonce + RANDOM_AT), nonce + RANDOM_AT, TAG_SIZE);
        w->now.count++;
    }
    return s;
}
