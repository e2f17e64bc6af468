/*
 * The driver and the PSP's command ring: what goes by it, what becomes of a command that fails, of
 * a firmware that has no ring, or stops answering.
 */
#include "cu.h"
#include "snp_host.h"

#include "../../cc/emu/snp_psp.h"
#include "arch/timer.h"
#include "hv/page.h"

#include <string.h>

/* ---- every access to the PSP's registers passes here ---- */

uint32_t __real_emu_psp_read(uint32_t reg);
void __real_emu_psp_write(uint32_t reg, uint32_t value);
uint32_t __wrap_emu_psp_read(uint32_t reg);
void __wrap_emu_psp_write(uint32_t reg, uint32_t value);

static unsigned int sent[0x800], rung;
static bool dies_when_rung;
static uint32_t lie; /* what the head says; 0: what it does say */
static uint32_t error; /* RING_BUFFER's extended one; it is in the head until that is written */
static bool stale;

uint32_t __wrap_emu_psp_read(uint32_t reg)
{
    uint32_t v = __real_emu_psp_read(reg);

    fake_clock_set(clock_ns() + 1000000000);
    if (reg != PSP_REG_RB_HEAD) {
        return v;
    }
    return stale ? error : lie != 0 ? lie : v;
}

void __wrap_emu_psp_write(uint32_t reg, uint32_t value)
{
    if (reg == PSP_REG_RB_HEAD) {
        stale = false;
    } else if (reg == PSP_REG_CMDRESP && (value & PSP_RESPONSE) == 0) {
        stale = error != 0 && value == PSP_CMD(SEV_CMD_RING_BUFFER);
        sent[value >> 16 & 0x7ff]++;
    } else if (reg == PSP_REG_CMDRESP) {
        rung++;
        if (dies_when_rung) {
            emu_psp_answer_after(~0u);
        }
    }
    __real_emu_psp_write(reg, value);
}

static void begin(void)
{
    snp_boot(MiB(64));
    memset(sent, 0, sizeof(sent));
    rung = 0;
    lie = error = 0;
    dies_when_rung = false;
}

/* ---- PAGE_RECLAIM of a page that is ours does nothing; with a reserved bit set, it fails ---- */

#define MANY 600u
static uint64_t batch[MANY];
static pa_t ours;

static void reclaims(void)
{
    begin();
    CU_ASSERT_TRUE_FATAL(page_alloc(ORDER_4K, PAGE_HV, 0, &ours));
    for (unsigned int i = 0; i < MANY; i++) {
        batch[i] = ours.v;
    }
}

static enum snp_status reclaim(unsigned int n, size_t *done)
{
    return snp_psp_all(SNP_CMD_PAGE_RECLAIM, batch, sizeof(batch[0]), n, done);
}

static void end(void)
{
    page_free(ours, PAGE_HV, 0);
    core_done();
    CU_ASSERT_EQUAL(snp_pages_kept(), 0);
}

static void the_small_pages_of_a_launch_go_by_the_ring(void)
{
    static uint8_t digest[2][EMU_SHA384];
    static const unsigned int by_mailbox[2] = {1, 6}; /* the save area; and five pages */

    for (int lacks = 0; lacks < 2; lacks++) {
        struct psp_guest *g;
        struct vm *vm;

        emu_psp_lacks_ring(lacks != 0);
        begin();
        vm = snp_guest(CC_SEV_SNP, 1);
        CU_ASSERT_EQUAL(sent[SNP_CMD_LAUNCH_UPDATE], by_mailbox[lacks]);
        CU_ASSERT_EQUAL(rung, !lacks);
        CU_ASSERT_EQUAL_FATAL(psp_guest_of(snp_of(vm)->gctx.v, &g), SNP_SUCCESS);
        memcpy(digest[lacks], g->ld, sizeof(digest[lacks]));
        snp_drop(vm);
        core_done();
        CU_ASSERT_EQUAL(snp_pages_kept(), 0);
    }
    emu_psp_lacks_ring(false);
    CU_ASSERT_EQUAL(memcmp(digest[0], digest[1], sizeof(digest[0])), 0);
}

static void firmware_without_a_ring_is_asked_once_and_served_by_the_mailbox(void)
{
    size_t done;

    emu_psp_lacks_ring(true);
    reclaims();
    emu_psp_lacks_ring(false);
    CU_ASSERT_PTR_NOT_NULL(strstr(fake_console(), "by the mailbox, one at a time: RING_BUFFER: "));
    CU_ASSERT_EQUAL(reclaim(10, &done), SNP_SUCCESS);
    CU_ASSERT(done == 10 && sent[SNP_CMD_PAGE_RECLAIM] == 10 && rung == 0);
    batch[4] |= 2;
    CU_ASSERT_EQUAL(reclaim(10, &done), SNP_INVALID_PARAM);
    CU_ASSERT(done == 4 && sent[SNP_CMD_PAGE_RECLAIM] == 15);
    CU_ASSERT_EQUAL(sent[SEV_CMD_RING_BUFFER], 0);
    end();
}

static void a_few_commands_are_not_worth_the_ring(void)
{
    size_t done;

    reclaims();
    CU_ASSERT_EQUAL(reclaim(0, &done), SNP_SUCCESS);
    CU_ASSERT_EQUAL(done, 0);
    CU_ASSERT_EQUAL(reclaim(3, &done), SNP_SUCCESS);
    CU_ASSERT(done == 3 && rung == 0 && sent[SNP_CMD_PAGE_RECLAIM] == 3);
    CU_ASSERT_EQUAL(reclaim(4, &done), SNP_SUCCESS);
    CU_ASSERT(done == 4 && rung == 1 && sent[SNP_CMD_PAGE_RECLAIM] == 3);
    end();
}

static void a_batch_stops_at_the_command_that_fails_and_the_ring_goes_on(void)
{
    size_t done;

    reclaims();
    batch[6] |= 2;
    CU_ASSERT_EQUAL(reclaim(10, &done), SNP_INVALID_PARAM);
    CU_ASSERT_EQUAL(done, 6);
    batch[6] = ours.v;
    emu_psp_fail_nth(1 + 10, SNP_HWERROR_PLATFORM); /* the first is RING_BUFFER */
    CU_ASSERT_EQUAL(reclaim(10, &done), SNP_HWERROR_PLATFORM);
    CU_ASSERT_EQUAL(done, 9);
    emu_psp_fail_nth(1 + 1, SNP_INVALID_GUEST);
    CU_ASSERT_EQUAL(reclaim(10, &done), SNP_INVALID_GUEST);
    CU_ASSERT_EQUAL(done, 0);
    CU_ASSERT_EQUAL(reclaim(10, &done), SNP_SUCCESS);
    CU_ASSERT_EQUAL(done, 10);
    CU_ASSERT(rung == 4 && sent[SNP_CMD_PAGE_RECLAIM] == 0);
    end();
}

static void more_than_the_queue_takes_goes_in_turns(void)
{
    size_t done;

    reclaims();
    CU_ASSERT_EQUAL(reclaim(MANY, &done), SNP_SUCCESS);
    CU_ASSERT(done == MANY && rung == 3 && sent[SEV_CMD_RING_BUFFER] == 1);
    for (unsigned int bad = 253; bad < 259; bad++) { /* where a turn ends, and the queue does */
        batch[bad] |= 2;
        CU_ASSERT_EQUAL(reclaim(MANY, &done), SNP_INVALID_PARAM);
        CU_ASSERT_EQUAL(done, bad);
        batch[bad] = ours.v;
    }
    batch[MANY - 1] |= 2;
    CU_ASSERT_EQUAL(reclaim(MANY, &done), SNP_INVALID_PARAM);
    CU_ASSERT_EQUAL(done, MANY - 1);
    end();
}

static void a_ring_that_is_refused_fails_the_batch_and_not_the_next(void)
{
    size_t done;

    reclaims();
    emu_psp_fail_nth(1, SNP_HWERROR_PLATFORM);
    CU_ASSERT_EQUAL(reclaim(10, &done), SNP_HWERROR_PLATFORM);
    CU_ASSERT(done == 0 && rung == 0);
    emu_rmpupdate_fail_nth(1, RMP_FAIL_INPUT);
    CU_ASSERT_EQUAL(reclaim(10, &done), SNP_HWERROR_PLATFORM);
    CU_ASSERT(done == 0 && rung == 0);
    CU_ASSERT_EQUAL(reclaim(10, &done), SNP_SUCCESS);
    CU_ASSERT(done == 10 && rung == 1);
    end();
}

/* A second passes with each look, and the mailbox's patience is 30 of them for each command. */
static void a_slow_ring_has_time_for_each_command(void)
{
    uint64_t from;
    size_t done;

    reclaims();
    emu_psp_answer_after(20);
    from = clock_ns();
    CU_ASSERT_EQUAL(snp_psp(SNP_CMD_PAGE_RECLAIM, batch, sizeof(batch[0])), SNP_SUCCESS);
    CU_ASSERT(clock_ns() - from >= 20000000000);
    CU_ASSERT_EQUAL(reclaim(10, &done), SNP_SUCCESS);
    CU_ASSERT_EQUAL(done, 10);
    end();
}

static void a_ring_that_never_empties_is_given_up(void)
{
    size_t done;

    reclaims();
    dies_when_rung = true;
    CU_ASSERT_EQUAL(reclaim(10, &done), SNP_HWERROR_UNSAFE);
    CU_ASSERT_EQUAL(done, 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(fake_console(), "does not answer command c7h"));
    CU_ASSERT_PTR_NOT_NULL(strstr(fake_console(), "the command ring is lost"));
    CU_ASSERT_EQUAL(reclaim(10, &done), SNP_HWERROR_UNSAFE);
    CU_ASSERT_EQUAL(snp_psp(SNP_CMD_PAGE_RECLAIM, batch, sizeof(batch[0])), SNP_HWERROR_UNSAFE);
    CU_ASSERT(rung == 1 && sent[SNP_CMD_PAGE_RECLAIM] == 0);
    page_free(ours, PAGE_HV, 0);
    CU_ASSERT_EQUAL(snp_pages_kept(), 1); /* the status page */
}

/* It says that it stopped: before the first command, or behind the last. */
static void a_head_that_cannot_be_is_not_believed(void)
{
    static const uint32_t head[] = {0, 11, 255};
    size_t done;

    for (size_t i = 0; i < ARRAY_SIZE(head); i++) {
        reclaims();
        lie = (uint32_t)RB_HEAD_PAUSED | head[i];
        CU_ASSERT_EQUAL(reclaim(10, &done), SNP_HWERROR_UNSAFE);
        CU_ASSERT_EQUAL(done, 0);
        page_free(ours, PAGE_HV, 0);
    }
}

static void what_ring_buffer_left_in_the_head_is_no_head(void)
{
    static const uint32_t errors[] = {(uint32_t)RB_HEAD_PAUSED | 3, 10};
    size_t done;

    for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
        reclaims();
        error = errors[i];
        batch[7] |= 2;
        CU_ASSERT_EQUAL(reclaim(10, &done), SNP_INVALID_PARAM);
        CU_ASSERT_EQUAL(done, 7);
        end();
    }
}

/* The status queue has no error there. */
static void a_stop_without_a_status_is_an_error_all_the_same(void)
{
    size_t done;

    reclaims();
    lie = (uint32_t)RB_HEAD_PAUSED | 3;
    CU_ASSERT_EQUAL(reclaim(10, &done), SNP_HWERROR_PLATFORM);
    CU_ASSERT_EQUAL(done, 2);
    end();
}

/* SHUTDOWN_EX and what comes after a stop go by the mailbox. */
static void the_ring_is_left_before_the_firmware_is_shut_down(void)
{
    size_t done;

    reclaims();
    CU_ASSERT_EQUAL(reclaim(10, &done), SNP_SUCCESS);
    cc_snp_ops.stop();
    CU_ASSERT(rung == 1 && sent[SNP_CMD_SHUTDOWN_EX] >= 1);
    CU_ASSERT_EQUAL(reclaim(10, &done), SNP_INVALID_PLATFORM_STATE);
    CU_ASSERT_EQUAL(done, 0);
}

int main(int argc, char **argv)
{
    static const struct cu_test tests[] = {
        CU(the_small_pages_of_a_launch_go_by_the_ring),
        CU(firmware_without_a_ring_is_asked_once_and_served_by_the_mailbox),
        CU(a_few_commands_are_not_worth_the_ring),
        CU(a_batch_stops_at_the_command_that_fails_and_the_ring_goes_on),
        CU(more_than_the_queue_takes_goes_in_turns),
        CU(a_ring_that_is_refused_fails_the_batch_and_not_the_next),
        CU(a_slow_ring_has_time_for_each_command),
        CU(a_ring_that_never_empties_is_given_up),
        CU(a_head_that_cannot_be_is_not_believed),
        CU(what_ring_buffer_left_in_the_head_is_no_head),
        CU(a_stop_without_a_status_is_an_error_all_the_same),
        CU(the_ring_is_left_before_the_firmware_is_shut_down),
        CU_END,
    };

    return cu_main("snp_ring", tests, argc, argv);
}
