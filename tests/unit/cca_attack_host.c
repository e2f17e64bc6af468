/*
 * A hostile hypervisor against realms: what the rules of the RMM (DEN0137) and the granule
 * protection table make of it. The machine of cca_host.h faults for every access by the wrong view,
 * of the RMM's own, too.
 */
#include <stdio.h>
#include <string.h>

#include "cca_realm.h"
#include "cu.h"

static unsigned int attacks;

/* The call was refused with that code, and told nothing. */
static void refused(uint64_t code, uint64_t expected)
{
    attacks++;
    CU_ASSERT_EQUAL(code, expected);
    for (unsigned int i = 1; i < 4 && RMI_STATUS(code) != RMI_ERROR_RTT; i++) {
        CU_ASSERT_EQUAL(cca_last.x[i], 0);
    }
}

static void begin(void)
{
    rmm_realm_reset();
    cca_a_running_realm();
}

static void end(void)
{
    cca_script = NULL;
    cca_end_running();
    rmm_realm_reset();
}

/* ---- granules ---- */

static const unsigned int in_use[] = {RD, ROOT, L2, L3, DATA, REC, AUX, REC2, AUX2};

static void a_granule_in_use_is_out_of_the_hosts_reach(void)
{
    begin();
    for (size_t i = 0; i < ARRAY_SIZE(in_use); i++) {
        refused(cca_delegate(in_use[i]), RMI_ERROR_INPUT);
        refused(CALL(RMI_GRANULE_UNDELEGATE, P(in_use[i])), RMI_ERROR_INPUT);
        CU_ASSERT(cca_is_realm(P(in_use[i]))); /* the host's access would fault */
    }
    refused(CALL(RMI_GRANULE_DELEGATE, P(40) + 1), RMI_ERROR_INPUT);
    refused(CALL(RMI_GRANULE_DELEGATE, UINT64_MAX << 12), RMI_ERROR_INPUT);
    end();
}

/* Data, table, REC, descriptor: what one is, no other becomes. */
static void a_granule_in_use_is_used_for_nothing_else(void)
{
    begin();
    for (size_t i = 0; i < ARRAY_SIZE(in_use); i++) {
        uint64_t at = P(in_use[i]);

        refused(CALL(RMI_DATA_CREATE_UNKNOWN, P(RD), at, 0x2000), RMI_ERROR_INPUT);
        refused(CALL(RMI_RTT_CREATE, P(RD), at, SIZE_2M, 3), RMI_ERROR_INPUT);
        refused(CALL(RMI_REALM_CREATE, at, P(PARAMS)), RMI_ERROR_INPUT);
        refused(cca_create_rec(in_use[i], 20, 2, 0), RMI_ERROR_INPUT);
        if (in_use[i] != RD) {
            refused(CALL(RMI_REALM_ACTIVATE, at), RMI_ERROR_INPUT);
            refused(CALL(RMI_REALM_DESTROY, at), RMI_ERROR_INPUT);
            refused(CALL(RMI_RTT_READ_ENTRY, at, 0, 3), RMI_ERROR_INPUT);
            refused(CALL(RMI_DATA_DESTROY, at, 0x1000), RMI_ERROR_INPUT);
        }
        if (in_use[i] != REC && in_use[i] != REC2) {
            refused(cca_enter(in_use[i]), RMI_ERROR_INPUT);
            refused(CALL(RMI_REC_DESTROY, at), RMI_ERROR_INPUT);
        }
    }
    end();
}

/* The RMM reads and writes the host's memory for it: never a realm's. */
static void a_realms_memory_is_no_buffer_of_the_host(void)
{
    begin();
    CU_ASSERT_EQUAL(cca_delegate(20) + cca_delegate(21) + cca_delegate(22), 0);
    refused(CALL(RMI_REC_ENTER, P(REC), P(DATA)), RMI_ERROR_INPUT);
    refused(CALL(RMI_REC_ENTER, P(REC), P(20)), RMI_ERROR_INPUT);
    refused(CALL(RMI_REC_ENTER, P(REC), P(RUN) + 8), RMI_ERROR_INPUT);
    refused(CALL(RMI_REALM_CREATE, P(20), P(DATA)), RMI_ERROR_INPUT);
    refused(CALL(RMI_REC_CREATE, P(RD), P(20), P(DATA)), RMI_ERROR_INPUT);
    refused(CALL(RMI_REALM_CREATE, P(20), 0), RMI_ERROR_INPUT);
    cca_end(20);
    cca_end(21);
    cca_end(22);
    end();
}

static void launch_data_comes_from_the_hosts_own_memory(void)
{
    rmm_realm_reset();
    cca_with_tables();
    CU_ASSERT_EQUAL(cca_delegate(DATA) + cca_delegate(20), 0);
    refused(cca_rmi5(RMI_DATA_CREATE, P(RD), P(DATA), 0, P(20), 1), RMI_ERROR_INPUT);
    refused(cca_rmi5(RMI_DATA_CREATE, P(RD), P(DATA), 0, P(RD), 1), RMI_ERROR_INPUT);
    refused(cca_rmi5(RMI_DATA_CREATE, P(RD), P(DATA), 0, P(SRC), 2), RMI_ERROR_INPUT);
    refused(cca_rmi5(RMI_DATA_CREATE, P(RD), P(SRC), 0, P(SRC), 1), RMI_ERROR_INPUT);
    cca_end(DATA);
    cca_end(20);
    cca_end_tables();
    cca_end_realm();
}

/* ---- translation tables ---- */

static void no_entry_is_made_twice_and_no_live_table_goes(void)
{
    begin();
    CU_ASSERT_EQUAL(cca_delegate(20), RMI_SUCCESS);
    refused(CALL(RMI_DATA_CREATE_UNKNOWN, P(RD), P(20), 0x1000), RTT_ERROR(3));
    refused(CALL(RMI_RTT_CREATE, P(RD), P(20), 0, 3), RTT_ERROR(2));
    refused(CALL(RMI_RTT_DESTROY, P(RD), 0, 3), RTT_ERROR(3));
    refused(CALL(RMI_RTT_DESTROY, P(RD), 0, 1), RMI_ERROR_INPUT);
    refused(CALL(RMI_RTT_FOLD, P(RD), 0, 3), RTT_ERROR(3));
    refused(CALL(RMI_RTT_CREATE, P(RD), P(20), 0, UINT64_MAX), RMI_ERROR_INPUT);
    refused(CALL(RMI_RTT_CREATE, P(RD), P(20), BIT(IPA_BITS), 2), RMI_ERROR_INPUT);
    refused(CALL(RMI_REALM_DESTROY, P(RD)), RMI_ERROR_REALM);
    cca_end(20);
    end();
}

static void the_halves_of_the_address_space_are_not_mixed_up(void)
{
    const uint64_t desc = P(SRC) | 6 << 2 | 3 << 6;

    begin();
    CU_ASSERT_EQUAL(cca_delegate(20), RMI_SUCCESS);
    refused(CALL(RMI_RTT_MAP_UNPROTECTED, P(RD), 0x3000, 3, desc), RMI_ERROR_INPUT);
    refused(CALL(RMI_RTT_UNMAP_UNPROTECTED, P(RD), 0x1000, 3), RMI_ERROR_INPUT);
    refused(CALL(RMI_DATA_CREATE_UNKNOWN, P(RD), P(20), SHARED | 0x3000), RMI_ERROR_INPUT);
    refused(CALL(RMI_DATA_DESTROY, P(RD), SHARED | 0x3000), RMI_ERROR_INPUT);
    for (unsigned int bit = 0; bit < 64; bit++) { /* address, MemAttr and S2AP are the host's */
        if ((BIT(bit) & (0xfffffffff000ull | 0xfc)) == 0) {
            refused(CALL(RMI_RTT_MAP_UNPROTECTED, P(RD), SHARED | 0x3000, 3, desc | BIT(bit)),
                    RMI_ERROR_INPUT);
        }
    }
    cca_end(20);
    end();
}

/* What is taken away is not silently replaced: the realm never sees zeros where it had data. */
static void memory_that_was_taken_away_stays_destroyed(void)
{
    begin();
    CU_ASSERT_EQUAL(CALL(RMI_DATA_DESTROY, P(RD), 0x1000), RMI_SUCCESS);
    CU_ASSERT_EQUAL(CALL(RMI_DATA_CREATE_UNKNOWN, P(RD), P(DATA), 0x1000), RMI_SUCCESS);
    attacks++;
    CU_ASSERT_EQUAL(CALL(RMI_RTT_READ_ENTRY, P(RD), 0x1000, 3), RMI_SUCCESS);
    CU_ASSERT_EQUAL(cca_last.x[4], RIPAS_DESTROYED);
    CU_ASSERT_PTR_NULL(realm_memory(cca_bytes(P(RD)), 0x1000, 8));
    end();
}

/* Not even before it runs, and by the command that the first RAM is made with. */
static void launch_memory_that_was_taken_away_stays_destroyed(void)
{
    rmm_realm_reset();
    cca_with_tables();
    CU_ASSERT_EQUAL(cca_delegate(DATA), RMI_SUCCESS);
    CU_ASSERT_EQUAL(cca_rmi5(RMI_DATA_CREATE, P(RD), P(DATA), 0x1000, P(SRC), 1), RMI_SUCCESS);
    CU_ASSERT_EQUAL(CALL(RMI_DATA_DESTROY, P(RD), 0x1000), RMI_SUCCESS);
    refused(CALL(RMI_RTT_INIT_RIPAS, P(RD), 0x1000, 0x2000), RTT_ERROR(3));
    CU_ASSERT_EQUAL(CALL(RMI_RTT_INIT_RIPAS, P(RD), 0, 0x2000), RMI_SUCCESS);
    CU_ASSERT_EQUAL(cca_last.x[1], 0x1000); /* up to it */
    cca_end(DATA);
    cca_end_tables();
    cca_end_realm();
}

/* The table goes, and with it what it said: the realm's addresses below are DESTROYED. */
static void a_table_that_is_taken_away_takes_ripas_with_it(void)
{
    begin();
    CU_ASSERT_EQUAL(CALL(RMI_DATA_DESTROY, P(RD), 0x1000), RMI_SUCCESS);
    CU_ASSERT_EQUAL(CALL(RMI_RTT_DESTROY, P(RD), 0, 3), RMI_SUCCESS);
    attacks++;
    CU_ASSERT_EQUAL(CALL(RMI_RTT_READ_ENTRY, P(RD), 0x2000, 3), RMI_SUCCESS);
    CU_ASSERT_EQUAL(cca_last.x[4], RIPAS_DESTROYED);
    CU_ASSERT_EQUAL(CALL(RMI_RTT_CREATE, P(RD), P(L3), 0, 3), RMI_SUCCESS);
    CU_ASSERT_EQUAL(CALL(RMI_DATA_CREATE_UNKNOWN, P(RD), P(DATA), 0x1000), RMI_SUCCESS);
    end();
}

static void translations_end_before_the_granule_is_another_ones(void)
{
    begin();
    CU_ASSERT_EQUAL(cca_enter(REC), RMI_SUCCESS);
    cca_flushes = 0;
    attacks++;
    CU_ASSERT_EQUAL(CALL(RMI_DATA_DESTROY, P(RD), 0x1000), RMI_SUCCESS);
    CU_ASSERT_EQUAL(cca_flushes, 1);
    CU_ASSERT_EQUAL(CALL(RMI_DATA_CREATE_UNKNOWN, P(RD), P(DATA), 0x1000), RMI_SUCCESS);
    CU_ASSERT_EQUAL(CALL(RMI_DATA_DESTROY, P(RD), 0x1000), RMI_SUCCESS);
    CU_ASSERT_EQUAL(cca_flushes, 1); /* it has not run since */
    CU_ASSERT_EQUAL(CALL(RMI_DATA_CREATE_UNKNOWN, P(RD), P(DATA), 0x1000), RMI_SUCCESS);
    CU_ASSERT_EQUAL(cca_enter(REC), RMI_SUCCESS);
    CU_ASSERT_EQUAL(CALL(RMI_DATA_DESTROY, P(RD), 0x1000), RMI_SUCCESS);
    CU_ASSERT_EQUAL(cca_flushes, 2);
    CU_ASSERT_EQUAL(CALL(RMI_DATA_CREATE_UNKNOWN, P(RD), P(DATA), 0x1000), RMI_SUCCESS);
    end();
}

/* ---- RECs ---- */

/* While it runs: from another CPU, as it were. */
static enum port_exit is_attacked_while_it_runs(struct rec *rec)
{
    (void)rec;
    refused(cca_enter(REC), RMI_ERROR_REC);
    refused(CALL(RMI_REC_DESTROY, P(REC)), RMI_ERROR_REC);
    refused(CALL(RMI_RTT_SET_RIPAS, P(RD), P(REC), 0, 0x1000), RMI_ERROR_REC);
    refused(CALL(RMI_PSCI_COMPLETE, P(REC), P(REC2), 0), RMI_ERROR_INPUT);
    refused(CALL(RMI_REALM_DESTROY, P(RD)), RMI_ERROR_REALM);
    CU_ASSERT_EQUAL(cca_delegate(RUN), RMI_SUCCESS); /* the page that its exit goes to */
    return PORT_IRQ;
}

static void a_rec_that_runs_is_entered_by_nobody_else(void)
{
    begin();
    cca_script = is_attacked_while_it_runs;
    CU_ASSERT_EQUAL(cca_enter(REC), RMI_ERROR_INPUT); /* no exit record is written there */
    cca_end(RUN);
    CU_ASSERT_EQUAL(cca_run_page()->exit.exit_reason, 0);
    end();
}

static void an_entry_with_what_the_host_must_not_say_is_refused(void)
{
    struct rmi_rec_enter *e;

    begin();
    e = &cca_run_page()->enter;
    for (unsigned int bit = 5; bit < 64; bit++) {
        e->flags = BIT(bit);
        refused(cca_enter(REC), RMI_ERROR_INPUT);
    }
    e->flags = 0;
    for (unsigned int bit = 0; bit < 64; bit++) { /* maintenance and TDIR are the host's */
        e->gicv3_hcr = BIT(bit);
        if ((BIT(bit) & 0x40feull) == 0) {
            refused(cca_enter(REC), RMI_ERROR_REC);
        }
    }
    e->gicv3_hcr = 0;
    for (unsigned int n = 0; n < RMI_LRS; n++) { /* a physical interrupt; one that is not there */
        e->gicv3_lrs[n] = n < port_lrs() ? BIT(61) : 1;
        refused(cca_enter(REC), RMI_ERROR_REC);
        e->gicv3_lrs[n] = 0;
    }
    e->gicv3_lrs[0] = e->gicv3_lrs[2] = BIT(62) | 40; /* one interrupt in two list registers */
    refused(cca_enter(REC), RMI_ERROR_REC);
    e->gicv3_lrs[0] = e->gicv3_lrs[2] = 0;
    for (unsigned int i = 0; i < 2; i++) { /* an answer that nobody asked for */
        e->flags = i == 0 ? REC_ENTER_EMUL_MMIO : REC_ENTER_INJECT_SEA;
        refused(cca_enter(REC), RMI_ERROR_REC);
    }
    e->flags = 0;
    CU_ASSERT_EQUAL(cca_enter(REC), RMI_SUCCESS);
    end();
}

static void nothing_is_added_once_the_realm_is_active(void)
{
    begin();
    CU_ASSERT_EQUAL(cca_delegate(20) + cca_delegate(21), 0);
    refused(cca_rmi5(RMI_DATA_CREATE, P(RD), P(20), 0, P(SRC), 1), RMI_ERROR_REALM);
    refused(CALL(RMI_RTT_INIT_RIPAS, P(RD), 0x2000, 0x3000), RMI_ERROR_REALM);
    refused(CALL(RMI_REALM_ACTIVATE, P(RD)), RMI_ERROR_REALM);
    refused(cca_create_rec(20, 21, 2, 1), RMI_ERROR_REALM);
    cca_end(20);
    cca_end(21);
    end();
}

static void ripas_changes_for_nobody_who_has_not_asked(void)
{
    begin();
    refused(CALL(RMI_RTT_SET_RIPAS, P(RD), P(REC), 0x1000, 0x2000), RMI_ERROR_INPUT);
    refused(CALL(RMI_RTT_SET_RIPAS, P(RD), P(REC2), 0x1000, 0x2000), RMI_ERROR_INPUT);
    refused(CALL(RMI_RTT_SET_RIPAS, P(REC), P(RD), 0x1000, 0x2000), RMI_ERROR_INPUT);
    end();
}

/* ---- measurement ---- */

static void a_realm_that_is_built_otherwise_has_another_rim(void)
{
    static const uint64_t how[][3] = {{0, 1, 0x77}, {0, 1, 0x78}, {0, 0, 0x77}, {0x1000, 1, 0x77}};
    uint8_t rim[ARRAY_SIZE(how)][64];

    for (size_t i = 0; i < ARRAY_SIZE(how); i++) {
        rmm_realm_reset();
        cca_with_tables();
        memset(cca_bytes(P(SRC)), (int)how[i][2], GRANULE_SIZE);
        CU_ASSERT_EQUAL(cca_delegate(DATA), RMI_SUCCESS);
        CU_ASSERT_EQUAL(cca_rmi5(RMI_DATA_CREATE, P(RD), P(DATA), how[i][0], P(SRC), how[i][1]),
                        RMI_SUCCESS);
        memcpy(rim[i], ((struct rd *)cca_bytes(P(RD)))->rim, sizeof(rim[i]));
        for (size_t k = 0; k < i; k++) {
            attacks++;
            CU_ASSERT_NOT_EQUAL(memcmp(rim[i], rim[k], sizeof(rim[i])), 0);
        }
        CU_ASSERT_EQUAL(CALL(RMI_DATA_DESTROY, P(RD), how[i][0]), RMI_SUCCESS);
        cca_end(DATA);
        cca_end_tables();
        cca_end_realm();
    }
}

/* ---- all commands, all granules ---- */

/* The two tables say the same of each granule, and the realm's data is its own. */
static bool consistent(void)
{
    bool same = true;

    for (unsigned int n = 0; n < 32; n++) {
        same = same && cca_is_realm(P(n)) == (granule_at(P(n))->state != G_UNDELEGATED);
    }
    return same;
}

static void every_command_with_every_granule_keeps_both_tables_alike(void)
{
    const uint64_t third[] = {0, 0x1000, 0x2000, SIZE_2M, SHARED, P(SRC), P(DATA), 3};
    bool all = true;

    begin();
    for (uint64_t fid = RMI_VERSION; fid < RMI_VERSION + RMI_COMMANDS; fid++) {
        for (unsigned int i = 0; i < 12 * 12 * ARRAY_SIZE(third); i++) {
            uint64_t a = P(i % 12), b = P(i / 12 % 12), c = third[i / 144];

            attacks++;
            if (cca_rmi5(fid, a, b, c, c, 0) == RMI_SUCCESS && fid != RMI_RTT_READ_ENTRY) {
                all = all && consistent();
                begin(); /* it did something: begin anew */
            }
        }
        all = all && consistent();
    }
    CU_ASSERT(all);
    end();
}

static const struct cu_test tests[] = {
    CU(a_granule_in_use_is_out_of_the_hosts_reach),
    CU(a_granule_in_use_is_used_for_nothing_else),
    CU(a_realms_memory_is_no_buffer_of_the_host),
    CU(launch_data_comes_from_the_hosts_own_memory),
    CU(no_entry_is_made_twice_and_no_live_table_goes),
    CU(the_halves_of_the_address_space_are_not_mixed_up),
    CU(memory_that_was_taken_away_stays_destroyed),
    CU(launch_memory_that_was_taken_away_stays_destroyed),
    CU(a_table_that_is_taken_away_takes_ripas_with_it),
    CU(translations_end_before_the_granule_is_another_ones),
    CU(a_rec_that_runs_is_entered_by_nobody_else),
    CU(an_entry_with_what_the_host_must_not_say_is_refused),
    CU(nothing_is_added_once_the_realm_is_active),
    CU(ripas_changes_for_nobody_who_has_not_asked),
    CU(a_realm_that_is_built_otherwise_has_another_rim),
    CU(every_command_with_every_granule_keeps_both_tables_alike),
    CU_END,
};

int main(int argc, char **argv)
{
    int status = cu_main("cca_attack_host", tests, argc, argv);

    fprintf(stderr, "attack: %u cases\n", attacks);
    return status;
}
