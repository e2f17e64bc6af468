/* Listening, accepting, limits and deadlines. */
#include "server_impl.h"

#include <event2/bufferevent_ssl.h>
#include <event2/util.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define MAX_CONNECTIONS 1024
#define MAX_PER_PEER 128
#define TIMEOUT_SECONDS 10

/* About an option's value; false, for the caller to return. */
static bool complain(const char *option, const char *value, const char *why)
{
    fprintf(stderr, "attestd: --%s %s: %s\n", option, value, why);
    return false;
}

void conn_close(struct conn *c)
{
    *c->link = c->next;
    if (c->next != NULL) {
        c->next->link = c->link;
    }
    c->server->connections--;
    if (c->deadline != NULL) {
        event_free(c->deadline);
    }
    if (c->bev != NULL) {
        bufferevent_free(c->bev);
    }
    broker_line_free(c->line);
    free(c);
}

void conn_rearm(struct conn *c)
{
    struct timeval t = {.tv_sec = c->server->timeout_seconds};

    evtimer_add(c->deadline, &t);
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
    struct conn *c = arg;

    (void)fd;
    (void)what;
    broker_count(c->server->broker, BROKER_http_timeouts);
    conn_close(c);
}

static void on_read(struct bufferevent *bev, void *arg)
{
    struct conn *c = arg;

    (void)bev;
    if (c->line != NULL) {
        line_readable(c);
    } else {
        http_readable(c);
    }
}

/* All output has gone: close, or go on with what has come meanwhile. */
static void on_write(struct bufferevent *bev, void *arg)
{
    struct conn *c = arg;

    if (c->closing) {
        conn_close(c);
        return;
    }
    bufferevent_enable(bev, EV_READ);
    if (evbuffer_get_length(bufferevent_get_input(bev)) > 0) {
        on_read(bev, c);
    }
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
    (void)bev;
    if ((what & (BEV_EVENT_EOF | BEV_EVENT_ERROR | BEV_EVENT_TIMEOUT)) != 0) {
        while (ERR_get_error() != 0) {
            /* A client's broken TLS leaves nothing behind for the next one. */
        }
        conn_close(arg);
    }
}

static void peer_text(const struct sockaddr *sa, char *buf, size_t size)
{
    if (sa->sa_family == AF_INET) {
        evutil_inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)sa)->sin_addr, buf,
                         size);
    } else if (sa->sa_family == AF_INET6) {
        evutil_inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr,
                         buf, size);
    } else {
        snprintf(buf, size, "line socket");
    }
}

/* Whoever has one IPv6 address has 2^64 beside it. Mapped IPv4 addresses (::ffff:0:0/96) are apart.
 */
bool server_same_origin(const char *a, const char *b)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    uint8_t x[16];
    uint8_t y[16];

    if (strcmp(a, b) == 0) {
        return true;
    }
    return evutil_inet_pton(AF_INET6, a, x) == 1 && evutil_inet_pton(AF_INET6, b, y) == 1 &&
           memcmp(x, mapped, sizeof(mapped)) != 0 && memcmp(y, mapped, sizeof(mapped)) != 0 &&
           memcmp(x, y, 8) == 0;
}

static bool room_for(const struct server *s, const char *peer)
{
    unsigned int same = 0;

    for (const struct conn *c = s->first; c != NULL; c = c->next) {
        same += server_same_origin(c->peer, peer);
    }
    return s->connections < s->max_connections && same < s->max_per_peer;
}

/* Takes fd over. */
static struct bufferevent *wrap(struct server *s, evutil_socket_t fd, bool line)
{
    int one = 1;
    SSL *ssl;

    if (line || s->tls == NULL) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        return bufferevent_socket_new(s->base, fd, BEV_OPT_CLOSE_ON_FREE);
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    ssl = SSL_new(s->tls);
    return ssl != NULL ? bufferevent_openssl_socket_new(s->base, fd, ssl,
                                                        BUFFEREVENT_SSL_ACCEPTING,
                                                        BEV_OPT_CLOSE_ON_FREE)
                       : NULL;
}

static void link_in(struct server *s, struct conn *c)
{
    c->server = s;
    c->next = s->first;
    c->link = &s->first;
    if (s->first != NULL) {
        s->first->link = &c->next;
    }
    s->first = c;
    s->connections++;
}

static void add_client(struct server *s, evutil_socket_t fd, const char *peer, bool line)
{
    struct conn *c = calloc(1, sizeof(*c));

    if (c == NULL) {
        evutil_closesocket(fd);
        return;
    }
    link_in(s, c);
    snprintf(c->peer, sizeof(c->peer), "%s", peer);
    c->bev = wrap(s, fd, line);
    if (c->bev == NULL) {
        evutil_closesocket(fd);
        conn_close(c);
        return;
    }
    c->deadline = evtimer_new(s->base, on_deadline, c);
    c->line = line ? broker_line_new(s->broker, peer) : NULL;
    if (c->deadline == NULL || (line && c->line == NULL)) {
        conn_close(c);
        return;
    }
    bufferevent_setcb(c->bev, on_read, on_write, on_event, c);
    bufferevent_setwatermark(c->bev, EV_READ, 0,
                             line ? BROKER_LINE_MAX + 2 : HTTP_HEAD_MAX + HTTP_BODY_MAX);
    conn_rearm(c);
    bufferevent_enable(c->bev, EV_READ | EV_WRITE);
}

static void on_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *sa, int len,
                      void *arg)
{
    struct server *s = arg;
    char peer[64] = "";

    (void)len;
    peer_text(sa, peer, sizeof(peer));
    if (!room_for(s, peer)) {
        broker_count(s->broker, BROKER_http_rejected_connections);
        evutil_closesocket(fd);
        return;
    }
    add_client(s, fd, peer, l == s->line);
}

#define LISTEN_FLAGS (LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE)

static unsigned int port_of(const struct sockaddr_storage *ss)
{
    const struct sockaddr_in6 *in6 = (const void *)ss;
    const struct sockaddr_in *in = (const void *)ss;

    return ntohs(ss->ss_family == AF_INET6 ? in6->sin6_port : in->sin_port);
}

/* Port 0, any free one, is not for evutil_parse_sockaddr_port, which takes none at all for that. */
static bool parse_address(const char *where, struct sockaddr_storage *ss, int *len)
{
    size_t n = strlen(where);
    bool any = n > 2 && strcmp(where + n - 2, ":0") == 0;
    char text[80];

    if (n >= sizeof(text)) {
        return false;
    }
    memcpy(text, where, n + 1);
    if (any) {
        text[n - 1] = '1';
    }
    *len = sizeof(*ss);
    if (evutil_parse_sockaddr_port(text, (struct sockaddr *)ss, len) != 0 || port_of(ss) == 0) {
        return false;
    }
    if (any) {
        *(ss->ss_family == AF_INET6 ? &((struct sockaddr_in6 *)ss)->sin6_port
                                    : &((struct sockaddr_in *)ss)->sin_port) = 0;
    }
    return true;
}

static bool listen_http(struct server *s, const char *where)
{
    struct sockaddr_storage ss;
    int len;

    if (!parse_address(where, &ss, &len)) {
        return complain("listen", where, "expected ADDRESS:PORT or [ADDRESS]:PORT, in digits");
    }
    s->http = evconnlistener_new_bind(s->base, on_accept, s, LISTEN_FLAGS, 1024,
                                      (struct sockaddr *)&ss, len);
    return s->http != NULL ||
           complain("listen", where, evutil_socket_error_to_string(EVUTIL_SOCKET_ERROR()));
}

/* A socket that an instance left behind makes room; nothing else does. */
static bool make_room(const char *path, const struct sockaddr_un *un)
{
    struct stat st;
    bool served;
    int fd;

    if (lstat(path, &st) != 0) {
        return errno == ENOENT || complain("line-socket", path, strerror(errno));
    }
    if (!S_ISSOCK(st.st_mode)) {
        return complain("line-socket", path, "is there, and no socket: it is not replaced");
    }
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    served = fd >= 0 && connect(fd, (const struct sockaddr *)un, sizeof(*un)) == 0;
    if (fd >= 0) {
        close(fd);
    }
    if (served) {
        return complain("line-socket", path, "another program serves it");
    }
    return unlink(path) == 0 || complain("line-socket", path, strerror(errno));
}

static bool listen_line(struct server *s, const char *path)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    mode_t mask;

    if (strlen(path) >= sizeof(un.sun_path)) {
        return complain("line-socket", path, "too long for a socket's path");
    }
    memcpy(un.sun_path, path, strlen(path) + 1);
    if (!make_room(path, &un)) {
        return false;
    }
    mask = umask(0177);
    s->line = evconnlistener_new_bind(s->base, on_accept, s, LISTEN_FLAGS, 64,
                                      (struct sockaddr *)&un, sizeof(un));
    umask(mask);
    s->line_path = strdup(path);
    return (s->line != NULL && s->line_path != NULL) ||
           complain("line-socket", path, evutil_socket_error_to_string(EVUTIL_SOCKET_ERROR()));
}

/* Says what OpenSSL met with first: that there is no such file, or no PEM in it. */
static bool tls_complain(const char *option, const char *path, const char *expected)
{
    unsigned long first = ERR_get_error();
    const char *reason = ERR_SYSTEM_ERROR(first) ? strerror(ERR_GET_REASON(first))
                                                 : ERR_reason_error_string(first);

    fprintf(stderr, "attestd: --%s %s: expected %s: %s\n", option, path, expected,
            reason != NULL ? reason : "it cannot be read");
    ERR_clear_error();
    return false;
}

static bool set_tls(struct server *s, const char *cert, const char *key)
{
    ERR_clear_error();
    s->tls = SSL_CTX_new(TLS_server_method());
    if (s->tls == NULL || SSL_CTX_set_min_proto_version(s->tls, TLS1_2_VERSION) != 1) {
        return tls_complain("tls-cert", cert, "an OpenSSL with TLS 1.2");
    }
    if (SSL_CTX_use_certificate_chain_file(s->tls, cert) != 1) {
        return tls_complain("tls-cert", cert, "a PEM certificate chain, the server's own first");
    }
    if (SSL_CTX_use_PrivateKey_file(s->tls, key, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(s->tls) != 1) {
        return tls_complain("tls-key", key, "the PEM private key of --tls-cert");
    }
    SSL_CTX_set_options(s->tls, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    return true;
}

struct server *server_new(const struct server_config *cfg, struct broker *b)
{
    struct server *s = calloc(1, sizeof(*s));

    if (s == NULL) {
        return NULL;
    }
    s->broker = b;
    s->base = event_base_new();
    s->max_connections = cfg->max_connections > 0 ? cfg->max_connections : MAX_CONNECTIONS;
    s->max_per_peer = cfg->max_per_peer > 0 ? cfg->max_per_peer : MAX_PER_PEER;
    s->timeout_seconds = cfg->timeout_seconds > 0 ? cfg->timeout_seconds : TIMEOUT_SECONDS;
    if (s->base == NULL ||
        (cfg->tls_cert != NULL && !set_tls(s, cfg->tls_cert, cfg->tls_key)) ||
        (cfg->listen != NULL && !listen_http(s, cfg->listen)) ||
        (cfg->line_socket != NULL && !listen_line(s, cfg->line_socket))) {
        server_free(s);
        return NULL;
    }
    return s;
}

void server_free(struct server *s)
{
    if (s == NULL) {
        return;
    }
    while (s->first != NULL) {
        conn_close(s->first);
    }
    if (s->http != NULL) {
        evconnlistener_free(s->http);
    }
    if (s->line != NULL) {
        evconnlistener_free(s->line);
        (void)unlink(s->line_path);
    }
    free(s->line_path);
    SSL_CTX_free(s->tls);
    if (s->base != NULL) {
        event_base_free(s->base);
    }
    free(s);
}

struct event_base *server_base(struct server *s)
{
    return s->base;
}

unsigned int server_port(const struct server *s)
{
    struct sockaddr_storage ss;
    socklen_t len = sizeof(ss);

    if (s->http == NULL ||
        getsockname(evconnlistener_get_fd(s->http), (struct sockaddr *)&ss, &len) != 0) {
        return 0;
    }
    return port_of(&ss);
}

int server_run(struct server *s)
{
    return event_base_dispatch(s->base) < 0 ? 1 : 0;
}
