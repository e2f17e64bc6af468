/*
 * Nothing that a quote's signatures cover can be changed unnoticed, and no shortened or lengthened
 * quote is read past its end.
 */
#include "attest_file.h"
#include "attest_tdx.h"
#include "attest_tdxpki.h"
#include "cu.h"

#include <attest/reader.h>
#include <attest/tdx_collateral.h>

#include <stdlib.h>
#include <string.h>

struct subject {
    uint8_t *quote;
    size_t len;
    size_t covered; /* everything before this offset is signed, bound, or certified */
    struct tdxpki *world;
    struct attest_collateral *real; /* in place of world */
    struct attest_policy *policy;
    int64_t at;
};

static enum attest_status judge(const struct subject *s, const uint8_t *quote, size_t len)
{
    struct attest_verdict *v = attest_verdict_new();
    const struct attest_collateral *c = s->real != NULL ? s->real : tdxpki_collateral(s->world);
    enum attest_status st = attest_verify(
        quote, len, &(struct attest_input){.collateral = c, .policy = s->policy, .at = s->at}, v);

    CU_ASSERT_EQUAL(attest_verdict_trusted(v), st == ATTEST_OK);
    attest_verdict_free(v);
    return st;
}

static void make_policy(struct subject *s, const char *top)
{
    char *text = tdx_policy_text(s->quote, s->len, "", top);

    CU_ASSERT_EQUAL_FATAL(attest_policy_parse(text, strlen(text), &s->policy, NULL), ATTEST_OK);
    free(text);
}

static struct subject minted(const struct tdxpki_quote *k)
{
    struct subject s = {.at = tdx_time(TDXPKI_NOW)};

    s.world = tdxpki_new(&(struct tdxpki_knobs){0});
    s.quote = tdxpki_quote(s.world, k, &s.len);
    s.covered = s.len;
    make_policy(&s, tdxpki_top(s.world));
    CU_ASSERT_EQUAL_FATAL(judge(&s, s.quote, s.len), ATTEST_OK);
    return s;
}

static struct subject real(void)
{
    struct subject s = {.at = tdx_time("2025-06-25")};
    struct tdx_quote q;

    s.quote = vector_read("tdx/phala-uptodate/quote.bin", &s.len);
    CU_ASSERT_PTR_NOT_NULL_FATAL(s.quote);
    CU_ASSERT_EQUAL_FATAL(tdx_quote_parse(s.quote, s.len, &q, NULL), ATTEST_OK);
    s.covered = (size_t)(q.cert - s.quote);
    s.real = attest_collateral_new();
    CU_ASSERT_EQUAL(vector_add(s.real, "tdx/phala-uptodate/collateral.json"), 0);
    attest_collateral_seal(s.real);
    make_policy(&s, "");
    CU_ASSERT_EQUAL_FATAL(judge(&s, s.quote, s.len), ATTEST_OK);
    return s;
}

static void release(struct subject *s)
{
    free(s->quote);
    attest_policy_free(s->policy);
    attest_collateral_free(s->real);
    if (s->world != NULL) {
        tdxpki_free(s->world);
    }
}

/* Every byte up to the certificates, with one bit, and with all bits, flipped. */
static void flip_every_byte(const struct subject *s)
{
    static const uint8_t masks[] = {0x01, 0x80, 0xFF};
    size_t trusted = 0;

    for (size_t i = 0; i < s->covered; i++) {
        for (size_t m = 0; m < sizeof(masks); m++) {
            s->quote[i] ^= masks[m];
            if (judge(s, s->quote, s->len) == ATTEST_OK) {
                fprintf(stderr, "byte %zu flipped by %02x is trusted\n", i, masks[m]);
                trusted++;
            }
            s->quote[i] ^= masks[m];
        }
    }
    CU_ASSERT_EQUAL(trusted, 0);
}

static size_t certificates_at(const struct subject *s)
{
    struct tdx_quote q;

    CU_ASSERT_EQUAL_FATAL(tdx_quote_parse(s->quote, s->len, &q, NULL), ATTEST_OK);
    return (size_t)(q.cert - s->quote);
}

static void no_flipped_byte_of_a_minted_quote_is_trusted(void)
{
    static const struct tdxpki_quote kinds[] = {{0}, {.body = TDX_BODY_TD15}, {.version = 5}};

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct subject s = minted(&kinds[i]);

        s.covered = certificates_at(&s);
        flip_every_byte(&s);
        release(&s);
    }
}

static void no_flipped_byte_of_a_real_quote_is_trusted(void)
{
    struct subject s;

    if (cu_vectors() == NULL) {
        cu_skip(1, "no vectors: no real quote to tamper with");
        return;
    }
    s = real();
    flip_every_byte(&s);
    release(&s);
}

/*
 * In the PEM text a byte may change without a meaning (a line's end, the root that the collateral
 * has as well): but then the chain is the same chain.
 */
static void a_flipped_certificate_is_never_another_certificate(void)
{
    struct subject s = minted(&(struct tdxpki_quote){.cert_type = TDX_CERT_PCK});
    size_t from = certificates_at(&s);

    for (size_t i = from; i < s.len; i++) {
        struct tdx_quote q;
        struct tdx_pck pck;

        s.quote[i] ^= 0x04;
        if (judge(&s, s.quote, s.len) == ATTEST_OK) {
            CU_ASSERT_EQUAL_FATAL(tdx_quote_parse(s.quote, s.len, &q, NULL), ATTEST_OK);
            CU_ASSERT_EQUAL(tdx_pck_find(&q, tdxpki_collateral(s.world), &pck, NULL), ATTEST_OK);
            /* The collateral holds the minted leaf as its fourth certificate. */
            CU_ASSERT(
                memcmp(attest_cert_sha256(pck.leaf),
                       attest_cert_sha256(attest_collateral_cert(tdxpki_collateral(s.world), 3)),
                       32) == 0);
            tdx_pck_release(&pck);
        }
        s.quote[i] ^= 0x04;
    }
    release(&s);
}

/* Exact-size copies, so that the sanitizer sees any read past the end. */
static void a_quote_cut_anywhere_is_refused(void)
{
    struct subject s = minted(&(struct tdxpki_quote){.body = TDX_BODY_TD15});

    for (size_t len = 0; len < s.len; len++) {
        uint8_t *cut = malloc(len == 0 ? 1 : len);
        enum attest_status st;

        memcpy(cut, s.quote, len);
        st = judge(&s, cut, len);
        CU_ASSERT(st == ATTEST_TRUNCATED || (len < 28 && st == ATTEST_UNRECOGNISED));
        free(cut);
    }
    release(&s);
}

struct lie {
    size_t at;
    uint8_t value;
    enum attest_status st;
    const char *field;
};

static void header_fields_with_impossible_values_are_named(void)
{
    static const struct lie lies[] = {
        {0, 6, ATTEST_UNSUPPORTED, "version"},
        {0, 2, ATTEST_UNSUPPORTED, "version"},
        {2, 3, ATTEST_UNSUPPORTED, "attestation key type"},
        {4, 0x80, ATTEST_UNSUPPORTED, "TEE type"},
        {12, 0, ATTEST_UNSUPPORTED, "QE vendor id"},
        {48, 9, ATTEST_UNSUPPORTED, "body type"},
        {48, 1, ATTEST_MALFORMED, "body type"},
        {50, 1, ATTEST_MALFORMED, "body size"},
        {54 + TD15_SIZE + 4 + 128, 7, ATTEST_UNSUPPORTED, "outer certification data type"},
        {54 + TD15_SIZE + 4 + 128 + 6 + 384 + 64 + 2 + 32, 9, ATTEST_UNSUPPORTED,
         "certification data type"},
        {54 + TD15_SIZE, 1, ATTEST_TRUNCATED, "QE report certification data"},
    };
    struct subject s = minted(&(struct tdxpki_quote){.body = TDX_BODY_TD15});

    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        struct attest_error err = {0};
        struct tdx_quote q;
        uint8_t old = s.quote[lies[i].at];

        s.quote[lies[i].at] = lies[i].value;
        CU_ASSERT_EQUAL(tdx_quote_parse(s.quote, s.len, &q, &err), lies[i].st);
        CU_ASSERT_STRING_EQUAL(err.field, lies[i].field);
        s.quote[lies[i].at] = old;
    }
    release(&s);
}

/* Lengths within lengths must agree to the byte. */
static void lengths_that_leave_bytes_over_are_refused_by_name(void)
{
    enum { OUTER = 54 + TD15_SIZE + 4 + 128 + 2, INNER = OUTER + 4 + 384 + 64 + 2 + 32 + 2 };
    static const struct {
        size_t at;
        const char *field;
    } rows[] = {{INNER, "certification data"}, {OUTER, "signature data"}};
    struct subject s = minted(&(struct tdxpki_quote){.body = TDX_BODY_TD15});

    for (size_t i = 0; i < 2; i++) {
        struct attest_error err = {0};
        struct tdx_quote q;
        uint32_t len = ld32le(s.quote + rows[i].at);

        st32le(s.quote + rows[i].at, len - 1);
        CU_ASSERT_EQUAL(tdx_quote_parse(s.quote, s.len, &q, &err), ATTEST_TRAILING);
        CU_ASSERT_STRING_EQUAL(err.field, rows[i].field);
        st32le(s.quote + rows[i].at, len + 1);
        CU_ASSERT_EQUAL(tdx_quote_parse(s.quote, s.len, &q, &err), ATTEST_TRUNCATED);
        st32le(s.quote + rows[i].at, len);
    }
    release(&s);
}

/* ---- signed JSON ---- */

static void the_signature_covers_the_exact_bytes_of_the_object(void)
{
    static const char text[] = " {\"a\" : {\"x\":\"}\\\"\",\"tcbInfo\":[1,{}]}, \"tcbInfo\" :\t{ "
                               "\"y\": \"],{\" } ,\"z\":1}";
    const char *value;
    size_t len;

    CU_ASSERT_TRUE_FATAL(tj_extent(text, strlen(text), "tcbInfo", &value, &len));
    CU_ASSERT_EQUAL(len, strlen("{ \"y\": \"],{\" }"));
    CU_ASSERT_NSTRING_EQUAL(value, "{ \"y\": \"],{\" }", len);
    CU_ASSERT_TRUE_FATAL(tj_extent(text, strlen(text), "z", &value, &len));
    CU_ASSERT(len == 1 && *value == '1');
    CU_ASSERT_FALSE(tj_extent(text, strlen(text), "x", &value, &len));
    CU_ASSERT_FALSE(tj_extent("{}", 2, "a", &value, &len));
    CU_ASSERT_FALSE(tj_extent("", 0, "a", &value, &len));
    CU_ASSERT_FALSE(tj_extent("{\"a", 3, "a", &value, &len));
}

static void signed_json_with_wrong_members_is_refused_by_name(void)
{
    static const struct {
        const char *text;
        const char *field;
    } rows[] = {
        {"{\"tcbInfo\":{},\"signature\":\"00\"}", "signature"},
        {"{\"tcbInfo\":{\"id\":\"TDX\",\"id\":\"TDX\"}}", "JSON"},
        {"{\"tcbInfo\":[]", "JSON"},
        {"{\"enclaveIdentity\":1}", "signature"},
        {"{\"tcb_info_signature\":1}", "pck_crl_issuer_chain"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct attest_collateral *c = attest_collateral_new();
        struct attest_error err = {0};

        CU_ASSERT_EQUAL(attest_collateral_add(c, "file", (const uint8_t *)rows[i].text,
                                              strlen(rows[i].text), &err),
                        ATTEST_MALFORMED);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.field, rows[i].field));
        attest_collateral_free(c);
    }
}

static const struct cu_test tests[] = {
    CU(no_flipped_byte_of_a_minted_quote_is_trusted),
    CU(no_flipped_byte_of_a_real_quote_is_trusted),
    CU(a_flipped_certificate_is_never_another_certificate),
    CU(a_quote_cut_anywhere_is_refused),
    CU(header_fields_with_impossible_values_are_named),
    CU(lengths_that_leave_bytes_over_are_refused_by_name),
    CU(the_signature_covers_the_exact_bytes_of_the_object),
    CU(signed_json_with_wrong_members_is_refused_by_name),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("attest_tdx_tamper", tests, argc, argv);
}
