/*
 * Nonces that need no store to be remembered by: the issue time and random bytes under an HMAC.
 * An instance takes each once: it keeps the tags of used ones until they would expire anyway.
 */
#ifndef ATTESTD_NONCE_H
#define ATTESTD_NONCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* u8 version (1), 3 zero bytes, u64be issue time in ms, 20 random bytes, 32 bytes HMAC-SHA256. */
#define NONCE_SIZE 64

enum nonce_state {
    NONCE_GOOD,
    NONCE_FORGED,  /* not issued under this key */
    NONCE_EXPIRED, /* or from the future */
    NONCE_EARLY,   /* issued before this instance began to remember */
    NONCE_USED,
    NONCE_FULL     /* no room to remember it: refuse */
};

const char *nonce_state_text(enum nonce_state s);

bool nonce_make(const uint8_t key[32], int64_t now_ms, uint8_t out[NONCE_SIZE]);

struct nonce_window;

/* lifetime_ms > 0; room: nonces used in one lifetime. NULL: out of memory. */
struct nonce_window *nonce_window_new(int64_t now_ms, int64_t lifetime_ms, size_t room);
void nonce_window_free(struct nonce_window *w);

/* Would it be taken? Changes nothing. */
enum nonce_state nonce_check(struct nonce_window *w, const uint8_t key[32], int64_t now_ms,
                             const uint8_t nonce[NONCE_SIZE]);
/* Takes it: GOOD once. */
enum nonce_state nonce_use(struct nonce_window *w, const uint8_t key[32], int64_t now_ms,
                           const uint8_t nonce[NONCE_SIZE]);

#endif
