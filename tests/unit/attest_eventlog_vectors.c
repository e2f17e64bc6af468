/* Every TCG event log of the vectors, with the registers that other tools computed from it. */
#include "attest_file.h"
#include "cu.h"

#include <attest/eventlog.h>
#include <attest/hex.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The register values that tpm2_eventlog printed ("pcrs:", then banks, then "N : 0x..."). */
static unsigned int compare_with_yaml(const struct eventlog *log, const char *yaml)
{
    const char *line = strstr(yaml, "\npcrs:");
    struct eventlog_bank bank = {0};
    unsigned int compared = 0, reg;
    char want[2 * ATTEST_HASH_MAX + 1], got[2 * ATTEST_HASH_MAX + 1];

    for (; line != NULL; line = strchr(line + 1, '\n')) {
        if (strncmp(line, "\n  sha", 6) == 0) {
            uint16_t alg = strncmp(line + 3, "sha1:", 5) == 0     ? TPM_ID_SHA1
                           : strncmp(line + 3, "sha256:", 7) == 0 ? TPM_ID_SHA256
                           : strncmp(line + 3, "sha384:", 7) == 0 ? TPM_ID_SHA384
                                                                  : TPM_ID_SHA512;

            CU_ASSERT_EQUAL(eventlog_replay_pcrs(log, alg, &bank, NULL), ATTEST_OK);
        } else if (sscanf(line, "\n    %u : 0x%128[0-9a-f]", &reg, want) == 2) {
            CU_ASSERT_FATAL(reg < EVENTLOG_PCRS);
            CU_ASSERT((bank.extended >> reg & 1) == 1);
            hex_encode(bank.value[reg], attest_hash_size(bank.alg), got);
            CU_ASSERT_STRING_EQUAL(got, want);
            compared++;
        }
    }
    return compared;
}

static void registers_agree_with_tpm2_eventlog(void)
{
    static const char *const names[] = {"event-arch-linux.bin",
                                        "event-bootorder.bin",
                                        "event-gce-ubuntu-2104-log.bin",
                                        "event-uefi-sha1-log.bin",
                                        "event-uefiaction.bin",
                                        "event-uefiservices.bin",
                                        "event-uefivar.bin",
                                        "event.bin"};
    unsigned int all = 0;

    if (cu_vectors() == NULL) {
        cu_skip(8, "no vectors: no logs to compare with tpm2_eventlog");
        return;
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char path[128];
        size_t len, yaml_len;
        uint8_t *p, *yaml;
        struct eventlog log;
        unsigned int n;

        snprintf(path, sizeof(path), "eventlog/tpm2-tools/%s", names[i]);
        p = vector_read(path, &len);
        snprintf(path, sizeof(path), "eventlog/tpm2-tools/%s.yaml", names[i]);
        yaml = vector_read(path, &yaml_len);
        CU_ASSERT_EQUAL_FATAL(eventlog_parse(p, len, &log, NULL), ATTEST_OK);
        n = compare_with_yaml(&log, (const char *)yaml);
        CU_ASSERT(n >= 1);
        all += n;
        free(p);
        free(yaml);
    }
    CU_ASSERT_EQUAL(all, 89);
    printf("%u registers agree ", all);
}

static bool same_event(const struct eventlog_event *ev, const json_t *want)
{
    const char *type = json_string_value(json_object_get(want, "type_name"));
    const char *data = json_string_value(json_object_get(want, "event"));
    const json_t *digest = json_array_get(json_object_get(want, "digests"), 0);
    const char *hex = json_string_value(json_object_get(digest, "digest"));
    static uint8_t bytes[65536];
    char got[2 * ATTEST_HASH_MAX + 1];
    size_t n = 0;

    hex_encode(ev->digest[0].p, ev->digest[0].size, got);
    return (json_int_t)ev->index == json_integer_value(json_object_get(want, "index")) &&
           (eventlog_type_name(ev->type) == NULL ||
            strcmp(eventlog_type_name(ev->type), type) == 0) &&
           strcmp(got, hex) == 0 &&
           base64_decode(data, strlen(data), false, bytes, sizeof(bytes), &n) && n == ev->size &&
           memcmp(bytes, ev->data, n) == 0;
}

static void compare_with_json(const char *name)
{
    char path[128];
    size_t len, i = 0;
    uint8_t *p, *text;
    json_t *j, *want;
    struct eventlog log;
    struct eventlog_walk w;
    struct eventlog_event ev;

    snprintf(path, sizeof(path), "eventlog/coco/%s", name);
    p = vector_read(path, &len);
    CU_ASSERT_EQUAL_FATAL(eventlog_parse(p, len, &log, NULL), ATTEST_OK);
    snprintf(path, sizeof(path), "eventlog/coco/%s_out.json", name);
    text = vector_read(path, &len);
    j = json_loadb((const char *)text, len, 0, NULL);
    want = json_object_get(j, "uefi_event_logs");
    w = eventlog_walk(&log);
    CU_ASSERT(eventlog_next(&w, &ev)); /* the Spec ID record is not listed */
    while (eventlog_next(&w, &ev)) {
        CU_ASSERT(same_event(&ev, json_array_get(want, i++)));
    }
    CU_ASSERT(i == json_array_size(want) && i > 10);
    json_decref(j);
    free(text);
    free(p);
}

static void records_agree_with_another_parser(void)
{
    if (cu_vectors() == NULL) {
        cu_skip(3, "no vectors: no CCEL to compare");
        return;
    }
    compare_with_json("CCEL_data_ovmf");
    compare_with_json("CCEL_data_grub");
    compare_with_json("CCEL_AAEL_alibabacloud");
}

static const struct {
    const char *name;
    enum attest_status st;
    size_t events;
    bool agile;
} logs[] = {
    {"eventlog/ccel-CCEL_unpadded.data.bin", ATTEST_OK, 20, true},
    {"eventlog/ccel-cos-113-intel-tdx-dupe-separator.bin", ATTEST_OK, 44, true},
    {"eventlog/eventlogwithsp800155.bin", ATTEST_OK, 54, true},
    {"eventlog/legacy-crypto_agile_eventlog.bin", ATTEST_OK, 27, true},
    {"eventlog/legacy-ebs_event_missing_eventlog.bin", ATTEST_OK, 38, false},
    {"eventlog/legacy-option_rom_eventlog.bin", ATTEST_OK, 60, false},
    {"eventlog/legacy-sb_cert_eventlog.bin", ATTEST_OK, 15, true},
    {"eventlog/tpm-arch-linux-workstation.bin", ATTEST_OK, 25, true},
    {"eventlog/tpm-cos-101-amd-sev.bin", ATTEST_OK, 49, true},
    {"eventlog/tpm-debian-10.bin", ATTEST_OK, 25, false},
    {"eventlog/tpm-glinux-alex.bin", ATTEST_OK, 29, true},
    {"eventlog/tpm-ubuntu-2104-no-dbx.bin", ATTEST_OK, 112, true},
    {"eventlog/tpm-ubuntu-2104-no-secure-boot.bin", ATTEST_OK, 106, true},
    {"eventlog/ubuntu-2404-amd-sevsnp.bin", ATTEST_OK, 117, true},
    {"tdx/ccel-gcp/ccel.bin", ATTEST_OK, 44, true},
    {"tdx/live-ccel/ccel.bin", ATTEST_OK, 21, true},
    /* An ACPI table, no log. */
    {"eventlog/ccel-CCEL.bin", ATTEST_TRUNCATED, 0, false},
    /* vendorInfo lies outside the record whose size should cover it. */
    {"eventlog/tpm2-tools/specid-vendordata.bin", ATTEST_TRUNCATED, 0, false},
};
enum { LOGS = sizeof(logs) / sizeof(logs[0]) };

static void every_log_of_the_vectors_is_read_or_refused(void)
{
    if (cu_vectors() == NULL) {
        cu_skip(LOGS, "no vectors: no logs to read");
        return;
    }
    for (size_t i = 0; i < LOGS; i++) {
        size_t len;
        uint8_t *p = vector_read(logs[i].name, &len);
        struct eventlog log;
        json_t *claims;

        CU_ASSERT_PTR_NOT_NULL_FATAL(p);
        CU_ASSERT_EQUAL(eventlog_parse(p, len, &log, NULL), logs[i].st);
        if (logs[i].st == ATTEST_OK) {
            CU_ASSERT_EQUAL(log.events, logs[i].events);
            CU_ASSERT_EQUAL(log.crypto_agile, logs[i].agile);
            claims = eventlog_claims(&log);
            CU_ASSERT_EQUAL(json_array_size(json_object_get(claims, "events")), log.events);
            json_decref(claims);
            CU_ASSERT_STRING_EQUAL(attest_kind_detect(p, len)->kind, "event-log");
        }
        free(p);
    }
}

/* Exact-size copies, so that the sanitizer sees any read past the end. */
static void a_real_log_cut_anywhere_is_whole_up_to_there_or_refused(void)
{
    size_t len, whole = 0;
    uint8_t *p;

    if (cu_vectors() == NULL) {
        cu_skip(1, "no vectors: no log to cut");
        return;
    }
    p = vector_read("eventlog/ccel-CCEL_unpadded.data.bin", &len);
    for (size_t n = 0; n < len; n++) {
        uint8_t *cut = malloc(n + 1);
        struct eventlog log;
        enum attest_status st;

        memcpy(cut, p, n);
        cut = realloc(cut, n == 0 ? 1 : n);
        st = eventlog_parse(cut, n, &log, NULL);
        whole += st == ATTEST_OK;
        CU_ASSERT(st == ATTEST_OK || st == ATTEST_TRUNCATED);
        free(cut);
    }
    /*
     * A log of 20 records is whole after each of them, and for up to three bytes of a next one
     * that begin with zeros, which read as padding.
     */
    CU_ASSERT(whole >= 19 && whole < 200);
    free(p);
}

static void a_tdreport_is_shown_with_its_hashes_checked(void)
{
    const struct attest_evidence_ops *ops;
    void *ev = NULL;
    size_t len;
    uint8_t *p = vector_read("tdx/live-ccel/tdreport.bin", &len);
    json_t *claims;

    if (p == NULL) {
        cu_skip(2, "no vectors: no TDREPORT, no ACPI table");
        return;
    }
    ops = attest_kind_detect(p, len);
    CU_ASSERT_STRING_EQUAL_FATAL(ops->kind, "tdreport");
    CU_ASSERT_EQUAL_FATAL(ops->parse(p, len, &ev, NULL), ATTEST_OK);
    claims = ops->claims(ev);
    CU_ASSERT(json_is_true(json_object_get(claims, "td-info-matches")));
    CU_ASSERT(json_is_true(json_object_get(claims, "tee-tcb-info-matches")));
    json_decref(claims);
    CU_ASSERT_EQUAL(ops->parse(p, len - 1, &ev, NULL), ATTEST_TRUNCATED);
    free(p);
    p = vector_read("tdx/ccel-gcp/ccel_table.bin", &len);
    ops = attest_kind_detect(p, len);
    CU_ASSERT_STRING_EQUAL_FATAL(ops->kind, "ccel-table");
    CU_ASSERT_EQUAL_FATAL(ops->parse(p, len, &ev, NULL), ATTEST_OK);
    claims = ops->claims(ev);
    CU_ASSERT_EQUAL(json_integer_value(json_object_get(claims, "cc-type")), 2);
    json_decref(claims);
    p[40] ^= 1;
    CU_ASSERT_EQUAL(ops->parse(p, len, &ev, NULL), ATTEST_MALFORMED);
    free(p);
}

static void a_short_real_no_action_record_seeds_pcr_0(void)
{
    size_t len;
    uint8_t *p = vector_read("eventlog/legacy-short_no_action_eventlog.bin", &len);
    struct eventlog log;
    struct eventlog_bank b;

    if (p == NULL) {
        cu_skip(1, "no vectors: no lone StartupLocality");
        return;
    }
    CU_ASSERT_EQUAL_FATAL(eventlog_parse(p, len, &log, NULL), ATTEST_OK);
    CU_ASSERT_EQUAL(log.events, 1);
    CU_ASSERT_EQUAL(eventlog_replay_pcrs(&log, TPM_ID_SHA1, &b, NULL), ATTEST_OK);
    CU_ASSERT_EQUAL(b.extended, 0);
    free(p);
}

static const struct cu_test tests[] = {
    CU(registers_agree_with_tpm2_eventlog),
    CU(records_agree_with_another_parser),
    CU(every_log_of_the_vectors_is_read_or_refused),
    CU(a_real_log_cut_anywhere_is_whole_up_to_there_or_refused),
    CU(a_tdreport_is_shown_with_its_hashes_checked),
    CU(a_short_real_no_action_record_seeds_pcr_0),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("attest_eventlog_vectors", tests, argc, argv);
}
