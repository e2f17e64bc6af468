/*
 * A hostile realm: against the RMM by RSI and PSCI, and against the hypervisor's driver by what its
 * exits say. Whatever it does, it hurts nobody but itself.
 */
#include <stdio.h>
#include <string.h>

#include "abi/call.h"
#include "cca_driver.h"
#include "cu.h"
#include "hv/page.h"

#define ESR_SMC   (0x17ull << 26)
#define ESR_ABORT (0x24ull << 26 | BIT(24) | 2u << 22) /* a load of a word, described */
#define PSCI(n)   (0x84000000u + (n))
#define PSCI64(n) (0xc4000000u + (n))

static unsigned int attacks;

/* ---- what the realm does: one call, and then it looks at the answer ---- */

static struct {
    uint64_t x[9], esr, hpfar, far;
    unsigned int step;
    bool answered;
    uint64_t answer[9];
} act;

static enum port_exit acts(struct rec *rec)
{
    if (act.step++ > 0) {
        act.answered = true;
        memcpy(act.answer, rec->gprs, sizeof(act.answer));
        return PORT_IRQ;
    }
    memcpy(rec->gprs, act.x, sizeof(act.x));
    rec->cpu.esr = act.esr;
    rec->cpu.hpfar = act.hpfar;
    rec->cpu.far = act.far;
    return PORT_SYNC;
}

/* Until it has its answer, or has been ended. */
static void runs(void)
{
    attacks++;
    act.step = 0;
    act.answered = false;
    cca_script = acts;
    for (unsigned int i = 0; i < 3 && !act.answered && !drv.ended; i++) {
        cca_run(&drv_vcpu[0]);
    }
    cca_script = NULL;
}

static void calls(uint64_t fid, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    memset(&act, 0, sizeof(act));
    act.x[0] = fid;
    act.x[1] = a;
    act.x[2] = b;
    act.x[3] = c;
    act.x[4] = d;
    act.esr = ESR_SMC;
    runs();
}

static void touches(uint64_t ipa, uint64_t esr)
{
    memset(&act, 0, sizeof(act));
    act.esr = esr;
    act.hpfar = ipa >> 8 & ~15ull;
    act.far = ipa & 0xfff;
    runs();
}

static void begin(void)
{
    drv_reset();
    CU_ASSERT_EQUAL(drv_launch(), ABI_OK);
}

/* Every page has one owner, and all come back. */
static void end(void)
{
    cc_cca_ops.vm_destroy(&drv_vm);
    CU_ASSERT_EQUAL(cca_realm_pages() + drv_not_back() + drv.lost, 0);
}

static void is_refused(uint64_t fid, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    calls(fid, a, b, c, d);
    CU_ASSERT(act.answered && !drv.ended);
    CU_ASSERT_EQUAL(act.answer[0], RSI_ERROR_INPUT);
}

/* ---- RSI ---- */

static const uint64_t bad_ipa[] = {0x1008, RAM, CCA_SHARED_BIT, CCA_SHARED_BIT | 0x1000,
                                   BIT(CCA_IPA_BITS), UINT64_MAX, UINT64_MAX << 12};

static void a_buffer_that_is_not_the_realms_own_memory_is_refused(void)
{
    begin();
    for (size_t i = 0; i < ARRAY_SIZE(bad_ipa); i++) {
        is_refused(RSI_REALM_CONFIG, bad_ipa[i], 0, 0, 0);
        is_refused(RSI_HOST_CALL, bad_ipa[i] | (i == 0), 0, 0, 0);
    }
    CU_ASSERT_EQUAL(drv.called, 0);
    end();
}

static void a_token_is_written_to_the_realms_own_memory_only(void)
{
    static const uint64_t bad[][3] = {{0x1008, 0, 8},     {RAM, 0, 8},       {CCA_SHARED_BIT, 0, 8},
                                      {0x1000, 4096, 0},  {0x1000, 4095, 2}, {0x1000, 0, 4097},
                                      {0x1000, 8, UINT64_MAX}};

    begin();
    calls(RSI_ATTESTATION_TOKEN_CONTINUE, 0x1000, 0, 4096, 0);
    CU_ASSERT_EQUAL(act.answer[0], RSI_ERROR_STATE);
    calls(RSI_ATTESTATION_TOKEN_INIT, 1, 2, 3, 4);
    CU_ASSERT_EQUAL(act.answer[0], RSI_SUCCESS);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        is_refused(RSI_ATTESTATION_TOKEN_CONTINUE, bad[i][0], bad[i][1], bad[i][2], 0);
    }
    end();
}

static void ripas_is_asked_for_whole_granules_of_the_lower_half(void)
{
    static const uint64_t bad[][2] = {{0x1000, 0x1000}, {0x2000, 0x1000}, {0x1008, 0x2000},
                                      {0x1000, 0x2008}, {0x1000, CCA_SHARED_BIT + 0x1000},
                                      {CCA_SHARED_BIT, CCA_SHARED_BIT + 0x1000},
                                      {UINT64_MAX << 12, 0}};

    begin();
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        is_refused(RSI_IPA_STATE_SET, bad[i][0], bad[i][1], RIPAS_EMPTY, 0);
        is_refused(RSI_IPA_STATE_GET, bad[i][0], bad[i][1], 0, 0);
    }
    is_refused(RSI_IPA_STATE_SET, 0x1000, 0x2000, RIPAS_DESTROYED, 0);
    is_refused(RSI_IPA_STATE_SET, 0x1000, 0x2000, UINT64_MAX, 0);
    is_refused(RSI_IPA_STATE_SET, 0x1000, 0x2000, RIPAS_RAM, BIT(1));
    end();
}

/* The host has no RAM there: the RMM lets it say no, and the realm is told so. */
static void ripas_outside_its_memory_is_rejected(void)
{
    begin();
    calls(RSI_IPA_STATE_SET, RAM, RAM + 0x1000, RIPAS_RAM, 0);
    CU_ASSERT(act.answered && act.answer[0] == RSI_SUCCESS);
    CU_ASSERT(act.answer[1] == RAM && act.answer[2] == RSI_REJECT);
    calls(RSI_IPA_STATE_SET, 0x1000, CCA_SHARED_BIT, RIPAS_EMPTY, 0);
    CU_ASSERT(act.answered && act.answer[1] == 0x1000); /* EMPTY: it went nowhere */
    end();
}

static void what_is_registered_as_a_buffer_stays_shared(void)
{
    begin();
    calls(RSI_IPA_STATE_SET, 0x1000, 0x2000, RIPAS_EMPTY, 0);
    drv.registered = true;
    calls(RSI_IPA_STATE_SET, 0x1000, 0x2000, RIPAS_RAM, 0);
    CU_ASSERT(act.answered && act.answer[1] == 0x1000 && act.answer[2] == RSI_REJECT);
    CU_ASSERT(!drv.ended);
    drv.registered = false;
    calls(RSI_IPA_STATE_SET, 0x1000, 0x2000, RIPAS_RAM, 0);
    CU_ASSERT(act.answered && act.answer[1] == 0x2000 && act.answer[2] == RSI_ACCEPT);
    end();
}

static void measurements_outside_the_registers_are_refused(void)
{
    begin();
    is_refused(RSI_MEASUREMENT_READ, RMM_REMS + 1, 0, 0, 0);
    is_refused(RSI_MEASUREMENT_READ, UINT64_MAX, 0, 0, 0);
    is_refused(RSI_MEASUREMENT_EXTEND, 0, 64, 0, 0);
    is_refused(RSI_MEASUREMENT_EXTEND, RMM_REMS + 1, 64, 0, 0);
    is_refused(RSI_MEASUREMENT_EXTEND, 1, 65, 0, 0);
    is_refused(RSI_MEASUREMENT_EXTEND, 1, UINT64_MAX, 0, 0);
    end();
}

/* Each is answered, or ends the realm by PSCI; the driver and the RMM stay what they were. */
static void every_call_with_garbage_is_answered_or_ends_the_realm_alone(void)
{
    static const uint64_t base[] = {RSI_VERSION, PSCI(0), PSCI64(0), 0x80000000u, RMI_VERSION, 0};
    static const uint64_t garbage[] = {0, 1, 0x1000, 0x1008, CCA_SHARED_BIT, UINT64_MAX};

    begin();
    for (unsigned int i = 0; i < ARRAY_SIZE(base) * 32 * ARRAY_SIZE(garbage); i++) {
        uint64_t fid = base[i / 32 / ARRAY_SIZE(garbage)] + i % 32;
        uint64_t g = garbage[i / 32 % ARRAY_SIZE(garbage)];

        calls(fid, g, g, g, g);
        CU_ASSERT(act.answered || drv.ended || drv_vcpu[0].arch.wait == WAIT_ON);
        if (!act.answered) { /* off, by its own wish */
            end();
            begin();
        }
    }
    end();
}

/* ---- PSCI ---- */

static void a_cpu_that_it_has_not_is_not_turned_on(void)
{
    static const uint64_t nobody[] = {2, 16, 0x100, 0x10000, BIT(24), BIT(32), UINT64_MAX};

    begin();
    for (size_t i = 0; i < ARRAY_SIZE(nobody); i++) {
        calls(PSCI64(3), nobody[i], 0x1000, 0, 0);
        CU_ASSERT(act.answered && (int64_t)act.answer[0] == -2);
        calls(PSCI64(4), nobody[i], 0, 0, 0);
        CU_ASSERT(act.answered && (int64_t)act.answer[0] == -2);
    }
    calls(PSCI64(3), 1, CCA_SHARED_BIT, 0, 0); /* it would start in the host's memory */
    CU_ASSERT(act.answered && (int64_t)act.answer[0] == -9);
    CU_ASSERT_EQUAL(drv_vcpu[1].requests, 0);
    end();
}

static void a_cpu_is_turned_on_off_and_asked_about(void)
{
    begin();
    calls(PSCI64(4), 1, 0, 0, 0);
    CU_ASSERT(act.answered && act.answer[0] == 1);
    calls(PSCI64(3), 1, 0x1000, 0x55, 0);
    CU_ASSERT(act.answered && act.answer[0] == 0);
    CU_ASSERT_EQUAL(drv_vcpu[1].requests, REQ_SIPI);
    calls(PSCI64(4), 1, 0, 0, 0);
    CU_ASSERT(act.answered && act.answer[0] == 0);
    calls(PSCI64(3), 1, 0x1000, 0, 0);
    CU_ASSERT(act.answered && (int64_t)act.answer[0] == -4);
    calls(PSCI(2), 0, 0, 0, 0);
    CU_ASSERT(!act.answered && drv_vcpu[0].arch.wait == WAIT_ON);
    CU_ASSERT_EQUAL(drv_vcpu[0].arch.power, POWER_OFF);
    end();
}

static void turns_the_second_on(void)
{
    calls(PSCI64(3), 1, 0x1000, 0x66, 0);
    CU_ASSERT(act.answered && act.answer[0] == 0);
}

static enum port_exit goes_off(struct rec *rec)
{
    rec->gprs[0] = PSCI(2);
    rec->cpu.esr = ESR_SMC;
    return PORT_SYNC;
}

static void the_second(enum port_exit (*does)(struct rec *rec))
{
    cca_script = does;
    drv_vcpu[1].requests = 0;
    cca_run(&drv_vcpu[1]);
    cca_script = NULL;
}

/* The RMM has it off and on again before the hypervisor has seen that it went off. */
static void a_cpu_that_is_turned_on_while_it_goes_off_is_on(void)
{
    begin();
    turns_the_second_on();
    drv.after_second = turns_the_second_on;
    the_second(goes_off);
    CU_ASSERT_EQUAL(drv_vcpu[1].requests, REQ_SIPI);
    CU_ASSERT_NOT_EQUAL(drv_vcpu[1].arch.wait, WAIT_ON);
    the_second(NULL);
    CU_ASSERT(!drv.ended && drv_vcpu[1].arch.power == POWER_ON);
    end();
}

static enum port_exit is_turned_on_and_goes_off(struct rec *rec)
{
    calls(PSCI64(3), 1, 0x1000, 0, 0);
    CU_ASSERT_EQUAL((int64_t)act.answer[0], -4);
    return goes_off(rec);
}

static void a_cpu_that_goes_off_after_it_was_found_on_is_off(void)
{
    begin();
    turns_the_second_on();
    the_second(is_turned_on_and_goes_off);
    the_second(NULL); /* it was told to start, and tries */
    CU_ASSERT(!drv.ended && drv_vcpu[1].arch.wait == WAIT_ON);
    CU_ASSERT_EQUAL(drv_vcpu[1].arch.power, POWER_OFF);
    end();
}

static void the_end_that_it_asks_for_is_its_own(void)
{
    static const char *const why[] = {"PSCI power-off", "PSCI reset"};

    for (unsigned int i = 0; i < 2; i++) {
        begin();
        calls(PSCI(8 + i), 0, 0, 0, 0);
        CU_ASSERT(drv.ended);
        CU_ASSERT_STRING_EQUAL(drv.why, why[i]);
        end();
    }
}

static void a_cpu_that_comes_after_its_end_says_nothing_of_it(void)
{
    begin();
    calls(PSCI(8), 0, 0, 0, 0);
    drv.ended = false;
    cca_run(&drv_vcpu[1]);
    CU_ASSERT_FALSE(drv.ended);
    end();
}

/* ---- accesses ---- */

static void an_access_that_nothing_answers_is_an_abort_of_its_own(void)
{
    static const uint64_t nothing[] = {RAM, GiB(4), CCA_SHARED_BIT | RAM, CCA_SHARED_BIT | GiB(4),
                                       BIT(CCA_IPA_BITS) + 0x1000};

    begin();
    for (size_t i = 0; i < ARRAY_SIZE(nothing); i++) {
        touches(nothing[i], ESR_ABORT);
        CU_ASSERT(act.answered && !drv.ended);
        CU_ASSERT_EQUAL(((struct rec *)cca_bytes(cca_vcpu_of(&drv_vcpu[0])->rec.v))->cpu.inject, 1);
    }
    end();
}

static void its_own_memory_is_not_shown_to_it_as_the_hosts(void)
{
    begin();
    touches(CCA_SHARED_BIT | IMAGE_AT, ESR_ABORT);
    CU_ASSERT(drv.ended);
    CU_ASSERT_PTR_NOT_NULL(strstr(drv.why, "access to 4000002000 that nothing answers"));
    end();
}

static void a_device_is_reached_by_a_described_access_only(void)
{
    begin();
    touches(CCA_SHARED_BIT | 0xfe000000, ESR_ABORT);
    CU_ASSERT(act.answered && drv.device == 0xfe000000 && act.answer[0] == 0x5a);
    drv.device = 0;
    touches(CCA_SHARED_BIT | 0xfe000000, 0x24ull << 26); /* no ISV: nobody decodes it */
    CU_ASSERT(drv.device == 0 && drv.ended);
    end();
}

/* ---- the guest ABI, and exits that no RMM would make ---- */

static void a_host_call_is_the_guest_abi(void)
{
    struct rsi_host_call *call;

    begin();
    call = cca_bytes(cca_page(RAM_FIRST + 1));
    for (unsigned int i = 0; i < RMI_GPRS; i++) {
        call->gprs[i] = 0x100 + i;
    }
    calls(RSI_HOST_CALL, 0x1000, 0, 0, 0);
    CU_ASSERT(act.answered && act.answer[0] == RSI_SUCCESS);
    CU_ASSERT(drv.called == 0x100 && drv.arg[0] == 0x101 && drv.arg[3] == 0x104);
    CU_ASSERT(call->gprs[0] == 0 && call->gprs[1] == 0x101);
    for (unsigned int i = 4; i < RMI_GPRS; i++) {
        CU_ASSERT_EQUAL(call->gprs[i], 0); /* nothing of the hypervisor's comes along */
    }
    end();
}

static void exit_with(unsigned int reason, unsigned int class, uint64_t word)
{
    struct rmi_rec_exit x = {.exit_reason = (uint8_t)reason, .esr = (uint64_t)class << 26 | word};

    x.hpfar = word;
    x.far = word;
    x.ripas_base = word;
    x.ripas_top = ~word;
    x.ripas_value = (uint8_t)word;
    for (unsigned int i = 0; i < RMI_GPRS; i++) {
        x.gprs[i] = i == 0 && reason == RMI_EXIT_PSCI ? PSCI64(class % 16) : word + i;
    }
    attacks++;
    cca_exit(&drv_vcpu[0], &x);
}

static void every_exit_record_ends_the_realm_or_goes_on(void)
{
    static const uint64_t words[] = {0, 1, BIT(24), BIT(24) | 0x1000, CCA_SHARED_BIT, UINT64_MAX};

    begin();
    for (unsigned int reason = 0; reason < 16; reason++) {
        for (unsigned int class = 0; class < 64; class++) {
            for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
                exit_with(reason, class, words[i]);
                CU_ASSERT(reason <= RMI_EXIT_SERROR || drv.ended);
                cca_vcpu_of(&drv_vcpu[0])->run->enter.flags = 0;
            }
        }
        drv.ended = false;
    }
    end();
}

/* ---- conversions ---- */

static bool one_owner(void)
{
    bool ok = true;

    for (uint64_t i = 0; i < RAM; i += PAGE_SIZE) {
        pa_t at = pa(cca_page(RAM_FIRST) + i);

        ok = ok && cca_is_realm(at.v) == (page_state_of(at) == PAGE_PRIVATE);
    }
    return ok;
}

static void a_storm_of_conversions_leaves_every_page_with_one_owner(void)
{
    uint64_t seed = 1;

    begin();
    CU_ASSERT_EQUAL(cca_fault_private(&drv_vm, SIZE_2M), ABI_OK);
    for (unsigned int i = 0; i < 400; i++) {
        uint64_t base, len;

        seed = seed * 6364136223846793005u + 1442695040888963407u;
        base = SIZE_2M + (seed >> 33) % 512 * PAGE_SIZE;
        len = MIN((1 + (seed >> 50) % 64) * PAGE_SIZE, RAM - base);
        calls(RSI_IPA_STATE_SET, base, base + len, seed >> 63, RSI_CHANGE_DESTROYED);
        CU_ASSERT(act.answered && !drv.ended);
        touches((seed >> 60 & 1) << (CCA_IPA_BITS - 1) | base, ESR_ABORT);
        drv.ended = false; /* where it has shared nothing */
        drv_vcpu[0].arch.wait = WAIT_NONE;
        CU_ASSERT(i % 50 != 0 || one_owner());
    }
    CU_ASSERT(one_owner());
    end();
}

static const struct cu_test tests[] = {
    CU(a_buffer_that_is_not_the_realms_own_memory_is_refused),
    CU(a_token_is_written_to_the_realms_own_memory_only),
    CU(ripas_is_asked_for_whole_granules_of_the_lower_half),
    CU(ripas_outside_its_memory_is_rejected),
    CU(what_is_registered_as_a_buffer_stays_shared),
    CU(measurements_outside_the_registers_are_refused),
    CU(every_call_with_garbage_is_answered_or_ends_the_realm_alone),
    CU(a_cpu_that_it_has_not_is_not_turned_on),
    CU(a_cpu_is_turned_on_off_and_asked_about),
    CU(a_cpu_that_is_turned_on_while_it_goes_off_is_on),
    CU(a_cpu_that_goes_off_after_it_was_found_on_is_off),
    CU(the_end_that_it_asks_for_is_its_own),
    CU(a_cpu_that_comes_after_its_end_says_nothing_of_it),
    CU(an_access_that_nothing_answers_is_an_abort_of_its_own),
    CU(its_own_memory_is_not_shown_to_it_as_the_hosts),
    CU(a_device_is_reached_by_a_described_access_only),
    CU(a_host_call_is_the_guest_abi),
    CU(every_exit_record_ends_the_realm_or_goes_on),
    CU(a_storm_of_conversions_leaves_every_page_with_one_owner),
    CU_END,
};

int main(int argc, char **argv)
{
    int status = cu_main("cca_attack_guest", tests, argc, argv);

    fprintf(stderr, "attack: %u cases\n", attacks);
    return status;
}
