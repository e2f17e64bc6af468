#include "http_parse.h"

#include <string.h>
#include <strings.h>

#define COOKIE_NAME "kbs-session-id="

struct text {
    const char *p;
    size_t len;
};

static bool is(struct text t, const char *s)
{
    return t.len == strlen(s) && strncasecmp(t.p, s, t.len) == 0;
}

static struct text trim(struct text t)
{
    while (t.len > 0 && (*t.p == ' ' || *t.p == '\t')) {
        t.p++;
        t.len--;
    }
    while (t.len > 0 && (t.p[t.len - 1] == ' ' || t.p[t.len - 1] == '\t')) {
        t.len--;
    }
    return t;
}

static bool take_word(struct text *line, char *out, size_t size)
{
    const char *end = memchr(line->p, ' ', line->len);
    size_t n = end != NULL ? (size_t)(end - line->p) : 0;

    if (n == 0 || n >= size) {
        return false;
    }
    memcpy(out, line->p, n);
    out[n] = '\0';
    line->p += n + 1;
    line->len -= n + 1;
    return true;
}

/* Unreserved characters and slashes are all that our paths hold; no escapes, no dots alone. */
static bool path_good(const char *p)
{
    return p[0] == '/' && strstr(p, "//") == NULL && strstr(p, "/.") == NULL &&
           p[strspn(p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/")] ==
               '\0';
}

static int request_line(struct text line, struct http_head *out)
{
    if (!take_word(&line, out->method, sizeof(out->method))) {
        return 400;
    }
    if (!take_word(&line, out->path, sizeof(out->path))) {
        return line.len > HTTP_PATH_MAX ? 414 : 400;
    }
    if (is(line, "HTTP/1.1")) {
        out->keep_alive = true;
    } else if (!is(line, "HTTP/1.0")) {
        return 505;
    }
    if (strcmp(out->method, "GET") != 0 && strcmp(out->method, "POST") != 0) {
        return 405;
    }
    return path_good(out->path) ? 200 : 404;
}

static int content_length(struct text v, bool *seen, struct http_head *out)
{
    size_t n = 0;

    if (*seen || v.len == 0 || v.len > 10) {
        return *seen || v.len == 0 ? 400 : 413;
    }
    *seen = true;
    for (size_t i = 0; i < v.len; i++) {
        if (v.p[i] < '0' || v.p[i] > '9') {
            return 400;
        }
        n = n * 10 + (size_t)(v.p[i] - '0');
    }
    out->body_len = n;
    return n <= HTTP_BODY_MAX ? 200 : 413;
}

static void cookie(struct text v, struct http_head *out)
{
    while (v.len > 0) {
        const char *end = memchr(v.p, ';', v.len);
        struct text one = trim((struct text){v.p, end != NULL ? (size_t)(end - v.p) : v.len});

        if (one.len > strlen(COOKIE_NAME) &&
            strncmp(one.p, COOKIE_NAME, strlen(COOKIE_NAME)) == 0) {
            out->session = one.p + strlen(COOKIE_NAME);
            out->session_len = one.len - strlen(COOKIE_NAME);
        }
        if (end == NULL) {
            return;
        }
        v.len -= (size_t)(end + 1 - v.p);
        v.p = end + 1;
    }
}

static void authorization(struct text v, struct http_head *out)
{
    if (v.len > 7 && strncasecmp(v.p, "Bearer ", 7) == 0) {
        struct text token = trim((struct text){v.p + 7, v.len - 7});

        out->bearer = token.p;
        out->bearer_len = token.len;
    }
}

static int header(struct text line, bool *has_length, struct http_head *out)
{
    const char *colon = memchr(line.p, ':', line.len);
    struct text name;
    struct text value;

    /* No folding and no space before the colon: RFC 9112 sections 5.1 and 5.2. */
    if (colon == NULL || colon == line.p || colon[-1] == ' ' || colon[-1] == '\t' ||
        line.p[0] == ' ' || line.p[0] == '\t') {
        return 400;
    }
    name = (struct text){line.p, (size_t)(colon - line.p)};
    value = trim((struct text){colon + 1, line.len - name.len - 1});
    if (is(name, "Content-Length")) {
        return content_length(value, has_length, out);
    }
    if (is(name, "Transfer-Encoding")) {
        return 501;
    }
    if (is(name, "Connection") && is(value, "close")) {
        out->keep_alive = false;
    } else if (is(name, "Expect")) {
        out->expect_continue = is(value, "100-continue");
    } else if (is(name, "Cookie")) {
        cookie(value, out);
    } else if (is(name, "Authorization")) {
        authorization(value, out);
    }
    return 200;
}

/* Lines end in CR LF; a bare CR, LF or NUL inside is refused. */
static bool next_line(struct text *head, struct text *line)
{
    const char *end = memchr(head->p, '\r', head->len);

    if (end == NULL || (size_t)(end - head->p) + 2 > head->len || end[1] != '\n') {
        return false;
    }
    *line = (struct text){head->p, (size_t)(end - head->p)};
    head->len -= line->len + 2;
    head->p = end + 2;
    return memchr(line->p, '\n', line->len) == NULL && memchr(line->p, '\0', line->len) == NULL;
}

int http_parse(const char *p, size_t len, struct http_head *out)
{
    const char *end = memmem(p, len < HTTP_HEAD_MAX ? len : HTTP_HEAD_MAX, "\r\n\r\n", 4);
    struct text head;
    struct text line;
    bool has_length = false;
    int st;

    *out = (struct http_head){.method = ""};
    if (end == NULL) {
        return len >= HTTP_HEAD_MAX ? 431 : 0;
    }
    out->head_len = (size_t)(end - p) + 4;
    head = (struct text){p, out->head_len - 2};
    if (!next_line(&head, &line)) {
        return 400;
    }
    st = request_line(line, out);
    while (st == 200 && head.len > 0) {
        st = next_line(&head, &line) ? header(line, &has_length, out) : 400;
    }
    if (st == 200 && strcmp(out->method, "POST") == 0 && !has_length) {
        return 411;
    }
    return st;
}
