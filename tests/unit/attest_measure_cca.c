/*
 * The realm initial measurement: known answers of the published realm-measurements tool for the
 * realm alone, and the descriptors put together here a second time, by their offsets.
 */
#include "cu.h"

#include <attest/hex.h>
#include <attest/measure_cca.h>

#include <stdio.h>
#include <string.h>

static const struct cca_realm_params plain = {
    .s2sz = 48, .num_bps = 1, .num_wps = 1, .hash = ATTEST_SHA256};

static bool is_hex(const uint8_t *p, size_t len, const char *want)
{
    char hex[2 * ATTEST_HASH_MAX + 1];

    hex_encode(p, len, hex);
    if (strcmp(hex, want) != 0) {
        fprintf(stderr, "got %s\n", hex);
    }
    return strcmp(hex, want) == 0;
}

static void a_realm_alone_measures_to_the_published_values(void)
{
    struct cca_realm_params p = plain;
    struct cca_rim rim;

    CU_ASSERT_EQUAL(cca_rim_create(&p, &rim, NULL), ATTEST_OK);
    CU_ASSERT(is_hex(rim.value, 32,
                     "6739dfb22b75ee1268d08dfa8369f501bc0b066243553f069f560d1fa1172973"));
    p.hash = ATTEST_SHA512;
    CU_ASSERT_EQUAL(cca_rim_create(&p, &rim, NULL), ATTEST_OK);
    CU_ASSERT(is_hex(rim.value, 64,
                     "799e434048fb57eb9d4f0e2a2b98158720377252deab2bdfcd69b5a8f82237f4"
                     "34bd6bb1c75bf160a2d49382f733b3439a3ff769e4ea5dd9a6f72239d44bbbab"));
}

/* Sets bytes of a descriptor and gives its SHA-256. */
static void by_hand(uint8_t out[32], uint8_t type, const uint8_t *rim, const uint8_t *words,
                    size_t len)
{
    uint8_t d[0x100] = {0};

    d[0] = type;
    d[9] = 1; /* length 100h */
    memcpy(d + 0x10, rim, 32);
    memcpy(d + 0x50, words, len);
    CU_ASSERT(attest_hash1(ATTEST_SHA256, d, sizeof(d), out));
}

static void each_command_extends_by_its_descriptor(void)
{
    static const uint8_t ripas[16] = {0, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0x20, 0x80};
    uint8_t data[16 + 32] = {0, 0x10, 0, 0x80, 0, 0, 0, 0, 1};
    uint8_t page[CCA_GRANULE] = {0};
    uint8_t params[CCA_GRANULE] = {0};
    const uint64_t gprs[CCA_REC_GPRS] = {0x1122, 0, 0, 0, 0, 0, 0, 0x77};
    uint8_t want[32];
    uint8_t rec[32];
    struct cca_rim rim;

    CU_ASSERT_EQUAL(cca_rim_create(&plain, &rim, NULL), ATTEST_OK);
    by_hand(want, 2, rim.value, ripas, sizeof(ripas));
    CU_ASSERT_EQUAL(cca_rim_ripas(&rim, 0x80000000, 0x80200000, NULL), ATTEST_OK);
    CU_ASSERT_EQUAL(memcmp(rim.value, want, 32), 0);
    memcpy(page, "kernel", 6);
    CU_ASSERT(attest_hash1(ATTEST_SHA256, page, sizeof(page), data + 16));
    by_hand(want, 0, rim.value, data, sizeof(data));
    CU_ASSERT_EQUAL(cca_rim_image(&rim, 0x80001000, true, page, 6, NULL), ATTEST_OK);
    CU_ASSERT_EQUAL(memcmp(rim.value, want, 32), 0);
    params[0] = 1;
    params[0x203] = 0x80;
    params[0x300] = 0x22;
    params[0x301] = 0x11;
    params[0x338] = 0x77;
    CU_ASSERT(attest_hash1(ATTEST_SHA256, params, sizeof(params), rec));
    by_hand(want, 1, rim.value, rec, sizeof(rec));
    CU_ASSERT_EQUAL(cca_rim_rec(&rim, true, 0x80000000, gprs, NULL), ATTEST_OK);
    CU_ASSERT_EQUAL(memcmp(rim.value, want, 32), 0);
}

static void contents_that_are_not_measured_count_by_their_place_alone(void)
{
    uint8_t a[CCA_GRANULE] = {1};
    uint8_t b[CCA_GRANULE] = {2};
    struct cca_rim x;
    struct cca_rim y;

    CU_ASSERT_EQUAL(cca_rim_create(&plain, &x, NULL), ATTEST_OK);
    y = x;
    CU_ASSERT_EQUAL(cca_rim_data(&x, 0x1000, false, a, NULL), ATTEST_OK);
    CU_ASSERT_EQUAL(cca_rim_data(&y, 0x1000, false, b, NULL), ATTEST_OK);
    CU_ASSERT_EQUAL(memcmp(&x, &y, sizeof(x)), 0);
    CU_ASSERT_EQUAL(cca_rim_data(&x, 0x2000, true, a, NULL), ATTEST_OK);
    CU_ASSERT_EQUAL(cca_rim_data(&y, 0x2000, true, b, NULL), ATTEST_OK);
    CU_ASSERT_NOT_EQUAL(memcmp(&x, &y, sizeof(x)), 0);
}

static void a_rec_that_is_not_runnable_is_not_measured(void)
{
    const uint64_t gprs[CCA_REC_GPRS] = {0};
    struct cca_rim a;
    struct cca_rim b;

    CU_ASSERT_EQUAL(cca_rim_create(&plain, &a, NULL), ATTEST_OK);
    b = a;
    CU_ASSERT_EQUAL(cca_rim_rec(&a, false, 0x1234, gprs, NULL), ATTEST_OK);
    CU_ASSERT_EQUAL(memcmp(&a, &b, sizeof(a)), 0);
}

static void a_range_is_measured_entry_by_entry_the_largest_that_fit(void)
{
    static const uint64_t steps[] = {0x1ff000, 0x200000, 0x400000, 0x600000, 0x601000};
    struct cca_rim whole;
    struct cca_rim parts;

    CU_ASSERT_EQUAL(cca_rim_create(&plain, &whole, NULL), ATTEST_OK);
    parts = whole;
    CU_ASSERT_EQUAL(cca_rim_ripas_range(&whole, 1 << 21, 0x1ff000, 0x601000, NULL), ATTEST_OK);
    for (size_t i = 0; i + 1 < sizeof(steps) / sizeof(steps[0]); i++) {
        CU_ASSERT_EQUAL(cca_rim_ripas(&parts, steps[i], steps[i + 1], NULL), ATTEST_OK);
    }
    CU_ASSERT_EQUAL(memcmp(&whole, &parts, sizeof(whole)), 0);
}

static void impossible_realms_are_refused_by_name(void)
{
    struct cca_realm_params p = plain;
    struct attest_error err;
    struct cca_rim rim;

    p.hash = ATTEST_SHA1;
    CU_ASSERT_EQUAL(cca_rim_create(&p, &rim, &err), ATTEST_POLICY);
    CU_ASSERT_STRING_EQUAL(err.field, "hash algorithm");
    p = plain;
    p.s2sz = 53;
    CU_ASSERT_EQUAL(cca_rim_create(&p, &rim, &err), ATTEST_POLICY);
    CU_ASSERT_STRING_EQUAL(err.field, "s2sz");
    CU_ASSERT_EQUAL(cca_rim_create(&plain, &rim, &err), ATTEST_OK);
    CU_ASSERT_EQUAL(cca_rim_data(&rim, 0x1800, false, NULL, &err), ATTEST_POLICY);
    CU_ASSERT_EQUAL(cca_rim_ripas(&rim, 0x1000, 0x1000, &err), ATTEST_POLICY);
    CU_ASSERT_EQUAL(cca_rim_ripas(&rim, 0x800, 0x1000, &err), ATTEST_POLICY);
    CU_ASSERT_EQUAL(cca_rim_ripas_range(&rim, 1 << 21, 0x1000, 0, &err), ATTEST_POLICY);
}

static void an_extensible_measurement_is_the_hash_of_old_and_value(void)
{
    uint8_t old[32] = {0};
    uint8_t out[32];
    uint8_t want[32];
    uint8_t both[36] = {0};

    memcpy(both + 32, "data", 4);
    CU_ASSERT(attest_hash1(ATTEST_SHA256, both, sizeof(both), want));
    CU_ASSERT_EQUAL(cca_rem_extend(ATTEST_SHA256, old, "data", 4, out, NULL), ATTEST_OK);
    CU_ASSERT_EQUAL(memcmp(out, want, 32), 0);
    CU_ASSERT_EQUAL(cca_rem_extend(ATTEST_SHA256, old, both, 65, out, NULL), ATTEST_POLICY);
}

static const struct cu_test tests[] = {
    CU(a_realm_alone_measures_to_the_published_values),
    CU(each_command_extends_by_its_descriptor),
    CU(contents_that_are_not_measured_count_by_their_place_alone),
    CU(a_rec_that_is_not_runnable_is_not_measured),
    CU(a_range_is_measured_entry_by_entry_the_largest_that_fit),
    CU(impossible_realms_are_refused_by_name),
    CU(an_extensible_measurement_is_the_hash_of_old_and_value),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("attest_measure_cca", tests, argc, argv);
}
