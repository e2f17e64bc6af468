/* Measured launch on both register interfaces: PCRs, log, quotes, and TPMs that do as they like. */
#include <stdio.h>
#include <string.h>

#include "abi/abi.h"
#include "abi_host.h"
#include "core_host.h"
#include "cu.h"
#include "hv/guestmem.h"
#include "hv/measure.h"
#include "tpm_model.h"

#define AT MiB(1)

static const struct evidence_request all_of_it = {.owner = 1, .pcrs = 0x1800, .nonce = {9}};
static const enum tpm_kind kinds[] = {TPM_CRB, TPM_FIFO};

static void what_is_measured_is_in_the_pcrs_and_in_the_log(void)
{
    static const uint8_t hash[SHA256_SIZE] = {0xab};
    const char *images = "cloister image test bytes=5 sha256="
                         "6105d6cc76af400325e94d588ce511be5bfdbb73b437dc51eca43917d7a43e3d";
    const char *domain = "cloister domain g config="
                         "ab00000000000000000000000000000000000000000000000000000000000000";
    uint8_t eleven[32] = {0}, twelve[32] = {0}, log[1024];
    struct evidence e;
    uint32_t len;

    for (unsigned int i = 0; i < ARRAY_SIZE(kinds); i++) {
        tpm_model_boot(kinds[i]);
        snprintf(boot_info.cmdline, sizeof(boot_info.cmdline), "x=y");
        measure_start();
        CU_ASSERT_EQUAL(measure_domain("g", hash, NULL), ABI_OK);
        memset(eleven, 0, sizeof(eleven));
        memset(twelve, 0, sizeof(twelve));
        tpm_model_extend(eleven, images);
        tpm_model_extend(eleven, "cloister cmdline x=y");
        tpm_model_extend(eleven, "cloister bundle bytes=0 sha256="
                       "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        tpm_model_extend(twelve, domain);
        CU_ASSERT_EQUAL(memcmp(tpm_model.pcr[11], eleven, 32), 0);
        CU_ASSERT_EQUAL(memcmp(tpm_model.pcr[12], twelve, 32), 0);
        CU_ASSERT_EQUAL_FATAL(tpm_model_quote(&all_of_it, &e), ABI_OK);
        CU_ASSERT_EQUAL(memcmp(e.pcr[11], eleven, 32), 0);
        CU_ASSERT_EQUAL(memcmp(e.pcr[12], twelve, 32), 0);
        CU_ASSERT_EQUAL(measure_log(0, log, sizeof(log), &len), ABI_OK);
        CU_ASSERT_EQUAL(len, e.log_len);
        CU_ASSERT_PTR_NOT_NULL(memmem(log, len, domain, strlen(domain)));
        CU_ASSERT_PTR_NOT_NULL(memmem(log, len, images, strlen(images)));
        CU_ASSERT_EQUAL(measure_log(len + 1, log, sizeof(log), &len), ABI_BAD_ARG);
    }
}

static void a_quote_is_of_the_nonce_and_the_pcrs_that_were_asked_for(void)
{
    struct evidence_request other = all_of_it;
    struct evidence e;

    for (unsigned int i = 0; i < ARRAY_SIZE(kinds); i++) {
        tpm_model_boot(kinds[i]);
        measure_start();
        CU_ASSERT_EQUAL(measure_quote(&all_of_it, &e), ABI_BUSY);
        other.owner = 2;
        CU_ASSERT_EQUAL(measure_quote(&other, &e), ABI_BUSY); /* the first one's is under way */
        CU_ASSERT_EQUAL_FATAL(tpm_model_quote(&all_of_it, &e), ABI_OK);
        CU_ASSERT_EQUAL(e.quote.message_len, 36);
        CU_ASSERT_EQUAL(memcmp(e.quote.message, all_of_it.nonce, 32), 0);
        CU_ASSERT_EQUAL(memcmp(&e.quote.message[32], "\3\0\x18\0", 4), 0);
        CU_ASSERT_EQUAL(e.quote.signature_len, 9);
        CU_ASSERT_EQUAL(memcmp(e.quote.signature, "signature", 9), 0);
        CU_ASSERT_EQUAL(memcmp(e.quote.key, "\0\6public", 8), 0);
        CU_ASSERT_EQUAL(tpm_model_quote(&other, &e), ABI_OK);
        CU_ASSERT_EQUAL(tpm_model.keys, 1);
    }
}

/* A domain is created while a quote is under way: that is of what was before, and not lost. */
static void what_is_measured_meanwhile_waits_for_the_quote(void)
{
    static const uint8_t hash[SHA256_SIZE], zero[32];
    struct evidence e;
    uint8_t log[1024];
    uint32_t len;

    tpm_model_boot(TPM_CRB);
    measure_start();
    CU_ASSERT_EQUAL(measure_quote(&all_of_it, &e), ABI_BUSY);
    CU_ASSERT_EQUAL(measure_domain("g", hash, NULL), ABI_OK);
    CU_ASSERT_NOT_EQUAL(memcmp(tpm_model.pcr[12], zero, 32), 0);
    CU_ASSERT_EQUAL(measure_quote(&all_of_it, &e), ABI_OK);
    CU_ASSERT_EQUAL(memcmp(e.pcr[12], zero, 32), 0);
    CU_ASSERT_EQUAL(measure_log(0, log, sizeof(log), &len), ABI_OK);
    CU_ASSERT(e.log_len < len);
}

static void a_quote_that_nobody_fetches_is_forgotten(void)
{
    struct evidence_request other = {.owner = 2, .pcrs = 1};
    struct evidence e;

    tpm_model_boot(TPM_CRB);
    measure_start();
    CU_ASSERT_EQUAL(measure_quote(&all_of_it, &e), ABI_BUSY);
    CU_ASSERT_EQUAL(tpm_model_quote(&other, &e), ABI_BUSY);
    fake_advance(3000000000u);
    CU_ASSERT_EQUAL(tpm_model_quote(&other, &e), ABI_OK);
}

/* Each step the hungry one asks ten times, each of the others once: while one of those waits, the
 * hungry one is served once at most. */
static void a_domain_that_asks_all_the_time_takes_no_turn_from_others(void)
{
    unsigned int got[4] = {0}, at[4] = {0}, most = 0;
    struct evidence e;

    tpm_model_boot(TPM_CRB);
    measure_start();
    for (uint32_t step = 0; step < 2000; step++) {
        for (uint32_t i = 0; i < 10; i++) {
            struct evidence_request r = {.owner = 0, .pcrs = 1, .nonce = {(uint8_t)got[0]}};

            got[0] += measure_quote(&r, &e) == ABI_OK;
        }
        for (uint32_t owner = 1; owner < 4; owner++) {
            struct evidence_request r = {owner, 1, {(uint8_t)got[owner]}};

            at[owner] = step == 0 ? got[0] : at[owner];
            if (measure_quote(&r, &e) == ABI_OK) {
                most = MAX(most, got[0] - at[owner]);
                got[owner]++;
                CU_ASSERT_EQUAL(measure_quote(&r, &e), ABI_BUSY); /* and in line again */
                at[owner] = got[0];
            }
        }
    }
    CU_ASSERT_EQUAL(most, 1);
    CU_ASSERT(got[1] > 100 && got[2] > 100 && got[3] > 100);
}

/* It fetches nothing, and asks for something else each time: two seconds a turn are what it has. */
static void a_domain_that_fetches_nothing_delays_others_by_its_turn(void)
{
    struct evidence_request mine = {.owner = 2, .pcrs = 1};
    struct evidence_request wild = {.owner = 1, .pcrs = 1};
    unsigned int got = 0;
    struct evidence e;

    tpm_model_boot(TPM_CRB);
    measure_start();
    for (unsigned int ms = 0; ms < 10500; ms += 10) {
        memcpy(wild.nonce, &ms, sizeof(ms));
        CU_ASSERT_EQUAL(measure_quote(&wild, &e), ABI_BUSY);
        got += measure_quote(&mine, &e) == ABI_OK;
        mine.nonce[0] = (uint8_t)got;
        fake_advance(10000000u);
    }
    CU_ASSERT_EQUAL(got, 5);
}

static void a_place_in_line_is_lost_by_who_asks_no_more(void)
{
    struct evidence_request r[3] = {{.owner = 1, .pcrs = 1}, {.owner = 2, .pcrs = 1},
                                    {.owner = 3, .pcrs = 1}};
    struct evidence e;

    tpm_model_boot(TPM_CRB);
    measure_start();
    for (unsigned int i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(measure_quote(&r[i], &e), ABI_BUSY);
    }
    CU_ASSERT_EQUAL(tpm_model_quote(&r[0], &e), ABI_OK);
    CU_ASSERT_EQUAL(tpm_model_quote(&r[2], &e), ABI_BUSY); /* it is the second one's turn */
    fake_advance(2500000000u);
    CU_ASSERT_EQUAL(tpm_model_quote(&r[2], &e), ABI_OK);
    for (uint32_t owner = 10; owner < 200; owner++) { /* more than there can be at a time */
        CU_ASSERT_EQUAL(measure_quote(&(struct evidence_request){owner, 1, {0}}, &e), ABI_BUSY);
    }
    fake_advance(2500000000u);
    CU_ASSERT_EQUAL(tpm_model_quote(&r[1], &e), ABI_OK);
}

static void a_tpm_that_cannot_begin_yet_is_asked_again(void)
{
    struct evidence e;

    tpm_model_boot(TPM_FIFO);
    tpm_model.retries = 3;
    measure_start();
    CU_ASSERT_EQUAL(tpm_model_quote(&all_of_it, &e), ABI_OK);
    tpm_model.retries = 2;
    CU_ASSERT_EQUAL(tpm_model_quote(&all_of_it, &e), ABI_OK);
}

static void after_a_failure_there_is_no_evidence(void)
{
    static const uint32_t codes[] = {0x13c, 0x17e, 0x131, 0x158};
    struct evidence e;

    for (unsigned int i = 0; i < ARRAY_SIZE(codes); i++) {
        tpm_model_boot(TPM_CRB);
        tpm_model.fail = codes[i];
        measure_start();
        CU_ASSERT_EQUAL(tpm_model_quote(&all_of_it, &e), ABI_HARDWARE);
        tpm_model.fail = 0;
        CU_ASSERT_EQUAL(tpm_model_quote(&all_of_it, &e), ABI_HARDWARE);
        CU_ASSERT_PTR_NOT_NULL(strstr(fake_console(), "no evidence from now on"));
    }
}

static void a_response_that_ends_early_is_a_failure_wherever_it_ends(void)
{
    static const uint32_t codes[] = {0x144, 0x13c, 0x17e, 0x131, 0x158};
    struct evidence e;

    for (unsigned int i = 0; i < ARRAY_SIZE(codes); i++) {
        for (uint32_t cut = 1; cut <= 60; cut++) {
            tpm_model_boot(cut % 2 == 0 ? TPM_CRB : TPM_FIFO);
            fake_tpm_slow = 0;
            tpm_model.cut_code = codes[i];
            tpm_model.cut = cut;
            measure_start();
            CU_ASSERT_NOT_EQUAL(tpm_model_quote(&all_of_it, &e), ABI_BUSY);
        }
    }
}

static void a_tpm_that_never_answers_is_given_up(void)
{
    struct evidence e;

    tpm_model_boot(TPM_CRB);
    fake_tpm_slow = UINT32_MAX;
    measure_start();
    CU_ASSERT_PTR_NOT_NULL(strstr(fake_console(), "tpm: CRB: it does not start"));
    CU_ASSERT_EQUAL(measure_quote(&all_of_it, &e), ABI_NOT_SUPPORTED);
}

static void a_quote_that_never_ends_is_the_last(void)
{
    struct evidence e;

    tpm_model_boot(TPM_CRB);
    measure_start();
    fake_tpm_slow = UINT32_MAX;
    CU_ASSERT_EQUAL(measure_quote(&all_of_it, &e), ABI_BUSY);
    fake_advance(31000000000u);
    CU_ASSERT_EQUAL(measure_quote(&all_of_it, &e), ABI_HARDWARE);
}

/* ---- the call ---- */

static uint64_t ask(struct vm *vm, uint64_t handle, const struct abi_evidence_request *r,
                    uint64_t room, uint64_t *told)
{
    struct call c;
    uint64_t st;

    CU_ASSERT_EQUAL(guestmem_write(vm, gpa(AT), r, sizeof(*r)), ABI_OK);
    st = abi_call(vm, &c, ABI_CALL_HOST_EVIDENCE, handle, 0, room, 0);
    *told = c.value[0];
    return st;
}

static void guests_get_it_and_guests_of_1_0_get_what_they_got(void)
{
    struct abi_evidence_request r = {.kind = ABI_EVIDENCE_QUOTE, .pcrs = 0x1801};
    struct abi_host_quote q;
    struct vm *vm, *old;
    uint64_t h, told;
    struct call c;

    tpm_model_boot(TPM_CRB);
    measure_start();
    vm = abi_controller("new", 0x7f, 0, 0);
    old = abi_vm("old", MiB(4), 1, 0x7f, NULL);
    CU_ASSERT_EQUAL(abi_call(vm, &c, ABI_CALL_BUF_REGISTER, AT, 8192, 0, 0), ABI_OK);
    h = c.value[0];
    CU_ASSERT_EQUAL(abi_call(old, &c, ABI_CALL_HOST_EVIDENCE, 64, 0, 4096, 0), ABI_NOT_BUILT);
    CU_ASSERT_EQUAL(ask(vm, h, &r, 2047, &told), ABI_BAD_ARG);
    while (ask(vm, h, &r, 4096, &told) == ABI_BUSY) {
    }
    CU_ASSERT_EQUAL(guestmem_read(vm, gpa(AT), &q, sizeof(q)), ABI_OK);
    CU_ASSERT_EQUAL(q.pcrs, 0x1801);
    CU_ASSERT_EQUAL(told, sizeof(q) + q.message + q.signature + q.key + 3 * 32);
    r = (struct abi_evidence_request){.kind = ABI_EVIDENCE_LOG, .offset = q.log};
    CU_ASSERT_EQUAL(ask(vm, h, &r, 4096, &told), ABI_OK); /* two domains came since */
    r.offset = q.log - 10;
    CU_ASSERT_EQUAL(ask(vm, h, &r, 64, &told), ABI_OK);
    CU_ASSERT(told >= 10 && told <= 64);
    vm_destroy(vm);
    vm_destroy(old);
}

static const struct cu_test tests[] = {
    CU(what_is_measured_is_in_the_pcrs_and_in_the_log),
    CU(a_quote_is_of_the_nonce_and_the_pcrs_that_were_asked_for),
    CU(what_is_measured_meanwhile_waits_for_the_quote),
    CU(a_quote_that_nobody_fetches_is_forgotten),
    CU(a_domain_that_asks_all_the_time_takes_no_turn_from_others),
    CU(a_domain_that_fetches_nothing_delays_others_by_its_turn),
    CU(a_place_in_line_is_lost_by_who_asks_no_more),
    CU(a_tpm_that_cannot_begin_yet_is_asked_again),
    CU(after_a_failure_there_is_no_evidence),
    CU(a_response_that_ends_early_is_a_failure_wherever_it_ends),
    CU(a_tpm_that_never_answers_is_given_up),
    CU(a_quote_that_never_ends_is_the_last),
    CU(guests_get_it_and_guests_of_1_0_get_what_they_got),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("core_tpm", tests, argc, argv);
}
