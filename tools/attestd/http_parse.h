/*
 * HTTP/1.1 requests, strictly (RFC 9112): a known method, an origin-form path, Content-Length and
 * no other framing. Anything ambiguous is refused, so that nobody can smuggle.
 */
#ifndef ATTESTD_HTTP_PARSE_H
#define ATTESTD_HTTP_PARSE_H

#include <stdbool.h>
#include <stddef.h>

#define HTTP_HEAD_MAX (64 * 1024)
#define HTTP_BODY_MAX (2 * 1024 * 1024)
#define HTTP_PATH_MAX 512

struct http_head {
    char method[8];
    char path[HTTP_PATH_MAX];
    size_t head_len; /* up to and with the empty line */
    size_t body_len;
    bool keep_alive;
    bool expect_continue;
    /* Into the head that was parsed; NULL: absent. */
    const char *session;
    size_t session_len;
    const char *bearer;
    size_t bearer_len;
};

/* 0: more bytes are needed; 200: parsed; else the HTTP status to refuse with. */
int http_parse(const char *p, size_t len, struct http_head *out);

#endif
