/*
 * JWS, JWE, JWK and attestation results: published examples, round trips, the openssl command as
 * a second opinion, and what must be refused.
 */
#include "attest_snppki.h"
#include "cu.h"

#include <attest/ear.h>
#include <attest/hex.h>
#include <attest/jwe.h>
#include <attest/jwt.h>

#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static EVP_PKEY *jwk(const char *text)
{
    json_t *j = json_loads(text, 0, NULL);
    EVP_PKEY *key = NULL;

    (void)!jose_jwk_parse(j, "test", &key, NULL);
    json_decref(j);
    return key;
}

/* RFC 7515, appendix A.3. */
static void the_standards_es256_example_verifies(void)
{
    static const char token[] =
        "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt"
        "cGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxL"
        "a8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    EVP_PKEY *key = jwk("{\"kty\":\"EC\",\"crv\":\"P-256\","
                        "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
                        "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}");
    json_t *claims = NULL;
    struct attest_error err;

    CU_ASSERT_PTR_NOT_NULL_FATAL(key);
    CU_ASSERT_EQUAL(jwt_verify(token, strlen(token), key, &claims, &err), ATTEST_OK);
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(claims, "iss")), "joe");
    CU_ASSERT_EQUAL(jwt_check_times(claims, 1300819379, &err), ATTEST_OK);
    CU_ASSERT_EQUAL(jwt_check_times(claims, 1300819380, &err), ATTEST_EXPIRED);
    json_decref(claims);
    EVP_PKEY_free(key);
}

static EVP_PKEY *ed25519(void)
{
    return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
}

static void tokens_of_every_algorithm_verify_and_no_changed_one_does(void)
{
    json_t *claims = json_pack("{s:s, s:i}", "sub", "guest", "exp", 2000000000);

    for (int i = 0; i < 4; i++) {
        EVP_PKEY *key = i < 3 ? jose_ec_generate((enum jose_curve)i) : ed25519();
        char *token = jwt_sign(claims, NULL, key);
        json_t *back = NULL;
        size_t good = 0;

        CU_ASSERT_PTR_NOT_NULL_FATAL(token);
        CU_ASSERT_EQUAL(jwt_verify(token, strlen(token), key, &back, NULL), ATTEST_OK);
        CU_ASSERT(json_equal(claims, back));
        json_decref(back);
        for (size_t k = 0; token[k] != '\0'; k++) {
            char was = token[k];

            token[k] = was == 'A' ? 'B' : 'A';
            good += jwt_verify(token, strlen(token), key, &back, NULL) == ATTEST_OK;
            json_decref(back);
            token[k] = was;
        }
        CU_ASSERT_EQUAL(good, 0);
        free(token);
        EVP_PKEY_free(key);
    }
    json_decref(claims);
}

static void the_token_does_not_choose_its_algorithm(void)
{
    /* alg none; and HS256 keyed with what the verifier has in public */
    static const char *const headers[] = {"{\"alg\":\"none\"}", "{\"alg\":\"HS256\"}",
                                          "{\"alg\":\"ES384\"}", "{}",
                                          "{\"alg\":\"ES256\",\"crit\":[\"b64\"]}"};
    EVP_PKEY *key = jose_ec_generate(JOSE_P256);

    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        char *h = jose_b64_text(headers[i], strlen(headers[i]));
        char *c = jose_b64_text("{}", 2);
        char *token;
        json_t *claims;

        CU_ASSERT_FATAL(asprintf(&token, "%s.%s.AAAA", h, c) > 0);
        CU_ASSERT_NOT_EQUAL(jwt_verify(token, strlen(token), key, &claims, NULL), ATTEST_OK);
        free(token);
        free(h);
        free(c);
    }
    EVP_PKEY_free(key);
}

static void malformed_tokens_are_refused(void)
{
    static const char *const bad[] = {"", ".", "..", "a.b", "a.b.c.d", "a..c", "e30.e30.",
                                      "e30.e30.=", "\xff.\xff.\xff"};
    EVP_PKEY *key = jose_ec_generate(JOSE_P256);
    uint8_t secret[32] = {0};

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        json_t *claims;

        CU_ASSERT_NOT_EQUAL(jwt_verify(bad[i], strlen(bad[i]), key, &claims, NULL), ATTEST_OK);
        CU_ASSERT_NOT_EQUAL(jwt_verify_hmac(bad[i], strlen(bad[i]), secret, &claims, NULL),
                            ATTEST_OK);
    }
    EVP_PKEY_free(key);
}

static void hmac_tokens_need_the_same_key(void)
{
    json_t *claims = json_pack("{s:i}", "exp", 5);
    uint8_t key[32] = {1};
    char *token = jwt_sign_hmac(claims, key);
    json_t *back = NULL;

    CU_ASSERT_EQUAL(jwt_verify_hmac(token, strlen(token), key, &back, NULL), ATTEST_OK);
    json_decref(back);
    key[31] = 1;
    CU_ASSERT_EQUAL(jwt_verify_hmac(token, strlen(token), key, &back, NULL), ATTEST_SIGNATURE);
    free(token);
    json_decref(claims);
}

static void times_are_needed_and_judged(void)
{
    static const struct {
        const char *claims;
        enum attest_status st;
    } cases[] = {
        {"{\"exp\":1001}", ATTEST_OK},
        {"{\"exp\":1000}", ATTEST_EXPIRED},
        {"{}", ATTEST_MALFORMED},
        {"{\"exp\":\"1001\"}", ATTEST_MALFORMED},
        {"{\"exp\":2000,\"nbf\":1060}", ATTEST_OK},
        {"{\"exp\":2000,\"nbf\":1061}", ATTEST_NOT_YET_VALID},
        {"{\"exp\":2000,\"iat\":1061}", ATTEST_NOT_YET_VALID},
        {"{\"exp\":2000,\"iat\":\"x\"}", ATTEST_NOT_YET_VALID},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_t *j = json_loads(cases[i].claims, 0, NULL);

        CU_ASSERT_EQUAL(jwt_check_times(j, 1000, NULL), cases[i].st);
        json_decref(j);
    }
}

static void keys_that_are_weak_or_no_keys_are_refused(void)
{
    static const char *const bad[] = {
        "{}",
        "{\"kty\":\"oct\",\"k\":\"AAAA\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-192\",\"x\":\"AA\",\"y\":\"AA\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
        "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a1\"}",
        "{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}",
        "{\"kty\":\"RSA\",\"e\":\"AQAB\"}",
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CU_ASSERT_PTR_NULL(jwk(bad[i]));
    }
}

static EVP_PKEY *recipient(int i)
{
    return i < 3 ? jose_ec_generate((enum jose_curve)i) : EVP_RSA_gen(2048);
}

static void what_is_sealed_to_a_key_opens_with_it_alone(void)
{
    for (int i = 0; i < 4; i++) {
        EVP_PKEY *key = recipient(i);
        EVP_PKEY *other = recipient(i);

        for (size_t len = 0; len < 70; len += 23) {
            uint8_t plain[70];
            uint8_t *back = NULL;
            size_t n = 0;
            json_t *jwe = NULL;
            json_t *again;
            char *compact;

            memset(plain, 0x5a, sizeof(plain));
            CU_ASSERT_EQUAL_FATAL(jwe_encrypt(key, plain, len, &jwe, NULL), ATTEST_OK);
            CU_ASSERT_EQUAL(jwe_decrypt(jwe, key, &back, &n, NULL), ATTEST_OK);
            CU_ASSERT(n == len && memcmp(back, plain, len) == 0);
            free(back);
            CU_ASSERT_EQUAL(jwe_decrypt(jwe, other, &back, &n, NULL), ATTEST_SIGNATURE);
            compact = jwe_compact(jwe);
            again = jwe_of_compact(compact, strlen(compact));
            CU_ASSERT(json_equal(jwe, again));
            json_decref(again);
            json_decref(jwe);
            free(compact);
        }
        EVP_PKEY_free(key);
        EVP_PKEY_free(other);
    }
}

static void no_changed_jwe_opens(void)
{
    EVP_PKEY *key = jose_ec_generate(JOSE_P256);
    json_t *jwe = NULL;
    char *s;
    size_t opened = 0;

    CU_ASSERT_EQUAL(jwe_encrypt(key, "secret", 6, &jwe, NULL), ATTEST_OK);
    s = jwe_compact(jwe);
    for (size_t i = 0; s[i] != '\0'; i++) {
        char was = s[i];
        uint8_t *p = NULL;
        json_t *j;
        size_t n;

        s[i] = was == 'A' ? 'B' : 'A';
        j = jwe_of_compact(s, strlen(s));
        opened += j != NULL && jwe_decrypt(j, key, &p, &n, NULL) == ATTEST_OK;
        free(p);
        json_decref(j);
        s[i] = was;
    }
    CU_ASSERT_EQUAL(opened, 0);
    free(s);
    json_decref(jwe);
    EVP_PKEY_free(key);
}

static void the_openssl_command_unwraps_an_rsa_key(void)
{
    char dir[] = "/tmp/attest-jose-XXXXXX";
    char path[64];
    char command[512];
    EVP_PKEY *key = EVP_RSA_gen(2048);
    json_t *jwe = NULL;
    uint8_t wrapped[512];
    size_t len;
    const char *text;
    FILE *f;

    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
    CU_ASSERT_EQUAL(jwe_encrypt(key, "x", 1, &jwe, NULL), ATTEST_OK);
    text = json_string_value(json_object_get(jwe, "encrypted_key"));
    CU_ASSERT(base64_decode(text, strlen(text), true, wrapped, sizeof(wrapped), &len));
    snprintf(path, sizeof(path), "%s/key", dir);
    f = fopen(path, "w");
    CU_ASSERT_EQUAL(PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL), 1);
    fclose(f);
    snprintf(path, sizeof(path), "%s/in", dir);
    f = fopen(path, "w");
    CU_ASSERT_EQUAL(fwrite(wrapped, 1, len, f), len);
    fclose(f);
    snprintf(command, sizeof(command),
             "test $(openssl pkeyutl -decrypt -inkey %s/key -in %s/in -pkeyopt "
             "rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha256 -pkeyopt rsa_mgf1_md:sha256 | wc "
             "-c) = 32; e=$?; rm -r %s; exit $e",
             dir, dir, dir);
    CU_ASSERT_EQUAL(system(command), 0);
    json_decref(jwe);
    EVP_PKEY_free(key);
}

static json_t *ear_of(struct snppki *pki, uint8_t change, bool no_root, const char **status)
{
    struct attest_policy *policy = snppki_policy(pki, no_root, "", "");
    struct attest_verdict *v = attest_verdict_new();
    struct attest_input in = {
        .collateral = snppki_collateral(pki), .policy = policy, .at = SNPPKI_NOW};
    const struct ear_info info = {.issuer = "me", .build = "1", .policy_id = "p", .issued = 1,
                                  .expires = 2};
    uint8_t report[SNP_REPORT_SIZE];
    json_t *j;

    snppki_report(pki, 3, report);
    report[0x90] ^= change;
    snppki_sign(pki, report);
    attest_verify(report, sizeof(report), &in, v);
    j = ear_claims(v, &info);
    *status = ear_status(v);
    attest_verdict_free(v);
    attest_policy_free(policy);
    return j;
}

static int claim(const json_t *ear, const char *name)
{
    const json_t *cpu = json_object_get(json_object_get(ear, "submods"), "cpu0");
    const json_t *t = json_object_get(cpu, "ear.trustworthiness-vector");

    return (int)json_integer_value(json_object_get(t, name));
}

static void an_attestation_result_says_what_the_verdict_says(void)
{
    struct snppki *pki = snppki_new(&(struct snppki_knobs){0});
    const char *status;
    json_t *j = ear_of(pki, 0, false, &status);
    const json_t *e;

    CU_ASSERT_STRING_EQUAL(status, "warning"); /* trusted, but emulated */
    CU_ASSERT_EQUAL(claim(j, "hardware"), 32);
    CU_ASSERT_EQUAL(claim(j, "executables"), 3);
    json_decref(j);
    j = ear_of(pki, 1, false, &status);
    CU_ASSERT_STRING_EQUAL(status, "contraindicated");
    CU_ASSERT_EQUAL(claim(j, "executables"), 96);
    json_decref(j);
    j = ear_of(pki, 0, true, &status);
    CU_ASSERT_STRING_EQUAL(status, "contraindicated");
    CU_ASSERT_EQUAL(claim(j, "hardware"), 97);
    e = json_object_get(json_object_get(json_object_get(j, "submods"), "cpu0"),
                        "ear.veraison.annotated-evidence");
    CU_ASSERT_PTR_NULL(json_object_get(e, "sev-snp")); /* nothing of what is not authentic */
    CU_ASSERT_PTR_NOT_NULL(json_object_get(e, "verdict"));
    json_decref(j);
    snppki_free(pki);
}

static const struct cu_test tests[] = {
    CU(the_standards_es256_example_verifies),
    CU(tokens_of_every_algorithm_verify_and_no_changed_one_does),
    CU(the_token_does_not_choose_its_algorithm),
    CU(malformed_tokens_are_refused),
    CU(hmac_tokens_need_the_same_key),
    CU(times_are_needed_and_judged),
    CU(keys_that_are_weak_or_no_keys_are_refused),
    CU(what_is_sealed_to_a_key_opens_with_it_alone),
    CU(no_changed_jwe_opens),
    CU(the_openssl_command_unwraps_an_rsa_key),
    CU(an_attestation_result_says_what_the_verdict_says),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("attest_jose", tests, argc, argv);
}
