/*
 * Why an attestation key is believed: AK certificates, pins and roots in the policy; and messages
 * that a TPM would never sign. Everything is minted here.
 */
#include "attest_tdx.h"
#include "cu.h"

#include <attest/eventlog.h>
#include <attest/hex.h>
#include <attest/reader.h>
#include <attest/tpm.h>

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#define NOW "2026-06-15"

struct world {
    EVP_PKEY *root_key, *ak, *other;
    X509 *root, *leaf;
    char root_spki[65], ak_spki[65];
    uint8_t message[256];
    size_t message_len;
    const uint8_t *log; /* given beside the evidence; NULL: none */
    size_t log_len;
    size_t nonce_len; /* of what is asked for: "nonce", or less of it */
};

/* ---- minting ---- */

static X509 *certificate(const char *name, EVP_PKEY *key, X509 *issuer, EVP_PKEY *signer, bool ca,
                         const char *until)
{
    X509 *x = X509_new();
    X509_NAME *n = X509_get_subject_name(x);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints,
                                            ca ? "critical,CA:TRUE" : "critical,CA:FALSE");

    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), ca ? 1 : 2);
    X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_ASC, (const uint8_t *)name, -1, -1, 0);
    X509_set_issuer_name(x, issuer == NULL ? n : X509_get_subject_name(issuer));
    X509_set_pubkey(x, key);
    ASN1_TIME_set(X509_getm_notBefore(x), (time_t)tdx_time("2026-01-01"));
    ASN1_TIME_set(X509_getm_notAfter(x), (time_t)tdx_time(until));
    X509_add_ext(x, e, -1);
    X509_EXTENSION_free(e);
    X509_sign(x, signer, EVP_sha256());
    return x;
}

static void spki_of(EVP_PKEY *key, char hex[65])
{
    uint8_t h[32];

    CU_ASSERT_TRUE_FATAL(tpm_key_sha256(key, h));
    hex_encode(h, 32, hex);
}

/* PCRs 0 and 7 of the SHA-256 bank, both zero; extraData "nonce". */
static size_t make_message(uint8_t *p)
{
    static const uint8_t head[] = {0xFF, 'T', 'C', 'G', 0x80, 0x18, 0,   2,  'A',
                                   'K',  0,   5,   'n', 'o',  'n',  'c', 'e'};
    static const uint8_t zeros[64];
    uint8_t *at = p;

    memcpy(at, head, sizeof(head));
    at += sizeof(head);
    memset(at, 0, 17 + 8); /* clockInfo and firmwareVersion */
    at[16] = 1;            /* safe */
    at += 17 + 8;
    memcpy(at, "\0\0\0\1\0\x0b\3\x81\0\0\0\x20", 12);
    at += 12;
    CU_ASSERT_TRUE_FATAL(attest_hash1(ATTEST_SHA256, zeros, 64, at));
    return (size_t)(at + 32 - p);
}

static struct world make_world(const char *leaf_until)
{
    struct world w = {
        .root_key = EVP_EC_gen("P-256"), .ak = EVP_EC_gen("P-256"), .other = EVP_EC_gen("P-256")};

    w.root = certificate("Test EK/AK Root", w.root_key, NULL, w.root_key, true, "2036-01-01");
    w.leaf = certificate("Test AK", w.ak, w.root, w.root_key, false, leaf_until);
    spki_of(w.root_key, w.root_spki);
    spki_of(w.ak, w.ak_spki);
    w.message_len = make_message(w.message);
    w.nonce_len = 5;
    return w;
}

static void free_world(struct world *w)
{
    EVP_PKEY_free(w->root_key);
    EVP_PKEY_free(w->ak);
    EVP_PKEY_free(w->other);
    X509_free(w->root);
    X509_free(w->leaf);
}

static json_t *hex_json(const uint8_t *p, size_t len)
{
    char hex[2 * 1024 + 1];

    return json_string(hex_encode(p, len, hex));
}

/* A TPMT_SIGNATURE: ECDSA, SHA-256, R and S with their sizes. */
static json_t *sign(const struct world *w, EVP_PKEY *key)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    uint8_t der[80], out[72] = {0, TPM_ID_ECDSA, 0, TPM_ID_SHA256, 0, 32};
    const uint8_t *at = der;
    size_t n = sizeof(der);
    ECDSA_SIG *s;

    EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key);
    CU_ASSERT_EQUAL_FATAL(EVP_DigestSign(ctx, der, &n, w->message, w->message_len), 1);
    s = d2i_ECDSA_SIG(NULL, &at, (long)n);
    BN_bn2binpad(ECDSA_SIG_get0_r(s), out + 6, 32);
    out[39] = 32;
    BN_bn2binpad(ECDSA_SIG_get0_s(s), out + 40, 32);
    ECDSA_SIG_free(s);
    EVP_MD_CTX_free(ctx);
    return hex_json(out, sizeof(out));
}

static json_t *pem_of(X509 *x)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text;
    long n;
    json_t *j;

    PEM_write_bio_X509(bio, x);
    n = BIO_get_mem_data(bio, &text);
    j = json_stringn(text, (size_t)n);
    BIO_free(bio);
    return j;
}

static json_t *evidence(const struct world *w, EVP_PKEY *signer)
{
    return json_pack("{s:{s:o, s:o, s:{s:{s:o, s:o}}}, s:o}", "tpm_quote", "message",
                     hex_json(w->message, w->message_len), "signature", sign(w, signer), "pcrs",
                     "sha256", "0", json_sprintf("%064d", 0), "7", json_sprintf("%064d", 0),
                     "ak_certificates", pem_of(w->leaf));
}

static json_t *spki_json(EVP_PKEY *key)
{
    uint8_t *der = NULL;
    int n = i2d_PUBKEY(key, &der);
    json_t *j = hex_json(der, (size_t)n);

    OPENSSL_free(der);
    return j;
}

static struct attest_verdict *judge(const struct world *w, const json_t *j, const char *members,
                                    bool with_root)
{
    struct attest_collateral *c = attest_collateral_new();
    struct attest_policy *policy = NULL;
    struct attest_verdict *v = attest_verdict_new();
    char *text = json_dumps(j, JSON_COMPACT), policy_text[1024];
    uint8_t *der = NULL;
    int n = i2d_X509(w->root, &der);

    if (with_root) {
        CU_ASSERT_EQUAL(attest_collateral_add(c, "root", der, (size_t)n, NULL), ATTEST_OK);
    }
    OPENSSL_free(der);
    attest_collateral_seal(c);
    snprintf(policy_text, sizeof(policy_text),
             "{\"version\":1,\"tpm\":{\"pcrs\":{\"sha256\":{\"7\":\"%064d\"}}%s}}", 0, members);
    CU_ASSERT_EQUAL_FATAL(attest_policy_parse(policy_text, strlen(policy_text), &policy, NULL),
                          ATTEST_OK);
    attest_verify((const uint8_t *)text, strlen(text),
                  &(struct attest_input){.collateral = c,
                                         .policy = policy,
                                         .at = tdx_time(NOW),
                                         .nonce = (const uint8_t *)"nonce",
                                         .nonce_len = w->nonce_len,
                                         .event_log = w->log,
                                         .event_log_len = w->log_len},
                  v);
    attest_policy_free(policy);
    attest_collateral_free(c);
    free(text);
    return v;
}

/* ---- tests ---- */

static void an_ak_certificate_below_a_named_root_is_believed(void)
{
    struct world w = make_world("2036-01-01");
    json_t *j = evidence(&w, w.ak);
    char members[128];
    struct attest_verdict *v;

    snprintf(members, sizeof(members), ",\"roots\":\"%s\"", w.root_spki);
    v = judge(&w, j, members, true);
    CU_ASSERT(attest_verdict_root(v) != NULL && !attest_verdict_root(v)->emulated);
    tdx_expect(v, ATTEST_OK, NULL, NULL);
    tdx_expect(judge(&w, j, "", true), ATTEST_ROOT_UNTRUSTED, NULL, NULL);
    tdx_expect(judge(&w, j, members, false), ATTEST_COLLATERAL_MISSING, "issuer", NULL);
    /* A pin of the AK does not stand in for the chain that the evidence brings. */
    snprintf(members, sizeof(members), ",\"ak\":\"%s\"", w.ak_spki);
    tdx_expect(judge(&w, j, members, true), ATTEST_ROOT_UNTRUSTED, NULL, NULL);
    json_decref(j);
    free_world(&w);
}

static void an_expired_ak_certificate_is_refused(void)
{
    struct world w = make_world("2026-03-01");
    json_t *j = evidence(&w, w.ak);
    char members[128];

    snprintf(members, sizeof(members), ",\"roots\":\"%s\"", w.root_spki);
    tdx_expect(judge(&w, j, members, true), ATTEST_EXPIRED, NULL, NULL);
    json_decref(j);
    free_world(&w);
}

static void a_signature_by_another_key_is_refused(void)
{
    struct world w = make_world("2036-01-01");
    json_t *j = evidence(&w, w.other);
    char members[128];

    snprintf(members, sizeof(members), ",\"roots\":\"%s\"", w.root_spki);
    tdx_expect(judge(&w, j, members, true), ATTEST_SIGNATURE, "signature", NULL);
    json_decref(j);
    j = evidence(&w, w.ak);
    json_object_set_new(j, "ak_public", spki_json(w.other));
    tdx_expect(judge(&w, j, members, true), ATTEST_BINDING, "ak_public", NULL);
    json_decref(j);
    free_world(&w);
}

/* Any old quote without extraData would answer it. */
static void an_empty_nonce_is_never_the_one_asked_for(void)
{
    struct world w = make_world("2036-01-01");
    char members[128];
    json_t *j;

    snprintf(members, sizeof(members), ",\"roots\":\"%s\"", w.root_spki);
    w.message[11] = 0;
    w.message_len -= 5;
    memmove(w.message + 12, w.message + 17, w.message_len - 12);
    w.nonce_len = 0;
    j = evidence(&w, w.ak);
    tdx_expect(judge(&w, j, members, true), ATTEST_NONCE, "extraData", NULL);
    json_decref(j);
    free_world(&w);
}

/* A log with SHA-256 digests: of no event; or with one that extends PCR 7. */
static size_t make_log(uint8_t *p, bool extends)
{
    static const uint8_t head[] = {0, 0, 0, 0, 3, 0, 0, 0};
    static const uint8_t event[] = {7, 0, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0, TPM_ID_SHA256, 0};
    const size_t start = 8 + 20 + 4, end = start + 33;

    memset(p, 0, end + 54);
    memcpy(p, head, sizeof(head));
    p[28] = 33;
    memcpy(p + start, "Spec ID Event03", 16);
    p[start + 24] = 1;
    p[start + 28] = TPM_ID_SHA256;
    p[start + 30] = 32;
    memcpy(p + end, event, sizeof(event));
    p[end + sizeof(event) + 32] = 4;
    return extends ? end + sizeof(event) + 32 + 4 + 4 : end;
}

/* It is told among the claims: with a good one beside it, it was not looked at. */
static void the_evidences_own_log_is_checked_beside_another(void)
{
    struct world w = make_world("2036-01-01");
    json_t *j = evidence(&w, w.ak);
    uint8_t good[256], forged[256];
    char members[128];

    snprintf(members, sizeof(members), ",\"roots\":\"%s\"", w.root_spki);
    w.log = good;
    w.log_len = make_log(good, false);
    tdx_expect(judge(&w, j, members, true), ATTEST_OK, NULL, NULL);
    json_object_set_new(j, "event_log", hex_json(good, w.log_len));
    tdx_expect(judge(&w, j, members, true), ATTEST_OK, NULL, NULL);
    json_object_set_new(j, "event_log", hex_json(forged, make_log(forged, true)));
    tdx_expect(judge(&w, j, members, true), ATTEST_REPLAY, "PCR 7", NULL);
    json_decref(j);
    free_world(&w);
}

static void a_key_without_certificate_needs_a_pin(void)
{
    struct world w = make_world("2036-01-01");
    json_t *j = evidence(&w, w.ak);
    char members[128];

    json_object_del(j, "ak_certificates");
    tdx_expect(judge(&w, j, "", true), ATTEST_MALFORMED, "ak_public", NULL);
    json_object_set_new(j, "ak_public", spki_json(w.ak));
    tdx_expect(judge(&w, j, "", true), ATTEST_ROOT_UNTRUSTED, NULL, NULL);
    snprintf(members, sizeof(members), ",\"ak\":\"%s\"", w.ak_spki);
    tdx_expect(judge(&w, j, members, true), ATTEST_OK, NULL, NULL);
    /* A root's key is no pin of an attestation key. */
    snprintf(members, sizeof(members), ",\"roots\":\"%s\"", w.ak_spki);
    tdx_expect(judge(&w, j, members, true), ATTEST_ROOT_UNTRUSTED, NULL, NULL);
    json_decref(j);
    free_world(&w);
}

struct lie {
    size_t at;
    uint8_t value;
    enum attest_status st;
    const char *field;
};

static void messages_that_are_no_quotes_are_refused_by_name(void)
{
    static const struct lie lies[] = {
        {0, 0, ATTEST_MALFORMED, "magic"},
        {5, 0x17, ATTEST_MALFORMED, "type"}, /* TPM_ST_ATTEST_CERTIFY */
        {45, 0, ATTEST_TRAILING, "TPMS_ATTEST"},
        {47, 0x12, ATTEST_MALFORMED, "pcrSelect"}, /* SM3 */
        {11, 6, ATTEST_TRUNCATED, "TPMS_ATTEST"},
    };
    uint8_t message[256];
    size_t len = make_message(message);

    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        uint8_t *copy = malloc(len);
        struct attest_error err = {0};
        struct tpm_quote q;

        memcpy(copy, message, len);
        copy[lies[i].at] = lies[i].value;
        CU_ASSERT_EQUAL(tpm_quote_parse(copy, len, &q, &err), lies[i].st);
        CU_ASSERT_STRING_EQUAL(err.field, lies[i].field);
        free(copy);
    }
}

static void a_message_cut_or_lengthened_is_refused(void)
{
    uint8_t message[256];
    size_t len = make_message(message);
    struct tpm_quote q;

    CU_ASSERT_EQUAL(tpm_quote_parse(message, len, &q, NULL), ATTEST_OK);
    for (size_t n = 0; n < len; n++) {
        uint8_t *cut = malloc(n == 0 ? 1 : n);

        memcpy(cut, message, n);
        CU_ASSERT_EQUAL(tpm_quote_parse(cut, n, &q, NULL), ATTEST_TRUNCATED);
        free(cut);
    }
    message[len] = 0;
    CU_ASSERT_EQUAL(tpm_quote_parse(message, len + 1, &q, NULL), ATTEST_TRAILING);
}

static void expect_policy(const char *section, const char *field)
{
    struct attest_error err = {0};
    struct attest_policy *p = NULL;
    char text[512];

    snprintf(text, sizeof(text), "{\"version\":1,\"tpm\":%s}", section);
    CU_ASSERT_EQUAL(attest_policy_parse(text, strlen(text), &p, &err), ATTEST_POLICY_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.field, field));
}

static void a_policy_without_reference_values_is_an_error(void)
{
    expect_policy("{}", "pcrs");
    expect_policy("{\"pcrs\":{}}", "pcrs");
    expect_policy("{\"pcrs\":{\"sha256\":{}}}", "pcrs");
    expect_policy("{\"pcrs\":{\"sha256\":{\"0\":[]}}}", "0");
    expect_policy("{\"pcrs\":{\"sha256\":{\"0\":\"00\"}}}", "0");
    expect_policy("{\"pcrs\":{\"sha256\":{\"24\":\"00\"}}}", "24");
    expect_policy("{\"pcrs\":{\"md5\":{\"0\":\"00\"}}}", "md5");
    expect_policy("{\"pcr\":{}}", "pcr");
}

static const struct cu_test tests[] = {
    CU(an_ak_certificate_below_a_named_root_is_believed),
    CU(an_expired_ak_certificate_is_refused),
    CU(a_signature_by_another_key_is_refused),
    CU(an_empty_nonce_is_never_the_one_asked_for),
    CU(the_evidences_own_log_is_checked_beside_another),
    CU(a_key_without_certificate_needs_a_pin),
    CU(messages_that_are_no_quotes_are_refused_by_name),
    CU(a_message_cut_or_lengthened_is_refused),
    CU(a_policy_without_reference_values_is_an_error),
    CU_END,
};

int main(int argc, char **argv)
{
    setenv("TSS2_LOG", "all+none", 1);
    return cu_main("attest_tpm_keys", tests, argc, argv);
}
