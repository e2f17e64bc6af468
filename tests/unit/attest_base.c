/*
 * The base that all kinds stand on: cursor, hex, base64, times, errors, statuses, collateral.
 */
#include "attest_snppki.h"
#include "cu.h"

#include <attest/evidence.h>
#include <attest/hash.h>
#include <attest/hex.h>
#include <attest/reader.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void a_read_that_does_not_fit_takes_nothing(void)
{
    const uint8_t bytes[7] = {1, 2, 3, 4, 5, 6, 7};
    struct reader r = rd_make(bytes, sizeof(bytes));
    struct reader sub;
    uint64_t v64;
    uint32_t v32;
    uint16_t v16;
    uint8_t v8;

    CU_ASSERT_FALSE(rd_u64le(&r, &v64));
    CU_ASSERT_FALSE(rd_skip(&r, 8));
    CU_ASSERT_FALSE(rd_sub(&r, SIZE_MAX, &sub));
    CU_ASSERT_EQUAL(r.left, 7);
    CU_ASSERT(rd_u32le(&r, &v32) && v32 == 0x04030201);
    CU_ASSERT_FALSE(rd_u32be(&r, &v32));
    CU_ASSERT(rd_u16be(&r, &v16) && v16 == 0x0506);
    CU_ASSERT(rd_u8(&r, &v8) && v8 == 7);
    CU_ASSERT_FALSE(rd_u8(&r, &v8));
    CU_ASSERT_EQUAL(r.left, 0);
}

static void an_empty_input_may_be_a_null_pointer(void)
{
    struct reader r = rd_make(NULL, 0);
    const uint8_t *p;
    uint8_t v;

    CU_ASSERT(rd_bytes(&r, 0, &p) && rd_skip(&r, 0) && rd_copy(&r, &v, 0));
    CU_ASSERT_FALSE(rd_u8(&r, &v));
    CU_ASSERT_PTR_NULL(attest_kind_detect(NULL, 0));
}

static void a_sub_cursor_cannot_leave_its_part(void)
{
    const uint8_t bytes[8] = {0, 0, 0, 1, 0, 0, 0, 2};
    struct reader r = rd_make(bytes, sizeof(bytes));
    struct reader sub;
    uint32_t v;

    CU_ASSERT(rd_sub(&r, 4, &sub));
    CU_ASSERT(rd_u32be(&sub, &v) && v == 1);
    CU_ASSERT_FALSE(rd_u32be(&sub, &v));
    CU_ASSERT(rd_u32be(&r, &v) && v == 2);
}

static void stores_and_loads_agree(void)
{
    uint8_t b[8];

    st64le(b, 0x0123456789abcdef);
    CU_ASSERT_EQUAL(ld64le(b), 0x0123456789abcdef);
    CU_ASSERT_EQUAL(ld32le(b), 0x89abcdef);
    CU_ASSERT_EQUAL(ld16le(b), 0xcdef);
    st16le(b, 0);
    CU_ASSERT(bytes_are_zero(b, 2));
    CU_ASSERT_FALSE(bytes_are_zero(b, 3));
    CU_ASSERT(bytes_are_zero(b, 0));
}

static void hex_takes_digits_and_nothing_else(void)
{
    uint8_t b[4];
    char text[9];
    size_t len;

    CU_ASSERT(hex_decode_exact("00fFa5C3", b, 4));
    CU_ASSERT_STRING_EQUAL(hex_encode(b, 4, text), "00ffa5c3");
    CU_ASSERT_FALSE(hex_decode_exact("00ffa5", b, 4));
    CU_ASSERT_FALSE(hex_decode("0", b, 4, &len));
    CU_ASSERT_FALSE(hex_decode("0x", b, 4, &len));
    CU_ASSERT_FALSE(hex_decode("0g", b, 4, &len));
    CU_ASSERT_FALSE(hex_decode("0011223344", b, 4, &len));
    CU_ASSERT(hex_decode("", b, 4, &len) && len == 0);
}

static void base64_agrees_with_rfc_4648(void)
{
    static const char *const pairs[][2] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
    };
    uint8_t out[8];
    char text[16];
    size_t len;

    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        size_t n = strlen(pairs[i][0]);

        base64_encode((const uint8_t *)pairs[i][0], n, false, text);
        CU_ASSERT_STRING_EQUAL(text, pairs[i][1]);
        CU_ASSERT(base64_decode(text, strlen(text), false, out, sizeof(out), &len));
        CU_ASSERT(len == n && memcmp(out, pairs[i][0], n) == 0);
        base64_encode((const uint8_t *)pairs[i][0], n, true, text);
        CU_ASSERT(base64_decode(text, strlen(text), true, out, sizeof(out), &len) && len == n);
    }
}

static void base64_refuses_what_is_not_canonical(void)
{
    static const char *const bad[] = {
        "Zg=", "Zg", "Zh==", "Zm9=", "Z", "Zm9v=", "Zm9v====", "Zm 9v", "Zm9-", "=", "Zg==Zg=="};
    uint8_t out[16];
    size_t len;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CU_ASSERT_FALSE(base64_decode(bad[i], strlen(bad[i]), false, out, sizeof(out), &len));
    }
    CU_ASSERT_FALSE(base64_decode("Zm9v", 4, false, out, 2, &len));
    CU_ASSERT_FALSE(base64_decode("Zg==", 4, true, out, sizeof(out), &len));
    CU_ASSERT_FALSE(base64_decode("Zm+v", 4, true, out, sizeof(out), &len));
}

static void times_are_strict_and_come_back_as_they_were(void)
{
    static const char *const bad[] = {"",
                                      "2026",
                                      "2026-02-29",
                                      "2026-13-01",
                                      "2026-1-01",
                                      "2026-01-32",
                                      "2026-01-01T00:00:00",
                                      "2026-01-01 00:00:00Z",
                                      "2026-01-01T24:00:00Z",
                                      "+026-01-01",
                                      "2026-01-01T00:00:60Z"};
    char text[24];
    int64_t t;

    CU_ASSERT(attest_time_parse("1970-01-01", &t) && t == 0);
    CU_ASSERT(attest_time_parse("2026-06-15T00:00:00Z", &t) && t == SNPPKI_NOW);
    CU_ASSERT_STRING_EQUAL(attest_time_text(t, text), "2026-06-15T00:00:00Z");
    CU_ASSERT(attest_time_parse("2024-02-29T23:59:59Z", &t));
    CU_ASSERT_STRING_EQUAL(attest_time_text(t, text), "2024-02-29T23:59:59Z");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CU_ASSERT_FALSE(attest_time_parse(bad[i], &t));
    }
    CU_ASSERT_STRING_EQUAL(attest_time_text(INT64_MAX, text), "(out of range)");
}

static void an_error_never_carries_control_characters(void)
{
    struct attest_error err;
    char text[512];

    CU_ASSERT_EQUAL(attest_fail(&err, ATTEST_MALFORMED, "x\033[2J", "y\n", "\177", "%s", "a\tb"),
                    ATTEST_MALFORMED);
    attest_error_text(&err, text, sizeof(text));
    for (const char *c = text; *c != '\0'; c++) {
        CU_ASSERT(*c >= 0x20 && *c < 0x7f);
    }
    CU_ASSERT_EQUAL(attest_fail(NULL, ATTEST_TCB, "x", "y", NULL, NULL), ATTEST_TCB);
}

static void long_byte_strings_are_shortened_in_errors(void)
{
    uint8_t p[100] = {0};
    struct attest_error err;

    CU_ASSERT_EQUAL(attest_fail_bytes(&err, ATTEST_BINDING, "o", "f", p, 64, p, 100),
                    ATTEST_BINDING);
    CU_ASSERT_EQUAL(strlen(err.expected), 128);
    CU_ASSERT_STRING_EQUAL(err.found + 120, "...");
}

static void every_status_has_a_class_that_is_an_exit_code(void)
{
    for (enum attest_status st = 0; st < ATTEST_STATUS_COUNT; st++) {
        CU_ASSERT(attest_status_class(st) >= (st == ATTEST_OK ? 0 : 1));
        CU_ASSERT(attest_status_class(st) <= 2);
        CU_ASSERT(strlen(attest_status_text(st)) > 3);
    }
    CU_ASSERT_EQUAL(attest_status_class(ATTEST_STATUS_COUNT), 2);
}

static void a_refusal_without_a_status_is_a_refusal_all_the_same(void)
{
    struct attest_verdict *v = attest_verdict_new();

    attest_refuse(v, &(struct attest_error){.status = ATTEST_OK});
    CU_ASSERT_EQUAL_FATAL(attest_verdict_refusals(v), 1);
    CU_ASSERT_EQUAL(attest_verdict_refusal(v, 0)->status, ATTEST_INTERNAL);
    attest_verdict_free(v);
}

static void every_kind_is_complete_and_named_once(void)
{
    for (size_t i = 0; attest_kind(i) != NULL; i++) {
        const struct attest_evidence_ops *k = attest_kind(i);

        CU_ASSERT(k->kind != NULL && k->title != NULL && k->detect != NULL && k->parse != NULL &&
                  k->free != NULL && k->verify != NULL && k->appraise != NULL &&
                  k->claims != NULL && (k->policy == NULL || k->policy->members != NULL));
        CU_ASSERT_PTR_EQUAL(attest_kind_named(k->kind), k);
        CU_ASSERT_FALSE(k->detect((const uint8_t *)"", 0));
    }
    CU_ASSERT_PTR_NULL(attest_kind_named("no such kind"));
}

static void collateral_refuses_what_it_does_not_know_and_anything_once_sealed(void)
{
    static const char pem[] = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    struct attest_collateral *c = attest_collateral_new();
    struct attest_error err;

    CU_ASSERT_EQUAL(attest_collateral_add(c, "x", (const uint8_t *)"hello", 5, &err),
                    ATTEST_UNRECOGNISED);
    CU_ASSERT_STRING_EQUAL(err.object, "x");
    CU_ASSERT_EQUAL(attest_collateral_add(c, "k", (const uint8_t *)pem, strlen(pem), &err),
                    ATTEST_UNSUPPORTED);
    CU_ASSERT_EQUAL(attest_collateral_add(c, "d", (const uint8_t *)"\x30\x82\x00\x01\x00", 5, &err),
                    ATTEST_MALFORMED);
    attest_collateral_seal(c);
    CU_ASSERT_EQUAL(attest_collateral_add(c, "x", (const uint8_t *)"hello", 5, &err),
                    ATTEST_INTERNAL);
    attest_collateral_free(c);
}

/* Folders of collateral hold programs and bundles, too: what they have for PEM are strings. */
static void only_a_line_of_text_begins_a_pem_block(void)
{
    static const char at_all[] = "-----BEGIN CERTIFICATE-----\n", words[] = "see -----BEGIN X-----";
    static const char program[] = "\177ELF\0\n-----BEGIN CERTIFICATE-----\n";
    static const char later[] = "Bag Attributes\r\n-----BEGIN CERTIFICATE-----\n";
    struct attest_collateral *c = attest_collateral_new();

#define ADD(text) attest_collateral_add(c, "x", (const uint8_t *)(text), sizeof(text) - 1, NULL)
    CU_ASSERT_EQUAL(ADD(words), ATTEST_UNRECOGNISED);
    CU_ASSERT_EQUAL(ADD(program), ATTEST_UNRECOGNISED);
    CU_ASSERT_EQUAL(ADD(at_all), ATTEST_MALFORMED); /* cut off: nobody should miss that CRL */
    CU_ASSERT_EQUAL(ADD(later), ATTEST_MALFORMED);
    CU_ASSERT_EQUAL(ADD("-----BEGIN"), ATTEST_UNRECOGNISED);
    CU_ASSERT_EQUAL(ADD(""), ATTEST_UNRECOGNISED);
#undef ADD
    attest_collateral_free(c);
}

/* What threads share in the next test. */
struct shared {
    struct snppki *pki;
    struct attest_policy *policy;
    uint8_t report[SNP_REPORT_SIZE];
};

static void *verify_many(void *arg)
{
    struct shared *s = arg;
    struct attest_verdict *v = attest_verdict_new();
    uintptr_t good = 0;

    for (int i = 0; i < 40; i++) {
        attest_verdict_reset(v);
        good += attest_verify(s->report, sizeof(s->report),
                              &(struct attest_input){.collateral = snppki_collateral(s->pki),
                                                     .policy = s->policy,
                                                     .at = SNPPKI_NOW},
                              v) == ATTEST_OK;
    }
    attest_verdict_free(v);
    return (void *)good;
}

static void threads_share_policy_and_collateral(void)
{
    struct shared s = {.pki = snppki_new(&(struct snppki_knobs){.with_crl = true})};
    pthread_t tid[4];

    snppki_report(s.pki, 5, s.report);
    s.policy = snppki_policy(s.pki, false, "", "");
    for (size_t i = 0; i < 4; i++) {
        CU_ASSERT_EQUAL_FATAL(pthread_create(&tid[i], NULL, verify_many, &s), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        void *good;

        pthread_join(tid[i], &good);
        CU_ASSERT_EQUAL((uintptr_t)good, 40);
    }
    attest_policy_free(s.policy);
    snppki_free(s.pki);
}

static void a_certificate_is_parsed_once_and_then_shared(void)
{
    struct snppki *pki = snppki_new(&(struct snppki_knobs){0});
    const struct attest_collateral *c = snppki_collateral(pki);
    struct attest_cert *a;
    struct attest_cert *b;
    uint8_t *der = NULL;
    int len = i2d_X509(attest_cert_x509(snppki_vek(pki)), &der);

    CU_ASSERT_EQUAL(attest_collateral_intern(c, der, (size_t)len, &a, NULL), ATTEST_OK);
    CU_ASSERT_EQUAL(attest_collateral_intern(c, der, (size_t)len, &b, NULL), ATTEST_OK);
    CU_ASSERT_PTR_EQUAL(a, b);
    attest_cert_free(a);
    attest_cert_free(b);
    CU_ASSERT_EQUAL(attest_collateral_intern(c, der, (size_t)len - 1, &a, NULL), ATTEST_MALFORMED);
    OPENSSL_free(der);
    snppki_free(pki);
}

static const struct cu_test tests[] = {
    CU(a_read_that_does_not_fit_takes_nothing),
    CU(an_empty_input_may_be_a_null_pointer),
    CU(a_sub_cursor_cannot_leave_its_part),
    CU(stores_and_loads_agree),
    CU(hex_takes_digits_and_nothing_else),
    CU(base64_agrees_with_rfc_4648),
    CU(base64_refuses_what_is_not_canonical),
    CU(times_are_strict_and_come_back_as_they_were),
    CU(an_error_never_carries_control_characters),
    CU(long_byte_strings_are_shortened_in_errors),
    CU(every_status_has_a_class_that_is_an_exit_code),
    CU(a_refusal_without_a_status_is_a_refusal_all_the_same),
    CU(every_kind_is_complete_and_named_once),
    CU(collateral_refuses_what_it_does_not_know_and_anything_once_sealed),
    CU(only_a_line_of_text_begins_a_pem_block),
    CU(threads_share_policy_and_collateral),
    CU(a_certificate_is_parsed_once_and_then_shared),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("attest_base", tests, argc, argv);
}
