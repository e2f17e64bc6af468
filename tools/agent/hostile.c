/* A guest that lies to its broker, for tests: nothing of this may win the secret. */
#include "agent.h"
#include "attest.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LONG_LINE (300u * 1024)

/* Bytes without a broker's answer. */
static void shout(const void *bytes, size_t len)
{
    const char *p = bytes;

    while (len > 0) {
        ssize_t n = write(say_channel(), p, len);

        if (n <= 0) {
            return;
        }
        p += n;
        len -= (size_t)n;
    }
}

static void noise(void)
{
    static const char text[] = "\0\1\2\xff\n{\"event\":\n{}\n{\"event\":7}\n[]\nbroker\n"
                               "{\"event\":\"volume\",\"sha256\":\"00\"}\n"
                               "{\"event\":\"secret\",\"bytes\":64}\n";
    char *line = malloc(LONG_LINE);

    shout(text, sizeof(text) - 1);
    if (line != NULL) {
        memset(line, 'A', LONG_LINE);
        memcpy(line, REPLY_PREFIX, strlen(REPLY_PREFIX));
        line[LONG_LINE - 1] = '\n';
        shout(line, LONG_LINE);
    }
    free(line);
}

static bool refused(const char *answer)
{
    return answer != NULL && (strncmp(answer, "refused ", 8) == 0 ||
                              strncmp(answer, "error ", 6) == 0);
}

/* A true report, but of another key: whoever copied it from us would hold that key. */
static bool wins_with_anothers_evidence(const char *path)
{
    static uint8_t evidence[EVIDENCE_MAX];
    uint8_t nonce[REPLY_NONCE];
    uint8_t data[REPORT_DATA];
    EVP_PKEY *ours = attest_new_key();
    EVP_PKEY *theirs = attest_new_key();
    size_t len;
    bool wins = true;

    if (ours != NULL && theirs != NULL && attest_begin(nonce) &&
        attest_report_data(nonce, ours, data) && attest_send_key(theirs) &&
        evidence_take(data, evidence, &len) &&
        broker_ok(broker_ask_bytes("evidence", evidence, len), "evidence")) {
        wins = !refused(broker_ask("get", path));
    }
    EVP_PKEY_free(ours);
    EVP_PKEY_free(theirs);
    return wins;
}

static bool wins_with_zeros(const char *path)
{
    static const uint8_t zeros[1184];
    uint8_t nonce[REPLY_NONCE];
    EVP_PKEY *key = attest_new_key();
    bool wins = true;

    if (key != NULL && attest_begin(nonce) && attest_send_key(key) &&
        broker_ok(broker_ask_bytes("evidence", zeros, sizeof(zeros)), "evidence")) {
        wins = !refused(broker_ask("get", path));
    }
    EVP_PKEY_free(key);
    return wins;
}

void attest_hostile(const char *path)
{
    unsigned int wins = 0;

    if (say_channel() < 0) {
        return;
    }
    noise();
    wins += !refused(broker_ask("get", path)); /* without any evidence */
    wins += !refused(broker_ask("evidence", "!"));
    wins += wins_with_zeros(path);
    wins += wins_with_anothers_evidence(path);
    say_event("hostile", "\"tried\":4,\"won\":%u", wins);
}
