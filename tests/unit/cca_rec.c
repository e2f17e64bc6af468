/* The test RMM's RECs on a host: entry, PSCI, RIPAS, tokens (cc/emu/cca). */
#include <attest/cca.h>
#include <string.h>

#include "cca_realm.h"
#include "cu.h"

/* ---- RECs ---- */

static void recs_come_in_order_and_are_used_once(void)
{
    cca_a_realm();
    CU_ASSERT_EQUAL(cca_delegate(REC) + cca_delegate(AUX), 0);
    CU_ASSERT_EQUAL(cca_create_rec(REC, AUX, 1, 0), RMI_ERROR_INPUT);
    CU_ASSERT_EQUAL(cca_create_rec(REC, REC, 0, 0), RMI_ERROR_INPUT);
    CU_ASSERT_EQUAL(cca_create_rec(REC, AUX, 0, 2), RMI_ERROR_INPUT);
    CU_ASSERT_EQUAL(cca_create_rec(REC, AUX, 0, 0), RMI_SUCCESS);
    CU_ASSERT_EQUAL(cca_create_rec(REC, AUX, 1, 0), RMI_ERROR_INPUT);
    CU_ASSERT_EQUAL(CALL(RMI_REALM_DESTROY, P(RD)), RMI_ERROR_REALM);
    CU_ASSERT_EQUAL(cca_enter(REC), RMI_ERROR_REALM);
    CU_ASSERT_EQUAL(CALL(RMI_REC_DESTROY, P(REC)), RMI_SUCCESS);
    CU_ASSERT_EQUAL(CALL(RMI_REC_DESTROY, P(REC)), RMI_ERROR_INPUT);
    cca_end(REC);
    cca_end(AUX);
    cca_end_realm();
}

static void a_realm_has_as_many_recs_as_the_rmm_said(void)
{
    const unsigned int most = 64, first = 100;

    cca_a_realm();
    CU_ASSERT_EQUAL(CALL(RMI_FEATURES, 0), RMI_SUCCESS);
    CU_ASSERT_EQUAL(1u << (cca_last.x[1] >> RMI_F0_RECS_SHIFT & 15), most);
    for (unsigned int i = 0; i <= most; i++) {
        CU_ASSERT_EQUAL(cca_delegate(first + 2 * i) + cca_delegate(first + 2 * i + 1), 0);
        CU_ASSERT_EQUAL(cca_create_rec(first + 2 * i, first + 2 * i + 1,
                                       (i & 15) | (uint64_t)(i >> 4) << 8, 0),
                        i < most ? RMI_SUCCESS : RMI_ERROR_REALM);
    }
    for (unsigned int i = 0; i <= most; i++) {
        CU_ASSERT_EQUAL(CALL(RMI_REC_DESTROY, P(first + 2 * i)),
                        i < most ? RMI_SUCCESS : RMI_ERROR_INPUT);
        cca_end(first + 2 * i);
        cca_end(first + 2 * i + 1);
    }
    cca_end_realm();
}

static void an_entry_that_lies_is_refused(void)
{
    cca_a_running_realm();
    CU_ASSERT_EQUAL(cca_enter(REC2), RMI_ERROR_REC);
    cca_run_page()->enter.flags = BIT(5);
    CU_ASSERT_EQUAL(cca_enter(REC), RMI_ERROR_INPUT);
    cca_run_page()->enter.flags = REC_ENTER_EMUL_MMIO;
    CU_ASSERT_EQUAL(cca_enter(REC), RMI_ERROR_REC);
    cca_run_page()->enter.flags = 0;
    cca_run_page()->enter.gicv3_lrs[0] = BIT(61);
    CU_ASSERT_EQUAL(cca_enter(REC), RMI_ERROR_REC);
    cca_run_page()->enter.gicv3_lrs[0] = 0;
    CU_ASSERT_EQUAL(CALL(RMI_REC_ENTER, P(REC), P(DATA)), RMI_ERROR_INPUT);
    CU_ASSERT_EQUAL(cca_enter(REC), RMI_SUCCESS);
    CU_ASSERT_EQUAL(cca_run_page()->exit.exit_reason, RMI_EXIT_IRQ);
    cca_end_running();
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
    cca_a_running_realm();
    step = 0;
    cca_script = turns_on_the_second;
    CU_ASSERT_EQUAL(cca_enter(REC), RMI_SUCCESS);
    CU_ASSERT_EQUAL(cca_run_page()->exit.exit_reason, RMI_EXIT_PSCI);
    CU_ASSERT_EQUAL(cca_enter(REC), RMI_ERROR_REC);
    CU_ASSERT_EQUAL(CALL(RMI_PSCI_COMPLETE, P(REC), P(REC), 0), RMI_ERROR_INPUT);
    CU_ASSERT_EQUAL(CALL(RMI_PSCI_COMPLETE, P(REC), P(REC2), 5), RMI_ERROR_INPUT);
    CU_ASSERT_EQUAL(CALL(RMI_PSCI_COMPLETE, P(REC), P(REC2), 0), RMI_SUCCESS);
    CU_ASSERT_EQUAL(CALL(RMI_PSCI_COMPLETE, P(REC), P(REC2), 0), RMI_ERROR_INPUT);
    CU_ASSERT_EQUAL(((struct rec *)cca_bytes(P(REC2)))->gprs[0], 99);
    CU_ASSERT_EQUAL(cca_enter(REC2), RMI_SUCCESS);
    CU_ASSERT_EQUAL(cca_enter(REC), RMI_SUCCESS);
    cca_end_running();
}

/* From within: REC2 runs while another CPU completes the call that REC made. */
static enum port_exit runs_while_it_is_asked_about(struct rec *rec)
{
    (void)rec;
    CU_ASSERT_EQUAL(CALL(RMI_PSCI_COMPLETE, P(REC), P(REC2), (uint64_t)-3), RMI_ERROR_INPUT);
    CU_ASSERT_EQUAL(CALL(RMI_PSCI_COMPLETE, P(REC), P(REC2), 0), RMI_SUCCESS);
    return PORT_IRQ;
}

static void a_cpu_that_is_on_is_neither_denied_nor_turned_on_again(void)
{
    const struct rec *rec;

    cca_a_running_realm();
    rec = cca_bytes(P(REC));
    for (unsigned int i = 0; i < 3; i++) {
        step = 0;
        cca_script = turns_on_the_second;
        CU_ASSERT_EQUAL(cca_enter(REC), RMI_SUCCESS);
        if (i == 0) {
            CU_ASSERT_EQUAL(CALL(RMI_PSCI_COMPLETE, P(REC), P(REC2), (uint64_t)-3), RMI_SUCCESS);
            CU_ASSERT_EQUAL((int64_t)rec->gprs[0], -3);
        } else if (i == 1) {
            CU_ASSERT_EQUAL(CALL(RMI_PSCI_COMPLETE, P(REC), P(REC2), 0), RMI_SUCCESS);
            CU_ASSERT_EQUAL(rec->gprs[0], 0);
        } else {
            cca_script = runs_while_it_is_asked_about;
            CU_ASSERT_EQUAL(cca_enter(REC2), RMI_SUCCESS);
            CU_ASSERT_EQUAL((int64_t)rec->gprs[0], -4);
        }
    }
    cca_end_running();
}

static enum port_exit asks_about_nobody(struct rec *rec)
{
    static const uint64_t nobody[] = {2, 0x100, BIT(40)};

    if (step > 0) {
        CU_ASSERT_EQUAL((int64_t)rec->gprs[0], step == 4 ? -4 : -2);
    }
    if (step == 4) {
        return PORT_IRQ;
    }
    rec->gprs[0] = 0xc4000003u;
    rec->gprs[1] = step < 3 ? nobody[step] : 0; /* the last one is itself */
    rec->gprs[2] = 0x1000;
    rec->cpu.esr = ESR_SMC;
    step++;
    return PORT_SYNC;
}

static void the_host_is_not_asked_about_a_cpu_that_the_realm_has_not(void)
{
    cca_a_running_realm();
    step = 0;
    cca_script = asks_about_nobody;
    CU_ASSERT_EQUAL(cca_enter(REC), RMI_SUCCESS);
    CU_ASSERT_EQUAL(cca_run_page()->exit.exit_reason, RMI_EXIT_IRQ);
    cca_end_running();
}

static uint64_t wanted, consent;

static enum port_exit asks_for_ripas(struct rec *rec)
{
    if (step++ == 0) {
        rec->gprs[0] = RSI_IPA_STATE_SET;
        rec->gprs[1] = 0x1000;
        rec->gprs[2] = 0x3000;
        rec->gprs[3] = wanted;
        rec->gprs[4] = consent;
        rec->cpu.esr = ESR_SMC;
        return PORT_SYNC;
    }
    return PORT_IRQ;
}

static void ripas_changes_as_far_as_the_realm_asked(void)
{
    const struct rec *rec;

    cca_a_running_realm();
    step = 0;
    wanted = RIPAS_EMPTY;
    consent = 0;
    cca_script = asks_for_ripas;
    CU_ASSERT_EQUAL(CALL(RMI_RTT_SET_RIPAS, P(RD), P(REC), 0x1000, 0x2000), RMI_ERROR_INPUT);
    CU_ASSERT_EQUAL(cca_enter(REC), RMI_SUCCESS);
    CU_ASSERT_EQUAL(cca_run_page()->exit.exit_reason, RMI_EXIT_RIPAS_CHANGE);
    CU_ASSERT_EQUAL(cca_run_page()->exit.ripas_top, 0x3000);
    CU_ASSERT_EQUAL(CALL(RMI_RTT_SET_RIPAS, P(RD), P(REC), 0, 0x2000), RMI_ERROR_INPUT);
    CU_ASSERT_EQUAL(CALL(RMI_RTT_SET_RIPAS, P(RD), P(REC), 0x1000, 0x4000), RMI_ERROR_INPUT);
    CU_ASSERT_EQUAL(CALL(RMI_RTT_SET_RIPAS, P(RD), P(REC), 0x1000, 0x2000), RMI_SUCCESS);
    CU_ASSERT_EQUAL(cca_last.x[1], 0x2000);
    cca_run_page()->enter.flags = REC_ENTER_RIPAS_REJECT;
    CU_ASSERT_EQUAL(cca_enter(REC), RMI_SUCCESS);
    rec = cca_bytes(P(REC));
    CU_ASSERT_EQUAL(rec->gprs[0], RSI_SUCCESS);
    CU_ASSERT_EQUAL(rec->gprs[1], 0x2000);
    CU_ASSERT_EQUAL(rec->gprs[2], RSI_ACCEPT); /* the host cannot refuse to get memory */
    CU_ASSERT_EQUAL(CALL(RMI_RTT_READ_ENTRY, P(RD), 0x1000, 3), RMI_SUCCESS);
    CU_ASSERT_EQUAL(cca_last.x[4], RIPAS_EMPTY);
    step = 0;
    wanted = RIPAS_RAM;
    cca_run_page()->enter.flags = 0;
    CU_ASSERT_EQUAL(cca_enter(REC), RMI_SUCCESS);
    cca_run_page()->enter.flags = REC_ENTER_RIPAS_REJECT;
    CU_ASSERT_EQUAL(cca_enter(REC), RMI_SUCCESS);
    CU_ASSERT_EQUAL(rec->gprs[1], 0x1000);
    CU_ASSERT_EQUAL(rec->gprs[2], RSI_REJECT);
    cca_run_page()->enter.flags = 0;
    cca_end_running();
}

/* A5.4: to RAM or to EMPTY, what was destroyed goes with the realm's consent only. */
static void what_was_destroyed_changes_with_the_realms_consent(void)
{
    static const uint64_t to[] = {RIPAS_RAM, RIPAS_EMPTY};

    for (unsigned int i = 0; i < 2 * ARRAY_SIZE(to); i++) {
        cca_a_running_realm();
        cca_script = asks_for_ripas;
        step = 0;
        wanted = to[i / 2];
        consent = i % 2 != 0 ? RSI_CHANGE_DESTROYED : 0;
        CU_ASSERT_EQUAL(CALL(RMI_DATA_DESTROY, P(RD), 0x1000), RMI_SUCCESS);
        CU_ASSERT_EQUAL(cca_enter(REC), RMI_SUCCESS);
        CU_ASSERT_EQUAL(CALL(RMI_RTT_SET_RIPAS, P(RD), P(REC), 0x1000, 0x2000),
                        i % 2 != 0 ? (uint64_t)RMI_SUCCESS : RTT_ERROR(3));
        CU_ASSERT_EQUAL(CALL(RMI_RTT_READ_ENTRY, P(RD), 0x1000, 3), RMI_SUCCESS);
        CU_ASSERT_EQUAL(cca_last.x[4], i % 2 != 0 ? wanted : (uint64_t)RIPAS_DESTROYED);
        CU_ASSERT_EQUAL(CALL(RMI_DATA_CREATE_UNKNOWN, P(RD), P(DATA), 0x1000), RMI_SUCCESS);
        cca_end_running();
    }
}

/* ---- accesses ---- */

#define ESR_STORE (0x24ull << 26 | BIT(25) | BIT(24) | BIT(21) | 5ull << 16 | BIT(15) | BIT(6) | 5)

static enum port_exit stores_a_byte(struct rec *rec)
{
    rec->gprs[5] = 0x1122334455667788;
    rec->cpu.esr = ESR_STORE;
    rec->cpu.hpfar = (SHARED | 0xfe000000) >> 8;
    rec->cpu.far = 0xffff000012345040;
    return PORT_SYNC;
}

/* Neither the rest of the register, nor which one it was, nor the virtual address. */
static void the_host_learns_of_an_access_what_it_needs_and_no_more(void)
{
    const struct rmi_rec_exit *x;

    cca_a_running_realm();
    cca_script = stores_a_byte;
    CU_ASSERT_EQUAL(cca_enter(REC), RMI_SUCCESS);
    x = &cca_run_page()->exit;
    CU_ASSERT_EQUAL(x->gprs[0], 0x88);
    CU_ASSERT_EQUAL(x->esr, 0x24ull << 26 | BIT(24) | BIT(15) | BIT(6) | 5);
    CU_ASSERT_EQUAL(x->far, 0x40);
    for (unsigned int i = 1; i < RMI_GPRS; i++) {
        CU_ASSERT_EQUAL(x->gprs[i], 0);
    }
    cca_end_running();
}

static enum port_exit loads_a_pair(struct rec *rec)
{
    rec->cpu.esr = 0x24ull << 26 | 5; /* not described */
    rec->cpu.hpfar = (SHARED | 0xfe000000) >> 8;
    return step++ == 0 ? PORT_SYNC : PORT_IRQ;
}

static enum port_exit meets_broken_memory(struct rec *rec)
{
    rec->cpu.esr = 0x24ull << 26 | BIT(25) | 0x10;
    rec->cpu.hpfar = 0x1000 >> 8;
    return PORT_SYNC;
}

/* It would fault there for ever. */
static void an_external_abort_is_the_realms_and_the_host_is_told(void)
{
    cca_a_running_realm();
    cca_script = meets_broken_memory;
    CU_ASSERT_EQUAL(cca_enter(REC), RMI_SUCCESS);
    CU_ASSERT_EQUAL(cca_run_page()->exit.esr, 0x24ull << 26 | 0x10);
    CU_ASSERT_EQUAL(cca_run_page()->exit.hpfar, 0);
    CU_ASSERT_EQUAL(((struct rec *)cca_bytes(P(REC)))->cpu.inject, 1);
    cca_end_running();
}

/* Even of an access that it cannot stand in for. */
static void the_host_says_that_nothing_is_there(void)
{
    cca_a_running_realm();
    step = 0;
    cca_script = loads_a_pair;
    CU_ASSERT_EQUAL(cca_enter(REC), RMI_SUCCESS);
    cca_run_page()->enter.flags = REC_ENTER_EMUL_MMIO;
    CU_ASSERT_EQUAL(cca_enter(REC), RMI_ERROR_REC);
    cca_run_page()->enter.flags = REC_ENTER_INJECT_SEA;
    CU_ASSERT_EQUAL(cca_enter(REC), RMI_SUCCESS);
    CU_ASSERT_EQUAL(((struct rec *)cca_bytes(P(REC)))->cpu.inject, 1);
    CU_ASSERT_EQUAL(cca_enter(REC), RMI_ERROR_REC); /* once */
    cca_run_page()->enter.flags = 0;
    cca_end_running();
}

/* ---- RSI ---- */

static uint64_t function, buffer_ipa;

static enum port_exit calls_rsi(struct rec *rec)
{
    if (step++ > 0) {
        return PORT_IRQ;
    }
    rec->gprs[0] = function;
    rec->gprs[1] = buffer_ipa;
    rec->cpu.esr = ESR_SMC;
    return PORT_SYNC;
}

static void rsi(uint64_t fid, uint64_t ipa)
{
    step = 0;
    function = fid;
    buffer_ipa = ipa;
    cca_script = calls_rsi;
    CU_ASSERT_EQUAL(cca_enter(REC), RMI_SUCCESS);
}

static void the_host_brings_a_buffer_that_is_not_there(void)
{
    const struct rmi_rec_exit *x = &cca_run_page()->exit;
    const struct rec *rec;
    uint64_t pc;

    cca_a_running_realm();
    rec = cca_bytes(P(REC));
    pc = rec->cpu.pc;
    CU_ASSERT_EQUAL(cca_delegate(20), RMI_SUCCESS);
    rsi(RSI_REALM_CONFIG, 0x2000); /* RAM, and nothing is assigned */
    CU_ASSERT_EQUAL(x->exit_reason, RMI_EXIT_SYNC);
    CU_ASSERT_EQUAL(x->esr, 0x24ull << 26 | 7);
    CU_ASSERT_EQUAL(x->hpfar << 8, 0x2000);
    CU_ASSERT_EQUAL(rec->cpu.pc, pc); /* the call is made anew */
    CU_ASSERT_EQUAL(CALL(RMI_DATA_CREATE_UNKNOWN, P(RD), P(20), 0x2000), RMI_SUCCESS);
    rsi(RSI_REALM_CONFIG, 0x2000);
    CU_ASSERT_EQUAL(x->exit_reason, RMI_EXIT_IRQ);
    CU_ASSERT_EQUAL(rec->gprs[0], RSI_SUCCESS);
    CU_ASSERT_EQUAL(rec->cpu.pc, pc + 4);
    CU_ASSERT_EQUAL(((struct rsi_realm_config *)cca_bytes(P(20)))->ipa_width, IPA_BITS);
    rsi(RSI_HOST_CALL, 0x2000);
    CU_ASSERT_EQUAL(x->exit_reason, RMI_EXIT_HOST_CALL);
    CU_ASSERT_EQUAL(CALL(RMI_DATA_DESTROY, P(RD), 0x2000), RMI_SUCCESS);
    cca_run_page()->enter.gicv3_lrs[0] = BIT(62) | 40;
    CU_ASSERT_EQUAL(cca_enter(REC), RMI_SUCCESS); /* nowhere to put the answer */
    CU_ASSERT_EQUAL(x->gicv3_lrs[0], BIT(62) | 40); /* what was lent comes back */
    CU_ASSERT_EQUAL(x->exit_reason, RMI_EXIT_SYNC);
    CU_ASSERT_EQUAL(x->hpfar << 8, 0x2000);
    cca_end(20);
    cca_end_running();
}

static void a_function_is_named_by_32_bits(void)
{
    const struct rec *rec;

    cca_a_running_realm();
    rec = cca_bytes(P(REC));
    rsi(0xdeadull << 32 | RSI_VERSION, RSI_REVISION_1_0);
    CU_ASSERT_EQUAL(rec->gprs[0], RSI_SUCCESS);
    rsi(0xdeadull << 32 | 0x84000000u, 0); /* PSCI_VERSION */
    CU_ASSERT_EQUAL(rec->gprs[0], 0x10001);
    cca_end_running();
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

    cca_a_running_realm();
    step = 0;
    cca_script = asks_for_a_token;
    CU_ASSERT_EQUAL(cca_enter(REC), RMI_SUCCESS);
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
    cca_end_running();
}

static const struct cu_test tests[] = {
    CU(recs_come_in_order_and_are_used_once),
    CU(a_realm_has_as_many_recs_as_the_rmm_said),
    CU(an_entry_that_lies_is_refused),
    CU(a_cpu_is_turned_on_when_the_host_says_which),
    CU(a_cpu_that_is_on_is_neither_denied_nor_turned_on_again),
    CU(the_host_is_not_asked_about_a_cpu_that_the_realm_has_not),
    CU(ripas_changes_as_far_as_the_realm_asked),
    CU(what_was_destroyed_changes_with_the_realms_consent),
    CU(the_host_learns_of_an_access_what_it_needs_and_no_more),
    CU(an_external_abort_is_the_realms_and_the_host_is_told),
    CU(the_host_says_that_nothing_is_there),
    CU(the_host_brings_a_buffer_that_is_not_there),
    CU(a_function_is_named_by_32_bits),
    CU(the_token_binds_what_was_measured),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("cca_rec", tests, argc, argv);
}
