/*
 * A broker in a folder of its own, which goes with the program; a minted SNP platform; a guest with
 * its ephemeral key. The store holds the policies "default" (trusts the minted root), "other" (the
 * same, other name) and "hardware" (trusts no test root), and the secret TEST_SECRET at TEST_PATH
 * for "default".
 */
#ifndef TESTS_LIB_ATTESTD_WORLD_H
#define TESTS_LIB_ATTESTD_WORLD_H

#include "attest_snppki.h"

#include "broker.h"

#include <attest/jose.h>

#define TEST_SECRET "the crown jewels, 0xC0FFEE"
#define TEST_PATH "repo/key/one"

struct world {
    char dir[80];
    char db[96];
    char key[96];
    char audit_path[96];
    FILE *audit;
    struct snppki *pki;
    struct broker *broker;
    EVP_PKEY *guest;
};

enum guest_key { GUEST_P256, GUEST_P384, GUEST_P521, GUEST_RSA };

/* The clock of all brokers of this process, ms; tests move it. */
extern int64_t world_clock_ms;
int64_t world_clock(void);

void world_open(struct world *w);
void world_close(struct world *w);
/* Closes and opens the broker again on the same store. */
void world_restart(struct world *w);
/* A policy's text: measurement 11h or other; with or without the minted root; malloc'ed. */
char *world_policy(const struct world *w, bool root, const char *measurement);
/* Opens the store for changes; the caller closes it. */
struct store *world_store(const struct world *w);
void world_new_guest(struct world *w, enum guest_key kind);
/* The whole audit log so far, malloc'ed. */
char *world_audit(const struct world *w);

/* A report over this report data, malloc'ed base64. */
char *world_evidence(const struct world *w, const uint8_t *report_data, size_t len);
/* The guest's JWK with its "alg"; new reference. */
json_t *world_jwk(const struct world *w);
/* The body of POST /attest for a challenge's nonce; malloc'ed. */
char *world_attestation(const struct world *w, const char *nonce);
/* Is this reply body the secret, sealed to the guest? */
bool world_opens(const struct world *w, const char *jwe_json);

#endif
