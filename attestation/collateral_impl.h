/* Between collateral.c and chain.c: paths that OpenSSL has validated before. */
#ifndef COLLATERAL_IMPL_H
#define COLLATERAL_IMPL_H

#include <attest/collateral.h>

/* Paths are named by the SHA-256 of their certificates' SHA-256s. Thread-safe, bounded. */
bool collateral_path_known(const struct attest_collateral *c, const uint8_t path[32]);
void collateral_path_remember(const struct attest_collateral *c, const uint8_t path[32]);

#endif
