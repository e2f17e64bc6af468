/*
 * The broker as a server on loopback, asked by curl: the whole protocol over HTTP and HTTPS with
 * its cookies, refusals with their status, and clients that are slow, large or many.
 */
#include "attestd_world.h"
#include "cu.h"

#include "attest_file.h"
#include "server_impl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

struct site {
    struct world w;
    pid_t pid;
    unsigned int port;
    bool tls;
};

/* The child serves until it is killed. */
static void child(struct site *s, const struct server_config *cfg, int fd)
{
    struct server *server = server_new(cfg, s->w.broker);
    unsigned int port = server != NULL ? server_port(server) : 0;

    if (write(fd, &port, sizeof(port)) != sizeof(port) || server == NULL) {
        _exit(1);
    }
    close(fd);
    _exit(server_run(server));
}

static void site_open(struct site *s, const struct server_config *limits, bool tls)
{
    struct server_config cfg = *limits;
    char cert[96];
    char key[96];
    char command[512];
    int fds[2];

    memset(s, 0, sizeof(*s));
    world_open(&s->w);
    s->tls = tls;
    cfg.listen = "127.0.0.1:0";
    if (tls) {
        snprintf(cert, sizeof(cert), "%s/tls.pem", s->w.dir);
        snprintf(key, sizeof(key), "%s/tls.key", s->w.dir);
        snprintf(command, sizeof(command),
                 "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
                 "-subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 -keyout %s -out %s "
                 "2>/dev/null",
                 key, cert);
        CU_ASSERT_EQUAL_FATAL(system(command), 0);
        cfg.tls_cert = cert;
        cfg.tls_key = key;
    }
    CU_ASSERT_EQUAL_FATAL(pipe(fds), 0);
    s->pid = fork();
    if (s->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(fds[0]);
        child(s, &cfg, fds[1]);
    }
    close(fds[1]);
    CU_ASSERT_EQUAL_FATAL(read(fds[0], &s->port, sizeof(s->port)), sizeof(s->port));
    close(fds[0]);
    CU_ASSERT_FATAL(s->port != 0);
}

static bool alive(const struct site *s)
{
    return waitpid(s->pid, NULL, WNOHANG) == 0;
}

static void site_close(struct site *s)
{
    CU_ASSERT(alive(s));
    kill(s->pid, SIGKILL);
    waitpid(s->pid, NULL, 0);
    world_close(&s->w);
}

/* curl with a cookie jar; the body goes to DIR/out. Returns the HTTP status, 0: none. */
static int curl(const struct site *s, const char *jar, const char *options, const char *path)
{
    char command[1024];
    char ca[128] = "";
    int status = 0;
    FILE *f;

    if (s->tls) {
        snprintf(ca, sizeof(ca), "--cacert %s/tls.pem", s->w.dir);
    }
    snprintf(command, sizeof(command),
             "curl -s --noproxy '*' -m 20 %s -c %s/%s -b %s/%s -o %s/out -w '%%{http_code}' %s "
             "%s://127.0.0.1:%u%s",
             ca, s->w.dir, jar, s->w.dir, jar, s->w.dir, options, s->tls ? "https" : "http",
             s->port, path);
    f = popen(command, "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    if (fscanf(f, "%d", &status) != 1) {
        status = 0;
    }
    pclose(f);
    return status;
}

static char *out(const struct site *s)
{
    char path[128];
    size_t len;

    snprintf(path, sizeof(path), "%s/out", s->w.dir);
    return (char *)file_read(path, &len);
}

static int post(const struct site *s, const char *jar, const char *path, const char *body)
{
    char name[128];
    char options[256];
    FILE *f;

    snprintf(name, sizeof(name), "%s/in", s->w.dir);
    f = fopen(name, "w");
    fputs(body, f);
    fclose(f);
    snprintf(options, sizeof(options), "-H 'Content-Type: application/json' --data-binary @%s",
             name);
    return curl(s, jar, options, path);
}

static char *challenge(const struct site *s, const char *jar)
{
    json_t *j;
    char *text;
    char *nonce;

    CU_ASSERT_EQUAL_FATAL(post(s, jar, "/kbs/v0/auth",
                               "{\"version\":\"0.4.0\",\"tee\":\"snp\",\"extra-params\":\"\"}"),
                          200);
    text = out(s);
    j = json_loads(text, 0, NULL);
    nonce = strdup(json_string_value(json_object_get(j, "nonce")));
    json_decref(j);
    free(text);
    return nonce;
}

/* Copies a cookie jar: the thief's view. */
static void steal(const struct site *s, const char *from, const char *to)
{
    char command[256];

    snprintf(command, sizeof(command), "cp %s/%s %s/%s", s->w.dir, from, s->w.dir, to);
    CU_ASSERT_EQUAL(system(command), 0);
}

static bool audit_has(const struct site *s, const char *text)
{
    char *log = world_audit(&s->w);
    bool found = strstr(log, text) != NULL;

    free(log);
    return found;
}

static void whole_protocol(bool tls)
{
    struct site s;
    char *nonce;
    char *body;
    char *text;

    site_open(&s, &(struct server_config){0}, tls);
    CU_ASSERT_EQUAL(curl(&s, "a", "", "/kbs/v0/resource/" TEST_PATH), 401);
    nonce = challenge(&s, "a");
    steal(&s, "a", "old");
    body = world_attestation(&s.w, nonce);
    CU_ASSERT_EQUAL(post(&s, "a", "/kbs/v0/attest", body), 200);
    CU_ASSERT_EQUAL(curl(&s, "a", "", "/kbs/v0/resource/" TEST_PATH), 200);
    text = out(&s);
    CU_ASSERT(world_opens(&s.w, text));
    free(text);
    CU_ASSERT_EQUAL(curl(&s, "a", "", "/kbs/v0/resource/repo/key/none"), 404);
    /* The same bytes again, with the cookie of the challenge. */
    CU_ASSERT_EQUAL(post(&s, "old", "/kbs/v0/attest", body), 401);
    CU_ASSERT(audit_has(&s, "used before"));
    free(nonce);
    free(body);
    site_close(&s);
}

static void a_good_client_gets_its_secret_over_http_and_a_replay_does_not(void)
{
    whole_protocol(false);
}

static void a_good_client_gets_its_secret_over_https_and_a_replay_does_not(void)
{
    whole_protocol(true);
}

static void evidence_that_was_tampered_with_is_refused_over_http(void)
{
    struct site s;
    char *nonce;
    char *body;
    char *at;

    site_open(&s, &(struct server_config){0}, false);
    nonce = challenge(&s, "a");
    body = world_attestation(&s.w, nonce);
    at = strstr(body, "\"evidence\": \"");
    CU_ASSERT_PTR_NOT_NULL_FATAL(at);
    at += 13 + 4 * (0xc0 / 3); /* HOST_DATA, base64 */
    *at = *at == 'A' ? 'B' : 'A';
    CU_ASSERT_EQUAL(post(&s, "a", "/kbs/v0/attest", body), 401);
    CU_ASSERT_EQUAL(curl(&s, "a", "", "/kbs/v0/resource/" TEST_PATH), 401);
    CU_ASSERT(audit_has(&s, "\"status\":\"SIGNATURE\""));
    free(nonce);
    free(body);
    site_close(&s);
}

static int dial(const struct site *s)
{
    struct sockaddr_in sin = {.sin_family = AF_INET,
                              .sin_port = htons((uint16_t)s->port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval t = {.tv_sec = 10};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    CU_ASSERT_EQUAL_FATAL(connect(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
    return fd;
}

/* Sends raw bytes and gives the status of the answer; 0: closed without one. */
static int raw(const struct site *s, const char *p, size_t len)
{
    char buf[1024];
    int status = 0;
    int fd = dial(s);
    ssize_t n;

    (void)!send(fd, p, len, MSG_NOSIGNAL);
    n = recv(fd, buf, sizeof(buf) - 1, 0);
    if (n > 0) {
        buf[n] = '\0';
        (void)!sscanf(buf, "HTTP/1.1 %d", &status);
    }
    close(fd);
    return status;
}

static void requests_that_are_malformed_or_too_large_are_refused(void)
{
    static const struct {
        const char *text;
        int status;
    } cases[] = {
        {"GET /healthz HTTP/1.1\r\n\r\n", 200},
        {"nonsense\r\n\r\n", 400},
        {"DELETE / HTTP/1.1\r\n\r\n", 405},
        {"GET /healthz HTTP/2.0\r\n\r\n", 505},
        {"GET /../etc/passwd HTTP/1.1\r\n\r\n", 404},
        {"GET /a%2f HTTP/1.1\r\n\r\n", 404},
        {"GET http://x/ HTTP/1.1\r\n\r\n", 404},
        {"POST /kbs/v0/auth HTTP/1.1\r\n\r\n", 411},
        {"POST /kbs/v0/auth HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 501},
        {"POST /kbs/v0/auth HTTP/1.1\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\n", 400},
        {"POST /kbs/v0/auth HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400},
        {"POST /kbs/v0/auth HTTP/1.1\r\nContent-Length: 9999999\r\n\r\n", 413},
        {"POST /kbs/v0/auth HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n", 413},
        {"POST /kbs/v0/auth HTTP/1.1\r\nContent-Length : 1\r\n\r\n", 400},
        {"GET /healthz HTTP/1.1\r\nA: b\r\n c\r\n\r\n", 400},
        {"GET /healthz HTTP/1.1\r\nA\r\n\r\n", 400},
        {"GET /healthz HTTP/1.1\nA: b\r\n\r\n", 400},
    };
    struct site s;
    char *big = malloc(70000);

    site_open(&s, &(struct server_config){0}, false);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CU_ASSERT_EQUAL(raw(&s, cases[i].text, strlen(cases[i].text)), cases[i].status);
    }
    memset(big, 'a', 70000);
    memcpy(big, "GET /healthz HTTP/1.1\r\nX: ", 26);
    CU_ASSERT_EQUAL(raw(&s, big, 70000), 431);
    CU_ASSERT_EQUAL(raw(&s, "GET /healthz HTTP/1.1\r\nA: \0b\r\n\r\n", 32), 400);
    free(big);
    site_close(&s);
}

/* One byte at a time would keep an idle timer happy for ever. */
static void a_client_that_trickles_is_cut_off(void)
{
    struct site s;
    char byte;
    int fd;
    unsigned int sent = 0;

    site_open(&s, &(struct server_config){.timeout_seconds = 1}, false);
    fd = dial(&s);
    while (sent < 40 && send(fd, "G", 1, MSG_NOSIGNAL) == 1 &&
           recv(fd, &byte, 1, MSG_DONTWAIT) < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        usleep(100 * 1000);
        sent++;
    }
    CU_ASSERT(sent >= 5 && sent < 30);
    close(fd);
    CU_ASSERT_EQUAL(raw(&s, "GET /healthz HTTP/1.1\r\n\r\n", 25), 200);
    site_close(&s);
}

static void a_flood_of_connections_leaves_room_once_it_ends(void)
{
    struct site s;
    int fd[24];
    unsigned int refused = 0;
    char byte;

    site_open(&s, &(struct server_config){.max_per_peer = 8, .timeout_seconds = 1}, false);
    for (size_t i = 0; i < 24; i++) {
        fd[i] = dial(&s);
    }
    usleep(200 * 1000);
    for (size_t i = 0; i < 24; i++) {
        refused += recv(fd[i], &byte, 1, MSG_DONTWAIT) == 0;
    }
    CU_ASSERT_EQUAL(refused, 16);
    usleep(1200 * 1000);
    CU_ASSERT_EQUAL(raw(&s, "GET /healthz HTTP/1.1\r\n\r\n", 25), 200);
    for (size_t i = 0; i < 24; i++) {
        close(fd[i]);
    }
    site_close(&s);
}

static void an_ipv6_network_counts_as_one_client(void)
{
    CU_ASSERT(server_same_origin("2001:db8::1", "2001:db8::ffff:2"));
    CU_ASSERT(server_same_origin("192.0.2.1", "192.0.2.1"));
    CU_ASSERT(server_same_origin("line socket", "line socket"));
    CU_ASSERT_FALSE(server_same_origin("2001:db8::1", "2001:db8:0:1::1"));
    CU_ASSERT_FALSE(server_same_origin("192.0.2.1", "192.0.2.2"));
    CU_ASSERT_FALSE(server_same_origin("::ffff:192.0.2.1", "::ffff:192.0.2.2"));
    CU_ASSERT_FALSE(server_same_origin("::ffff:192.0.2.1", "::1"));
    CU_ASSERT_FALSE(server_same_origin("::1", "::ffff:192.0.2.1"));
}

/* Two requests in one segment: answered in order on one connection. */
static void requests_on_one_connection_are_answered_in_order(void)
{
    static const char two[] = "GET /healthz HTTP/1.1\r\n\r\nGET /none HTTP/1.1\r\n"
                              "Connection: close\r\n\r\n";
    struct site s;
    char buf[2048];
    size_t used = 0;
    ssize_t n;
    int fd;

    site_open(&s, &(struct server_config){0}, false);
    fd = dial(&s);
    CU_ASSERT_EQUAL(send(fd, two, sizeof(two) - 1, 0), (ssize_t)sizeof(two) - 1);
    while ((n = recv(fd, buf + used, sizeof(buf) - 1 - used, 0)) > 0) {
        used += (size_t)n;
    }
    buf[used] = '\0';
    CU_ASSERT_EQUAL(strncmp(buf, "HTTP/1.1 200 ", 13), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(buf, "HTTP/1.1 404 "));
    close(fd);
    site_close(&s);
}

/* What a client sends on without reading an answer; stops when the broker takes no more. */
static size_t pour(int fd, size_t most)
{
    char lines[9 * 4096];
    size_t sent = 0;
    ssize_t n;

    for (size_t i = 0; i < sizeof(lines); i += 9) {
        memcpy(lines + i, "attest 1\n", 9);
    }
    while (sent < most && (n = send(fd, lines, sizeof(lines), MSG_NOSIGNAL)) > 0) {
        sent += (size_t)n;
    }
    return sent;
}

/* Each answer is sixteen times its line: what nobody reads would fill the memory. */
static void a_guest_that_reads_no_answers_is_not_read_from_either(void)
{
    char path[96];
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct timeval patience = {.tv_sec = 1};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    struct site s;
    char nonce[6] = "";

    snprintf(path, sizeof(path), "%s/line", cu_scratch());
    site_open(&s, &(struct server_config){.line_socket = path, .timeout_seconds = 30}, false);
    snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
    CU_ASSERT_EQUAL_FATAL(connect(fd, (struct sockaddr *)&un, sizeof(un)), 0);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    CU_ASSERT(pour(fd, 12000000) < 6000000);
    CU_ASSERT_EQUAL(recv(fd, nonce, 6, MSG_WAITALL), 6);
    CU_ASSERT_EQUAL(memcmp(nonce, "nonce ", 6), 0);
    close(fd);
    CU_ASSERT_EQUAL(raw(&s, "GET /healthz HTTP/1.1\r\n\r\n", 25), 200);
    site_close(&s);
}

static const struct cu_test tests[] = {
    CU(a_good_client_gets_its_secret_over_http_and_a_replay_does_not),
    CU(a_good_client_gets_its_secret_over_https_and_a_replay_does_not),
    CU(evidence_that_was_tampered_with_is_refused_over_http),
    CU(requests_that_are_malformed_or_too_large_are_refused),
    CU(a_client_that_trickles_is_cut_off),
    CU(a_flood_of_connections_leaves_room_once_it_ends),
    CU(an_ipv6_network_counts_as_one_client),
    CU(requests_on_one_connection_are_answered_in_order),
    CU(a_guest_that_reads_no_answers_is_not_read_from_either),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("attestd_curl", tests, argc, argv);
}
