/* What the registers must hold if the log tells the truth. */
#include <attest/eventlog.h>

#include <stdio.h>
#include <string.h>

#define OBJECT "event log"

static const char startup_locality[16] = "StartupLocality";

static enum attest_status malformed(const struct eventlog_event *ev, const char *field,
                                    const char *expected, unsigned int found,
                                    struct attest_error *err)
{
    char where[64];

    snprintf(where, sizeof(where), "record %zu: %s", ev->number, field);
    return attest_fail(err, ATTEST_MALFORMED, OBJECT, where, expected, "%u", found);
}

static const uint8_t *digest_in(const struct eventlog_event *ev, uint16_t alg)
{
    for (size_t i = 0; i < ev->digests; i++) {
        if (ev->digest[i].alg == alg) {
            return ev->digest[i].p;
        }
    }
    return NULL;
}

/* PC Client Platform TPM Profile, PCR attributes: ones after reset, zero once a DRTM begins. */
static bool is_dynamic(uint32_t reg)
{
    return reg >= 17 && reg <= 22;
}

/* new = H(old || digest) */
static enum attest_status extend(struct eventlog_bank *bank, uint32_t reg, uint16_t alg,
                                 const struct eventlog_event *ev, struct attest_error *err)
{
    const uint8_t *digest = digest_in(ev, alg);
    size_t size = attest_hash_size(bank->alg);
    const struct attest_span spans[] = {{bank->value[reg], size}, {digest, size}};
    uint8_t next[ATTEST_HASH_MAX];
    char where[64];

    if (digest == NULL) {
        snprintf(where, sizeof(where), "record %zu: digests", ev->number);
        return attest_fail(err, ATTEST_MALFORMED, OBJECT, where, eventlog_alg_name(alg), "none");
    }
    if (bank->count == EVENTLOG_PCRS && is_dynamic(reg) && (bank->extended >> reg & 1) == 0) {
        memset(bank->value[reg], 0, size); /* only a dynamic launch makes it extendable */
    }
    if (!attest_hash(bank->alg, spans, 2, next)) {
        return attest_fail(err, ATTEST_INTERNAL, OBJECT, "digest", NULL, NULL);
    }
    memcpy(bank->value[reg], next, size);
    bank->extended |= 1u << reg;
    return ATTEST_OK;
}

/*
 * EV_NO_ACTION never extends. One of them tells from which locality TPM2_Startup came: PCR 0 then
 * begins at 0, 3 or 4 in place of zero (9.4.5.3). It must precede what it changes.
 */
static enum attest_status no_action(struct eventlog_bank *bank, const struct eventlog_event *ev,
                                    bool *seen, struct attest_error *err)
{
    uint8_t locality;

    if (ev->index != 0 || ev->size != sizeof(startup_locality) + 1 ||
        memcmp(ev->data, startup_locality, sizeof(startup_locality)) != 0) {
        return ATTEST_OK;
    }
    locality = ev->data[sizeof(startup_locality)];
    if (locality != 0 && locality != 3 && locality != 4) {
        return malformed(ev, "StartupLocality", "0, 3 or 4", locality, err);
    }
    if (*seen || (bank->extended & 1u) != 0) {
        return malformed(ev, "StartupLocality", "once, before PCR 0 is extended", locality, err);
    }
    *seen = true;
    bank->value[0][attest_hash_size(bank->alg) - 1] = locality;
    return ATTEST_OK;
}

static bool has_alg(const struct eventlog *log, uint16_t alg)
{
    for (size_t i = 0; i < log->algs; i++) {
        if (log->alg[i].alg == alg) {
            return true;
        }
    }
    return false;
}

static enum attest_status start(const struct eventlog *log, uint16_t alg, size_t count,
                                struct eventlog_bank *out, struct attest_error *err)
{
    memset(out, 0, sizeof(*out));
    out->count = count;
    if (!has_alg(log, alg) || !eventlog_hash_of(alg, &out->alg)) {
        return attest_fail(err, ATTEST_UNSUPPORTED, OBJECT, "algorithms",
                           "the bank that was quoted", "no digests of algorithm %#x", alg);
    }
    return ATTEST_OK;
}

enum attest_status eventlog_replay_pcrs(const struct eventlog *log, uint16_t alg,
                                        struct eventlog_bank *out, struct attest_error *err)
{
    struct eventlog_walk w = eventlog_walk(log);
    struct eventlog_event ev;
    bool locality = false;
    enum attest_status st = start(log, alg, EVENTLOG_PCRS, out, err);

    for (uint32_t i = 0; i < EVENTLOG_PCRS; i++) {
        memset(out->value[i], is_dynamic(i) ? 0xFF : 0, sizeof(out->value[i]));
    }
    while (st == ATTEST_OK && eventlog_next(&w, &ev)) {
        if (ev.type == EV_NO_ACTION) {
            st = no_action(out, &ev, &locality, err);
        } else if (ev.index >= EVENTLOG_PCRS) {
            st = malformed(&ev, "PCR", "0 to 23", ev.index, err);
        } else {
            st = extend(out, ev.index, alg, &ev, err);
        }
    }
    return st;
}

enum attest_status eventlog_replay_rtmrs(const struct eventlog *log, struct eventlog_bank *out,
                                         struct attest_error *err)
{
    struct eventlog_walk w = eventlog_walk(log);
    struct eventlog_event ev;
    enum attest_status st = start(log, TPM_ID_SHA384, EVENTLOG_RTMRS, out, err);

    while (st == ATTEST_OK && eventlog_next(&w, &ev)) {
        if (ev.type == EV_NO_ACTION) {
            continue;
        }
        if (ev.index < 1 || ev.index > EVENTLOG_RTMRS) {
            st = malformed(&ev, "measurement register", "1 to 4", ev.index, err);
        } else {
            st = extend(out, ev.index - 1, TPM_ID_SHA384, &ev, err);
        }
    }
    return st;
}
