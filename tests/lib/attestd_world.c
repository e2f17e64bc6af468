#include "attestd_world.h"

#include "cu.h"

#include "admin.h"
#include "attest_file.h"

#include <attest/hex.h>
#include <attest/jwe.h>

#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define M11                                                                                        \
    "11111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111" \
    "1111"

int64_t world_clock_ms = SNPPKI_NOW * 1000LL;

int64_t world_clock(void)
{
    return world_clock_ms;
}

static void check(enum attest_status st, const struct attest_error *err)
{
    char text[512];

    if (st != ATTEST_OK) {
        fprintf(stderr, "%s\n", attest_error_text(err, text, sizeof(text)));
    }
    CU_ASSERT_EQUAL_FATAL(st, ATTEST_OK);
}

char *world_policy(const struct world *w, bool root, const char *measurement)
{
    char spki[65];
    char roots[256] = "";
    char *text;

    snprintf(roots, sizeof(roots),
             "\"test-roots\":[{\"name\":\"minted\",\"kind\":\"sev-snp\",\"spki-sha256\":\"%s\"}],",
             hex_encode(snppki_root_spki(w->pki), 32, spki));
    CU_ASSERT_FATAL(asprintf(&text,
                             "{\"version\":1,%s\"sev-snp\":{\"measurement\":\"%s\",\"minimum-tcb\":"
                             "{\"Milan\":{\"bootloader\":3,\"tee\":0,\"snp\":8,\"microcode\":209}}"
                             "}}",
                             root ? roots : "", measurement != NULL ? measurement : M11) > 0);
    return text;
}

struct store *world_store(const struct world *w)
{
    uint8_t key[STORE_KEY_SIZE];
    struct attest_error err = {0};
    struct store *s = NULL;

    check(store_key_load(w->key, key, &err), &err);
    check(store_open(w->db, key, false, &s, &err), &err);
    return s;
}

static void put_policy(struct world *w, struct store *s, const char *name, bool root)
{
    struct attest_error err = {0};
    char *text = world_policy(w, root, NULL);

    check(admin_policy_put(s, name, (uint8_t *)text, strlen(text), &err), &err);
    free(text);
}

static void fill(struct world *w)
{
    struct attest_error err = {0};
    struct store *s = world_store(w);
    json_t *policies = json_pack("[s]", "default");
    struct attest_cert *c;
    char name[16];

    for (size_t i = 0; (c = attest_collateral_cert(snppki_collateral(w->pki), i)) != NULL; i++) {
        unsigned char *der = NULL;
        int len = i2d_X509(attest_cert_x509(c), &der);

        snprintf(name, sizeof(name), "cert%zu", i);
        check(admin_collateral_put(s, name, der, (size_t)len, &err), &err);
        OPENSSL_free(der);
    }
    put_policy(w, s, "default", true);
    put_policy(w, s, "other", true);
    put_policy(w, s, "hardware", false);
    check(store_secret_put(s, TEST_PATH, TEST_SECRET, strlen(TEST_SECRET), policies, &err), &err);
    json_decref(policies);
    store_close(s);
}

static void open_broker(struct world *w)
{
    struct attest_error err = {0};
    struct broker_config cfg = {.store = w->db,
                                .key_file = w->key,
                                .issuer = "https://broker.test",
                                .audit = w->audit,
                                .nonce_room = 64,
                                .clock_ms = world_clock};

    check(broker_open(&cfg, &w->broker, &err), &err);
}

void world_open(struct world *w)
{
    struct attest_error err = {0};

    memset(w, 0, sizeof(*w));
    world_clock_ms = SNPPKI_NOW * 1000LL;
    snprintf(w->dir, sizeof(w->dir), "%s/XXXXXX", cu_scratch());
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(w->dir));
    snprintf(w->db, sizeof(w->db), "%s/store.db", w->dir);
    snprintf(w->key, sizeof(w->key), "%s/key", w->dir);
    snprintf(w->audit_path, sizeof(w->audit_path), "%s/audit", w->dir);
    w->audit = fopen(w->audit_path, "a");
    w->pki = snppki_new(&(struct snppki_knobs){0});
    check(broker_init(w->db, w->key, &err), &err);
    fill(w);
    open_broker(w);
    world_new_guest(w, GUEST_P256);
}

void world_restart(struct world *w)
{
    broker_close(w->broker);
    open_broker(w);
}

void world_close(struct world *w)
{
    broker_close(w->broker);
    snppki_free(w->pki);
    EVP_PKEY_free(w->guest);
    fclose(w->audit);
}

void world_new_guest(struct world *w, enum guest_key kind)
{
    EVP_PKEY_free(w->guest);
    w->guest = kind == GUEST_RSA ? EVP_RSA_gen(2048) : jose_ec_generate((enum jose_curve)kind);
}

char *world_audit(const struct world *w)
{
    size_t len;

    fflush(w->audit);
    return (char *)file_read(w->audit_path, &len);
}

char *world_evidence(const struct world *w, const uint8_t *report_data, size_t len)
{
    uint8_t report[SNP_REPORT_SIZE];
    char *text = malloc(4 * ((SNP_REPORT_SIZE + 2) / 3) + 1);

    snppki_report(w->pki, 3, report);
    memset(report + 0x50, 0, 64);
    memcpy(report + 0x50, report_data, len);
    snppki_sign(w->pki, report);
    base64_encode(report, sizeof(report), false, text);
    return text;
}

json_t *world_jwk(const struct world *w)
{
    json_t *jwk = jose_jwk_of(w->guest);

    json_object_set_new(jwk, "alg", json_string(jwe_alg(w->guest)));
    return jwk;
}

char *world_attestation(const struct world *w, const char *nonce)
{
    json_t *jwk = world_jwk(w);
    json_t *bound = json_pack("{s:s, s:s, s:O}", "additional-evidence", "", "nonce", nonce,
                              "tee-pubkey", jwk);
    char *text = json_dumps(bound, JSON_COMPACT | JSON_SORT_KEYS);
    uint8_t data[48];
    char *evidence;
    json_t *body;

    CU_ASSERT_FATAL(attest_hash1(ATTEST_SHA384, text, strlen(text), data));
    evidence = world_evidence(w, data, sizeof(data));
    body = json_pack("{s:{s:s, s:o}, s:{s:{s:s}, s:s}}", "runtime-data", "nonce", nonce,
                     "tee-pubkey", jwk, "tee-evidence", "primary_evidence", "evidence", evidence,
                     "additional_evidence", "");
    free(text);
    free(evidence);
    text = json_dumps(body, 0);
    json_decref(body);
    json_decref(bound);
    return text;
}

bool world_opens(const struct world *w, const char *jwe_json)
{
    json_t *j = json_loads(jwe_json, 0, NULL);
    uint8_t *p = NULL;
    size_t len = 0;
    bool ok = jwe_decrypt(j, w->guest, &p, &len, NULL) == ATTEST_OK &&
              len == strlen(TEST_SECRET) && memcmp(p, TEST_SECRET, len) == 0;

    free(p);
    json_decref(j);
    return ok;
}
