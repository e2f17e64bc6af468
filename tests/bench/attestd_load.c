/*
 * How many attestations a second does one broker on one core bear? Clients on loopback do the whole
 * protocol: challenges first, then evidence, token and secret back to back. Minting the evidence
 * between the two is the guests' work and not counted. Prints rate and latency of whole
 * attestations, and the broker's CPU time, which does not suffer from what else the machine does.
 */
#include "attestd_world.h"
#include "cu.h"

#include "server.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CLIENTS 4
#define ROUNDS 250
#define REPLY_MAX 65536

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Keep-alive connection with a cookie. */
struct link {
    int fd;
    char cookie[8192];
    char reply[REPLY_MAX];
    char *body;
    int status;
};

static void dial(struct link *l, unsigned int port)
{
    struct sockaddr_in sin = {.sin_family = AF_INET,
                              .sin_port = htons((uint16_t)port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1;

    l->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(l->fd, (struct sockaddr *)&sin, sizeof(sin)) != 0) {
        perror("connect");
        exit(1);
    }
    setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

/* Reads one reply whole. */
static void receive(struct link *l)
{
    size_t used = 0;
    size_t want = 0;
    char *at;

    do {
        ssize_t n = recv(l->fd, l->reply + used, REPLY_MAX - 1 - used, 0);

        if (n <= 0) {
            fprintf(stderr, "the broker closed\n");
            exit(1);
        }
        used += (size_t)n;
        l->reply[used] = '\0';
        l->body = strstr(l->reply, "\r\n\r\n");
        if (l->body != NULL) {
            l->body += 4;
            at = strstr(l->reply, "Content-Length: ");
            want = (size_t)(l->body - l->reply) + strtoul(at + 16, NULL, 10);
        }
    } while (l->body == NULL || used < want);
    l->status = atoi(l->reply + 9);
    at = strstr(l->reply, "kbs-session-id=");
    if (at != NULL && at < l->body) {
        snprintf(l->cookie, sizeof(l->cookie), "%.*s", (int)strcspn(at, ";"), at);
    }
}

static void request(struct link *l, const char *method, const char *path, const char *body)
{
    char *text;
    int n = asprintf(&text, "%s %s HTTP/1.1\r\nHost: x\r\nCookie: %s\r\nContent-Length: %zu\r\n\r\n%s",
                     method, path, l->cookie, strlen(body), body);

    if (n < 0 || send(l->fd, text, (size_t)n, 0) != n) {
        exit(1);
    }
    free(text);
    receive(l);
}

struct client {
    struct world *w;
    unsigned int port;
    size_t number;
    double latency[ROUNDS];
    char cookie[ROUNDS][2048];
    char *body[ROUNDS];
    unsigned int bad;
    struct bench *bench;
};

/* Phases that all clients enter together; minting is in none of them. */
struct bench {
    pthread_barrier_t barrier;
    double begin[2];
    double end[2];
};

static void phase_begin(struct bench *b, int i)
{
    if (pthread_barrier_wait(&b->barrier) == PTHREAD_BARRIER_SERIAL_THREAD) {
        b->begin[i] = now();
    }
    pthread_barrier_wait(&b->barrier);
}

static void phase_end(struct bench *b, int i)
{
    if (pthread_barrier_wait(&b->barrier) == PTHREAD_BARRIER_SERIAL_THREAD) {
        b->end[i] = now();
    }
}

static void challenge(struct client *c, struct link *l, size_t i, char nonce[128])
{
    double t0 = now();

    request(l, "POST", "/kbs/v0/auth",
            "{\"version\":\"0.4.0\",\"tee\":\"snp\",\"extra-params\":\"\"}");
    c->latency[i] = now() - t0;
    snprintf(c->cookie[i], sizeof(c->cookie[i]), "%.2047s", l->cookie);
    (void)!sscanf(strstr(l->body, "\"nonce\":\"") + 9, "%127[^\"]", nonce);
}

static void attest(struct client *c, struct link *l, size_t i)
{
    double t0 = now();

    snprintf(l->cookie, sizeof(l->cookie), "%s", c->cookie[i]);
    request(l, "POST", "/kbs/v0/attest", c->body[i]);
    c->bad += l->status != 200;
    request(l, "GET", "/kbs/v0/resource/" TEST_PATH, "");
    c->bad += l->status != 200;
    c->latency[i] += now() - t0;
}

static void *run(void *arg)
{
    static char nonce[CLIENTS][ROUNDS][128];
    struct client *c = arg;
    struct link *l = calloc(1, sizeof(*l));
    size_t me = c->number;

    dial(l, c->port);
    phase_begin(c->bench, 0);
    for (size_t i = 0; i < ROUNDS; i++) {
        challenge(c, l, i, nonce[me][i]);
    }
    phase_end(c->bench, 0);
    for (size_t i = 0; i < ROUNDS; i++) {
        c->body[i] = world_attestation(c->w, nonce[me][i]);
    }
    phase_begin(c->bench, 1);
    for (size_t i = 0; i < ROUNDS; i++) {
        attest(c, l, i);
        free(c->body[i]);
    }
    phase_end(c->bench, 1);
    close(l->fd);
    free(l);
    return NULL;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static void pin(int cpu)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    (void)sched_setaffinity(0, sizeof(set), &set);
}

static pid_t serve(struct world *w, unsigned int *port)
{
    int fds[2];
    pid_t pid;

    if (pipe(fds) != 0) {
        exit(1);
    }
    pid = fork();
    if (pid == 0) {
        struct server_config cfg = {.listen = "127.0.0.1:0"};
        struct server *s = server_new(&cfg, w->broker);

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        pin(0);
        *port = s != NULL ? server_port(s) : 0;
        (void)!write(fds[1], port, sizeof(*port));
        _exit(server_run(s));
    }
    if (read(fds[0], port, sizeof(*port)) != sizeof(*port) || *port == 0) {
        exit(1);
    }
    return pid;
}

static double cpu_of(pid_t pid)
{
    struct rusage r;

    kill(pid, SIGKILL);
    wait4(pid, NULL, 0, &r);
    return (double)r.ru_utime.tv_sec + (double)r.ru_utime.tv_usec / 1e6 +
           (double)r.ru_stime.tv_sec + (double)r.ru_stime.tv_usec / 1e6;
}

static void report(struct client *c, double wall, double cpu)
{
    static double all[CLIENTS * ROUNDS];
    const unsigned int n = CLIENTS * ROUNDS;
    unsigned int bad = 0;

    for (size_t i = 0; i < CLIENTS; i++) {
        memcpy(all + i * ROUNDS, c[i].latency, sizeof(c[i].latency));
        bad += c[i].bad;
    }
    qsort(all, n, sizeof(all[0]), by_value);
    printf("attestd: %u attestations by %u clients, %u failed: %.0f/s on the wall, %.0f/s of the "
           "broker's CPU (%.2f ms each); latency p50 %.1f ms, p99 %.1f ms, max %.1f ms\n",
           n, (unsigned int)CLIENTS, bad, n / wall, n / cpu, 1e3 * cpu / n, 1e3 * all[n / 2],
           1e3 * all[n * 99 / 100], 1e3 * all[n - 1]);
    if (bad > 0) {
        exit(1);
    }
}

static void load(void)
{
    static struct client c[CLIENTS];
    pthread_t t[CLIENTS];
    struct world w;
    unsigned int port;
    struct bench bench;
    pid_t pid;

    world_open(&w);
    broker_close(w.broker);
    w.broker = NULL;
    {
        struct attest_error err = {0};
        struct broker_config cfg = {.store = w.db,
                                    .key_file = w.key,
                                    .audit = w.audit,
                                    .clock_ms = world_clock};

        CU_ASSERT_EQUAL_FATAL(broker_open(&cfg, &w.broker, &err), ATTEST_OK);
    }
    pid = serve(&w, &port);
    pthread_barrier_init(&bench.barrier, NULL, CLIENTS);
    for (size_t i = 0; i < CLIENTS; i++) {
        c[i] = (struct client){.w = &w, .port = port, .number = i, .bench = &bench};
        pthread_create(&t[i], NULL, run, &c[i]);
    }
    for (size_t i = 0; i < CLIENTS; i++) {
        pthread_join(t[i], NULL);
    }
    report(c, bench.end[0] - bench.begin[0] + bench.end[1] - bench.begin[1], cpu_of(pid));
    pthread_barrier_destroy(&bench.barrier);
    world_close(&w);
}

static const struct cu_test tests[] = {{"load", load}, CU_END};

int main(int argc, char **argv)
{
    return cu_main("bench attestd", tests, argc, argv);
}
