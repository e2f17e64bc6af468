/* Running the broker. */
#include "commands.h"
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const options[] = {"db",           "key",     "listen",      "tls-cert",
                                      "tls-key",      "audit",   "line-socket", "issuer",
                                      "nonce-life",   "timeout", "session-life",
                                      "max-connections", "max-per-peer", NULL};

static const char *const line_options[] = {"db",         "key",          "audit",   "issuer",
                                           "nonce-life", "session-life", "timeout", NULL};

#define COMMON_HELP                                                                                \
    "  --db FILE             the store (attestd init)\n"                                           \
    "  --key FILE            its key\n"                                                            \
    "  --audit FILE          where decisions are logged; default: stderr\n"                        \
    "  --issuer NAME         \"iss\" of tokens; default: attestd\n"                                \
    "  --nonce-life SECONDS  how long a challenge is good; default: 300\n"                         \
    "  --session-life SECONDS  how long an attestation is good; default: 300\n"

/* SIGHUP: the audit log begins a new file; SIGTERM and SIGINT: the end. */
struct running {
    struct server *server;
    const char *audit_path;
    FILE *audit;
};

/* Secrets pass through memory: no core dumps, no ptrace by others. */
static void harden(void)
{
    const struct rlimit none = {0, 0};

    (void)umask(077);
    (void)setrlimit(RLIMIT_CORE, &none);
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    (void)signal(SIGPIPE, SIG_IGN);
}

/* Files besides connections: store, audit log, sockets that listen, the event loop's. */
#define OWN_FILES 64

/*
 * Each connection is a file. With fewer than were promised, what cannot be accepted would stay
 * readable, and the loop would turn without end.
 */
static bool make_room(unsigned int connections)
{
    struct rlimit r;
    rlim_t want = (rlim_t)connections + OWN_FILES;

    if (getrlimit(RLIMIT_NOFILE, &r) != 0 || r.rlim_cur >= want) {
        return true;
    }
    r.rlim_cur = want;
    if (r.rlim_max < want || setrlimit(RLIMIT_NOFILE, &r) != 0) {
        fprintf(stderr, "attestd serve: --max-connections %u: needs %llu open files, %llu are "
                        "allowed (ulimit -n)\n",
                connections, (unsigned long long)want, (unsigned long long)r.rlim_max);
        return false;
    }
    return true;
}

static FILE *open_audit(const struct options *o)
{
    const char *path = option(o, "audit");
    FILE *f = path != NULL ? fopen(path, "ae") : stderr;

    if (f == NULL) {
        fprintf(stderr, "attestd: --audit %s: cannot be written: %s\n", path, strerror(errno));
    }
    return f;
}

static struct broker *open_broker(const struct options *o, FILE *audit)
{
    struct attest_error err = {0};
    struct broker *b;
    struct broker_config cfg = {
        .store = option(o, "db"),
        .key_file = option(o, "key"),
        .issuer = option(o, "issuer"),
        .audit = audit,
        .nonce_seconds = option_number(o, "nonce-life", 300, 3600),
        .session_seconds = option_number(o, "session-life", 300, 86400),
    };

    if (cfg.nonce_seconds == 0 || cfg.session_seconds == 0) {
        return NULL;
    }
    if (cfg.store == NULL || cfg.key_file == NULL) {
        fprintf(stderr, "attestd: --db FILE and --key FILE are needed\n");
        return NULL;
    }
    if (broker_open(&cfg, &b, &err) != ATTEST_OK) {
        tell(&err);
        return NULL;
    }
    return b;
}

/* The same stream, on a new file; where there is none to be had the old one stays in use. */
static void reopen_audit(const struct running *r)
{
    int fd = open(r->audit_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

    if (fd < 0 || dup3(fd, fileno(r->audit), O_CLOEXEC) < 0) {
        fprintf(stderr, "attestd: --audit %s: cannot be opened again, the file that was stays in "
                        "use: %s\n",
                r->audit_path, strerror(errno));
    }
    if (fd >= 0) {
        close(fd);
    }
}

static void on_signal(evutil_socket_t sig, short what, void *arg)
{
    struct running *r = arg;

    (void)what;
    if (sig != SIGHUP) {
        event_base_loopbreak(server_base(r->server));
    } else if (r->audit_path != NULL) {
        reopen_audit(r);
    }
}

static void tell_serving(const struct server_config *cfg, unsigned int port)
{
    fprintf(stderr, "attestd: serving");
    if (cfg->listen != NULL) {
        fprintf(stderr, " %s, port %u", cfg->tls_cert != NULL ? "HTTPS" : "HTTP", port);
    }
    fprintf(stderr, "%s%s\n", cfg->listen != NULL && cfg->line_socket != NULL ? ";" : "",
            cfg->line_socket != NULL ? " line mode" : "");
}

static int serve(const struct server_config *cfg, struct running *r, struct broker *b)
{
    static const int signals[] = {SIGHUP, SIGTERM, SIGINT};
    struct event *ev[3];
    int rc;

    r->server = server_new(cfg, b);
    if (r->server == NULL) {
        return 2;
    }
    for (size_t i = 0; i < 3; i++) {
        ev[i] = evsignal_new(server_base(r->server), signals[i], on_signal, r);
        if (ev[i] != NULL) {
            event_add(ev[i], NULL);
        }
    }
    tell_serving(cfg, server_port(r->server));
    rc = server_run(r->server);
    for (size_t i = 0; i < 3; i++) {
        if (ev[i] != NULL) {
            event_free(ev[i]);
        }
    }
    server_free(r->server);
    return rc;
}

static bool no_words(const struct options *o)
{
    if (o->words > 0) {
        fprintf(stderr, "attestd: '%s' is one word too many\n", o->word[0]);
    }
    return o->words == 0;
}

static bool makes_sense(const struct options *o, const struct server_config *cfg)
{
    const char *why = cfg->listen == NULL && cfg->line_socket == NULL
                          ? "--listen ADDRESS:PORT or --line-socket PATH is needed"
                      : (cfg->tls_cert == NULL) != (cfg->tls_key == NULL)
                          ? "--tls-cert and --tls-key go together"
                      : cfg->tls_cert != NULL && cfg->listen == NULL
                          ? "--tls-cert goes with --listen: the line mode has no TLS"
                          : NULL;

    if (why != NULL) {
        fprintf(stderr, "attestd serve: %s\n", why);
    }
    return why == NULL && no_words(o);
}

int cmd_serve(int argc, char **argv)
{
    static const char help[] =
        "Usage: attestd serve --db FILE --key FILE --listen ADDRESS:PORT [OPTIONS]\n\n" COMMON_HELP
        "  --timeout SECONDS     for one request; default: 10\n"
        "  --listen ADDRESS:PORT for HTTP; port 0: any that is free\n"
        "  --tls-cert FILE       PEM chain: HTTPS instead\n"
        "  --tls-key FILE        its private key\n"
        "  --line-socket PATH    a unix socket for the line mode\n"
        "  --max-connections N   default: 1024\n"
        "  --max-per-peer N      connections from one address (IPv6: /64); default: 128\n";
    struct running r = {0};
    struct broker *b;
    struct options o;
    int rc;
    struct server_config cfg;

    if (!options_parse(argc, argv, options, help, &o)) {
        return 2;
    }
    cfg = (struct server_config){
        .listen = option(&o, "listen"),
        .tls_cert = option(&o, "tls-cert"),
        .tls_key = option(&o, "tls-key"),
        .line_socket = option(&o, "line-socket"),
        .max_connections = option_number(&o, "max-connections", 1024, 60000),
        .max_per_peer = option_number(&o, "max-per-peer", 128, 60000),
        .timeout_seconds = option_number(&o, "timeout", 10, 3600),
    };
    if (cfg.max_connections == 0 || cfg.max_per_peer == 0 || cfg.timeout_seconds == 0 ||
        !makes_sense(&o, &cfg) || !make_room(cfg.max_connections)) {
        return 2;
    }
    harden();
    r.audit_path = option(&o, "audit");
    if ((r.audit = open_audit(&o)) == NULL || (b = open_broker(&o, r.audit)) == NULL) {
        return 2;
    }
    rc = serve(&cfg, &r, b);
    broker_close(b);
    return rc;
}

int cmd_line(int argc, char **argv)
{
    static const char help[] = "Usage: attestd line --db FILE --key FILE [OPTIONS]\n\n" COMMON_HELP
                               "  --timeout SECONDS     of silence from the guest; default: 300\n";
    struct options o;
    struct broker *b;
    unsigned int timeout;
    FILE *audit;
    int rc;

    if (!options_parse(argc, argv, line_options, help, &o) || !no_words(&o) ||
        (timeout = option_number(&o, "timeout", 300, 86400)) == 0) {
        return 2;
    }
    harden();
    if ((audit = open_audit(&o)) == NULL || (b = open_broker(&o, audit)) == NULL) {
        return 2;
    }
    rc = line_stdio(b, STDIN_FILENO, STDOUT_FILENO, timeout);
    broker_close(b);
    return rc;
}
