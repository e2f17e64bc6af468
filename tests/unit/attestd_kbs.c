/*
 * The broker's core by the KBS protocol: a good client gets its secret, every other one is
 * refused, with the reason in the audit log and nothing of the secret anywhere.
 */
#include "attestd_client.h"
#include "cu.h"

#include "admin.h"
#include "attest_file.h"
#include "broker_impl.h"

#include <attest/hex.h>
#include <attest/jwt.h>

#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void a_good_client_gets_its_secret_with_every_kind_of_key(void)
{
    for (enum guest_key k = GUEST_P256; k <= GUEST_RSA; k++) {
        struct client c;

        client_open(&c);
        world_new_guest(&c.w, k);
        CU_ASSERT_EQUAL(auth(&c, AUTH), 200);
        CU_ASSERT_EQUAL(attest(&c), 200);
        CU_ASSERT_EQUAL(get(&c, TEST_PATH, NULL), 200);
        CU_ASSERT(world_opens(&c.w, c.rp.body));
        CU_ASSERT_EQUAL(get(&c, TEST_PATH, c.token), 200);
        CU_ASSERT(world_opens(&c.w, c.rp.body));
        CU_ASSERT(audit_says(&c, "\"decision\":\"granted\""));
        CU_ASSERT(audit_says(&c, "\"emulated\":true"));
        client_close(&c);
    }
}

static void the_token_is_a_signed_attestation_result(void)
{
    struct client c;
    json_t *claims = NULL;
    const json_t *cpu;

    client_open(&c);
    auth(&c, AUTH);
    CU_ASSERT_EQUAL_FATAL(attest(&c), 200);
    CU_ASSERT_EQUAL_FATAL(jwt_verify(c.token, strlen(c.token), c.w.broker->token_key, &claims,
                                     NULL),
                          ATTEST_OK);
    cpu = json_object_get(json_object_get(claims, "submods"), "cpu0");
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(claims, "iss")),
                           "https://broker.test");
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(cpu, "ear.status")), "warning");
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(cpu, "ear.appraisal-policy-id")),
                           "default");
    json_decref(claims);
    client_close(&c);
}

static void a_spent_nonce_is_refused_as_a_replay(void)
{
    struct client c;
    char *body;
    char *session;

    client_open(&c);
    auth(&c, AUTH);
    session = strdup(c.session);
    body = world_attestation(&c.w, c.nonce);
    CU_ASSERT_EQUAL(attest_body(&c, body), 200);
    free(c.session);
    c.session = session;
    CU_ASSERT_EQUAL(attest_body(&c, body), 401);
    CU_ASSERT(audit_says(&c, "used before"));
    CU_ASSERT_EQUAL(broker_counter(c.w.broker, BROKER_nonce_replays), 1);
    free(body);
    client_close(&c);
}

static void a_nonce_is_refused_once_its_time_is_over(void)
{
    struct client c;

    client_open(&c);
    auth(&c, AUTH);
    world_clock_ms += 301 * 1000;
    CU_ASSERT_EQUAL(attest(&c), 401);
    CU_ASSERT(audit_says(&c, "has not expired"));
    client_close(&c);
}

static void a_restart_forgets_no_nonce_because_it_takes_none_from_before(void)
{
    struct client c;

    client_open(&c);
    auth(&c, AUTH);
    world_clock_ms += 1000;
    world_restart(&c.w);
    CU_ASSERT_EQUAL(attest(&c), 401);
    CU_ASSERT(audit_says(&c, "issued before this broker started"));
    client_close(&c);
}

/* Decodes the evidence, lets change work on the report, and puts it back. */
static char *altered(const struct client *c, void (*change)(const struct client *, uint8_t *))
{
    char *body = world_attestation(&c->w, c->nonce);
    json_t *j = json_loads(body, 0, NULL);
    json_t *e = json_object_get(json_object_get(j, "tee-evidence"), "primary_evidence");
    const char *b64 = json_string_value(json_object_get(e, "evidence"));
    uint8_t report[SNP_REPORT_SIZE + 8];
    char text[4 * ((SNP_REPORT_SIZE + 2) / 3) + 1];
    size_t len;

    CU_ASSERT_FATAL(base64_decode(b64, strlen(b64), false, report, sizeof(report), &len));
    change(c, report);
    base64_encode(report, len, false, text);
    json_object_set_new(e, "evidence", json_string(text));
    free(body);
    body = json_dumps(j, 0);
    json_decref(j);
    return body;
}

static void tamper(const struct client *c, uint8_t *report)
{
    (void)c;
    report[0x91] ^= 1;
}

static void other_measurement(const struct client *c, uint8_t *report)
{
    report[0x90] = 0x77;
    snppki_sign(c->w.pki, report);
}

static void other_report_data(const struct client *c, uint8_t *report)
{
    report[0x50] ^= 1;
    snppki_sign(c->w.pki, report);
}

static void debug_guest(const struct client *c, uint8_t *report)
{
    report[0x0a] |= 8; /* POLICY bit 19 */
    snppki_sign(c->w.pki, report);
}

static void old_firmware(const struct client *c, uint8_t *report)
{
    report[0x186] = 7;
    report[0x3e] = report[0x1e6] = report[0x1f6] = 7;
    snppki_sign(c->w.pki, report);
}

static void bad_evidence_is_refused_with_its_reason_in_the_audit_log(void)
{
    static const struct {
        void (*change)(const struct client *, uint8_t *);
        const char *reason;
    } cases[] = {
        {tamper, "\"status\":\"SIGNATURE\""},
        {other_measurement, "\"status\":\"MEASUREMENT\""},
        {other_report_data, "\"status\":\"NONCE\""},
        {debug_guest, "\"status\":\"DEBUG\""},
        {old_firmware, "\"decision\":\"refused\""},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct client c;
        char *body;

        client_open(&c);
        auth(&c, AUTH);
        body = altered(&c, cases[i].change);
        CU_ASSERT_EQUAL(attest_body(&c, body), 401);
        CU_ASSERT(audit_says(&c, cases[i].reason));
        /* What was expected is told to the log, not to the client. */
        CU_ASSERT_PTR_NULL(strstr(c.rp.body, "1111"));
        CU_ASSERT_EQUAL(get(&c, TEST_PATH, NULL), 401);
        free(body);
        client_close(&c);
    }
}

static void an_emulated_root_is_refused_by_a_policy_that_does_not_name_it(void)
{
    struct client c;

    client_open(&c);
    CU_ASSERT_EQUAL(auth(&c, "{\"version\":\"0.4.0\",\"tee\":\"snp\",\"extra-params\":{"
                             "\"attestation-policy-selector\":\"hardware\"}}"),
                    200);
    CU_ASSERT_EQUAL(attest(&c), 401);
    CU_ASSERT(audit_says(&c, "\"status\":\"ROOT_UNTRUSTED\""));
    client_close(&c);
}

static void a_policy_that_the_secret_does_not_name_is_forbidden(void)
{
    struct client c;

    client_open(&c);
    auth(&c, "{\"version\":\"0.4.0\",\"tee\":\"snp\",\"extra-params\":{"
             "\"attestation-policy-selector\":\"other\"}}");
    CU_ASSERT_EQUAL(attest(&c), 200);
    CU_ASSERT_EQUAL(get(&c, TEST_PATH, NULL), 403);
    CU_ASSERT_EQUAL(get(&c, TEST_PATH, c.token), 403);
    CU_ASSERT_EQUAL(get(&c, "repo/key/none", NULL), 404);
    CU_ASSERT_EQUAL(get(&c, "meta/token/key", NULL), 404);
    CU_ASSERT_EQUAL(get(&c, "../../x", NULL), 404);
    client_close(&c);
}

static void without_a_good_session_there_is_nothing(void)
{
    struct client c;
    EVP_PKEY *other = jose_ec_generate(JOSE_P256);
    json_t *claims = NULL;
    char *forged;

    client_open(&c);
    CU_ASSERT_EQUAL(get(&c, TEST_PATH, NULL), 401);
    CU_ASSERT_EQUAL(get(&c, "repo/key/none", NULL), 401);
    CU_ASSERT_EQUAL(get(&c, TEST_PATH, "not.a.token"), 401);
    auth(&c, AUTH);
    CU_ASSERT_EQUAL(get(&c, TEST_PATH, NULL), 401); /* a challenge is no attestation */
    CU_ASSERT_EQUAL(attest(&c), 200);
    jwt_verify(c.token, strlen(c.token), c.w.broker->token_key, &claims, NULL);
    forged = jwt_sign(claims, NULL, other);
    CU_ASSERT_EQUAL(get(&c, TEST_PATH, forged), 401);
    world_clock_ms += 301 * 1000;
    CU_ASSERT_EQUAL(get(&c, TEST_PATH, NULL), 401);
    CU_ASSERT_EQUAL(get(&c, TEST_PATH, c.token), 401);
    free(forged);
    json_decref(claims);
    EVP_PKEY_free(other);
    client_close(&c);
}

/* All that an attested session holds, but under the seal of another stage. */
static void a_session_of_another_stage_is_none(void)
{
    static const char *const stages[] = {"attested", "challenge"};
    struct client c;

    client_open(&c);
    auth(&c, AUTH);
    CU_ASSERT_EQUAL(attest(&c), 200);
    for (size_t i = 0; i < 2; i++) {
        json_t *s = session_open(c.w.broker, c.session, "attested");

        CU_ASSERT_PTR_NOT_NULL_FATAL(s);
        free(c.session);
        c.session = session_seal(c.w.broker, stages[i], s, 300);
        json_decref(s);
        CU_ASSERT_EQUAL(get(&c, TEST_PATH, NULL), i == 0 ? 200 : 401);
    }
    client_close(&c);
}

static void a_changed_policy_ends_what_it_granted(void)
{
    struct client c;
    struct store *s;
    char *text;

    client_open(&c);
    auth(&c, AUTH);
    attest(&c);
    CU_ASSERT_EQUAL(get(&c, TEST_PATH, NULL), 200);
    s = world_store(&c.w);
    text = world_policy(&c.w, true,
                        "2222222222222222222222222222222222222222222222222222222222222222222222"
                        "22222222222222222222222222");
    CU_ASSERT_EQUAL(admin_policy_put(s, "default", (uint8_t *)text, strlen(text), NULL),
                    ATTEST_OK);
    CU_ASSERT_EQUAL(get(&c, TEST_PATH, NULL), 401);
    CU_ASSERT_EQUAL(get(&c, TEST_PATH, c.token), 401);
    CU_ASSERT(audit_says(&c, "the policy as it stands now"));
    store_close(s);
    free(text);
    client_close(&c);
}

static void reference_values_fill_a_policy_and_missing_ones_refuse(void)
{
    struct client c;
    struct store *s;
    char *text;

    client_open(&c);
    s = world_store(&c.w);
    text = world_policy(&c.w, true, "@web");
    CU_ASSERT_EQUAL(admin_policy_put(s, "default", (uint8_t *)text, strlen(text), NULL),
                    ATTEST_OK);
    auth(&c, AUTH);
    CU_ASSERT_EQUAL(attest(&c), 401);
    CU_ASSERT(audit_says(&c, "a reference value of that name"));
    CU_ASSERT_EQUAL(
        admin_reference_add(s, "web",
                            "1111111111111111111111111111111111111111111111111111111111111111"
                            "11111111111111111111111111111111",
                            NULL),
        ATTEST_OK);
    auth(&c, AUTH);
    CU_ASSERT_EQUAL(attest(&c), 200);
    store_close(s);
    free(text);
    client_close(&c);
}

static void requests_that_make_no_sense_are_told_so(void)
{
    static const struct {
        const char *method, *path, *body;
        int status;
    } cases[] = {
        {"POST", "/kbs/v0/auth", "", 400},
        {"POST", "/kbs/v0/auth", "[]", 401},
        {"POST", "/kbs/v0/auth", "{\"version\":\"0.1.0\",\"tee\":\"snp\"}", 401},
        {"POST", "/kbs/v0/auth", "{\"version\":\"0.4.0\",\"tee\":\"sample\"}", 401},
        {"POST", "/kbs/v0/auth", "{\"version\":\"0.4.x\",\"tee\":\"snp\"}", 401},
        {"GET", "/kbs/v0/auth", NULL, 405},
        {"GET", "/kbs/v0/attest", NULL, 405},
        {"POST", "/kbs/v0/attest", "{}", 401},
        {"GET", "/kbs/v0/else", NULL, 404},
        {"GET", "/", NULL, 404},
        {"POST", "/metrics", "", 405},
        {"GET", "/metrics", NULL, 200},
        {"GET", "/healthz", NULL, 200},
    };
    struct client c;

    client_open(&c);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CU_ASSERT_EQUAL(ask(&c, cases[i].method, cases[i].path, NULL, cases[i].body),
                        cases[i].status);
    }
    CU_ASSERT_EQUAL(ask(&c, "GET", "/metrics", NULL, NULL), 200);
    CU_ASSERT_PTR_NOT_NULL(strstr(c.rp.body, "attestd_auth_errors_total 5\n"));
    client_close(&c);
}

static void broken_attestations_never_pass(void)
{
    static const char *const drops[] = {"runtime-data", "tee-evidence"};
    struct client c;

    client_open(&c);
    auth(&c, AUTH);
    for (size_t i = 0; i < 2; i++) {
        char *body = world_attestation(&c.w, c.nonce);
        json_t *j = json_loads(body, 0, NULL);

        free(body);
        json_object_del(j, drops[i]);
        body = json_dumps(j, 0);
        CU_ASSERT_EQUAL(attest_body(&c, body), 401);
        json_decref(j);
        free(body);
    }
    CU_ASSERT_EQUAL(attest_body(&c, "{\"runtime-data\":{\"nonce\":\"AAAA\"}}"), 401);
    CU_ASSERT_EQUAL(attest(&c), 200); /* failures do not spend the nonce */
    client_close(&c);
}

static void a_key_that_the_evidence_does_not_bind_gets_nothing(void)
{
    struct client c;
    char *body;
    json_t *j;

    client_open(&c);
    auth(&c, AUTH);
    body = world_attestation(&c.w, c.nonce);
    j = json_loads(body, 0, NULL);
    world_new_guest(&c.w, GUEST_P256); /* the thief's */
    json_object_set_new(json_object_get(j, "runtime-data"), "tee-pubkey", world_jwk(&c.w));
    free(body);
    body = json_dumps(j, 0);
    CU_ASSERT_EQUAL(attest_body(&c, body), 401);
    CU_ASSERT(audit_says(&c, "\"status\":\"NONCE\""));
    json_decref(j);
    free(body);
    client_close(&c);
}

static void a_decision_that_cannot_be_logged_is_no_decision(void)
{
    struct client c;
    FILE *full = fopen("/dev/full", "w");
    FILE *good;

    client_open(&c);
    auth(&c, AUTH);
    good = c.w.broker->audit;
    c.w.broker->audit = full;
    CU_ASSERT_EQUAL(attest(&c), 503);
    c.w.broker->audit = good;
    auth(&c, AUTH);
    CU_ASSERT_EQUAL(attest(&c), 200);
    c.w.broker->audit = full;
    CU_ASSERT_EQUAL(get(&c, TEST_PATH, NULL), 503);
    CU_ASSERT_EQUAL(broker_counter(c.w.broker, BROKER_audit_errors), 2);
    c.w.broker->audit = good;
    fclose(full);
    client_close(&c);
}

static bool file_holds(const char *path, const char *needle)
{
    size_t len;
    uint8_t *p = file_read(path, &len);
    bool found = p != NULL && memmem(p, len, needle, strlen(needle)) != NULL;

    free(p);
    return found;
}

static void no_file_and_no_log_holds_the_secret_in_the_clear(void)
{
    struct client c;
    char wal[128];

    client_open(&c);
    auth(&c, AUTH);
    attest(&c);
    CU_ASSERT_EQUAL(get(&c, TEST_PATH, NULL), 200);
    CU_ASSERT_PTR_NULL(strstr(c.rp.body, TEST_SECRET));
    snprintf(wal, sizeof(wal), "%s-wal", c.w.db);
    CU_ASSERT(file_holds(c.w.db, TEST_PATH) || file_holds(wal, TEST_PATH));
    CU_ASSERT_FALSE(file_holds(c.w.db, TEST_SECRET));
    CU_ASSERT_FALSE(file_holds(wal, TEST_SECRET));
    CU_ASSERT_FALSE(file_holds(c.w.db, "PRIVATE KEY"));
    CU_ASSERT_FALSE(file_holds(wal, "PRIVATE KEY"));
    CU_ASSERT_FALSE(file_holds(c.w.audit_path, TEST_SECRET));
    client_close(&c);
}

static void administration_by_http_needs_the_admin_key(void)
{
    struct client c;
    EVP_PKEY *admin = jose_ec_generate(JOSE_P256);
    json_t *claims = json_pack("{s:I}", "exp", (json_int_t)(world_clock_ms / 1000 + 600));
    char *token;
    struct store *s;
    BIO *bio = BIO_new(BIO_s_mem());
    char *pem;
    long len;

    client_open(&c);
    json_object_set_new(claims, "exp", json_integer(world_clock_ms / 1000 + 600));
    token = jwt_sign(claims, NULL, admin);
    CU_ASSERT_EQUAL(ask(&c, "POST", "/kbs/v0/resource/a/b/c", token, "value"), 401);
    CU_ASSERT_EQUAL(PEM_write_bio_PUBKEY(bio, admin), 1);
    len = BIO_get_mem_data(bio, &pem);
    s = world_store(&c.w);
    CU_ASSERT_EQUAL(admin_key_put(s, (uint8_t *)pem, (size_t)len, NULL), ATTEST_OK);
    store_close(s);
    CU_ASSERT_EQUAL(ask(&c, "POST", "/kbs/v0/resource/a/b/c", NULL, "value"), 401);
    CU_ASSERT_EQUAL(ask(&c, "POST", "/kbs/v0/resource/a/b/c", token, "value"), 200);
    CU_ASSERT_EQUAL(ask(&c, "POST", "/kbs/v0/resource/meta/b/c", token, "value"), 400);
    world_clock_ms += 700 * 1000;
    CU_ASSERT_EQUAL(ask(&c, "POST", "/kbs/v0/resource/a/b/c", token, "value"), 401);
    BIO_free(bio);
    free(token);
    json_decref(claims);
    EVP_PKEY_free(admin);
    client_close(&c);
}

static const struct cu_test tests[] = {
    CU(a_good_client_gets_its_secret_with_every_kind_of_key),
    CU(the_token_is_a_signed_attestation_result),
    CU(a_spent_nonce_is_refused_as_a_replay),
    CU(a_nonce_is_refused_once_its_time_is_over),
    CU(a_restart_forgets_no_nonce_because_it_takes_none_from_before),
    CU(bad_evidence_is_refused_with_its_reason_in_the_audit_log),
    CU(an_emulated_root_is_refused_by_a_policy_that_does_not_name_it),
    CU(a_policy_that_the_secret_does_not_name_is_forbidden),
    CU(without_a_good_session_there_is_nothing),
    CU(a_session_of_another_stage_is_none),
    CU(a_changed_policy_ends_what_it_granted),
    CU(reference_values_fill_a_policy_and_missing_ones_refuse),
    CU(requests_that_make_no_sense_are_told_so),
    CU(broken_attestations_never_pass),
    CU(a_key_that_the_evidence_does_not_bind_gets_nothing),
    CU(a_decision_that_cannot_be_logged_is_no_decision),
    CU(no_file_and_no_log_holds_the_secret_in_the_clear),
    CU(administration_by_http_needs_the_admin_key),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("attestd_kbs", tests, argc, argv);
}
