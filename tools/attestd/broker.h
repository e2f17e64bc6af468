/*
 * The broker without its transports: requests in, replies out. HTTP, the line mode and the tests
 * share it. Not thread-safe: one broker per thread; they may share a store.
 */
#ifndef ATTESTD_BROKER_H
#define ATTESTD_BROKER_H

#include "nonce.h"
#include "store.h"

#include <attest/verdict.h>

#include <openssl/evp.h>
#include <stdio.h>

struct broker_config {
    const char *store;        /* SQLite file, made by broker_init */
    const char *key_file;     /* made by broker_init */
    const char *issuer;       /* "iss" of tokens */
    FILE *audit;              /* one JSON object a line for every decision; never NULL */
    unsigned int nonce_seconds;   /* a nonce's life; 0: 300 */
    unsigned int session_seconds; /* a session's and token's life; 0: 300 */
    size_t nonce_room;            /* nonces used in one life; 0: 262144 */
    int64_t (*clock_ms)(void);    /* NULL: the system's, since 1970 */
};

struct broker;

/* Makes key file and store (each only if missing), with the token signing key inside. */
enum attest_status broker_init(const char *store, const char *key_file, struct attest_error *err);
enum attest_status broker_open(const struct broker_config *cfg, struct broker **out,
                               struct attest_error *err);
void broker_close(struct broker *b);

/* ---- HTTP: the Confidential Containers KBS protocol, version 0.4 ---- */

struct broker_request {
    const char *method;        /* "GET", "POST" */
    const char *path;          /* "/kbs/v0/auth"; no query */
    const char *session;       /* value of the cookie kbs-session-id, or NULL */
    const char *bearer;        /* bearer token, or NULL */
    const char *peer;          /* for the audit log */
    const uint8_t *body;
    size_t body_len;
};

struct broker_reply {
    int status;       /* HTTP */
    const char *type; /* content type */
    char *body;       /* malloc'ed, may be NULL */
    size_t len;
    char *session;    /* new value for the cookie, or NULL; malloc'ed */
    unsigned int session_seconds;
};

/* Always fills rp; broker_reply_free afterwards. */
void broker_handle(struct broker *b, const struct broker_request *rq, struct broker_reply *rp);
void broker_reply_free(struct broker_reply *rp);

/* ---- line mode: docs/attestd.md ---- */

#define BROKER_LINE_MAX (2 * 1024 * 1024)

struct broker_line;

struct broker_line *broker_line_new(struct broker *b, const char *peer);
void broker_line_free(struct broker_line *l);
/*
 * One line without its end; the answer (malloc'ed, one line with its end) goes to *reply, which
 * stays NULL for lines that get none. false: the session is over once the reply is sent.
 */
bool broker_line_feed(struct broker_line *l, const char *line, size_t len, char **reply);

/* ---- counters ---- */

enum broker_metric {
#define METRIC(name, help) BROKER_##name,
#include "metrics.def"
#undef METRIC
    BROKER_METRICS
};

void broker_count(struct broker *b, enum broker_metric m);
uint64_t broker_counter(const struct broker *b, enum broker_metric m);

#endif
