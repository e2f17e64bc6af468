/* TCG event logs: small hand-made ones for each rule. */
#include "cu.h"

#include <attest/eventlog.h>

#include <stdlib.h>
#include <string.h>

struct maker {
    uint8_t p[2048];
    size_t len;
};

static void put(struct maker *m, const void *p, size_t len)
{
    memcpy(m->p + m->len, p, len);
    m->len += len;
}

static void put32(struct maker *m, uint32_t v)
{
    st32le(m->p + m->len, v);
    m->len += 4;
}

static void put16(struct maker *m, uint16_t v)
{
    st16le(m->p + m->len, v);
    m->len += 2;
}

static void sha1_event(struct maker *m, uint32_t pcr, uint32_t type, uint8_t fill, const void *data,
                       size_t len)
{
    uint8_t digest[20];

    memset(digest, fill, sizeof(digest));
    put32(m, pcr);
    put32(m, type);
    put(m, digest, sizeof(digest));
    put32(m, (uint32_t)len);
    put(m, data, len);
}

/* A Spec ID record with one bank. */
static struct maker agile(uint16_t alg, uint16_t size)
{
    struct maker m = {.len = 0};
    uint8_t spec[16 + 4 + 4 + 4 + 4 + 1] = "Spec ID Event03";

    spec[24] = 1;
    st16le(spec + 28, alg);
    st16le(spec + 30, size);
    sha1_event(&m, 0, EV_NO_ACTION, 0, spec, sizeof(spec));
    return m;
}

static void agile_event(struct maker *m, uint32_t pcr, uint32_t type, uint16_t alg, size_t size,
                        uint8_t fill, const void *data, size_t len)
{
    uint8_t digest[ATTEST_HASH_MAX];

    memset(digest, fill, sizeof(digest));
    put32(m, pcr);
    put32(m, type);
    put32(m, 1);
    put16(m, alg);
    put(m, digest, size);
    put32(m, (uint32_t)len);
    put(m, data, len);
}

static enum attest_status replay(const struct maker *m, uint16_t alg, struct eventlog_bank *bank)
{
    struct eventlog log;
    enum attest_status st = eventlog_parse(m->p, m->len, &log, NULL);

    return st != ATTEST_OK ? st : eventlog_replay_pcrs(&log, alg, bank, NULL);
}

/* H(start || digest), for one event. */
static bool holds(const struct eventlog_bank *b, unsigned int reg, uint8_t last, uint8_t fill)
{
    uint8_t start[ATTEST_HASH_MAX] = {0}, digest[ATTEST_HASH_MAX], want[ATTEST_HASH_MAX];
    size_t size = attest_hash_size(b->alg);
    const struct attest_span spans[] = {{start, size}, {digest, size}};

    start[size - 1] = last;
    memset(digest, fill, sizeof(digest));
    return attest_hash(b->alg, spans, 2, want) && memcmp(want, b->value[reg], size) == 0;
}

static void no_action_never_extends(void)
{
    struct maker m = agile(TPM_ID_SHA256, 32);
    struct eventlog_bank b;

    agile_event(&m, 3, EV_NO_ACTION, TPM_ID_SHA256, 32, 0x55, "x", 1);
    CU_ASSERT_EQUAL_FATAL(replay(&m, TPM_ID_SHA256, &b), ATTEST_OK);
    CU_ASSERT_EQUAL(b.extended, 0);
    CU_ASSERT(bytes_are_zero(b.value[3], 32));
    agile_event(&m, 3, EV_SEPARATOR, TPM_ID_SHA256, 32, 0x55, "\0\0\0", 4);
    CU_ASSERT_EQUAL_FATAL(replay(&m, TPM_ID_SHA256, &b), ATTEST_OK);
    CU_ASSERT_EQUAL(b.extended, 1u << 3);
    CU_ASSERT(holds(&b, 3, 0, 0x55));
}

static void the_sha1_form_is_replayed_too(void)
{
    struct maker m = {.len = 0};
    struct eventlog_bank b;

    sha1_event(&m, 7, EV_SEPARATOR, 0x44, "\0\0\0", 4);
    CU_ASSERT_EQUAL_FATAL(replay(&m, TPM_ID_SHA1, &b), ATTEST_OK);
    CU_ASSERT(holds(&b, 7, 0, 0x44));
    CU_ASSERT_EQUAL(replay(&m, TPM_ID_SHA256, &b), ATTEST_UNSUPPORTED);
}

static void the_startup_locality_seeds_pcr_0(void)
{
    struct maker m = agile(TPM_ID_SHA256, 32), late, twice, odd;
    struct eventlog_bank b;

    late = m;
    odd = m;
    agile_event(&m, 0, EV_NO_ACTION, TPM_ID_SHA256, 32, 0, "StartupLocality\0\3", 17);
    twice = m;
    agile_event(&m, 0, EV_SEPARATOR, TPM_ID_SHA256, 32, 0x66, "", 0);
    CU_ASSERT_EQUAL_FATAL(replay(&m, TPM_ID_SHA256, &b), ATTEST_OK);
    CU_ASSERT(holds(&b, 0, 3, 0x66));
    agile_event(&late, 0, EV_SEPARATOR, TPM_ID_SHA256, 32, 0x66, "", 0);
    agile_event(&late, 0, EV_NO_ACTION, TPM_ID_SHA256, 32, 0, "StartupLocality\0\3", 17);
    CU_ASSERT_EQUAL(replay(&late, TPM_ID_SHA256, &b), ATTEST_MALFORMED);
    agile_event(&twice, 0, EV_NO_ACTION, TPM_ID_SHA256, 32, 0, "StartupLocality\0\3", 17);
    CU_ASSERT_EQUAL(replay(&twice, TPM_ID_SHA256, &b), ATTEST_MALFORMED);
    agile_event(&odd, 0, EV_NO_ACTION, TPM_ID_SHA256, 32, 0, "StartupLocality\0\2", 17);
    CU_ASSERT_EQUAL(replay(&odd, TPM_ID_SHA256, &b), ATTEST_MALFORMED);
}

static void registers_begin_at_their_reset_values(void)
{
    struct maker m = agile(TPM_ID_SHA256, 32);
    struct eventlog_bank b;
    uint8_t ones[32];

    memset(ones, 0xFF, sizeof(ones));
    CU_ASSERT_EQUAL_FATAL(replay(&m, TPM_ID_SHA256, &b), ATTEST_OK);
    for (size_t i = 0; i < EVENTLOG_PCRS; i++) {
        CU_ASSERT(i >= 17 && i <= 22 ? memcmp(b.value[i], ones, 32) == 0
                                     : bytes_are_zero(b.value[i], 32));
    }
}

/* A dynamic launch sets 17-22 to zero before it extends them. */
static void a_dynamic_launch_begins_at_zero(void)
{
    struct maker m = agile(TPM_ID_SHA256, 32);
    struct eventlog_bank b;

    agile_event(&m, 17, EV_SEPARATOR, TPM_ID_SHA256, 32, 0x77, "", 0);
    CU_ASSERT_EQUAL_FATAL(replay(&m, TPM_ID_SHA256, &b), ATTEST_OK);
    CU_ASSERT(holds(&b, 17, 0, 0x77));
}

static void padding_ends_a_log(void)
{
    struct maker m = agile(TPM_ID_SHA256, 32), ones;
    struct eventlog log;
    size_t used;

    agile_event(&m, 1, EV_SEPARATOR, TPM_ID_SHA256, 32, 1, "", 0);
    used = m.len;
    ones = m;
    memset(m.p + used, 0, 100);
    CU_ASSERT_EQUAL_FATAL(eventlog_parse(m.p, used + 100, &log, NULL), ATTEST_OK);
    CU_ASSERT_EQUAL(log.len, used);
    memset(ones.p + used, 0xFF, 8);
    memset(ones.p + used + 8, 0x5A, 100);
    CU_ASSERT_EQUAL_FATAL(eventlog_parse(ones.p, used + 108, &log, NULL), ATTEST_OK);
    CU_ASSERT_EQUAL(log.len, used);
    /* Zeros with something behind them are no padding. */
    m.p[used + 99] = 1;
    CU_ASSERT_NOT_EQUAL(eventlog_parse(m.p, used + 100, &log, NULL), ATTEST_OK);
}

static void expect_bad(const struct maker *m, enum attest_status st, const char *field)
{
    struct attest_error err = {0};
    struct eventlog log;
    uint8_t *exact = malloc(m->len);

    memcpy(exact, m->p, m->len);
    CU_ASSERT_EQUAL(eventlog_parse(exact, m->len, &log, &err), st);
    CU_ASSERT_STRING_EQUAL(err.field, field);
    free(exact);
}

static void the_picture_of_a_huge_log_is_bounded(void)
{
    enum { EVENTS = 5000, SIZE = 4 + 4 + 20 + 4 };
    uint8_t *p = calloc(EVENTS, SIZE);
    struct eventlog log;
    json_t *claims;

    for (size_t i = 0; i < EVENTS; i++) {
        st32le(p + i * SIZE + 4, EV_SEPARATOR);
    }
    CU_ASSERT_EQUAL_FATAL(eventlog_parse(p, (size_t)EVENTS * SIZE, &log, NULL), ATTEST_OK);
    claims = eventlog_claims(&log);
    CU_ASSERT_EQUAL(json_integer_value(json_object_get(claims, "records")), EVENTS);
    CU_ASSERT_EQUAL(json_array_size(json_object_get(claims, "events")), 4096);
    json_decref(claims);
    free(p);
}

static void malformed_records_are_named(void)
{
    struct maker m = agile(TPM_ID_SHA256, 32), bad;

    bad = m;
    agile_event(&bad, 1, EV_SEPARATOR, TPM_ID_SHA1, 20, 1, "", 0);
    expect_bad(&bad, ATTEST_MALFORMED, "record 1: digest algorithm");
    bad = m;
    agile_event(&bad, 1, EV_SEPARATOR, TPM_ID_SHA256, 32, 1, "abc", 3);
    bad.len -= 1;
    expect_bad(&bad, ATTEST_TRUNCATED, "record 1: event");
    bad = m;
    put32(&bad, 1);
    put32(&bad, EV_SEPARATOR);
    put32(&bad, 0);
    put32(&bad, 1);
    expect_bad(&bad, ATTEST_MALFORMED, "record 1: digest count");
    bad = agile(TPM_ID_SHA256, 20);
    expect_bad(&bad, ATTEST_MALFORMED, "record 0: digestSizes");
    bad = m;
    bad.p[32 + 24] = 0;
    expect_bad(&bad, ATTEST_MALFORMED, "record 0: numberOfAlgorithms");
    bad.p[32 + 24] = 2;
    expect_bad(&bad, ATTEST_TRUNCATED, "record 0: digestSizes");
}

static void a_register_that_does_not_exist_is_refused(void)
{
    struct maker m = agile(TPM_ID_SHA384, 48), low = m, good = m;
    struct eventlog log;
    struct eventlog_bank b;

    agile_event(&m, 24, EV_SEPARATOR, TPM_ID_SHA384, 48, 1, "", 0);
    CU_ASSERT_EQUAL(replay(&m, TPM_ID_SHA384, &b), ATTEST_MALFORMED);
    CU_ASSERT_EQUAL_FATAL(eventlog_parse(m.p, m.len, &log, NULL), ATTEST_OK);
    CU_ASSERT_EQUAL(eventlog_replay_rtmrs(&log, &b, NULL), ATTEST_MALFORMED);
    /* Measurement register 0 is MRTD, which no log can extend. */
    agile_event(&low, 0, EV_SEPARATOR, TPM_ID_SHA384, 48, 1, "", 0);
    CU_ASSERT_EQUAL_FATAL(eventlog_parse(low.p, low.len, &log, NULL), ATTEST_OK);
    CU_ASSERT_EQUAL(eventlog_replay_rtmrs(&log, &b, NULL), ATTEST_MALFORMED);
    agile_event(&good, 4, EV_SEPARATOR, TPM_ID_SHA384, 48, 9, "", 0);
    CU_ASSERT_EQUAL_FATAL(eventlog_parse(good.p, good.len, &log, NULL), ATTEST_OK);
    CU_ASSERT_EQUAL(eventlog_replay_rtmrs(&log, &b, NULL), ATTEST_OK);
    CU_ASSERT(holds(&b, 3, 0, 9));
}

static const struct cu_test tests[] = {
    CU(no_action_never_extends),
    CU(the_sha1_form_is_replayed_too),
    CU(the_startup_locality_seeds_pcr_0),
    CU(registers_begin_at_their_reset_values),
    CU(a_dynamic_launch_begins_at_zero),
    CU(padding_ends_a_log),
    CU(the_picture_of_a_huge_log_is_bounded),
    CU(malformed_records_are_named),
    CU(a_register_that_does_not_exist_is_refused),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("attest_eventlog", tests, argc, argv);
}
