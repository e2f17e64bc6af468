/* A KBS client on the broker's core, as HTTP would call it. */
#ifndef TESTS_LIB_ATTESTD_CLIENT_H
#define TESTS_LIB_ATTESTD_CLIENT_H

#include "attestd_world.h"

struct client {
    struct world w;
    char *session;
    char *nonce;
    char *token;
    struct broker_reply rp;
};

#define AUTH "{\"version\":\"0.4.0\",\"tee\":\"snp\",\"extra-params\":\"\"}"

void client_open(struct client *c);
void client_close(struct client *c);
/* One request with the cookie, or with a bearer token instead. Returns the HTTP status. */
int ask(struct client *c, const char *method, const char *path, const char *bearer,
        const char *body);
int auth(struct client *c, const char *body);
int attest_body(struct client *c, const char *body);
/* With good evidence for the nonce at hand. */
int attest(struct client *c);
int get(struct client *c, const char *path, const char *bearer);
/* Is this text in the audit log? */
bool audit_says(const struct client *c, const char *text);

#endif
