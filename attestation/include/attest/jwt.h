/*
 * JSON Web Tokens in the compact form (RFC 7515, 7519). The algorithm is the key's, never the
 * token's choice: ES256, ES384, ES512 or EdDSA for key pairs, HS256 for a shared secret.
 */
#ifndef ATTEST_JWT_H
#define ATTEST_JWT_H

#include <attest/jose.h>

#define JWT_SIZE_MAX (256 * 1024)

/* header: further header members, or NULL. malloc'ed; NULL: out of memory or no such key. */
char *jwt_sign(const json_t *claims, const json_t *header, EVP_PKEY *key);
char *jwt_sign_hmac(const json_t *claims, const uint8_t key[32]);

/* The claims of a token with a good signature (a new reference); times are not looked at. */
enum attest_status jwt_verify(const char *token, size_t len, EVP_PKEY *key, json_t **claims,
                              struct attest_error *err);
enum attest_status jwt_verify_hmac(const char *token, size_t len, const uint8_t key[32],
                                   json_t **claims, struct attest_error *err);

/* "exp" must be there and ahead of now; "nbf" and "iat", if there, not ahead by over a minute. */
enum attest_status jwt_check_times(const json_t *claims, int64_t now, struct attest_error *err);

#endif
