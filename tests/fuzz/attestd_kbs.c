/*
 * What clients send: HTTP heads, evidence in JSON, and lines. The first byte chooses. Heads that
 * are accepted must hold together.
 */
#include "broker_impl.h"
#include "http_parse.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len);

static void head(const char *p, size_t len)
{
    struct http_head h;
    int st = http_parse(p, len, &h);

    if (st == 200 &&
        (h.head_len > len || h.head_len < 4 || h.body_len > HTTP_BODY_MAX || h.path[0] != '/' ||
         (h.session != NULL && (h.session < p || h.session + h.session_len > p + h.head_len)) ||
         (h.bearer != NULL && (h.bearer < p || h.bearer + h.bearer_len > p + h.head_len)))) {
        abort();
    }
}

static void evidence(const char *p, size_t len)
{
    static const char *const kinds[] = {"sev-snp", "tdx", "cca"};
    json_t *j = json_loadb(p, len, JSON_REJECT_DUPLICATES, NULL);

    for (size_t i = 0; j != NULL && i < 3; i++) {
        struct kbs_evidence e;

        if (kbs_evidence_parse(kinds[i], j, &e, NULL) == ATTEST_OK) {
            kbs_evidence_free(&e);
        }
    }
    json_decref(j);
}

/* One broker for all inputs, with an empty store that only root and the fuzzer see. */
static struct broker *the_broker(void)
{
    static struct broker *b;
    char dir[] = "/tmp/attestd-fuzz-XXXXXX";
    char db[64];
    char key[64];
    struct broker_config cfg = {.store = db, .key_file = key};
    char command[80];

    if (b != NULL) {
        return b;
    }
    cfg.audit = fopen("/dev/null", "w");
    if (mkdtemp(dir) == NULL || cfg.audit == NULL) {
        abort();
    }
    snprintf(db, sizeof(db), "%s/db", dir);
    snprintf(key, sizeof(key), "%s/key", dir);
    if (broker_init(db, key, NULL) != ATTEST_OK || broker_open(&cfg, &b, NULL) != ATTEST_OK) {
        abort();
    }
    snprintf(command, sizeof(command), "rm -rf %s", dir); /* SQLite keeps the open file */
    if (system(command) != 0) {
        abort();
    }
    return b;
}

static void lines(const char *p, size_t len)
{
    struct broker_line *l = broker_line_new(the_broker(), "fuzz");
    bool more = l != NULL;

    while (more && len > 0) {
        const char *end = memchr(p, '\n', len);
        size_t n = end != NULL ? (size_t)(end - p) : len;
        char *reply = NULL;

        more = broker_line_feed(l, p, n, &reply);
        if (reply != NULL && strncmp(reply, "secret", 6) == 0) {
            abort();
        }
        free(reply);
        p += n + (end != NULL);
        len -= n + (end != NULL);
    }
    broker_line_free(l);
}

static void requests(const char *p, size_t len)
{
    static const char *const paths[] = {"/kbs/v0/auth", "/kbs/v0/attest",
                                        "/kbs/v0/resource/a/b/c", "/kbs/v0/attestation-policy"};

    for (size_t i = 0; i < 4; i++) {
        struct broker_request rq = {.method = i == 2 ? "GET" : "POST",
                                    .path = paths[i],
                                    .session = "x.y.z",
                                    .peer = "fuzz",
                                    .body = (const uint8_t *)p,
                                    .body_len = len};
        struct broker_reply rp;

        broker_handle(the_broker(), &rq, &rp);
        if (rp.status == 200 && i != 0) {
            abort();
        }
        broker_reply_free(&rp);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
    static void (*const parts[])(const char *, size_t) = {head, evidence, lines, requests};

    if (len > 0) {
        parts[p[0] % 4]((const char *)p + 1, len - 1);
    }
    return 0;
}
