/* Event logs as something to be shown: alone they prove nothing. */
#include <attest/eventlog.h>

#include <attest/hex.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A log from outside may have a million records of a few bytes: its picture stays bounded. */
enum { EVENTS_SHOWN = 4096 };

/* Does a digest cover the data as logged? Where not, the data is only a hint. */
static bool digest_of_data(const struct eventlog_event *ev)
{
    uint8_t h[ATTEST_HASH_MAX];
    enum attest_hash alg;

    for (size_t i = 0; i < ev->digests; i++) {
        if (eventlog_hash_of(ev->digest[i].alg, &alg)) {
            return attest_hash1(alg, ev->data, ev->size, h) &&
                   memcmp(h, ev->digest[i].p, ev->digest[i].size) == 0;
        }
    }
    return false;
}

static void set_hex(json_t *o, const char *key, const uint8_t *p, size_t len)
{
    char hex[2 * ATTEST_HASH_MAX + 1];

    json_object_set_new(o, key, json_string(hex_encode(p, len, hex)));
}

static json_t *event_claims(const struct eventlog_event *ev)
{
    json_t *digests = json_object();
    const char *type = eventlog_type_name(ev->type);
    char number[16];

    for (size_t i = 0; i < ev->digests; i++) {
        const char *alg = eventlog_alg_name(ev->digest[i].alg);

        snprintf(number, sizeof(number), "0x%04x", ev->digest[i].alg);
        set_hex(digests, alg == NULL ? number : alg, ev->digest[i].p, ev->digest[i].size);
    }
    snprintf(number, sizeof(number), "0x%08x", ev->type);
    return json_pack("{s:I, s:I, s:s, s:o, s:b, s:o}", "record", (json_int_t)ev->number, "register",
                     (json_int_t)ev->index, "type", type == NULL ? number : type, "digests",
                     digests, "digest-of-data", digest_of_data(ev), "data",
                     eventlog_data_claims(ev));
}

json_t *eventlog_bank_claims(const struct eventlog_bank *bank)
{
    json_t *o = json_object();
    char name[8];

    for (unsigned int i = 0; i < bank->count; i++) {
        if ((bank->extended >> i & 1) != 0) {
            snprintf(name, sizeof(name), "%u", i);
            set_hex(o, name, bank->value[i], attest_hash_size(bank->alg));
        }
    }
    return o;
}

/* The registers as replayed, by bank; as RTMRs when every index fits a CCEL. */
static json_t *replay_claims(const struct eventlog *log)
{
    json_t *o = json_object();
    struct eventlog_bank bank;

    for (size_t i = 0; i < log->algs; i++) {
        if (eventlog_replay_pcrs(log, log->alg[i].alg, &bank, NULL) == ATTEST_OK) {
            json_object_set_new(o, eventlog_alg_name(log->alg[i].alg), eventlog_bank_claims(&bank));
        }
    }
    if (eventlog_replay_rtmrs(log, &bank, NULL) == ATTEST_OK) {
        json_object_set_new(o, "rtmr", eventlog_bank_claims(&bank));
    }
    return o;
}

json_t *eventlog_claims(const struct eventlog *log)
{
    struct eventlog_walk w = eventlog_walk(log);
    struct eventlog_event ev;
    json_t *events = json_array();

    while (json_array_size(events) < EVENTS_SHOWN && eventlog_next(&w, &ev)) {
        json_array_append_new(events, event_claims(&ev));
    }
    return json_pack("{s:s, s:I, s:I, s:o, s:o}", "form",
                     log->crypto_agile ? "crypto-agile" : "SHA-1", "bytes", (json_int_t)log->len,
                     "records", (json_int_t)log->events, "replayed", replay_claims(log), "events",
                     events);
}

/*
 * Starts like a log: the first record's register is a PCR, its type is known, its data fits, and
 * an EV_NO_ACTION has no digest.
 */
static bool detect(const uint8_t *p, size_t len)
{
    return len >= 32 && ld32le(p) <= EVENTLOG_PCRS && eventlog_type_name(ld32le(p + 4)) != NULL &&
           ld32le(p + 28) <= len - 32 && ld32le(p + 28) > 0 &&
           (ld32le(p + 4) == EV_NO_ACTION) == bytes_are_zero(p + 8, 20);
}

static enum attest_status parse(const uint8_t *p, size_t len, void **ev, struct attest_error *err)
{
    struct eventlog *log = calloc(1, sizeof(*log));
    enum attest_status st;

    if (log == NULL) {
        return attest_no_memory(err, "event log");
    }
    st = eventlog_parse(p, len, log, err);
    if (st != ATTEST_OK) {
        free(log);
        return st;
    }
    *ev = log;
    return ATTEST_OK;
}

static json_t *claims(const void *ev)
{
    return eventlog_claims(ev);
}

const struct attest_evidence_ops attest_evidence_eventlog = {
    .kind = "event-log",
    .title = "TCG event log",
    .detect = detect,
    .parse = parse,
    .free = free,
    .verify = attest_show_only_verify,
    .appraise = attest_show_only_appraise,
    .claims = claims,
};
