/* What administration checks before it writes to the store; for the CLI and for HTTP. */
#ifndef ATTESTD_ADMIN_H
#define ATTESTD_ADMIN_H

#include "store.h"

/* Base64 of either alphabet, padded or not. out has room for len bytes. */
bool admin_base64(const char *s, size_t len, uint8_t *out, size_t *out_len);

/* A policy must be good as it stands, its reference values ("@name") aside. */
enum attest_status admin_policy_put(struct store *s, const char *name, const uint8_t *p, size_t len,
                                    struct attest_error *err);
/* One value, or a JSON array of values, added to the list of that name. */
enum attest_status admin_reference_add(struct store *s, const char *name, const char *value,
                                       struct attest_error *err);
/* Anything that the collateral reader knows. */
enum attest_status admin_collateral_put(struct store *s, const char *name, const uint8_t *p,
                                        size_t len, struct attest_error *err);
/* A PEM public key, EC or Ed25519. */
enum attest_status admin_key_put(struct store *s, const uint8_t *p, size_t len,
                                 struct attest_error *err);

#endif
