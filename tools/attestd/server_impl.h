/* Between server.c, conn_http.c and conn_line.c. */
#ifndef ATTESTD_SERVER_IMPL_H
#define ATTESTD_SERVER_IMPL_H

#include "http_parse.h"
#include "server.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <openssl/ssl.h>

struct server {
    struct event_base *base;
    struct broker *broker;
    SSL_CTX *tls;
    struct evconnlistener *http;
    struct evconnlistener *line;
    char *line_path;
    unsigned int max_connections;
    unsigned int max_per_peer;
    unsigned int timeout_seconds;
    unsigned int connections;
    struct conn *first;
};

/* One client. The deadline covers a whole request or a whole reply, however it trickles. */
struct conn {
    struct server *server;
    struct bufferevent *bev;
    struct event *deadline;
    struct broker_line *line; /* NULL: HTTP */
    char peer[64];
    bool closing;   /* once the output has gone */
    bool continued; /* 100 Continue was sent for the request at hand */
    struct conn *next;
    struct conn **link;
};

void conn_close(struct conn *c);
void conn_rearm(struct conn *c);

/* Do two addresses, as text, count as one client? */
bool server_same_origin(const char *a, const char *b);

void http_readable(struct conn *c);
void line_readable(struct conn *c);

#endif
