/*
 * CCA tokens: those of the vectors with their verdicts, minted ones for what they lack, and every
 * byte of a good one flipped.
 */
#include "attest_ccamint.h"
#include "attest_file.h"
#include "cu.h"

#include <attest/cca.h>
#include <attest/evidence.h>
#include <attest/hex.h>

#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- a policy out of what a token says, so that only the named member can differ ---- */

static void add_hex(json_t *o, const char *key, const struct attest_span *s)
{
    char text[1025];

    json_object_set_new(o, key, json_string(hex_encode(s->p, s->len, text)));
}

static json_t *section_of(const uint8_t *p, size_t len)
{
    struct cca_token t;
    json_t *section = json_object();
    json_t *list = json_array();

    memset(&t, 0, sizeof(t));
    CU_ASSERT_EQUAL_FATAL(cca_token_parse(p, len, &t, NULL), ATTEST_OK);
    add_hex(section, "initial-measurement", &t.realm.rim);
    add_hex(section, "platform-config", &t.platform.config);
    for (size_t i = 0; i < t.platform.components; i++) {
        json_t *c = json_object();

        add_hex(c, "measurement", &t.platform.component[i].measurement);
        add_hex(c, "signer", &t.platform.component[i].signer);
        json_array_append_new(list, c);
    }
    json_object_set_new(section, "platform-components", list);
    return section;
}

static void spki_hash(EVP_PKEY *key, char hex[65])
{
    unsigned char *der = NULL;
    int len = i2d_PUBKEY(key, &der);
    uint8_t h[32];

    CU_ASSERT(len > 0 && attest_hash1(ATTEST_SHA256, der, (size_t)len, h));
    hex_encode(h, 32, hex);
    OPENSSL_free(der);
}

/* Takes section over. trusted: the anchors of c are trusted by the policy. */
static struct attest_policy *policy_of(json_t *section, const struct attest_collateral *c,
                                       bool trusted)
{
    json_t *keys = json_array();
    json_t *root = json_pack("{s:i, s:O}", "version", 1, "cca", section);
    struct attest_error err = {0};
    struct attest_policy *p = NULL;
    const struct attest_item *item;
    char hex[65];
    char *text;

    for (size_t i = 0; trusted && (item = attest_collateral_item(c, i)) != NULL; i++) {
        const struct cca_anchor *a = item->obj;

        json_array_append_new(keys, json_string(hex_encode(a->spki_sha256, 32, hex)));
    }
    if (json_array_size(keys) > 0) {
        json_object_set(section, "trusted-keys", keys);
    }
    text = json_dumps(root, 0);
    if (attest_policy_parse(text, strlen(text), &p, &err) != ATTEST_OK) {
        fprintf(stderr, "%s\n", attest_error_text(&err, hex, sizeof(hex)));
    }
    free(text);
    json_decref(keys);
    json_decref(section);
    json_decref(root);
    CU_ASSERT_PTR_NOT_NULL_FATAL(p);
    return p;
}

static enum attest_status judge(const uint8_t *p, size_t len, struct attest_collateral *c,
                                const struct attest_policy *policy, struct attest_error *first)
{
    struct attest_verdict *v = attest_verdict_new();
    struct attest_input in = {.collateral = c, .policy = policy, .at = 1780000000};
    enum attest_status st = attest_verify(p, len, &in, v);

    if (first != NULL && attest_verdict_refusals(v) > 0) {
        *first = *attest_verdict_refusal(v, 0);
    }
    attest_verdict_free(v);
    return st;
}

/* ---- the vectors ---- */

static struct attest_collateral *anchors(const char *file)
{
    struct attest_collateral *c = attest_collateral_new();

    if (file != NULL) {
        CU_ASSERT_EQUAL(vector_add(c, file), 0);
    }
    attest_collateral_seal(c);
    return c;
}

static void each_token_of_the_vectors_gets_its_verdict(void)
{
    static const struct {
        const char *file;
        const char *anchor;
        bool trusted;
        enum attest_status want;
    } cases[] = {
        {"cca/cca-token-01.cbor", "cca/ta-tfa.json", true, ATTEST_OK},
        {"cca/cca-token-01.cbor", "cca/cpak.json", true, ATTEST_OK},
        {"cca/tf-rmm/cca_token.cbor", "cca/tf-rmm/cca_platform.pub", true, ATTEST_OK},
        {"cca/cca-token-02.cbor", "cca/ta-02-ok.json", true, ATTEST_OK},
        {"cca/cca-token-draft-ffm-00.cbor", "cca/cpak.json", true, ATTEST_OK},
        {"cca/veraison-services/cca-evidence.cbor", "cca/ta-02-ok.json", true, ATTEST_OK},
        {"cca/bug-33-repro.cbor", "cca/cpak.json", true, ATTEST_BINDING},
        {"cca/cca-token-01.cbor", "cca/ta-tfa.json", false, ATTEST_ROOT_UNTRUSTED},
        {"cca/cca-token-01.cbor", "cca/ta.json", true, ATTEST_COLLATERAL_MISSING},
        {"cca/cca-token-01.cbor", "cca/pkey.json", true, ATTEST_SIGNATURE},
        {"cca/cca-token-01.cbor", NULL, true, ATTEST_COLLATERAL_MISSING},
    };
    size_t n = sizeof(cases) / sizeof(cases[0]);

    if (cu_vectors() == NULL) {
        cu_skip((unsigned int)n, "no vectors: CCA tokens are not tried");
        return;
    }
    for (size_t i = 0; i < n; i++) {
        struct attest_collateral *c = anchors(cases[i].anchor);
        struct attest_error err = {0};
        size_t len;
        uint8_t *p = vector_read(cases[i].file, &len);
        struct attest_policy *policy = policy_of(section_of(p, len), c, cases[i].trusted);
        char text[512];
        enum attest_status st = judge(p, len, c, policy, &err);

        CU_ASSERT_EQUAL(st, cases[i].want);
        if (st != cases[i].want) {
            fprintf(stderr, "%s, %s: %s\n", cases[i].file, cases[i].anchor,
                    attest_error_text(&err, text, sizeof(text)));
        }
        attest_policy_free(policy);
        attest_collateral_free(c);
        free(p);
    }
    printf("%zu CCA token cases\n", n);
}

static void an_anchor_that_is_no_point_of_its_curve_is_refused(void)
{
    struct attest_collateral *c;
    struct attest_error err = {0};
    size_t len;
    uint8_t *p = vector_read("cca/ta-02-bad.json", &len);

    if (p == NULL) {
        cu_skip(1, "no vectors: the bad trust anchor is not tried");
        return;
    }
    c = attest_collateral_new();
    CU_ASSERT_EQUAL(attest_collateral_add(c, "ta-02-bad.json", p, len, &err), ATTEST_MALFORMED);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.expected, "a point on the curve"));
    attest_collateral_free(c);
    free(p);
}

/* ---- minted tokens ---- */

static struct attest_collateral *anchor_of(EVP_PKEY *key)
{
    struct attest_collateral *c = attest_collateral_new();
    json_t *jwk = jose_jwk_of(key);
    char *text = json_dumps(jwk, 0);

    CU_ASSERT_EQUAL(attest_collateral_add(c, "cpak", (uint8_t *)text, strlen(text), NULL),
                    ATTEST_OK);
    attest_collateral_seal(c);
    free(text);
    json_decref(jwk);
    return c;
}

/* Mints, and judges by a policy made of the token plus the members given in JSON. */
static enum attest_status try(const struct mint *m, const char *members, struct attest_error *err)
{
    struct attest_collateral *c = anchor_of(m->cpak);
    struct attest_policy *policy;
    struct token t;
    json_t *section;
    json_t *extra = json_loads(members, 0, NULL);
    enum attest_status st;

    mint(m, &t);
    section = section_of(t.p, t.len);
    CU_ASSERT_FATAL(extra != NULL);
    json_object_update(section, extra);
    json_decref(extra);
    policy = policy_of(section, c, true);
    st = judge(t.p, t.len, c, policy, err);
    attest_policy_free(policy);
    attest_collateral_free(c);
    return st;
}

static void both_collections_both_profiles_and_all_algorithms_are_trusted(void)
{
    for (unsigned int i = 0; i < 4 * JOSE_CURVES; i++) {
        struct mint m = a_mint(i % JOSE_CURVES, (i + 1) % JOSE_CURVES);
        struct attest_error err = {0};
        char text[512];

        m.legacy = (i & 1) != 0;
        m.realm_profile = m.legacy ? NULL : m.realm_profile;
        m.collection = (i & 2) != 0;
        m.rak_hash = ATTEST_SHA256 + i % 3;
        CU_ASSERT_EQUAL(try(&m, "{}", &err), ATTEST_OK);
        if (err.status != ATTEST_OK) {
            fprintf(stderr, "%u: %s\n", i, attest_error_text(&err, text, sizeof(text)));
        }
        mint_free(&m);
    }
}

static void a_realm_key_that_the_platform_does_not_name_breaks_the_binding(void)
{
    struct mint m = a_mint(JOSE_P384, JOSE_P384);
    struct attest_error err = {0};

    m.wrong_binding = true;
    CU_ASSERT_EQUAL(try(&m, "{}", &err), ATTEST_BINDING);
    m.wrong_binding = false;
    m.wrong_rak = true;
    CU_ASSERT_EQUAL(try(&m, "{}", &err), ATTEST_SIGNATURE);
    CU_ASSERT_STRING_EQUAL(err.object, "CCA realm token");
    mint_free(&m);
}

static void the_form_of_the_realm_key_follows_the_profile(void)
{
    struct mint m = a_mint(JOSE_P256, JOSE_P384);
    struct attest_error err = {0};

    m.realm_profile = NULL; /* legacy, but the key is a COSE_Key */
    CU_ASSERT_EQUAL(try(&m, "{}", &err), ATTEST_MALFORMED);
    CU_ASSERT_STRING_EQUAL(err.object, "CCA realm token RAK");
    mint_free(&m);
}

static void each_difference_from_the_policy_is_refused_by_name(void)
{
#define H64(d) d d d d d d d d d d d d d d d d
    static const struct {
        const char *members;
        enum attest_status want;
        const char *field;
    } cases[] = {
        {"{\"initial-measurement\":[\"" H64("0000") "\",\"" H64("0101") H64("01") "\"]}",
         ATTEST_MEASUREMENT, "cca-realm-initial-measurement"},
        {"{\"rem2\":\"" H64("0000") H64("00") "\"}", ATTEST_MEASUREMENT,
         "cca-realm-extensible-measurements[2]"},
        {"{\"platform-config\":\"00\"}", ATTEST_PLATFORM, "cca-platform-config"},
        {"{\"implementation-id\":\"" H64("0000") "\"}", ATTEST_IDENTITY,
         "cca-platform-implementation-id"},
        {"{\"instance-id\":\"01" H64("ffff") "\"}", ATTEST_IDENTITY, "cca-platform-instance-id"},
        {"{\"personalization-value\":\"" H64("0000") H64("0000") "\"}", ATTEST_POLICY,
         "cca-realm-personalization-value"},
        {"{\"challenge\":\"" H64("0000") H64("0000") "\"}", ATTEST_POLICY, "cca-realm-challenge"},
        {"{\"lifecycle\":[\"decommissioned\"]}", ATTEST_PLATFORM, "cca-platform-lifecycle"},
        {"{\"platform-components\":[{\"measurement\":\"" H64("0000") "\"}]}", ATTEST_MEASUREMENT,
         "cca-platform-sw-components[0] "},
        {"{\"platform-components\":[{\"measurement\":\"" H64("4444") "\",\"version\":\"1\"}]}",
         ATTEST_MEASUREMENT, "cca-platform-sw-components[0] "},
    };
    struct mint m = a_mint(JOSE_P256, JOSE_P256);

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct attest_error err = {0};

        CU_ASSERT_EQUAL(try(&m, cases[i].members, &err), cases[i].want);
        CU_ASSERT_STRING_EQUAL(err.field, cases[i].field);
    }
    mint_free(&m);
}

static void a_platform_in_a_debug_state_is_refused_as_debug(void)
{
    struct mint m = a_mint(JOSE_P384, JOSE_P384);
    struct attest_error err = {0};

    m.lifecycle = 0x4003;
    CU_ASSERT_EQUAL(try(&m, "{}", &err), ATTEST_DEBUG);
    CU_ASSERT_EQUAL(try(&m, "{\"lifecycle\":[\"non-cca-platform-rot-debug\"]}", &err), ATTEST_OK);
    mint_free(&m);
}

static void a_policy_without_reference_values_is_no_policy(void)
{
    static const char *const bad[] = {
        "{\"version\":1,\"cca\":{}}",
        "{\"version\":1,\"cca\":{\"initial-measurement\":\"" H64("0000") "\"}}",
        "{\"version\":1,\"cca\":{\"initial-measurement\":[],\"platform-components\":[{"
        "\"measurement\":\"" H64("0000") "\"}]}}",
        "{\"version\":1,\"cca\":{\"initial-measurement\":\"00\",\"platform-components\":[{"
        "\"measurement\":\"" H64("0000") "\"}]}}",
        "{\"version\":1,\"cca\":{\"initial-measurement\":\"" H64("0000")
        "\",\"platform-components\":[]}}",
        "{\"version\":1,\"cca\":{\"initial-measurement\":\"" H64("0000")
        "\",\"platform-components\":[{\"signer\":\"" H64("0000") "\"}]}}",
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct attest_policy *p = NULL;

        CU_ASSERT_EQUAL(attest_policy_parse(bad[i], strlen(bad[i]), &p, NULL),
                        ATTEST_POLICY_INVALID);
    }
}

static void no_token_with_a_flipped_byte_is_trusted(void)
{
    struct mint m = a_mint(JOSE_P256, JOSE_P256);
    struct attest_collateral *c = anchor_of(m.cpak);
    struct attest_policy *policy;
    struct token t;
    size_t trusted = 0;

    mint(&m, &t);
    policy = policy_of(section_of(t.p, t.len), c, true);
    CU_ASSERT_EQUAL(judge(t.p, t.len, c, policy, NULL), ATTEST_OK);
    for (size_t i = 0; i < t.len; i++) {
        static const uint8_t masks[] = {0x01, 0x20, 0x80, 0xff};

        for (size_t k = 0; k < sizeof(masks); k++) {
            t.p[i] ^= masks[k];
            trusted += judge(t.p, t.len, c, policy, NULL) == ATTEST_OK;
            t.p[i] ^= masks[k];
        }
    }
    CU_ASSERT_EQUAL(trusted, 0);
    for (size_t n = 0; n < t.len; n++) {
        CU_ASSERT_NOT_EQUAL(judge(t.p, n, c, policy, NULL), ATTEST_OK);
    }
    printf("%zu bytes of a CCA token flipped\n", t.len);
    attest_policy_free(policy);
    attest_collateral_free(c);
    mint_free(&m);
}

static void a_test_root_is_trusted_only_by_name_and_is_told(void)
{
    struct mint m = a_mint(JOSE_P384, JOSE_P384);
    struct attest_collateral *c = anchor_of(m.cpak);
    struct attest_policy *policy = NULL;
    struct attest_verdict *v = attest_verdict_new();
    struct attest_input in = {.collateral = c, .at = 1780000000};
    struct token t;
    char spki[65];
    json_t *root;
    char *text;

    mint(&m, &t);
    spki_hash(m.cpak, spki);
    root = json_pack("{s:i, s:[{s:s, s:s, s:s}], s:o}", "version", 1, "test-roots", "name",
                     "emulated CCA", "kind", "cca", "spki-sha256", spki, "cca",
                     section_of(t.p, t.len));
    text = json_dumps(root, 0);
    CU_ASSERT_EQUAL(attest_policy_parse(text, strlen(text), &policy, NULL), ATTEST_OK);
    in.policy = policy;
    CU_ASSERT_EQUAL(attest_verify(t.p, t.len, &in, v), ATTEST_OK);
    CU_ASSERT(attest_verdict_root(v)->emulated);
    attest_verdict_free(v);
    attest_policy_free(policy);
    attest_collateral_free(c);
    json_decref(root);
    free(text);
    mint_free(&m);
}

static const struct cu_test tests[] = {
    CU(each_token_of_the_vectors_gets_its_verdict),
    CU(an_anchor_that_is_no_point_of_its_curve_is_refused),
    CU(both_collections_both_profiles_and_all_algorithms_are_trusted),
    CU(a_realm_key_that_the_platform_does_not_name_breaks_the_binding),
    CU(the_form_of_the_realm_key_follows_the_profile),
    CU(each_difference_from_the_policy_is_refused_by_name),
    CU(a_platform_in_a_debug_state_is_refused_as_debug),
    CU(a_policy_without_reference_values_is_no_policy),
    CU(no_token_with_a_flipped_byte_is_trusted),
    CU(a_test_root_is_trusted_only_by_name_and_is_told),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("attest_cca_tokens", tests, argc, argv);
}
