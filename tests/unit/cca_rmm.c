/* The test RMM's logic on a host: granules, tables, measurement (cc/emu/cca). */
#include <attest/measure_cca.h>
#include <openssl/sha.h>
#include <string.h>

#include "../../cc/emu/cca/rmm_sha512.h"

#include "cca_realm.h"
#include "cu.h"

/* ---- granules ---- */

static void a_granule_is_delegated_once(void)
{
    cca_host_reset();
    CU_ASSERT_EQUAL(cca_delegate(5), RMI_SUCCESS);
    CU_ASSERT(cca_is_realm(P(5)));
    CU_ASSERT_EQUAL(cca_delegate(5), RMI_ERROR_INPUT);
    CU_ASSERT_EQUAL(CALL(RMI_GRANULE_UNDELEGATE, P(5)), RMI_SUCCESS);
    CU_ASSERT_EQUAL(CALL(RMI_GRANULE_UNDELEGATE, P(5)), RMI_ERROR_INPUT);
    CU_ASSERT_EQUAL(CALL(RMI_GRANULE_DELEGATE, P(5) + 8), RMI_ERROR_INPUT);
    CU_ASSERT_EQUAL(CALL(RMI_GRANULE_DELEGATE, P(CCA_HOST_PAGES)), RMI_ERROR_INPUT);
    CU_ASSERT_EQUAL(CALL(RMI_GRANULE_DELEGATE, 0), RMI_ERROR_INPUT);
}

static void a_refusal_of_the_monitor_changes_nothing(void)
{
    cca_host_reset();
    cca_fail_el3(1);
    CU_ASSERT_EQUAL(cca_delegate(5), RMI_ERROR_INPUT);
    CU_ASSERT_EQUAL(cca_delegate(5), RMI_SUCCESS);
    cca_fail_el3(1);
    CU_ASSERT_EQUAL(CALL(RMI_GRANULE_UNDELEGATE, P(5)), RMI_ERROR_INPUT);
    cca_end(5);
}

static void what_a_granule_held_is_gone_when_it_comes_back(void)
{
    const uint8_t zeros[GRANULE_SIZE] = {0};

    cca_with_tables();
    memset(cca_bytes(P(SRC)), 0x5a, GRANULE_SIZE);
    (void)cca_delegate(DATA);
    CU_ASSERT_EQUAL(cca_rmi5(RMI_DATA_CREATE, P(RD), P(DATA), 0, P(SRC), 1), RMI_SUCCESS);
    CU_ASSERT_EQUAL(memcmp(cca_bytes(P(DATA)), cca_bytes(P(SRC)), GRANULE_SIZE), 0);
    CU_ASSERT_EQUAL(CALL(RMI_GRANULE_UNDELEGATE, P(DATA)), RMI_ERROR_INPUT);
    CU_ASSERT_EQUAL(CALL(RMI_DATA_DESTROY, P(RD), 0), RMI_SUCCESS);
    CU_ASSERT_EQUAL(cca_last.x[1], P(DATA));
    CU_ASSERT_EQUAL(memcmp(cca_bytes(P(DATA)), zeros, GRANULE_SIZE), 0);
    cca_end(DATA);
    cca_end_tables();
    cca_end_realm();
}

/* ---- realms ---- */

static void no_level(struct rmi_realm_params *p)
{
    p->rtt_level_start = 3;
}
static void two_roots(struct rmi_realm_params *p)
{
    p->rtt_num_start = 2;
}
static void root_is_rd(struct rmi_realm_params *p)
{
    p->rtt_base = P(RD);
}
static void no_hash(struct rmi_realm_params *p)
{
    p->hash_algo = 2;
}
static void wants_sve(struct rmi_realm_params *p)
{
    p->flags = 2;
}

static void one_breakpoint(struct rmi_realm_params *p)
{
    p->num_bps = 0;
}
static void wide_vmid(struct rmi_realm_params *p)
{
    p->vmid = 0x107; /* to the CPU it would be the same as 7 */
}

static void bad_realm_parameters_are_refused(void)
{
    void (*const bad[])(struct rmi_realm_params *p) = {no_level, two_roots, root_is_rd, no_hash,
                                                       wants_sve, wide_vmid, one_breakpoint};

    cca_host_reset();
    (void)cca_delegate(RD);
    (void)cca_delegate(ROOT);
    for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
        CU_ASSERT_EQUAL(cca_create_with(bad[i]), RMI_ERROR_INPUT);
    }
    CU_ASSERT_EQUAL(cca_create_with(NULL), RMI_SUCCESS);
    CU_ASSERT_EQUAL(cca_create_with(NULL), RMI_ERROR_INPUT);
    cca_end_realm();
}

static void a_realm_with_something_in_it_is_not_destroyed(void)
{
    cca_with_tables();
    CU_ASSERT_EQUAL(CALL(RMI_REALM_DESTROY, P(RD)), RMI_ERROR_REALM);
    CU_ASSERT_EQUAL(CALL(RMI_RTT_DESTROY, P(RD), 0, 2), RTT_ERROR(2));
    cca_end_tables();
    cca_end_realm();
}

static void an_active_realm_takes_no_more_data(void)
{
    cca_a_running_realm();
    (void)cca_delegate(20);
    CU_ASSERT_EQUAL(cca_rmi5(RMI_DATA_CREATE, P(RD), P(20), 0, P(SRC), 1), RMI_ERROR_REALM);
    CU_ASSERT_EQUAL(CALL(RMI_RTT_INIT_RIPAS, P(RD), 0, 0x1000), RMI_ERROR_REALM);
    CU_ASSERT_EQUAL(CALL(RMI_REALM_ACTIVATE, P(RD)), RMI_ERROR_REALM);
    cca_end(20);
    cca_end_running();
}

/* ---- tables ---- */

static void a_missing_table_is_named_by_its_level(void)
{
    cca_a_realm();
    (void)cca_delegate(DATA);
    (void)cca_delegate(L3);
    CU_ASSERT_EQUAL(CALL(RMI_DATA_CREATE_UNKNOWN, P(RD), P(DATA), 0), RTT_ERROR(1));
    CU_ASSERT_EQUAL(CALL(RMI_RTT_CREATE, P(RD), P(L3), 0, 3), RTT_ERROR(1));
    CU_ASSERT_EQUAL(CALL(RMI_RTT_CREATE, P(RD), P(L3), 0, 1), RMI_ERROR_INPUT);
    CU_ASSERT_EQUAL(CALL(RMI_RTT_CREATE, P(RD), P(L3), 0, 4), RMI_ERROR_INPUT);
    CU_ASSERT_EQUAL(CALL(RMI_RTT_CREATE, P(RD), P(L3), 0x1000, 2), RMI_ERROR_INPUT);
    CU_ASSERT_EQUAL(CALL(RMI_RTT_CREATE, P(RD), P(DATA + 20), 0, 2), RMI_ERROR_INPUT);
    cca_end(DATA);
    cca_end(L3);
    cca_end_realm();
}

static void a_page_is_mapped_once(void)
{
    cca_a_running_realm();
    (void)cca_delegate(20);
    CU_ASSERT_EQUAL(CALL(RMI_DATA_CREATE_UNKNOWN, P(RD), P(20), 0x1000), RTT_ERROR(3));
    CU_ASSERT_EQUAL(CALL(RMI_DATA_CREATE_UNKNOWN, P(RD), P(DATA), 0x2000), RMI_ERROR_INPUT);
    CU_ASSERT_EQUAL(CALL(RMI_DATA_CREATE_UNKNOWN, P(RD), P(20), SHARED), RMI_ERROR_INPUT);
    CU_ASSERT_EQUAL(CALL(RMI_RTT_READ_ENTRY, P(RD), 0x1000, 3), RMI_SUCCESS);
    CU_ASSERT_EQUAL(cca_last.x[1], 3);
    CU_ASSERT_EQUAL(cca_last.x[2], RMI_ASSIGNED);
    CU_ASSERT_EQUAL(cca_last.x[3], P(DATA));
    CU_ASSERT_EQUAL(cca_last.x[4], RIPAS_RAM);
    cca_end(20);
    cca_end_running();
}

static void memory_in_one_piece_folds_and_unfolds(void)
{
    cca_with_tables();
    for (unsigned int i = 0; i < 512; i++) {
        CU_ASSERT_EQUAL(cca_delegate(BLOCK + i), RMI_SUCCESS);
        CU_ASSERT_EQUAL(CALL(RMI_DATA_CREATE_UNKNOWN, P(RD), P(BLOCK + i), i * 0x1000ull),
                        RMI_SUCCESS);
    }
    CU_ASSERT_EQUAL(CALL(RMI_RTT_FOLD, P(RD), 0, 3), RMI_SUCCESS);
    CU_ASSERT_EQUAL(cca_last.x[1], P(L3));
    CU_ASSERT_EQUAL(CALL(RMI_RTT_READ_ENTRY, P(RD), 0, 2), RMI_SUCCESS);
    CU_ASSERT_EQUAL(cca_last.x[2], RMI_ASSIGNED);
    CU_ASSERT_EQUAL(CALL(RMI_DATA_DESTROY, P(RD), 0), RTT_ERROR(2));
    CU_ASSERT_EQUAL(CALL(RMI_RTT_CREATE, P(RD), P(L3), 0, 3), RMI_SUCCESS);
    for (unsigned int i = 0; i < 512; i++) {
        CU_ASSERT_EQUAL(CALL(RMI_DATA_DESTROY, P(RD), i * 0x1000ull), RMI_SUCCESS);
        CU_ASSERT_EQUAL(cca_last.x[1], P(BLOCK + i));
        cca_end(BLOCK + i);
    }
    cca_end_tables();
    cca_end_realm();
}

static void the_host_maps_its_own_memory_in_the_upper_half_only(void)
{
    const uint64_t desc = P(SRC) | 6 << 2 | 3 << 6;

    cca_a_realm();
    (void)cca_delegate(L2);
    (void)cca_delegate(L3);
    CU_ASSERT_EQUAL(CALL(RMI_RTT_CREATE, P(RD), P(L2), SHARED, 2), RMI_SUCCESS);
    CU_ASSERT_EQUAL(CALL(RMI_RTT_MAP_UNPROTECTED, P(RD), SHARED, 3, desc), RTT_ERROR(2));
    CU_ASSERT_EQUAL(CALL(RMI_RTT_CREATE, P(RD), P(L3), SHARED, 3), RMI_SUCCESS);
    CU_ASSERT_EQUAL(CALL(RMI_RTT_MAP_UNPROTECTED, P(RD), 0, 3, desc), RMI_ERROR_INPUT);
    CU_ASSERT_EQUAL(CALL(RMI_RTT_MAP_UNPROTECTED, P(RD), SHARED, 3, desc | 1), RMI_ERROR_INPUT);
    CU_ASSERT_EQUAL(CALL(RMI_RTT_MAP_UNPROTECTED, P(RD), SHARED, 3, desc), RMI_SUCCESS);
    CU_ASSERT_EQUAL(CALL(RMI_RTT_MAP_UNPROTECTED, P(RD), SHARED, 3, desc), RTT_ERROR(3));
    CU_ASSERT_EQUAL(CALL(RMI_RTT_DESTROY, P(RD), SHARED, 3), RTT_ERROR(3));
    CU_ASSERT_EQUAL(CALL(RMI_RTT_UNMAP_UNPROTECTED, P(RD), SHARED, 3), RMI_SUCCESS);
    CU_ASSERT_EQUAL(CALL(RMI_RTT_DESTROY, P(RD), SHARED, 3), RMI_SUCCESS);
    CU_ASSERT_EQUAL(CALL(RMI_RTT_DESTROY, P(RD), SHARED, 2), RMI_SUCCESS);
    cca_end(L2);
    cca_end(L3);
    cca_end_realm();
}

static void a_gib_of_the_hosts_memory_is_one_entry(void)
{
    const uint64_t desc = CCA_HOST_BASE | 6 << 2 | 3 << 6; /* 2 GiB */

    cca_a_realm();
    (void)cca_delegate(L2);
    CU_ASSERT_EQUAL(CALL(RMI_RTT_MAP_UNPROTECTED, P(RD), SHARED, 0, desc), RMI_ERROR_INPUT);
    CU_ASSERT_EQUAL(CALL(RMI_RTT_MAP_UNPROTECTED, P(RD), SHARED, 1, desc + SIZE_2M),
                    RMI_ERROR_INPUT);
    CU_ASSERT_EQUAL(CALL(RMI_RTT_MAP_UNPROTECTED, P(RD), SHARED, 1, desc), RMI_SUCCESS);
    CU_ASSERT_EQUAL(CALL(RMI_RTT_CREATE, P(RD), P(L2), SHARED, 2), RMI_SUCCESS);
    CU_ASSERT_EQUAL(CALL(RMI_RTT_READ_ENTRY, P(RD), SHARED + SIZE_2M, 2), RMI_SUCCESS);
    CU_ASSERT_EQUAL(cca_last.x[3], desc + SIZE_2M);
    CU_ASSERT_EQUAL(CALL(RMI_RTT_FOLD, P(RD), SHARED, 2), RMI_SUCCESS);
    CU_ASSERT_EQUAL(CALL(RMI_RTT_UNMAP_UNPROTECTED, P(RD), SHARED, 1), RMI_SUCCESS);
    cca_end(L2);
    cca_end_realm();
}

/* ---- measurement: the verifier library predicts what the RMM measures ---- */

static void the_rim_is_what_the_library_predicts(void)
{
    const struct cca_realm_params params = {
        .s2sz = IPA_BITS, .num_bps = 1, .num_wps = 1, .hash = ATTEST_SHA512};
    const uint64_t gprs[CCA_REC_GPRS] = {0x2000};
    struct attest_error err;
    struct cca_rim rim;
    struct rd *rd;

    cca_with_tables();
    memset(cca_bytes(P(SRC)), 0x77, GRANULE_SIZE);
    CU_ASSERT_EQUAL(cca_delegate(DATA) + cca_delegate(REC) + cca_delegate(AUX), 0);
    CU_ASSERT_EQUAL(cca_rmi5(RMI_DATA_CREATE, P(RD), P(DATA), 0x1000, P(SRC), 1), RMI_SUCCESS);
    CU_ASSERT_EQUAL(cca_create_rec(REC, AUX, 0, RMI_REC_RUNNABLE), RMI_SUCCESS);
    CU_ASSERT_EQUAL(cca_rim_create(&params, &rim, &err), ATTEST_OK);
    CU_ASSERT_EQUAL(cca_rim_ripas(&rim, 0, SIZE_2M, &err), ATTEST_OK);
    CU_ASSERT_EQUAL(cca_rim_ripas(&rim, SIZE_2M, 2 * SIZE_2M, &err), ATTEST_OK);
    CU_ASSERT_EQUAL(cca_rim_data(&rim, 0x1000, true, cca_bytes(P(SRC)), &err), ATTEST_OK);
    CU_ASSERT_EQUAL(cca_rim_rec(&rim, true, 0x1000, gprs, &err), ATTEST_OK);
    rd = cca_bytes(P(RD));
    CU_ASSERT_EQUAL(memcmp(rd->rim, rim.value, 64), 0);
    CU_ASSERT_EQUAL(CALL(RMI_DATA_DESTROY, P(RD), 0x1000), RMI_SUCCESS);
    CU_ASSERT_EQUAL(CALL(RMI_REC_DESTROY, P(REC)), RMI_SUCCESS);
    cca_end(DATA);
    cca_end(REC);
    cca_end(AUX);
    cca_end_tables();
    cca_end_realm();
}

static void an_unknown_command_is_not_supported(void)
{
    cca_host_reset();
    CU_ASSERT_EQUAL(CALL(RMI_FID(0x06), 0), UINT64_MAX);
    CU_ASSERT_EQUAL(CALL(RMI_FID(0x1a), 0), UINT64_MAX);
    CU_ASSERT_EQUAL(CALL(0xdeadull << 32 | RMI_VERSION, 0x10000), RMI_SUCCESS); /* W0 */
    CU_ASSERT_EQUAL(CALL(RMI_VERSION, 0x20000), RMI_ERROR_INPUT);
    CU_ASSERT_EQUAL(cca_last.x[1], RMI_REVISION_1_0);
}

static void registers_without_an_answer_are_zero_or_the_callers(void)
{
    cca_host_reset();
    CU_ASSERT_EQUAL(cca_rmi5(RMI_GRANULE_DELEGATE, cca_page(0), 2, 3, 4, 5), RMI_SUCCESS);
    CU_ASSERT_EQUAL(cca_last.x[1] | cca_last.x[2] | cca_last.x[3], 0);
    CU_ASSERT(cca_last.x[4] == 4 && cca_last.x[5] == 5);
    CU_ASSERT_EQUAL(cca_rmi5(RMI_FID(6), 1, 2, 3, 4, 5), UINT64_MAX);
    CU_ASSERT(cca_last.x[1] == 0 && cca_last.x[4] == 4);
}

static void the_nth_call_of_a_command_fails_on_request(void)
{
    cca_host_reset();
    rmm_fail_nth(RMI_GRANULE_DELEGATE, 2);
    CU_ASSERT_EQUAL(CALL(RMI_GRANULE_DELEGATE, cca_page(0)), RMI_SUCCESS);
    CU_ASSERT_EQUAL(CALL(RMI_GRANULE_UNDELEGATE, cca_page(0)), RMI_SUCCESS);
    CU_ASSERT_EQUAL(CALL(RMI_GRANULE_DELEGATE, cca_page(1)), RMI_ERROR_INPUT);
    CU_ASSERT_FALSE(cca_is_realm(cca_page(1)));
    CU_ASSERT_EQUAL(CALL(RMI_GRANULE_DELEGATE, cca_page(1)), RMI_SUCCESS);
}

/* Of each length, in two parts, from each alignment. */
static void sha_512_is_what_everybody_computes(void)
{
    uint8_t text[400], ours[64], theirs[64];
    struct sha512 s;

    for (size_t i = 0; i < sizeof(text); i++) {
        text[i] = (uint8_t)(i * 167 + 13);
    }
    for (size_t len = 0; len <= 384; len++) {
        const uint8_t *p = text + len % 16;
        size_t first = len * 7 % (len + 1);

        sha512_begin(&s);
        sha512_add(&s, p, first);
        sha512_add(&s, p + first, len - first);
        sha512_end(&s, ours);
        SHA512(p, len, theirs);
        CU_ASSERT_EQUAL(memcmp(ours, theirs, sizeof(ours)), 0);
    }
}

static const struct cu_test tests[] = {
    CU(a_granule_is_delegated_once),
    CU(a_refusal_of_the_monitor_changes_nothing),
    CU(what_a_granule_held_is_gone_when_it_comes_back),
    CU(bad_realm_parameters_are_refused),
    CU(a_realm_with_something_in_it_is_not_destroyed),
    CU(an_active_realm_takes_no_more_data),
    CU(a_missing_table_is_named_by_its_level),
    CU(a_page_is_mapped_once),
    CU(memory_in_one_piece_folds_and_unfolds),
    CU(the_host_maps_its_own_memory_in_the_upper_half_only),
    CU(a_gib_of_the_hosts_memory_is_one_entry),
    CU(the_rim_is_what_the_library_predicts),
    CU(an_unknown_command_is_not_supported),
    CU(registers_without_an_answer_are_zero_or_the_callers),
    CU(the_nth_call_of_a_command_fails_on_request),
    CU(sha_512_is_what_everybody_computes),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("cca_rmm", tests, argc, argv);
}
