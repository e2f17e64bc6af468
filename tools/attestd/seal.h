/* Secrets at rest: nonce (12), AES-256-GCM ciphertext, tag (16); the path is associated data. */
#ifndef ATTESTD_SEAL_H
#define ATTESTD_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SEAL_OVERHEAD 28

/* out has room for len + SEAL_OVERHEAD. */
bool seal(const uint8_t key[32], const char *path, const void *p, size_t len, uint8_t *out);
/* out has room for len - SEAL_OVERHEAD; false: not sealed so, or changed. */
bool unseal(const uint8_t key[32], const char *path, const uint8_t *p, size_t len, uint8_t *out);

#endif
