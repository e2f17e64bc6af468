/*
 * The line mode: nonce, key, evidence, secret; the same refusals as by HTTP; hostile lines.
 */
#include "attestd_world.h"
#include "cu.h"

#include "broker_impl.h"
#include "server.h"

#include <attest/hex.h>
#include <attest/jwe.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define SIGNATURE_BASE64 (0x2a0 / 3 * 4) /* SEV-SNP report: the signature is at 2A0h */

struct talk {
    struct world w;
    struct broker_line *l;
    char *reply;
    bool more;
    uint8_t nonce[NONCE_SIZE];
};

static void talk_open(struct talk *t)
{
    memset(t, 0, sizeof(*t));
    world_open(&t->w);
    t->l = broker_line_new(t->w.broker, "test");
}

static void talk_close(struct talk *t)
{
    broker_line_free(t->l);
    free(t->reply);
    world_close(&t->w);
}

static const char *send_line(struct talk *t, const char *line)
{
    free(t->reply);
    t->more = broker_line_feed(t->l, line, strlen(line), &t->reply);
    return t->reply;
}

static const char *send2(struct talk *t, const char *verb, const char *arg)
{
    char *line;
    const char *reply;

    CU_ASSERT_FATAL(asprintf(&line, "%s %s", verb, arg) > 0);
    reply = send_line(t, line);
    free(line);
    return reply;
}

static void begin(struct talk *t)
{
    char hex[2 * NONCE_SIZE + 1];
    int life = 0;

    CU_ASSERT_EQUAL_FATAL(sscanf(send_line(t, "attest 1"), "nonce %128s %d\n", hex, &life), 2);
    CU_ASSERT_EQUAL(life, 300);
    CU_ASSERT_FATAL(hex_decode_exact(hex, t->nonce, NONCE_SIZE));
}

static size_t point_of(const struct talk *t, uint8_t *point)
{
    size_t len;

    CU_ASSERT_FATAL(jose_ec_point(t->w.guest, point, &len));
    return len;
}

/* Key and evidence that binds it, for the nonce at hand; some base64 of its signature replaced. */
static void prove_with(struct talk *t, const char *replaced)
{
    uint8_t point[1 + 2 * JOSE_COORD_MAX];
    char hex[2 * sizeof(point) + 1];
    size_t len = point_of(t, point);
    struct attest_span spans[2] = {{t->nonce, NONCE_SIZE}, {point, len}};
    uint8_t data[64];
    char *evidence;

    CU_ASSERT_FATAL(attest_hash(ATTEST_SHA512, spans, 2, data));
    CU_ASSERT_STRING_EQUAL(send2(t, "key", hex_encode(point, len, hex)), "ok\n");
    evidence = world_evidence(&t->w, data, sizeof(data));
    memcpy(evidence + SIGNATURE_BASE64, replaced, strlen(replaced));
    CU_ASSERT_STRING_EQUAL(send2(t, "evidence", evidence), "ok\n");
    free(evidence);
}

static void prove(struct talk *t)
{
    prove_with(t, "");
}

static bool secret_in(const struct talk *t)
{
    size_t n = strlen(t->reply);
    json_t *jwe;
    char *text;
    bool ok;

    if (strncmp(t->reply, "secret ", 7) != 0 || t->reply[n - 1] != '\n') {
        fprintf(stderr, "%s", t->reply);
        return false;
    }
    jwe = jwe_of_compact(t->reply + 7, n - 8);
    text = json_dumps(jwe, 0);
    ok = world_opens(&t->w, text);
    free(text);
    json_decref(jwe);
    return ok;
}

static bool starts(const struct talk *t, const char *with)
{
    bool ok = t->reply != NULL && strncmp(t->reply, with, strlen(with)) == 0;

    if (!ok) {
        fprintf(stderr, "not \"%s\": %s\n", with, t->reply);
    }
    return ok;
}

static void a_guest_on_a_line_gets_its_secret(void)
{
    for (enum guest_key k = GUEST_P256; k <= GUEST_P521; k++) {
        struct talk t;

        talk_open(&t);
        world_new_guest(&t.w, k);
        begin(&t);
        prove(&t);
        send_line(&t, "get " TEST_PATH);
        CU_ASSERT(secret_in(&t));
        send_line(&t, "get " TEST_PATH "\r"); /* a console may add it */
        CU_ASSERT(secret_in(&t));
        send_line(&t, "get repo/key/none");
        CU_ASSERT(starts(&t, "refused 404 "));
        CU_ASSERT_STRING_EQUAL(send_line(&t, "quit"), "bye\n");
        CU_ASSERT_FALSE(t.more);
        talk_close(&t);
    }
}

static void an_attestation_lasts_for_a_session_and_no_longer(void)
{
    struct talk t;

    talk_open(&t);
    begin(&t);
    prove(&t);
    send_line(&t, "get " TEST_PATH);
    CU_ASSERT(secret_in(&t));
    world_clock_ms += 299 * 1000;
    send_line(&t, "get " TEST_PATH);
    CU_ASSERT(secret_in(&t));
    world_clock_ms += 2 * 1000;
    send_line(&t, "get " TEST_PATH);
    CU_ASSERT(starts(&t, "refused "));
    begin(&t);
    prove(&t);
    send_line(&t, "get " TEST_PATH);
    CU_ASSERT(secret_in(&t));
    talk_close(&t);
}

static void evidence_for_another_nonce_or_key_is_refused(void)
{
    struct talk t;
    char *audit;

    talk_open(&t);
    begin(&t);
    t.nonce[40] ^= 1;
    prove(&t);
    send_line(&t, "get " TEST_PATH);
    CU_ASSERT(starts(&t, "refused 403 NONCE: SNP report: REPORT_DATA"));
    send_line(&t, "get repo/key/none"); /* names are not to be probed without proof */
    CU_ASSERT_FALSE(strncmp(t.reply, "refused 404", 11) == 0);
    audit = world_audit(&t.w);
    CU_ASSERT_PTR_NOT_NULL(strstr(audit, "\"status\":\"NONCE\""));
    CU_ASSERT_PTR_NULL(strstr(audit, "\"granted\""));
    free(audit);
    talk_close(&t);
}

/* A report that its signer's key does not verify says nothing of what was launched. */
static void the_audit_log_tells_what_was_launched_of_authentic_evidence_alone(void)
{
    static const char *const replaced[] = {"AAAA", ""};

    for (size_t i = 0; i < 2; i++) {
        bool authentic = replaced[i][0] == '\0';
        struct talk t;
        char *audit;

        talk_open(&t);
        begin(&t);
        prove_with(&t, replaced[i]);
        send_line(&t, "get " TEST_PATH);
        audit = world_audit(&t.w);
        CU_ASSERT_EQUAL(strstr(audit, "\"measurement\":\"1111") != NULL, authentic);
        CU_ASSERT_EQUAL(strncmp(t.reply, "secret ", 7) == 0, authentic);
        free(audit);
        talk_close(&t);
    }
}

static void a_nonce_is_good_for_one_session_only(void)
{
    struct talk t;
    struct broker_line *again;

    talk_open(&t);
    begin(&t);
    prove(&t);
    send_line(&t, "get " TEST_PATH);
    CU_ASSERT(secret_in(&t));
    CU_ASSERT_EQUAL(nonce_check(t.w.broker->window, t.w.broker->nonce_key, world_clock_ms,
                                t.nonce),
                    NONCE_USED);
    /* Another session has a nonce of its own and cannot bring this one. */
    again = broker_line_new(t.w.broker, "again");
    broker_line_free(t.l);
    t.l = again;
    send_line(&t, "get " TEST_PATH);
    CU_ASSERT(starts(&t, "error "));
    talk_close(&t);
}

static void lines_out_of_order_or_malformed_are_errors_and_end_the_session(void)
{
    static const char *const lines[] = {
        "get " TEST_PATH, "key 04", "evidence AAAA", "attest 2", "hello", "", " ", "key",
    };
    size_t n = sizeof(lines) / sizeof(lines[0]);
    struct talk t;

    talk_open(&t);
    for (size_t i = 0; i < n; i++) {
        send_line(&t, lines[i]);
        CU_ASSERT(starts(&t, "error "));
        CU_ASSERT_EQUAL(t.more, i + 1 < n);
    }
    talk_close(&t);
}

static void hostile_keys_and_evidence_are_refused_before_use(void)
{
    static const char *const lines[] = {
        "key 04", "key zz", "key 00", "evidence", "evidence ====", "event-log *",
    };
    char zero[2 * 65 + 1];
    struct talk t;

    talk_open(&t);
    begin(&t);
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        send_line(&t, lines[i]);
        CU_ASSERT(starts(&t, "error "));
    }
    memset(zero, '0', sizeof(zero) - 1);
    zero[sizeof(zero) - 1] = '\0';
    zero[1] = '4';
    send2(&t, "key", zero); /* (0, 0) is no point */
    CU_ASSERT(starts(&t, "error "));
    CU_ASSERT(t.more);
    talk_close(&t);
}

static void junk_evidence_is_unauthenticated(void)
{
    struct talk t;
    uint8_t point[1 + 2 * JOSE_COORD_MAX];
    char hex[2 * sizeof(point) + 1];

    talk_open(&t);
    begin(&t);
    CU_ASSERT_STRING_EQUAL(send2(&t, "key", hex_encode(point, point_of(&t, point), hex)), "ok\n");
    CU_ASSERT_STRING_EQUAL(send_line(&t, "evidence QUJDREVG"), "ok\n");
    send_line(&t, "get " TEST_PATH);
    CU_ASSERT(starts(&t, "refused 401 UNRECOGNISED"));
    talk_close(&t);
}

/* The very program's loop on descriptors, in a child. */
static void the_line_mode_runs_over_a_pair_of_descriptors(void)
{
    struct talk t;
    char buf[256];
    ssize_t n;
    int sv[2];
    int status;
    pid_t pid;

    talk_open(&t);
    CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
    pid = fork();
    if (pid == 0) {
        close(sv[0]);
        _exit(line_stdio(t.w.broker, sv[1], sv[1], 5));
    }
    close(sv[1]);
    CU_ASSERT_EQUAL(write(sv[0], "attest", 6), 6);
    CU_ASSERT_EQUAL(write(sv[0], " 1\nnonsense\nquit\n", 17), 17);
    n = recv(sv[0], buf, sizeof(buf) - 1, MSG_WAITALL);
    CU_ASSERT_FATAL(n > 0);
    buf[n] = '\0';
    CU_ASSERT_EQUAL(strncmp(buf, "nonce 01", 8), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(buf, "\nerror "));
    CU_ASSERT_STRING_EQUAL(buf + n - 4, "bye\n");
    CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
    CU_ASSERT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    close(sv[0]);
    talk_close(&t);
}

static const struct cu_test tests[] = {
    CU(a_guest_on_a_line_gets_its_secret),
    CU(an_attestation_lasts_for_a_session_and_no_longer),
    CU(evidence_for_another_nonce_or_key_is_refused),
    CU(the_audit_log_tells_what_was_launched_of_authentic_evidence_alone),
    CU(a_nonce_is_good_for_one_session_only),
    CU(lines_out_of_order_or_malformed_are_errors_and_end_the_session),
    CU(hostile_keys_and_evidence_are_refused_before_use),
    CU(junk_evidence_is_unauthenticated),
    CU(the_line_mode_runs_over_a_pair_of_descriptors),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("attestd_line", tests, argc, argv);
}
