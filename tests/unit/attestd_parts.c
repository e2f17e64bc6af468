/*
 * The broker's parts by themselves: nonces and their window, the store, names, and evidence in the
 * forms that guest components send, checked on real reports.
 */
#include "attestd_world.h"
#include "cu.h"

#include "admin.h"
#include "attest_file.h"
#include "broker_impl.h"
#include "seal.h"

#include <attest/evidence.h>
#include <attest/reader.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- nonces ---- */

static const uint8_t key[32] = {7};

static void a_nonce_is_good_once_within_its_life(void)
{
    struct nonce_window *w = nonce_window_new(1000, 500, 8);
    uint8_t n[NONCE_SIZE];

    CU_ASSERT(nonce_make(key, 1000, n));
    CU_ASSERT_EQUAL(nonce_check(w, key, 1499, n), NONCE_GOOD);
    CU_ASSERT_EQUAL(nonce_check(w, key, 1500, n), NONCE_EXPIRED);
    CU_ASSERT_EQUAL(nonce_use(w, key, 1400, n), NONCE_GOOD);
    CU_ASSERT_EQUAL(nonce_use(w, key, 1400, n), NONCE_USED);
    nonce_window_free(w);
}

static void a_used_nonce_is_remembered_for_as_long_as_it_lives(void)
{
    for (int64_t used = 1000; used < 3000; used += 37) {
        struct nonce_window *w = nonce_window_new(1000, 500, 8);
        uint8_t n[NONCE_SIZE];

        CU_ASSERT(nonce_make(key, used, n));
        CU_ASSERT_EQUAL(nonce_use(w, key, used, n), NONCE_GOOD);
        for (int64_t t = used; t < used + 500; t += 11) {
            CU_ASSERT_EQUAL(nonce_check(w, key, t, n), NONCE_USED);
        }
        CU_ASSERT_EQUAL(nonce_check(w, key, used + 500, n), NONCE_EXPIRED);
        nonce_window_free(w);
    }
}

static void a_used_nonce_from_a_clock_ahead_is_remembered_as_long(void)
{
    for (int64_t used = 10000; used < 30000; used += 137) {
        struct nonce_window *w = nonce_window_new(10000, 5000, 8);
        uint8_t n[NONCE_SIZE];

        CU_ASSERT(nonce_make(key, used + 2000, n));
        CU_ASSERT_EQUAL(nonce_use(w, key, used, n), NONCE_GOOD);
        for (int64_t t = used; t < used + 7000; t += 97) {
            CU_ASSERT_EQUAL(nonce_check(w, key, t, n), NONCE_USED);
        }
        nonce_window_free(w);
    }
}

/* A clock that is set ahead and back again makes the broker forget; not so that it accepts. */
static void a_clock_that_goes_back_revives_no_used_nonce(void)
{
    for (int64_t ahead = 0; ahead < 60000; ahead += 333) {
        struct nonce_window *w = nonce_window_new(10000, 5000, 8);
        uint8_t used[NONCE_SIZE], other[NONCE_SIZE];

        CU_ASSERT(nonce_make(key, 10000, used));
        CU_ASSERT_EQUAL(nonce_use(w, key, 10000, used), NONCE_GOOD);
        CU_ASSERT(nonce_make(key, 10000 + ahead, other));
        CU_ASSERT_EQUAL(nonce_use(w, key, 10000 + ahead, other), NONCE_GOOD);
        CU_ASSERT_NOT_EQUAL(nonce_use(w, key, 10001, used), NONCE_GOOD);
        nonce_window_free(w);
    }
}

static void every_bit_of_a_nonce_counts(void)
{
    struct nonce_window *w = nonce_window_new(1000, 500, 8);
    uint8_t other[32] = {8};
    uint8_t n[NONCE_SIZE];

    CU_ASSERT(nonce_make(key, 1000, n));
    for (size_t i = 0; i < 8 * NONCE_SIZE; i++) {
        n[i / 8] ^= (uint8_t)(1U << i % 8);
        CU_ASSERT_EQUAL(nonce_check(w, key, 1100, n), NONCE_FORGED);
        n[i / 8] ^= (uint8_t)(1U << i % 8);
    }
    CU_ASSERT_EQUAL(nonce_check(w, other, 1100, n), NONCE_FORGED);
    nonce_window_free(w);
}

static void a_full_window_refuses_until_time_makes_room(void)
{
    struct nonce_window *w = nonce_window_new(1000, 500, 4);
    uint8_t n[NONCE_SIZE];

    for (int i = 0; i < 5; i++) {
        CU_ASSERT(nonce_make(key, 1100, n));
        CU_ASSERT_EQUAL(nonce_use(w, key, 1100, n), i < 4 ? NONCE_GOOD : NONCE_FULL);
    }
    CU_ASSERT_EQUAL(nonce_use(w, key, 1599, n), NONCE_FULL);
    CU_ASSERT(nonce_make(key, 3600, n));
    CU_ASSERT_EQUAL(nonce_use(w, key, 3600, n), NONCE_GOOD);
    nonce_window_free(w);
}

static void nonces_from_before_the_start_or_from_the_future_are_refused(void)
{
    struct nonce_window *w = nonce_window_new(10000, 5000, 4);
    uint8_t n[NONCE_SIZE];

    CU_ASSERT(nonce_make(key, 9999, n));
    CU_ASSERT_EQUAL(nonce_check(w, key, 10001, n), NONCE_EARLY);
    CU_ASSERT(nonce_make(key, 20000, n));
    CU_ASSERT_EQUAL(nonce_check(w, key, 11000, n), NONCE_EXPIRED);
    CU_ASSERT_EQUAL(nonce_check(w, key, 18500, n), NONCE_GOOD); /* clocks differ a little */
    nonce_window_free(w);
}

/* ---- store ---- */

static void names_that_could_mean_something_else_are_refused(void)
{
    static const char *const bad[] = {"", ".", "..", ".x", "a/b", "a b", "a\n", "\xc3\xa4", "a'"};
    static const char *const bad_path[] = {"a/b", "a/b/c/d", "/a/b", "a//c", "a/b/", "a/../c",
                                           "a/b/c d"};
    char longest[STORE_NAME_MAX + 2];

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CU_ASSERT_FALSE(store_name_valid(bad[i]));
    }
    for (size_t i = 0; i < sizeof(bad_path) / sizeof(bad_path[0]); i++) {
        CU_ASSERT_FALSE(store_path_valid(bad_path[i]));
    }
    CU_ASSERT(store_path_valid("a/b.c/d-e_1"));
    memset(longest, 'a', sizeof(longest));
    longest[STORE_NAME_MAX + 1] = '\0';
    CU_ASSERT_FALSE(store_name_valid(longest));
    longest[STORE_NAME_MAX] = '\0';
    CU_ASSERT(store_name_valid(longest));
}

static void a_store_opens_only_with_its_own_key(void)
{
    uint8_t wrong[STORE_KEY_SIZE] = {1};
    struct store *s = NULL;
    struct world w;

    world_open(&w);
    CU_ASSERT_EQUAL(store_open(w.db, wrong, false, &s, NULL), ATTEST_UNUSABLE);
    CU_ASSERT_EQUAL(store_open("/none/such", wrong, false, &s, NULL), ATTEST_UNUSABLE);
    world_close(&w);
}

static void a_key_file_open_to_others_is_refused(void)
{
    uint8_t k[STORE_KEY_SIZE];
    struct world w;

    world_open(&w);
    CU_ASSERT_EQUAL(store_key_load(w.key, k, NULL), ATTEST_OK);
    CU_ASSERT_EQUAL(chmod(w.key, 0644), 0);
    CU_ASSERT_EQUAL(store_key_load(w.key, k, NULL), ATTEST_UNUSABLE);
    CU_ASSERT_EQUAL(store_key_create(w.key, NULL), ATTEST_UNUSABLE); /* never overwritten */
    world_close(&w);
}

static void a_secret_moved_to_another_path_does_not_open(void)
{
    uint8_t sealed[6 + SEAL_OVERHEAD];
    uint8_t plain[6 + 16];

    CU_ASSERT(seal(key, "a/b/c", "secret", 6, sealed));
    CU_ASSERT(unseal(key, "a/b/c", sealed, sizeof(sealed), plain));
    CU_ASSERT_EQUAL(memcmp(plain, "secret", 6), 0);
    CU_ASSERT_FALSE(unseal(key, "a/b/d", sealed, sizeof(sealed), plain));
    for (size_t i = 0; i < sizeof(sealed); i++) {
        sealed[i] ^= 1;
        CU_ASSERT_FALSE(unseal(key, "a/b/c", sealed, sizeof(sealed), plain));
        sealed[i] ^= 1;
    }
    CU_ASSERT_FALSE(unseal(key, "a/b/c", sealed, SEAL_OVERHEAD - 1, plain));
}

static void bad_policies_and_collateral_do_not_enter_the_store(void)
{
    struct world w;
    struct store *s;

    world_open(&w);
    s = world_store(&w);
    CU_ASSERT_EQUAL(admin_policy_put(s, "p", (const uint8_t *)"{}", 2, NULL),
                    ATTEST_POLICY_INVALID);
    CU_ASSERT_EQUAL(admin_policy_put(s, "p", (const uint8_t *)"{", 1, NULL),
                    ATTEST_POLICY_INVALID);
    CU_ASSERT_NOT_EQUAL(admin_collateral_put(s, "c", (const uint8_t *)"junk", 4, NULL), ATTEST_OK);
    CU_ASSERT_NOT_EQUAL(admin_key_put(s, (const uint8_t *)"junk", 4, NULL), ATTEST_OK);
    CU_ASSERT_EQUAL(store_delete(s, STORE_POLICY, "none", NULL), ATTEST_NOT_FOUND);
    store_close(s);
    world_close(&w);
}

static void a_secret_without_a_policy_is_refused(void)
{
    json_t *none = json_array();
    struct world w;
    struct store *s;

    world_open(&w);
    s = world_store(&w);
    CU_ASSERT_EQUAL(store_secret_put(s, "a/b/c", "x", 1, none, NULL), ATTEST_MALFORMED);
    store_close(s);
    json_decref(none);
    world_close(&w);
}

/* ---- what evidence says may reach logs and clients ---- */

static void hostile_text_in_a_reason_stays_one_good_line(void)
{
    static const char *const hostile[] = {"a\nsecret x", "\xff\xfe", "cut \xe6\xb0", "\x1b[2J"};
    struct world w;

    world_open(&w);
    for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
        struct broker_decision d = {.peer = "p", .action = "attest", .reason = hostile[i]};
        struct attest_error err = {.status = ATTEST_POLICY, .object = "o"};
        char *log;
        char brief[300];
        json_t *j;

        snprintf(err.field, sizeof(err.field), "%s", hostile[i]);
        brief_reason(&err, brief, sizeof(brief));
        for (const char *s = brief; *s != '\0'; s++) {
            CU_ASSERT(*s >= ' ' && *s <= '~');
        }
        CU_ASSERT(broker_audit(w.broker, &d));
        log = world_audit(&w);
        log[strlen(log) - 1] = '\0';
        j = json_loads(strrchr(log, '\n') != NULL ? strrchr(log, '\n') + 1 : log, 0, NULL);
        CU_ASSERT_PTR_NOT_NULL(j);
        json_decref(j);
        free(log);
    }
    world_close(&w);
}

/* ---- evidence as JSON ---- */

static json_t *bytes(const uint8_t *p, size_t len)
{
    json_t *j = json_array();

    for (size_t i = 0; i < len; i++) {
        json_array_append_new(j, json_integer(p[i]));
    }
    return j;
}

static json_t *tcb(const uint8_t *p, bool fmc)
{
    return fmc ? json_pack("{s:i, s:i, s:i, s:i, s:i}", "fmc", p[0], "bootloader", p[1], "tee",
                           p[2], "snp", p[3], "microcode", p[7])
               : json_pack("{s:n, s:i, s:i, s:i, s:i}", "fmc", "bootloader", p[0], "tee", p[1],
                           "snp", p[6], "microcode", p[7]);
}

static json_t *version(const uint8_t *p)
{
    return json_pack("{s:i, s:i, s:i}", "major", p[2], "minor", p[1], "build", p[0]);
}

static void set_numbers(json_t *j, const uint8_t *p, bool cpuid, bool mitigations)
{
    json_object_set_new(j, "version", json_integer(ld32le(p)));
    json_object_set_new(j, "guest_svn", json_integer(ld32le(p + 4)));
    json_object_set_new(j, "policy", json_integer((json_int_t)ld64le(p + 8)));
    json_object_set_new(j, "vmpl", json_integer(ld32le(p + 0x30)));
    json_object_set_new(j, "sig_algo", json_integer(ld32le(p + 0x34)));
    json_object_set_new(j, "plat_info", json_integer((json_int_t)ld64le(p + 0x40)));
    json_object_set_new(j, "key_info", json_integer(ld32le(p + 0x48)));
    json_object_set_new(j, "cpuid_fam_id", cpuid ? json_integer(p[0x188]) : json_null());
    json_object_set_new(j, "cpuid_mod_id", cpuid ? json_integer(p[0x189]) : json_null());
    json_object_set_new(j, "cpuid_step", cpuid ? json_integer(p[0x18a]) : json_null());
    if (mitigations) {
        json_object_set_new(j, "launch_mit_vector",
                            json_integer((json_int_t)ld64le(p + 0x1f8)));
        json_object_set_new(j, "current_mit_vector",
                            json_integer((json_int_t)ld64le(p + 0x200)));
    }
}

/* The report as the guest components' library writes it. */
static json_t *report_json(const uint8_t *p)
{
    static const struct {
        const char *name;
        size_t at, len;
    } fields[] = {{"family_id", 0x10, 16},        {"image_id", 0x20, 16},
                  {"report_data", 0x50, 64},      {"measurement", 0x90, 48},
                  {"host_data", 0xc0, 32},        {"id_key_digest", 0xe0, 48},
                  {"author_key_digest", 0x110, 48}, {"report_id", 0x140, 32},
                  {"report_id_ma", 0x160, 32},    {"chip_id", 0x1a0, 64}};
    uint32_t v = ld32le(p);
    bool fmc = v >= 3 && p[0x188] == 0x1a;
    json_t *j = json_object();

    set_numbers(j, p, v >= 3, v >= 5);
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        json_object_set_new(j, fields[i].name, bytes(p + fields[i].at, fields[i].len));
    }
    json_object_set_new(j, "current_tcb", tcb(p + 0x38, fmc));
    json_object_set_new(j, "reported_tcb", tcb(p + 0x180, fmc));
    json_object_set_new(j, "committed_tcb", tcb(p + 0x1e0, fmc));
    json_object_set_new(j, "launch_tcb", tcb(p + 0x1f0, fmc));
    json_object_set_new(j, "current", version(p + 0x1e8));
    json_object_set_new(j, "committed", version(p + 0x1ec));
    json_object_set_new(j, "signature", json_pack("{s:o, s:o}", "r", bytes(p + 0x2a0, 72), "s",
                                                  bytes(p + 0x2e8, 72)));
    return j;
}

static void a_real_report_in_json_becomes_its_own_bytes_again(void)
{
    static const char *const names[] = {"genoa-v3-ms", "genoa-v5-live", "genoa-v5-oak",
                                        "milan-v2-a",  "milan-v2-coco", "milan-v3-vlek-aws",
                                        "turin-v5-ms"};
    size_t n = sizeof(names) / sizeof(names[0]);

    if (cu_vectors() == NULL) {
        cu_skip((unsigned int)n, "no vectors: reports in JSON are not tried");
        return;
    }
    for (size_t i = 0; i < n; i++) {
        struct kbs_evidence e;
        char name[64];
        size_t len;
        size_t vek_len;
        uint8_t *p;
        uint8_t *vek;
        json_t *j;

        snprintf(name, sizeof(name), "snp/reports/%s/report.bin", names[i]);
        p = vector_read(name, &len);
        snprintf(name, sizeof(name), "snp/reports/%s/vek.der", names[i]);
        vek = vector_read(name, &vek_len);
        CU_ASSERT_FATAL(p != NULL && len == SNP_REPORT_SIZE && vek != NULL);
        j = json_pack("{s:o, s:[{s:s, s:o}]}", "attestation_report", report_json(p), "cert_chain",
                      "cert_type", "VCEK", "data", bytes(vek, vek_len));
        CU_ASSERT_EQUAL(kbs_evidence_parse("sev-snp", j, &e, NULL), ATTEST_OK);
        CU_ASSERT_EQUAL(memcmp(e.p, p, SNP_REPORT_SIZE), 0);
        CU_ASSERT_EQUAL(e.len, SNP_REPORT_SIZE + 9 * 24 + vek_len);
        kbs_evidence_free(&e);
        json_decref(j);
        free(p);
        free(vek);
    }
}

static void tpm_quotes_go_on_as_the_json_that_they_are(void)
{
    static const char *const names[] = {"tpm/azure-snp-v1.json", "tpm/azure-snp-v2.json",
                                        "tpm/azure-tdx-v1.json", "tpm/tpm-generic.json"};

    if (cu_vectors() == NULL) {
        cu_skip(4, "no vectors: TPM evidence by KBS is not tried");
        return;
    }
    for (size_t i = 0; i < 4; i++) {
        size_t len;
        uint8_t *p = vector_read(names[i], &len);
        json_t *j = json_loadb((const char *)p, len, 0, NULL);
        const struct attest_evidence_ops *ops;
        struct kbs_evidence e;

        CU_ASSERT_EQUAL(kbs_evidence_parse(kbs_kind("az-snp-vtpm"), j, &e, NULL), ATTEST_OK);
        ops = attest_kind_detect(e.p, e.len);
        CU_ASSERT(ops != NULL && strcmp(ops->kind, "tpm") == 0);
        kbs_evidence_free(&e);
        json_decref(j);
        free(p);
    }
}

static void evidence_in_json_that_is_off_is_refused(void)
{
    static const struct {
        const char *kind, *json;
    } bad[] = {
        {"sev-snp", "{}"},
        {"sev-snp", "[]"},
        {"sev-snp", "{\"attestation_report\":{\"version\":-1}}"},
        {"sev-snp", "{\"evidence\":\"*\"}"},
        {"sev-snp", "{\"evidence\":\"\"}"},
        {"sev-snp", "{\"evidence\":5}"},
        {"tdx", "{\"quote\":\"AAAA\",\"cc_eventlog\":\"*\"}"},
        {"tdx", "{\"quote\":[]}"},
        {"cca", "{\"token\":[256]}"},
        {"cca", "{\"token\":[-1]}"},
        {"cca", "{\"token\":[]}"},
        {"cca", "{\"token\":\"AAAA\"}"},
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        json_t *j = json_loads(bad[i].json, 0, NULL);
        struct kbs_evidence e;

        CU_ASSERT_EQUAL(kbs_evidence_parse(bad[i].kind, j, &e, NULL), ATTEST_MALFORMED);
        json_decref(j);
    }
}

static const struct cu_test tests[] = {
    CU(a_nonce_is_good_once_within_its_life),
    CU(a_used_nonce_is_remembered_for_as_long_as_it_lives),
    CU(a_used_nonce_from_a_clock_ahead_is_remembered_as_long),
    CU(a_clock_that_goes_back_revives_no_used_nonce),
    CU(every_bit_of_a_nonce_counts),
    CU(a_full_window_refuses_until_time_makes_room),
    CU(nonces_from_before_the_start_or_from_the_future_are_refused),
    CU(names_that_could_mean_something_else_are_refused),
    CU(a_store_opens_only_with_its_own_key),
    CU(a_key_file_open_to_others_is_refused),
    CU(a_secret_moved_to_another_path_does_not_open),
    CU(bad_policies_and_collateral_do_not_enter_the_store),
    CU(a_secret_without_a_policy_is_refused),
    CU(hostile_text_in_a_reason_stays_one_good_line),
    CU(a_real_report_in_json_becomes_its_own_bytes_again),
    CU(tpm_quotes_go_on_as_the_json_that_they_are),
    CU(evidence_in_json_that_is_off_is_refused),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("attestd_parts", tests, argc, argv);
}
