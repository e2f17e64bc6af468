/*
 * How this guest gets its secret: a nonce from the broker, a key that lives as long as this, a
 * report that binds both, and the secret wrapped to the key (docs/agent.md).
 */
#include "attest.h"

#include "agent.h"

#include <attest/hex.h>
#include <attest/jwe.h>

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#define POINT_MAX (1u + 2u * JOSE_COORD_MAX)
#define PATH_SIZE 160u

static void secret_free(struct secret *s)
{
    if (s->p != NULL) {
        OPENSSL_cleanse(s->p, s->len);
        free(s->p);
    }
    s->p = NULL;
    s->len = 0;
}

EVP_PKEY *attest_new_key(void)
{
    EVP_PKEY *key = jose_ec_generate(JOSE_P256);

    if (key == NULL) {
        say_failed("no key can be made");
    }
    return key;
}

bool attest_begin(uint8_t nonce[REPLY_NONCE])
{
    const char *answer = broker_ask("attest", "1");

    if (answer != NULL && reply_nonce(answer, nonce)) {
        return true;
    }
    if (answer != NULL) {
        say_failed("the broker gives no nonce but: %.200s", answer);
    }
    return false;
}

bool attest_report_data(const uint8_t nonce[REPLY_NONCE], EVP_PKEY *key, uint8_t data[REPORT_DATA])
{
    uint8_t point[POINT_MAX];
    struct attest_span spans[2] = {{nonce, REPLY_NONCE}, {point, 0}};

    if (!jose_ec_point(key, point, &spans[1].len) ||
        !attest_hash(ATTEST_SHA512, spans, 2, data)) {
        say_failed("nonce and key cannot be bound");
        return false;
    }
    return true;
}

bool attest_send_key(EVP_PKEY *key)
{
    uint8_t point[POINT_MAX];
    char hex[2 * POINT_MAX + 1];
    size_t len;

    return jose_ec_point(key, point, &len) &&
           broker_ok(broker_ask("key", hex_encode(point, len, hex)), "key");
}

static bool prove(EVP_PKEY *key)
{
    static uint8_t evidence[EVIDENCE_MAX];
    uint8_t nonce[REPLY_NONCE];
    uint8_t data[REPORT_DATA];
    size_t len;

    if (!attest_begin(nonce) || !attest_report_data(nonce, key, data) || !attest_send_key(key) ||
        !evidence_take(data, evidence, &len)) {
        return false;
    }
    say("evidence: %zu bytes", len);
    say_event("evidence", "\"bytes\":%zu", len);
    if (!broker_ok(broker_ask_bytes("evidence", evidence, len), "evidence")) {
        return false;
    }
    len = evidence_log(evidence);
    return len == 0 || broker_ok(broker_ask_bytes("event-log", evidence, len), "event-log");
}

static bool unwrap(const char *answer, EVP_PKEY *key, struct secret *out)
{
    const char *text = reply_secret(answer);
    struct attest_error err = {0};
    json_t *jwe;
    bool ok;

    if (text == NULL) {
        say_failed("the broker gives no secret: %.200s", answer);
        return false;
    }
    jwe = jwe_of_compact(text, strlen(text));
    ok = jwe != NULL && jwe_decrypt(jwe, key, &out->p, &out->len, &err) == ATTEST_OK;
    json_decref(jwe);
    if (!ok) {
        say_failed("what the broker gives is not wrapped to this guest's key");
    }
    return ok;
}

/* The key is used once, and dropped. */
static bool fetch(const char *path, struct secret *out)
{
    EVP_PKEY *key = attest_new_key();
    const char *answer = key != NULL && prove(key) ? broker_ask("get", path) : NULL;
    bool ok = answer != NULL && unwrap(answer, key, out);

    EVP_PKEY_free(key);
    return ok;
}

void attest_if_asked(void)
{
    struct secret secret = {NULL, 0};
    char path[PATH_SIZE];
    char word[32];

    if (!cmdline_get("cloister.secret", path, sizeof(path))) {
        return;
    }
    if (cmdline_get("cloister.attest", word, sizeof(word)) && strcmp(word, "hostile") == 0) {
        attest_hostile(path);
        return;
    }
    if (fetch(path, &secret)) {
        say("secret %s: %zu bytes", path, secret.len);
        say_event("secret", "\"bytes\":%zu", secret.len);
        broker_ask("quit", NULL);
        if (cmdline_get("cloister.volume", word, sizeof(word))) {
            volume_open(word, &secret);
        }
    }
    secret_free(&secret);
}
