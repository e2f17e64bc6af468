/* The test RMM's logic on a host: granules, tables, RIPAS, measurement, RECs (cc/emu/cca). */
#include <attest/cca.h>
#include <attest/measure_cca.h>
#include <string.h>

#include "cca_host.h"
#include "cu.h"

#define CALL(fid, ...) CALL_(fid, __VA_ARGS__, 0, 0, 0, 0)
#define CALL_(fid, a, b, c, d, ...) cca_rmi(fid, a, b, c, d)
#define RTT_ERROR(level) RMI_CODE(RMI_ERROR_RTT, level)

enum { RD = 0, ROOT = 1, PARAMS = 2, L2 = 3, L3 = 4, DATA = 5, REC = 6, AUX = 7, RUN = 8, SRC = 9,
       REC2 = 10, AUX2 = 11, BLOCK = 512 };
#define P(n) cca_page(n)
#define IPA_BITS 39u
#define SHARED   BIT(IPA_BITS - 1)

static uint64_t delegate(unsigned int n)
{
    return CALL(RMI_GRANULE_DELEGATE, P(n));
}

static uint64_t create_with(void (*change)(struct rmi_realm_params *p))
{
    struct rmi_realm_params *p = cca_bytes(P(PARAMS));

    memset(p, 0, sizeof(*p));
    p->s2sz = IPA_BITS;
    p->hash_algo = RMI_HASH_SHA_512;
    p->vmid = 7;
    p->rtt_base = P(ROOT);
    p->rtt_level_start = 1;
    p->rtt_num_start = 1;
    if (change != NULL) {
        change(p);
    }
    return CALL(RMI_REALM_CREATE, P(RD), P(PARAMS));
}

static void a_realm(void)
{
    cca_host_reset();
    CU_ASSERT_EQUAL(delegate(RD), RMI_SUCCESS);
    CU_ASSERT_EQUAL(delegate(ROOT), RMI_SUCCESS);
    CU_ASSERT_EQUAL(create_with(NULL), RMI_SUCCESS);
}

static void with_tables(void)
{
    a_realm();
    CU_ASSERT_EQUAL(delegate(L2), RMI_SUCCESS);
    CU_ASSERT_EQUAL(CALL(RMI_RTT_CREATE, P(RD), P(L2), 0, 2), RMI_SUCCESS);
    CU_ASSERT_EQUAL(CALL(RMI_RTT_INIT_RIPAS, P(RD), 0, 2 * SIZE_2M), RMI_SUCCESS);
    CU_ASSERT_EQUAL(cca_last.x[1], 2 * SIZE_2M);
    CU_ASSERT_EQUAL(delegate(L3), RMI_SUCCESS);
    CU_ASSERT_EQUAL(CALL(RMI_RTT_CREATE, P(RD), P(L3), 0, 3), RMI_SUCCESS);
}

static void end(unsigned int n)
{
    CU_ASSERT_EQUAL(CALL(RMI_GRANULE_UNDELEGATE, P(n)), RMI_SUCCESS);
}

static void end_tables(void)
{
    CU_ASSERT_EQUAL(CALL(RMI_RTT_DESTROY, P(RD), 0, 3), RMI_SUCCESS);
    CU_ASSERT_EQUAL(cca_last.x[1], P(L3));
    CU_ASSERT_EQUAL(CALL(RMI_RTT_DESTROY, P(RD), 0, 2), RMI_SUCCESS);
    CU_ASSERT_EQUAL(cca_last.x[1], P(L2));
    end(L3);
    end(L2);
}

static void end_realm(void)
{
    CU_ASSERT_EQUAL(CALL(RMI_REALM_DESTROY, P(RD)), RMI_SUCCESS);
    end(RD);
    end(ROOT);
    CU_ASSERT_EQUAL(cca_realm_pages(), 0);
}

static uint64_t create_rec(unsigned int rec, unsigned int aux, uint64_t mpidr, uint64_t flags)
{
    struct rmi_rec_params *p = cca_bytes(P(PARAMS));

    memset(p, 0, sizeof(*p));
    p->flags = flags;
    p->mpidr = mpidr;
    p->pc = 0x1000;
    p->gprs[0] = 0x2000;
    p->num_aux = 1;
    p->aux[0] = P(aux);
    return CALL(RMI_REC_CREATE, P(RD), P(rec), P(PARAMS));
}

static void a_running_realm(void)
{
    with_tables();
    CU_ASSERT_EQUAL(delegate(REC) + delegate(AUX) + delegate(REC2) + delegate(AUX2), 0);
    CU_ASSERT_EQUAL(create_rec(REC, AUX, 0, RMI_REC_RUNNABLE), RMI_SUCCESS);
    CU_ASSERT_EQUAL(create_rec(REC2, AUX2, 1, 0), RMI_SUCCESS);
    CU_ASSERT_EQUAL(delegate(DATA), RMI_SUCCESS);
    CU_ASSERT_EQUAL(CALL(RMI_DATA_CREATE_UNKNOWN, P(RD), P(DATA), 0x1000), RMI_SUCCESS);
    CU_ASSERT_EQUAL(CALL(RMI_REALM_ACTIVATE, P(RD)), RMI_SUCCESS);
    memset(cca_bytes(P(RUN)), 0, GRANULE_SIZE);
}

static void end_running(void)
{
    CU_ASSERT_EQUAL(CALL(RMI_DATA_DESTROY, P(RD), 0x1000), RMI_SUCCESS);
    CU_ASSERT_EQUAL(CALL(RMI_REC_DESTROY, P(REC)), RMI_SUCCESS);
    CU_ASSERT_EQUAL(CALL(RMI_REC_DESTROY, P(REC2)), RMI_SUCCESS);
    for (unsigned int n = DATA; n <= AUX2; n++) {
        if (cca_is_realm(P(n))) {
            end(n);
        }
    }
    end_tables();
    end_realm();
}

static uint64_t enter(unsigned int rec)
{
    return CALL(RMI_REC_ENTER, P(rec), P(RUN));
}

static struct rmi_rec_run *run_page(void)
{
    return cca_bytes(P(RUN));
}

/* ---- granules ---- */

static void a_granule_is_delegated_once(void)
{
    cca_host_reset();
    CU_ASSERT_EQUAL(delegate(5), RMI_SUCCESS);
    CU_ASSERT(cca_is_realm(P(5)));
    CU_ASSERT_EQUAL(delegate(5), RMI_ERROR_INPUT);
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
    CU_ASSERT_EQUAL(delegate(5), RMI_ERROR_INPUT);
    CU_ASSERT_EQUAL(delegate(5), RMI_SUCCESS);
    cca_fail_el3(1);
    CU_ASSERT_EQUAL(CALL(RMI_GRANULE_UNDELEGATE, P(5)), RMI_ERROR_INPUT);
    end(5);
}

static void what_a_granule_held_is_gone_when_it_comes_back(void)
{
    const uint8_t zeros[GRANULE_SIZE] = {0};

    with_tables();
    memset(cca_bytes(P(SRC)), 0x5a, GRANULE_SIZE);
    (void)delegate(DATA);
    CU_ASSERT_EQUAL(cca_rmi5(RMI_DATA_CREATE, P(RD), P(DATA), 0, P(SRC), 1), RMI_SUCCESS);
    CU_ASSERT_EQUAL(memcmp(cca_bytes(P(DATA)), cca_bytes(P(SRC)), GRANULE_SIZE), 0);
    CU_ASSERT_EQUAL(CALL(RMI_GRANULE_UNDELEGATE, P(DATA)), RMI_ERROR_INPUT);
    CU_ASSERT_EQUAL(CALL(RMI_DATA_DESTROY, P(RD), 0), RMI_SUCCESS);
    CU_ASSERT_EQUAL(cca_last.x[1], P(DATA));
    CU_ASSERT_EQUAL(memcmp(cca_bytes(P(DATA)), zeros, GRANULE_SIZE), 0);
    end(DATA);
    end_tables();
    end_realm();
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

static void bad_realm_parameters_are_refused(void)
{
    void (*const bad[])(struct rmi_realm_params *p) = {no_level, two_roots, root_is_rd, no_hash,
                                                       wants_sve};

    cca_host_reset();
    (void)delegate(RD);
    (void)delegate(ROOT);
    for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
        CU_ASSERT_EQUAL(create_with(bad[i]), RMI_ERROR_INPUT);
    }
    CU_ASSERT_EQUAL(create_with(NULL), RMI_SUCCESS);
    CU_ASSERT_EQUAL(create_with(NULL), RMI_ERROR_INPUT);
    end_realm();
}

static void a_realm_with_something_in_it_is_not_destroyed(void)
{
    with_tables();
    CU_ASSERT_EQUAL(CALL(RMI_REALM_DESTROY, P(RD)), RMI_ERROR_REALM);
    CU_ASSERT_EQUAL(CALL(RMI_RTT_DESTROY, P(RD), 0, 2), RTT_ERROR(2));
    end_tables();
    end_realm();
}

static void an_active_realm_takes_no_more_data(void)
{
    a_running_realm();
    (void)delegate(20);
    CU_ASSERT_EQUAL(cca_rmi5(RMI_DATA_CREATE, P(RD), P(20), 0, P(SRC), 1), RMI_ERROR_REALM);
    CU_ASSERT_EQUAL(CALL(RMI_RTT_INIT_RIPAS, P(RD), 0, 0x1000), RMI_ERROR_REALM);
    CU_ASSERT_EQUAL(CALL(RMI_REALM_ACTIVATE, P(RD)), RMI_ERROR_REALM);
    end(20);
    end_running();
}

/* ---- tables ---- */

static void a_missing_table_is_named_by_its_level(void)
{
    a_realm();
    (void)delegate(DATA);
    (void)delegate(L3);
    CU_ASSERT_EQUAL(CALL(RMI_DATA_CREATE_UNKNOWN, P(RD), P(DATA), 0), RTT_ERROR(1));
    CU_ASSERT_EQUAL(CALL(RMI_RTT_CREATE, P(RD), P(L3), 0, 3), RTT_ERROR(1));
    CU_ASSERT_EQUAL(CALL(RMI_RTT_CREATE, P(RD), P(L3), 0, 1), RMI_ERROR_INPUT);
    CU_ASSERT_EQUAL(CALL(RMI_RTT_CREATE, P(RD), P(L3), 0, 4), RMI_ERROR_INPUT);
    CU_ASSERT_EQUAL(CALL(RMI_RTT_CREATE, P(RD), P(L3), 0x1000, 2), RMI_ERROR_INPUT);
    CU_ASSERT_EQUAL(CALL(RMI_RTT_CREATE, P(RD), P(DATA + 20), 0, 2), RMI_ERROR_INPUT);
    end(DATA);
    end(L3);
    end_realm();
}

static void a_page_is_mapped_once(void)
{
    a_running_realm();
    (void)delegate(20);
    CU_ASSERT_EQUAL(CALL(RMI_DATA_CREATE_UNKNOWN, P(RD), P(20), 0x1000), RTT_ERROR(3));
    CU_ASSERT_EQUAL(CALL(RMI_DATA_CREATE_UNKNOWN, P(RD), P(DATA), 0x2000), RMI_ERROR_INPUT);
    CU_ASSERT_EQUAL(CALL(RMI_DATA_CREATE_UNKNOWN, P(RD), P(20), SHARED), RMI_ERROR_INPUT);
    CU_ASSERT_EQUAL(CALL(RMI_RTT_READ_ENTRY, P(RD), 0x1000, 3), RMI_SUCCESS);
    CU_ASSERT_EQUAL(cca_last.x[1], 3);
    CU_ASSERT_EQUAL(cca_last.x[2], RMI_ASSIGNED);
    CU_ASSERT_EQUAL(cca_last.x[3], P(DATA));
    CU_ASSERT_EQUAL(cca_last.x[4], RIPAS_RAM);
    end(20);
    end_running();
}

static void memory_in_one_piece_folds_and_unfolds(void)
{
    with_tables();
    for (unsigned int i = 0; i < 512; i++) {
        CU_ASSERT_EQUAL(delegate(BLOCK + i), RMI_SUCCESS);
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
        end(BLOCK + i);
    }
    end_tables();
    end_realm();
}

static void the_host_maps_its_own_memory_in_the_upper_half_only(void)
{
    const uint64_t desc = P(SRC) | 6 << 2 | 3 << 6;

    a_realm();
    (void)delegate(L2);
    (void)delegate(L3);
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
    end(L2);
    end(L3);
    end_realm();
}

/* ---- measurement: the verifier library predicts what the RMM measures ---- */

static void the_rim_is_what_the_library_predicts(void)
{
    const struct cca_realm_params params = {.s2sz = IPA_BITS, .hash = ATTEST_SHA512};
    const uint64_t gprs[CCA_REC_GPRS] = {0x2000};
    struct attest_error err;
    struct cca_rim rim;
    struct rd *rd;

    with_tables();
    memset(cca_bytes(P(SRC)), 0x77, GRANULE_SIZE);
    CU_ASSERT_EQUAL(delegate(DATA) + delegate(REC) + delegate(AUX), 0);
    CU_ASSERT_EQUAL(cca_rmi5(RMI_DATA_CREATE, P(RD), P(DATA), 0x1000, P(SRC), 1), RMI_SUCCESS);
    CU_ASSERT_EQUAL(create_rec(REC, AUX, 0, RMI_REC_RUNNABLE), RMI_SUCCESS);
    CU_ASSERT_EQUAL(cca_rim_create(&params, &rim, &err), ATTEST_OK);
    CU_ASSERT_EQUAL(cca_rim_ripas(&rim, 0, SIZE_2M, &err), ATTEST_OK);
    CU_ASSERT_EQUAL(cca_rim_ripas(&rim, SIZE_2M, 2 * SIZE_2M, &err), ATTEST_OK);
    CU_ASSERT_EQUAL(cca_rim_data(&rim, 0x1000, true, cca_bytes(P(SRC)), &err), ATTEST_OK);
    CU_ASSERT_EQUAL(cca_rim_rec(&rim, true, 0x1000, gprs, &err), ATTEST_OK);
    rd = cca_bytes(P(RD));
    CU_ASSERT_EQUAL(memcmp(rd->rim, rim.value, 64), 0);
    CU_ASSERT_EQUAL(CALL(RMI_DATA_DESTROY, P(RD), 0x1000), RMI_SUCCESS);
    CU_ASSERT_EQUAL(CALL(RMI_REC_DESTROY, P(REC)), RMI_SUCCESS);
    end(DATA);
    end(REC);
    end(AUX);
    end_tables();
    end_realm();
}

/* ---- RECs ---- */

static void recs_come_in_order_and_are_used_once(void)
{
    a_realm();
    CU_ASSERT_EQUAL(delegate(REC) + delegate(AUX), 0);
    CU_ASSERT_EQUAL(create_rec(REC, AUX, 1, 0), RMI_ERROR_INPUT);
    CU_ASSERT_EQUAL(create_rec(REC, REC, 0, 0), RMI_ERROR_INPUT);
    CU_ASSERT_EQUAL(create_rec(REC, AUX, 0, 2), RMI_ERROR_INPUT);
    CU_ASSERT_EQUAL(create_rec(REC, AUX, 0, 0), RMI_SUCCESS);
    CU_ASSERT_EQUAL(create_rec(REC, AUX, 1, 0), RMI_ERROR_INPUT);
    CU_ASSERT_EQUAL(CALL(RMI_REALM_DESTROY, P(RD)), RMI_ERROR_REALM);
    CU_ASSERT_EQUAL(enter(REC), RMI_ERROR_REALM);
    CU_ASSERT_EQUAL(CALL(RMI_REC_DESTROY, P(REC)), RMI_SUCCESS);
    CU_ASSERT_EQUAL(CALL(RMI_REC_DESTROY, P(REC)), RMI_ERROR_INPUT);
    end(REC);
    end(AUX);
    end_realm();
}

static void an_entry_that_lies_is_refused(void)
{
    a_running_realm();
    CU_ASSERT_EQUAL(enter(REC2), RMI_ERROR_REC);
    run_page()->enter.flags = BIT(5);
    CU_ASSERT_EQUAL(enter(REC), RMI_ERROR_INPUT);
    run_page()->enter.flags = REC_ENTER_EMUL_MMIO;
    CU_ASSERT_EQUAL(enter(REC), RMI_ERROR_REC);
    run_page()->enter.flags = 0;
    run_page()->enter.gicv3_lrs[0] = BIT(61);
    CU_ASSERT_EQUAL(enter(REC), RMI_ERROR_INPUT);
    run_page()->enter.gicv3_lrs[0] = 0;
    CU_ASSERT_EQUAL(CALL(RMI_REC_ENTER, P(REC), P(DATA)), RMI_ERROR_INPUT);
    CU_ASSERT_EQUAL(enter(REC), RMI_SUCCESS);
    CU_ASSERT_EQUAL(run_page()->exit.exit_reason, RMI_EXIT_IRQ);
    end_running();
}

#define ESR_SMC (0x17ull << 26)
static unsigned int step;

static enum port_exit turns_on_the_second(struct rec *rec)
{
    if (step++ == 0) {
        rec->gprs[0] = 0xc4000003u;
        rec->gprs[1] = 1;
        rec->gprs[2] = 0x1000;
        rec->gprs[3] = 99;
        rec->cpu.esr = ESR_SMC;
        return PORT_SYNC;
    }
    return PORT_IRQ;
}

static void a_cpu_is_turned_on_when_the_host_says_which(void)
{
    a_running_realm();
    step = 0;
    cca_script = turns_on_the_second;
    CU_ASSERT_EQUAL(enter(REC), RMI_SUCCESS);
    CU_ASSERT_EQUAL(run_page()->exit.exit_reason, RMI_EXIT_PSCI);
    CU_ASSERT_EQUAL(enter(REC), RMI_ERROR_REC);
    CU_ASSERT_EQUAL(CALL(RMI_PSCI_COMPLETE, P(REC), P(REC), 0), RMI_ERROR_INPUT);
    CU_ASSERT_EQUAL(CALL(RMI_PSCI_COMPLETE, P(REC), P(REC2), 5), RMI_ERROR_INPUT);
    CU_ASSERT_EQUAL(CALL(RMI_PSCI_COMPLETE, P(REC), P(REC2), 0), RMI_SUCCESS);
    CU_ASSERT_EQUAL(CALL(RMI_PSCI_COMPLETE, P(REC), P(REC2), 0), RMI_ERROR_INPUT);
    CU_ASSERT_EQUAL(((struct rec *)cca_bytes(P(REC2)))->gprs[0], 99);
    CU_ASSERT_EQUAL(enter(REC2), RMI_SUCCESS);
    CU_ASSERT_EQUAL(enter(REC), RMI_SUCCESS);
    end_running();
}

static enum port_exit shares_a_page(struct rec *rec)
{
    if (step++ == 0) {
        rec->gprs[0] = RSI_IPA_STATE_SET;
        rec->gprs[1] = 0x1000;
        rec->gprs[2] = 0x3000;
        rec->gprs[3] = RIPAS_EMPTY;
        rec->gprs[4] = 0;
        rec->cpu.esr = ESR_SMC;
        return PORT_SYNC;
    }
    return PORT_IRQ;
}

static void ripas_changes_as_far_as_the_realm_asked(void)
{
    struct rec *rec;

    a_running_realm();
    step = 0;
    cca_script = shares_a_page;
    CU_ASSERT_EQUAL(CALL(RMI_RTT_SET_RIPAS, P(RD), P(REC), 0x1000, 0x2000), RMI_ERROR_REC);
    CU_ASSERT_EQUAL(enter(REC), RMI_SUCCESS);
    CU_ASSERT_EQUAL(run_page()->exit.exit_reason, RMI_EXIT_RIPAS_CHANGE);
    CU_ASSERT_EQUAL(run_page()->exit.ripas_top, 0x3000);
    CU_ASSERT_EQUAL(CALL(RMI_RTT_SET_RIPAS, P(RD), P(REC), 0, 0x2000), RMI_ERROR_INPUT);
    CU_ASSERT_EQUAL(CALL(RMI_RTT_SET_RIPAS, P(RD), P(REC), 0x1000, 0x4000), RMI_ERROR_INPUT);
    CU_ASSERT_EQUAL(CALL(RMI_RTT_SET_RIPAS, P(RD), P(REC), 0x1000, 0x2000), RMI_SUCCESS);
    CU_ASSERT_EQUAL(cca_last.x[1], 0x2000);
    run_page()->enter.flags = REC_ENTER_RIPAS_REJECT;
    CU_ASSERT_EQUAL(enter(REC), RMI_SUCCESS);
    rec = cca_bytes(P(REC));
    CU_ASSERT_EQUAL(rec->gprs[0], RSI_SUCCESS);
    CU_ASSERT_EQUAL(rec->gprs[1], 0x2000);
    CU_ASSERT_EQUAL(rec->gprs[2], RSI_REJECT);
    CU_ASSERT_EQUAL(CALL(RMI_RTT_READ_ENTRY, P(RD), 0x1000, 3), RMI_SUCCESS);
    CU_ASSERT_EQUAL(cca_last.x[4], RIPAS_EMPTY);
    end_running();
}

/* ---- the token, as our verifier reads it ---- */

static enum port_exit asks_for_a_token(struct rec *rec)
{
    rec->cpu.esr = ESR_SMC;
    switch (step++) {
    case 0:
        rec->gprs[0] = RSI_ATTESTATION_TOKEN_CONTINUE; /* too early */
        return PORT_SYNC;
    case 1:
        CU_ASSERT_EQUAL(rec->gprs[0], RSI_ERROR_STATE);
        rec->gprs[0] = RSI_ATTESTATION_TOKEN_INIT;
        memset(&rec->gprs[1], 0x3c, 64);
        return PORT_SYNC;
    case 2:
        CU_ASSERT_EQUAL(rec->gprs[0], RSI_SUCCESS);
        rec->gprs[0] = RSI_ATTESTATION_TOKEN_CONTINUE;
        rec->gprs[1] = 0x1000;
        rec->gprs[2] = 0;
        rec->gprs[3] = 100;
        return PORT_SYNC;
    case 3:
        CU_ASSERT_EQUAL(rec->gprs[0], RSI_INCOMPLETE);
        CU_ASSERT_EQUAL(rec->gprs[1], 100);
        rec->gprs[0] = RSI_ATTESTATION_TOKEN_CONTINUE;
        rec->gprs[1] = 0x1000;
        rec->gprs[2] = 100;
        rec->gprs[3] = GRANULE_SIZE - 100;
        return PORT_SYNC;
    default:
        CU_ASSERT_EQUAL(rec->gprs[0], RSI_SUCCESS);
        return PORT_IRQ;
    }
}

static void the_token_binds_what_was_measured(void)
{
    struct rec *rec;
    struct cca_token t;
    struct attest_error err;
    struct rd *rd;
    size_t len;

    a_running_realm();
    step = 0;
    cca_script = asks_for_a_token;
    CU_ASSERT_EQUAL(enter(REC), RMI_SUCCESS);
    rec = cca_bytes(P(REC));
    rd = cca_bytes(P(RD));
    len = 100 + rec->gprs[1];
    CU_ASSERT_EQUAL_FATAL(cca_token_parse(cca_bytes(P(DATA)), len, &t, &err), ATTEST_OK);
    CU_ASSERT_EQUAL(cca_token_check_binding(&t, &err), ATTEST_OK);
    CU_ASSERT_EQUAL(t.realm.rim.len, 64);
    CU_ASSERT_EQUAL(memcmp(t.realm.rim.p, rd->rim, 64), 0);
    CU_ASSERT_EQUAL(((const uint8_t *)t.realm.challenge.p)[63], 0x3c);
    ((uint8_t *)(uintptr_t)t.realm.rim.p)[3] ^= 1;
    CU_ASSERT_NOT_EQUAL(cca_token_check_binding(&t, &err), ATTEST_OK);
    end_running();
}

static void an_unknown_command_is_not_supported(void)
{
    cca_host_reset();
    CU_ASSERT_EQUAL(CALL(RMI_FID(0x06), 0), UINT64_MAX);
    CU_ASSERT_EQUAL(CALL(RMI_FID(0x1a), 0), UINT64_MAX);
    CU_ASSERT_EQUAL(CALL(RMI_VERSION, 0x20000), RMI_ERROR_INPUT);
    CU_ASSERT_EQUAL(cca_last.x[1], RMI_REVISION_1_0);
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
    CU(the_rim_is_what_the_library_predicts),
    CU(recs_come_in_order_and_are_used_once),
    CU(an_entry_that_lies_is_refused),
    CU(a_cpu_is_turned_on_when_the_host_says_which),
    CU(ripas_changes_as_far_as_the_realm_asked),
    CU(the_token_binds_what_was_measured),
    CU(an_unknown_command_is_not_supported),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("cca_rmm", tests, argc, argv);
}
