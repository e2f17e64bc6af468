/* The broker on sockets: HTTP(S) and the line mode, one thread, every client on a short leash. */
#ifndef ATTESTD_SERVER_H
#define ATTESTD_SERVER_H

#include "broker.h"

#include <event2/event.h>

struct server_config {
    const char *listen;      /* "127.0.0.1:8080", "[::1]:8080"; NULL: no HTTP */
    const char *tls_cert;    /* PEM chain; NULL: plain HTTP */
    const char *tls_key;
    const char *line_socket; /* path of a unix socket; NULL: none */
    unsigned int max_connections; /* 0: 1024 */
    unsigned int max_per_peer;    /* 0: 128 */
    unsigned int timeout_seconds; /* for one whole request, and for one whole reply; 0: 10 */
};

struct server;

/* "object: reason" on stderr and NULL when it cannot be had. */
struct server *server_new(const struct server_config *cfg, struct broker *b);
void server_free(struct server *s);
struct event_base *server_base(struct server *s);
/* The port that HTTP listens on (for ":0"). */
unsigned int server_port(const struct server *s);
/* Until server_base's loop is broken. */
int server_run(struct server *s);

/* Lines from one descriptor, answers to another, until quit, end or silence; 0 good. */
int line_stdio(struct broker *b, int in, int out, unsigned int timeout_seconds);

#endif
