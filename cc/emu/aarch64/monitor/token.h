/* What the emulated platform attests: keys that anybody can compute, for an untrusted root. */
#ifndef MONITOR_TOKEN_H
#define MONITOR_TOKEN_H

#include "../../cca/cca_cose.h"

/* The platform's attestation key, and the RMM's. */
void platform_cpak(uint8_t key[EMU_P384]);
void platform_rak(uint8_t key[EMU_P384]);

/* What was loaded as the RMM; before tokens are made. */
void platform_measure(const void *rmm, size_t len);

/* The platform's part of a token for a challenge of 32, 48 or 64 bytes; its length, 0: no room. */
#define PLATFORM_TOKEN_MAX 1024u
size_t platform_token(const uint8_t *challenge, size_t len, void *to, size_t size);

#endif
