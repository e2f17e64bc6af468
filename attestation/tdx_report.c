/*
 * Two things that a TD can hand out and that prove nothing by themselves: its TDREPORT, whose MAC
 * only the same machine can check, and the ACPI table that tells where the CCEL lies. Source: Intel
 * TDX module 1.5 ABI, TDREPORT_STRUCT; Intel TDX Virtual Firmware Design Guide, 4.3.3.
 */
#include "tdx_evidence.h"

#include <attest/reader.h>

#include <string.h>

enum { TDREPORT_SIZE = 1024, TEE_INFO = 256, TD_INFO = 512, CCEL_SIZE = 56 };

static const struct tdx_field mac_fields[] = {
    {"cpusvn", 16, 16},        {"tee-tcb-info-hash", 32, 48},
    {"tee-info-hash", 80, 48}, {"report-data", 128, 64},
    {"mac", 224, 32},
};
static const struct tdx_field module_fields[] = {
    {"tee-tcb-svn", TEE_INFO + 8, 16},     {"mrseam", TEE_INFO + 24, 48},
    {"mrsignerseam", TEE_INFO + 72, 48},   {"seam-attributes", TEE_INFO + 120, 8},
    {"tee-tcb-svn-2", TEE_INFO + 128, 16},
};
static const struct tdx_field td_fields[] = {
    {"td-attributes", TD_INFO, 8},      {"xfam", TD_INFO + 8, 8},
    {"mrtd", TD_INFO + 16, 48},         {"mrconfigid", TD_INFO + 64, 48},
    {"mrowner", TD_INFO + 112, 48},     {"mrownerconfig", TD_INFO + 160, 48},
    {"rtmr0", TD_INFO + 208, 48},       {"rtmr1", TD_INFO + 256, 48},
    {"rtmr2", TD_INFO + 304, 48},       {"rtmr3", TD_INFO + 352, 48},
    {"mrservicetd", TD_INFO + 400, 48},
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* REPORTTYPE: 81h TDX, subtype 0, version 0 or 1, then reserved. */
static bool detect_report(const uint8_t *p, size_t len)
{
    return len >= 8 && p[0] == 0x81 && p[1] == 0 && p[2] <= 1 && bytes_are_zero(p + 3, 5);
}

static enum attest_status parse_report(const uint8_t *p, size_t len, void **ev,
                                       struct attest_error *err)
{
    if (len != TDREPORT_SIZE) {
        return attest_fail(err, len < TDREPORT_SIZE ? ATTEST_TRUNCATED : ATTEST_TRAILING,
                           "TDREPORT", "size", "1024", "%zu", len);
    }
    *ev = (void *)(uintptr_t)p;
    return ATTEST_OK;
}

static void free_nothing(void *ev)
{
    (void)ev;
}

static bool hash_matches(const uint8_t *want, const uint8_t *p, size_t len)
{
    uint8_t h[48];

    return attest_hash1(ATTEST_SHA384, p, len, h) && memcmp(h, want, sizeof(h)) == 0;
}

/* The MAC structure covers hashes of the other two parts (239 and 512 bytes). */
static json_t *report_claims(const void *ev)
{
    const uint8_t *p = ev;

    return json_pack("{s:o, s:b, s:o, s:b, s:o}", "report-mac",
                     tdx_fields_claims(p, mac_fields, COUNT(mac_fields)), "tee-tcb-info-matches",
                     hash_matches(p + 32, p + TEE_INFO, 239), "tee-tcb-info",
                     tdx_fields_claims(p, module_fields, COUNT(module_fields)), "td-info-matches",
                     hash_matches(p + 80, p + TD_INFO, 512), "td-info",
                     tdx_fields_claims(p, td_fields, COUNT(td_fields)));
}

static bool detect_ccel(const uint8_t *p, size_t len)
{
    return len >= 4 && memcmp(p, "CCEL", 4) == 0;
}

static enum attest_status parse_ccel(const uint8_t *p, size_t len, void **ev,
                                     struct attest_error *err)
{
    uint8_t sum = 0;

    if (len < CCEL_SIZE || ld32le(p + 4) != CCEL_SIZE) {
        return attest_fail(err, ATTEST_TRUNCATED, "CCEL table", "Length", "56", "%zu", len);
    }
    for (size_t i = 0; i < CCEL_SIZE; i++) {
        sum = (uint8_t)(sum + p[i]);
    }
    if (sum != 0) {
        return attest_fail(err, ATTEST_MALFORMED, "CCEL table", "Checksum", "a sum of 0", "%u",
                           sum);
    }
    *ev = (void *)(uintptr_t)p;
    return ATTEST_OK;
}

static json_t *ccel_claims(const void *ev)
{
    const uint8_t *p = ev;

    return json_pack("{s:i, s:i, s:i, s:o, s:o}", "revision", p[8], "cc-type", p[36], "cc-subtype",
                     p[37], "log-area-minimum-length", json_integer((json_int_t)ld64le(p + 40)),
                     "log-area-start-address",
                     json_sprintf("0x%llx", (unsigned long long)ld64le(p + 48)));
}

const struct attest_evidence_ops attest_evidence_tdreport = {
    .kind = "tdreport",
    .title = "Intel TDREPORT, which only the same machine can check",
    .detect = detect_report,
    .parse = parse_report,
    .free = free_nothing,
    .verify = attest_show_only_verify,
    .appraise = attest_show_only_appraise,
    .claims = report_claims,
};

const struct attest_evidence_ops attest_evidence_ccel_table = {
    .kind = "ccel-table",
    .title = "ACPI table of the confidential computing event log",
    .detect = detect_ccel,
    .parse = parse_ccel,
    .free = free_nothing,
    .verify = attest_show_only_verify,
    .appraise = attest_show_only_appraise,
    .claims = ccel_claims,
};
