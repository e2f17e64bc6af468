#include <attest/eventlog.h>

#include <stdio.h>
#include <string.h>

#define OBJECT "event log"

enum { SHA1_SIZE = 20 };

static const char spec_id_03[16] = "Spec ID Event03";

const char *eventlog_type_name(uint32_t type)
{
    static const struct {
        uint32_t type;
        const char *name;
    } names[] = {
#define EVENTLOG_TYPE(number, name) {number, name},
#include <attest/eventlog.def>
#undef EVENTLOG_TYPE
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (names[i].type == type) {
            return names[i].name;
        }
    }
    return NULL;
}

static const struct alg {
    uint16_t id;
    uint16_t size;
    const char *name;
    enum attest_hash hash;
} algs[] = {
    {TPM_ID_SHA1, 20, "sha1", ATTEST_SHA1},
    {TPM_ID_SHA256, 32, "sha256", ATTEST_SHA256},
    {TPM_ID_SHA384, 48, "sha384", ATTEST_SHA384},
    {TPM_ID_SHA512, 64, "sha512", ATTEST_SHA512},
    {TPM_ID_SM3_256, 32, "sm3_256", ATTEST_HASH_COUNT},
};

static const struct alg *alg_of(uint16_t id)
{
    for (size_t i = 0; i < sizeof(algs) / sizeof(algs[0]); i++) {
        if (algs[i].id == id) {
            return &algs[i];
        }
    }
    return NULL;
}

const char *eventlog_alg_name(uint16_t alg)
{
    const struct alg *a = alg_of(alg);

    return a == NULL ? NULL : a->name;
}

bool eventlog_hash_of(uint16_t alg, enum attest_hash *out)
{
    const struct alg *a = alg_of(alg);

    if (a == NULL || a->hash == ATTEST_HASH_COUNT) {
        return false;
    }
    *out = a->hash;
    return true;
}

static enum attest_status bad(enum attest_status st, size_t number, const char *field,
                              const char *expected, const char *found, struct attest_error *err)
{
    char where[64];

    snprintf(where, sizeof(where), "record %zu: %s", number, field);
    return attest_fail(err, st, OBJECT, where, expected, "%s", found);
}

static bool is_padding(const struct reader *r)
{
    return (r->left >= 4 && ld32le(r->p) == UINT32_MAX) || bytes_are_zero(r->p, r->left);
}

/* TCG_PCClientPCREvent: the older form, and always the first record. */
static enum attest_status read_sha1_event(struct reader *r, struct eventlog_event *ev,
                                          struct attest_error *err)
{
    ev->digests = 1;
    ev->digest[0] = (struct eventlog_digest){.alg = TPM_ID_SHA1, .size = SHA1_SIZE};
    if (!rd_u32le(r, &ev->index) || !rd_u32le(r, &ev->type) ||
        !rd_bytes(r, SHA1_SIZE, &ev->digest[0].p) || !rd_u32le(r, &ev->size)) {
        return bad(ATTEST_TRUNCATED, ev->number, "header", NULL, "the end of the log", err);
    }
    if (!rd_bytes(r, ev->size, &ev->data)) {
        return bad(ATTEST_TRUNCATED, ev->number, "event", NULL, "the end of the log", err);
    }
    return ATTEST_OK;
}

static const struct eventlog_digest *declared(const struct eventlog *log, uint16_t alg)
{
    for (size_t i = 0; i < log->algs; i++) {
        if (log->alg[i].alg == alg) {
            return &log->alg[i];
        }
    }
    return NULL;
}

static bool has_digest(const struct eventlog_event *ev, uint16_t alg)
{
    for (size_t i = 0; i < ev->digests; i++) {
        if (ev->digest[i].alg == alg) {
            return true;
        }
    }
    return false;
}

/* TPML_DIGEST_VALUES: sizes come from the Spec ID record, each algorithm at most once. */
static enum attest_status read_digests(const struct eventlog *log, struct reader *r,
                                       struct eventlog_event *ev, struct attest_error *err)
{
    uint32_t count;

    if (!rd_u32le(r, &count)) {
        return bad(ATTEST_TRUNCATED, ev->number, "digest count", NULL, "the end of the log", err);
    }
    if (count == 0 || count > log->algs) {
        return bad(ATTEST_MALFORMED, ev->number, "digest count",
                   "as many digests as the log has algorithms", "none or more", err);
    }
    ev->digests = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct eventlog_digest *d;
        uint16_t alg;

        if (!rd_u16le(r, &alg)) {
            return bad(ATTEST_TRUNCATED, ev->number, "digest", NULL, "the end of the log", err);
        }
        d = declared(log, alg);
        if (d == NULL || has_digest(ev, alg)) {
            return bad(ATTEST_MALFORMED, ev->number, "digest algorithm",
                       "each algorithm of the log once", "another", err);
        }
        ev->digest[ev->digests] = *d;
        if (!rd_bytes(r, d->size, &ev->digest[ev->digests].p)) {
            return bad(ATTEST_TRUNCATED, ev->number, "digest", NULL, "the end of the log", err);
        }
        ev->digests++;
    }
    return ATTEST_OK;
}

/* TCG_PCR_EVENT2 */
static enum attest_status read_agile_event(const struct eventlog *log, struct reader *r,
                                           struct eventlog_event *ev, struct attest_error *err)
{
    enum attest_status st;

    if (!rd_u32le(r, &ev->index) || !rd_u32le(r, &ev->type)) {
        return bad(ATTEST_TRUNCATED, ev->number, "header", NULL, "the end of the log", err);
    }
    st = read_digests(log, r, ev, err);
    if (st != ATTEST_OK) {
        return st;
    }
    if (!rd_u32le(r, &ev->size) || !rd_bytes(r, ev->size, &ev->data)) {
        return bad(ATTEST_TRUNCATED, ev->number, "event", NULL, "the end of the log", err);
    }
    return ATTEST_OK;
}

static enum attest_status read_event(const struct eventlog *log, struct reader *r, size_t number,
                                     struct eventlog_event *ev, struct attest_error *err)
{
    *ev = (struct eventlog_event){.number = number};
    return number == 0 || !log->crypto_agile ? read_sha1_event(r, ev, err)
                                             : read_agile_event(log, r, ev, err);
}

/* One entry of TCG_EfiSpecIdEvent.digestSizes. */
static enum attest_status read_alg(struct reader *r, struct eventlog *log, struct attest_error *err)
{
    struct eventlog_digest d = {0};
    const struct alg *known;

    if (!rd_u16le(r, &d.alg) || !rd_u16le(r, &d.size)) {
        return bad(ATTEST_TRUNCATED, 0, "digestSizes", NULL, "the end of the record", err);
    }
    known = alg_of(d.alg);
    if ((known != NULL && known->size != d.size) || d.size == 0 || d.size > ATTEST_HASH_MAX ||
        declared(log, d.alg) != NULL) {
        return bad(ATTEST_MALFORMED, 0, "digestSizes", "each algorithm once with its own size",
                   "another", err);
    }
    log->alg[log->algs++] = d;
    return ATTEST_OK;
}

/* TCG_EfiSpecIdEvent of the crypto-agile form (9.4.5.1). */
static enum attest_status read_spec_id(const struct eventlog_event *ev, struct eventlog *log,
                                       struct attest_error *err)
{
    struct reader r = rd_make(ev->data, ev->size);
    uint32_t n;
    uint8_t vendor;

    if (!rd_skip(&r, 16 + 4 + 4) || !rd_u32le(&r, &n)) {
        return bad(ATTEST_TRUNCATED, 0, "Spec ID", NULL, "the end of the record", err);
    }
    if (n == 0 || n > EVENTLOG_ALGS_MAX) {
        return bad(ATTEST_MALFORMED, 0, "numberOfAlgorithms", "1 to 16", "another", err);
    }
    log->algs = 0;
    while (n-- > 0) {
        enum attest_status st = read_alg(&r, log, err);

        if (st != ATTEST_OK) {
            return st;
        }
    }
    if (!rd_u8(&r, &vendor) || !rd_skip(&r, vendor)) {
        return bad(ATTEST_TRUNCATED, 0, "vendorInfo", NULL, "the end of the record", err);
    }
    if (r.left != 0) {
        return bad(ATTEST_TRAILING, 0, "Spec ID", NULL, "bytes after vendorInfo", err);
    }
    log->crypto_agile = true;
    return ATTEST_OK;
}

static enum attest_status read_first(struct reader *r, struct eventlog *log,
                                     struct attest_error *err)
{
    struct eventlog_event ev;
    enum attest_status st = read_event(log, r, 0, &ev, err);

    log->algs = 1;
    log->alg[0] = (struct eventlog_digest){.alg = TPM_ID_SHA1, .size = SHA1_SIZE};
    log->events = 1;
    if (st == ATTEST_OK && ev.type == EV_NO_ACTION && ev.size >= sizeof(spec_id_03) &&
        memcmp(ev.data, spec_id_03, sizeof(spec_id_03)) == 0) {
        return read_spec_id(&ev, log, err);
    }
    return st;
}

enum attest_status eventlog_parse(const uint8_t *p, size_t len, struct eventlog *out,
                                  struct attest_error *err)
{
    struct reader r = rd_make(p, len);
    struct eventlog_event ev;
    enum attest_status st;

    memset(out, 0, sizeof(*out));
    out->p = p;
    st = read_first(&r, out, err);
    while (st == ATTEST_OK && r.left > 0 && !is_padding(&r)) {
        st = read_event(out, &r, out->events++, &ev, err);
    }
    out->len = len - r.left;
    return st;
}

struct eventlog_walk eventlog_walk(const struct eventlog *log)
{
    return (struct eventlog_walk){.log = log, .r = rd_make(log->p, log->len)};
}

bool eventlog_next(struct eventlog_walk *w, struct eventlog_event *ev)
{
    return w->r.left > 0 && read_event(w->log, &w->r, w->number++, ev, NULL) == ATTEST_OK;
}
