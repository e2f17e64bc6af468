/* SHA-384 (FIPS 180-4) for code without a library: no calls, no vector registers, no tables but its
 * own. */
#ifndef SHIM_SHA384_H
#define SHIM_SHA384_H

#include <stddef.h>
#include <stdint.h>

#define SHA384_SIZE 48u

void sha384(const uint8_t *p, size_t len, uint8_t out[SHA384_SIZE]);

#endif
