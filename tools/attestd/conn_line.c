/* The line mode on a socket, and on two descriptors. */
#include "server_impl.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void take_line(struct conn *c, const char *line, size_t len)
{
    char *reply = NULL;
    bool more = broker_line_feed(c->line, line, len, &reply);

    if (reply != NULL) {
        evbuffer_add(bufferevent_get_output(c->bev), reply, strlen(reply));
        free(reply);
    }
    c->closing = !more;
    conn_rearm(c);
}

/* The next line is taken when the answer to the last has gone: answers nobody reads must not pile
 * up. on_write comes back here. */
void line_readable(struct conn *c)
{
    struct evbuffer *in = bufferevent_get_input(c->bev);
    struct evbuffer *out = bufferevent_get_output(c->bev);
    char *line;
    size_t len;

    while (!c->closing && evbuffer_get_length(out) == 0 &&
           (line = evbuffer_readln(in, &len, EVBUFFER_EOL_LF)) != NULL) {
        take_line(c, line, len);
        free(line);
    }
    if (c->closing) {
        bufferevent_disable(c->bev, EV_READ);
    } else if (evbuffer_get_length(out) == 0 && evbuffer_get_length(in) > BROKER_LINE_MAX) {
        conn_close(c);
    }
}

static bool write_all(int fd, const char *p, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, p, len);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return false;
        }
        p += n;
        len -= (size_t)n;
    }
    return true;
}

/* Bytes of lines that are not complete yet. */
struct pending {
    char *p;
    size_t used;
    size_t size;
};

/* Reads once; false at the end, on error and after silence. */
static bool fill(struct pending *b, int fd, unsigned int timeout_seconds)
{
    struct pollfd pf = {.fd = fd, .events = POLLIN};
    ssize_t n;

    if (b->size - b->used < 4096) {
        char *bigger = b->size < BROKER_LINE_MAX + 8192 ? realloc(b->p, 2 * b->size + 8192) : NULL;

        if (bigger == NULL) {
            return false;
        }
        b->p = bigger;
        b->size = 2 * b->size + 8192;
    }
    do {
        n = poll(&pf, 1, (int)timeout_seconds * 1000) == 1
                ? read(fd, b->p + b->used, b->size - b->used)
                : 0;
    } while (n < 0 && errno == EINTR);
    b->used += n > 0 ? (size_t)n : 0;
    return n > 0;
}

/* Feeds every whole line; false: the session is over. */
static bool feed(struct broker_line *l, struct pending *b, int out)
{
    char *end;

    while ((end = memchr(b->p, '\n', b->used)) != NULL) {
        size_t len = (size_t)(end - b->p);
        char *reply = NULL;
        bool more = broker_line_feed(l, b->p, len, &reply);
        bool sent = reply == NULL || write_all(out, reply, strlen(reply));

        free(reply);
        b->used -= len + 1;
        memmove(b->p, end + 1, b->used);
        if (!more || !sent) {
            return false;
        }
    }
    return true;
}

int line_stdio(struct broker *b, int in, int out, unsigned int timeout_seconds)
{
    struct broker_line *l = broker_line_new(b, "line mode");
    struct pending p = {0};

    if (l == NULL) {
        return 1;
    }
    while (fill(&p, in, timeout_seconds) && feed(l, &p, out)) {
        /* one read may bring many lines, or none */
    }
    free(p.p);
    broker_line_free(l);
    return 0;
}
