/* One HTTP client. */
#include "server_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *reason_of(int status)
{
    static const struct {
        int status;
        const char *text;
    } texts[] = {
        {200, "OK"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {411, "Length Required"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {431, "Request Header Fields Too Large"},
        {501, "Not Implemented"},
        {503, "Service Unavailable"},
        {505, "HTTP Version Not Supported"},
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (texts[i].status == status) {
            return texts[i].text;
        }
    }
    return "Error";
}

static void send_reply(struct conn *c, const struct broker_reply *rp, bool keep_alive)
{
    struct evbuffer *out = bufferevent_get_output(c->bev);

    evbuffer_add_printf(out, "HTTP/1.1 %d %s\r\nContent-Length: %zu\r\nCache-Control: no-store\r\n",
                        rp->status, reason_of(rp->status), rp->len);
    if (rp->type != NULL && rp->len > 0) {
        evbuffer_add_printf(out, "Content-Type: %s\r\n", rp->type);
    }
    if (rp->session != NULL) {
        evbuffer_add_printf(out,
                            "Set-Cookie: kbs-session-id=%s; Path=/; HttpOnly; SameSite=Strict%s; "
                            "Max-Age=%u\r\n",
                            rp->session, c->server->tls != NULL ? "; Secure" : "",
                            rp->session_seconds);
    }
    evbuffer_add_printf(out, "Connection: %s\r\n\r\n", keep_alive ? "keep-alive" : "close");
    evbuffer_add(out, rp->body != NULL ? rp->body : "", rp->len);
    c->closing = !keep_alive;
    c->continued = false;
    conn_rearm(c);
    bufferevent_disable(c->bev, EV_READ);
}

static void refuse(struct conn *c, int status)
{
    struct broker_reply rp = {.status = status};

    broker_count(c->server->broker, BROKER_http_bad_requests);
    send_reply(c, &rp, false);
}

static char *copy(const char *p, size_t len)
{
    return p != NULL ? strndup(p, len) : NULL;
}

static void handle(struct conn *c, const struct http_head *h, const unsigned char *p)
{
    char *session = copy(h->session, h->session_len);
    char *bearer = copy(h->bearer, h->bearer_len);
    struct broker_request rq = {
        .method = h->method,
        .path = h->path,
        .session = session,
        .bearer = bearer,
        .peer = c->peer,
        .body = p + h->head_len,
        .body_len = h->body_len,
    };
    struct broker_reply rp;

    broker_handle(c->server->broker, &rq, &rp);
    free(session);
    free(bearer);
    evbuffer_drain(bufferevent_get_input(c->bev), h->head_len + h->body_len);
    send_reply(c, &rp, h->keep_alive);
    broker_reply_free(&rp);
}

void http_readable(struct conn *c)
{
    struct evbuffer *in = bufferevent_get_input(c->bev);
    size_t len = evbuffer_get_length(in);
    unsigned char *p = evbuffer_pullup(in, (ev_ssize_t)(len < HTTP_HEAD_MAX ? len : HTTP_HEAD_MAX));
    struct http_head h;
    int st;

    if (p == NULL) {
        return;
    }
    st = http_parse((const char *)p, len, &h);
    if (st == 0) {
        return;
    }
    if (st != 200) {
        refuse(c, st);
        return;
    }
    if (len < h.head_len + h.body_len) {
        if (h.expect_continue && !c->continued) {
            c->continued = true;
            evbuffer_add_printf(bufferevent_get_output(c->bev), "HTTP/1.1 100 Continue\r\n\r\n");
        }
        return;
    }
    p = evbuffer_pullup(in, (ev_ssize_t)(h.head_len + h.body_len));
    /* The bytes may have moved, and with them what the head points at. */
    if (p == NULL || http_parse((const char *)p, h.head_len + h.body_len, &h) != 200) {
        refuse(c, 503);
        return;
    }
    handle(c, &h, p);
}
