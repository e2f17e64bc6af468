/*
 * The emulated PSP's command ring. What it is compared with is AMD's published firmware (AMD-ASPFW
 * of GitHub, fw/psp_bl_uapps/sev_uapp/src): sev_ring_buffer.h and .c, sev_mcmd.c and .h, main.c.
 */
#include "cu.h"
#include "emu_host.h"

#include <string.h>

static uint64_t commands[2], status[2], ours; /* low, high */

enum { LOW, HIGH };

static struct sev_ring_buffer both(void)
{
    return (struct sev_ring_buffer){
        .low_commands = commands[LOW],
        .low_status = status[LOW],
        .high_commands = commands[HIGH],
        .high_status = status[HIGH],
        .low_pages = 1,
        .high_pages = 1,
    };
}

static uint32_t enter(struct sev_ring_buffer c)
{
    return psp_do(SEV_CMD_RING_BUFFER, &c, sizeof(c));
}

static void pages(void)
{
    emu_host_reset();
    CU_ASSERT_EQUAL_FATAL(host_init(), SNP_SUCCESS);
    ours = host_page(RMP_4K);
    for (int i = 0; i < 2; i++) {
        commands[i] = host_page(RMP_4K);
        status[i] = host_firmware_page();
    }
}

static void entered(void)
{
    pages();
    CU_ASSERT_EQUAL_FATAL(enter(both()), SNP_SUCCESS);
}

/* A command for queue q: NOP, or what is no command. */
#define BAD 0x7ffu
static void put(int q, unsigned int at, uint16_t id, uint16_t flags)
{
    ((struct sev_ring_command *)host_at(commands[q]))[at] =
        (struct sev_ring_command){.id = id, .flags = flags, .software = 0x12345678};
}

static uint32_t status_of(int q, unsigned int at)
{
    return ((struct sev_ring_status *)host_at(status[q]))[at].status;
}

static void ring(uint32_t low, uint32_t high, uint32_t control)
{
    emu_psp_write(PSP_REG_RB_TAIL, low | high << 16);
    emu_psp_write(PSP_REG_RB_CTL, (uint32_t)(RB_CTL_X86 | RB_CTL_ACTIVE) | control);
}

static uint32_t look(unsigned int times)
{
    uint32_t v = 0;

    while (times-- > 0) {
        v = emu_psp_read(PSP_REG_RB_HEAD);
    }
    return v;
}

static uint32_t leave(void)
{
    emu_psp_write(PSP_REG_CMDRESP, PSP_CMD(SEV_CMD_NOP));
    return emu_psp_read(PSP_REG_CMDRESP);
}

/* ---- the layout ---- */

#define FACT(what, fact) {#what, what, fact}
#define FIELD(s, f)      offsetof(struct s, f)

static void the_layout_is_that_of_the_firmwares_source(void)
{
    static const struct {
        const char *what;
        uint64_t have, fact;
    } facts[] = {
        /* sev_mcmd.h: enum sev_mcmd_id, struct sev_mcmd_ring_buffer */
        FACT(SEV_CMD_NOP, 0xe),
        FACT(SEV_CMD_RING_BUFFER, 0xf),
        FACT(sizeof(struct sev_ring_buffer), 0x28),
        FACT(FIELD(sev_ring_buffer, low_commands), 0),
        FACT(FIELD(sev_ring_buffer, low_status), 8),
        FACT(FIELD(sev_ring_buffer, high_commands), 0x10),
        FACT(FIELD(sev_ring_buffer, high_status), 0x18),
        FACT(FIELD(sev_ring_buffer, low_pages), 0x20),
        FACT(FIELD(sev_ring_buffer, high_pages), 0x21),
        FACT(FIELD(sev_ring_buffer, low_threshold), 0x22),
        FACT(FIELD(sev_ring_buffer, high_threshold), 0x24),
        FACT(FIELD(sev_ring_buffer, interrupt_on_empty), 0x26),
        /* sev_ring_buffer.h: sev_rb_cmd_ptr_entry, sev_rb_status_entry, PAGE_SIZE_4K / 16 */
        FACT(sizeof(struct sev_ring_command), 16),
        FACT(FIELD(sev_ring_command, flags), 2),
        FACT(FIELD(sev_ring_command, software), 4),
        FACT(FIELD(sev_ring_command, buffer), 8),
        FACT(RB_FLAG_INTERRUPT, 1),
        FACT(RB_FLAG_CONTINUE, 2),
        FACT(sizeof(struct sev_ring_status), 16),
        FACT(FIELD(sev_ring_status, error_stack), 8),
        FACT(RB_ENTRIES, 256),
        /* sev_ring_buffer.h: sev_rb_control_register_bits, sev_rb_tail_bits, sev_rb_head_bits */
        FACT(RB_CTL_RESUME_LOW, 1u << 8),
        FACT(RB_CTL_RESUME_HIGH, 1u << 9),
        FACT(RB_CTL_CLEAR, 1u << 29),
        FACT(RB_CTL_ACTIVE, 1u << 30),
        FACT(RB_CTL_X86, 1u << 31),
        FACT(RB_HEAD_LOW(0x12345678u), 0x78),
        FACT(RB_HEAD_HIGH(0x12345678u), 0x34),
        FACT(RB_HEAD_LOW_RUNS, 1u << 11),
        FACT(RB_HEAD_HIGH_RUNS, 1u << 27),
        FACT(RB_HEAD_EMPTY, 1u << 28),
        FACT(RB_HEAD_DONE, 1u << 29),
        FACT(RB_HEAD_PAUSED, 1u << 30),
        FACT(RB_HEAD_NEAR_EMPTY, 1u << 31),
        /* sev_mcmd.h: the tail is where the buffer's high half was, the head where its low was */
        FACT(PSP_REG_RB_CTL, PSP_REG_CMDRESP),
        FACT(PSP_REG_RB_TAIL, PSP_REG_ADDR_HIGH),
        FACT(PSP_REG_RB_HEAD, PSP_REG_ADDR_LOW),
    };

    for (size_t i = 0; i < ARRAY_SIZE(facts); i++) {
        if (facts[i].have != facts[i].fact) {
            CU_FAIL(facts[i].what);
        }
    }
}

/* ---- RING_BUFFER ---- */

static void ring_mode_needs_an_initialised_platform(void)
{
    emu_host_reset();
    commands[LOW] = commands[HIGH] = host_page(RMP_4K);
    status[LOW] = status[HIGH] = host_page(RMP_4K);
    CU_ASSERT_EQUAL(enter(both()), SNP_INVALID_PLATFORM_STATE);
}

static uint32_t with_low(uint64_t c, uint64_t s)
{
    struct sev_ring_buffer b = both();

    b.low_commands = c;
    b.low_status = s;
    return enter(b);
}

static uint32_t with_high(uint64_t c, uint64_t s)
{
    struct sev_ring_buffer b = both();

    b.high_commands = c;
    b.high_status = s;
    return enter(b);
}

static uint32_t with_pages(uint8_t low, uint8_t high)
{
    struct sev_ring_buffer b = both();

    b.low_pages = low;
    b.high_pages = high;
    return enter(b);
}

static void what_is_no_queue_is_refused(void)
{
    pages();
    CU_ASSERT_EQUAL(with_pages(0, 0), SNP_INVALID_PARAM);
    CU_ASSERT_EQUAL(with_pages(2, 0), SNP_INVALID_PARAM);
    CU_ASSERT_EQUAL(with_pages(1, 2), SNP_INVALID_PARAM);
    CU_ASSERT_EQUAL(with_low(commands[LOW] + 8, status[LOW]), SNP_INVALID_ADDRESS);
    CU_ASSERT_EQUAL(with_low(commands[LOW], status[LOW] + 16), SNP_INVALID_ADDRESS);
    CU_ASSERT_EQUAL(with_low(HOST_MEMORY, status[LOW]), SNP_INVALID_ADDRESS);
    CU_ASSERT_EQUAL(with_low(commands[LOW], HOST_MEMORY), SNP_INVALID_ADDRESS);
    CU_ASSERT_EQUAL(with_low(commands[LOW], ours), SNP_INVALID_PAGE_STATE); /* hypervisor's */
    CU_ASSERT_EQUAL(with_high(commands[HIGH] + 8, status[HIGH]), SNP_INVALID_ADDRESS);
    CU_ASSERT_EQUAL(with_high(commands[HIGH], HOST_MEMORY), SNP_INVALID_ADDRESS);
    CU_ASSERT_EQUAL(with_high(commands[HIGH], ours), SNP_INVALID_PAGE_STATE);
    commands[HIGH] = status[HIGH] = 1; /* not looked at */
    CU_ASSERT_EQUAL(with_pages(1, 0), SNP_SUCCESS);
}

static void older_firmware_has_no_ring(void)
{
    pages();
    emu_psp_lacks_ring(true);
    CU_ASSERT_EQUAL(enter(both()), SNP_INVALID_COMMAND);
    emu_psp_lacks_ring(false);
    CU_ASSERT_EQUAL(enter(both()), SNP_SUCCESS);
}

static void there_is_one_ring(void)
{
    struct sev_ring_buffer again;

    entered();
    again = both();
    memcpy(host_at(ours), &again, sizeof(again));
    put(LOW, 0, SEV_CMD_RING_BUFFER, 0);
    ((struct sev_ring_command *)host_at(commands[LOW]))[0].buffer = ours;
    ring(1, 0, 0);
    CU_ASSERT((look(1) & RB_HEAD_PAUSED) != 0);
    CU_ASSERT_EQUAL(status_of(LOW, 0), SNP_INVALID_PARAM);
}

/* ---- at work ---- */

static void commands_run_in_order_and_each_has_its_status(void)
{
    entered();
    CU_ASSERT_EQUAL(look(3), 0); /* nothing rang: what is there is RING_BUFFER's extended error */
    put(LOW, 0, SEV_CMD_NOP, 0);
    put(LOW, 1, BAD, RB_FLAG_CONTINUE);
    put(LOW, 2, SEV_CMD_NOP, 0);
    memset(host_at(status[LOW]), 0xff, PAGE_SIZE);
    ring(3, 0, 0);
    CU_ASSERT_EQUAL(look(1), RB_HEAD_LOW_RUNS | RB_HEAD_HIGH_RUNS | 1);
    CU_ASSERT_EQUAL(look(5), RB_HEAD_LOW_RUNS | RB_HEAD_HIGH_RUNS | 3);
    CU_ASSERT_EQUAL(status_of(LOW, 0), SNP_SUCCESS);
    CU_ASSERT_EQUAL(status_of(LOW, 1), SNP_INVALID_COMMAND);
    CU_ASSERT_EQUAL(status_of(LOW, 2), SNP_SUCCESS);
    CU_ASSERT_EQUAL(status_of(LOW, 3), 0xffff);
}

static void the_high_queue_comes_first(void)
{
    entered();
    for (unsigned int i = 0; i < 2; i++) {
        put(LOW, i, SEV_CMD_NOP, 0);
        put(HIGH, i, SEV_CMD_NOP, 0);
    }
    ring(2, 2, 0);
    CU_ASSERT_EQUAL(look(2) & 0xff00ff, 0x020000);
    CU_ASSERT_EQUAL(look(2) & 0xff00ff, 0x020002);
}

static void a_queue_stops_at_an_error_until_it_is_resumed(void)
{
    entered();
    put(LOW, 0, BAD, 0);
    put(LOW, 1, SEV_CMD_NOP, 0);
    put(HIGH, 0, SEV_CMD_NOP, 0);
    ring(2, 0, 0);
    CU_ASSERT_EQUAL(look(3), RB_HEAD_HIGH_RUNS | RB_HEAD_PAUSED | 1);
    ring(2, 1, (uint32_t)RB_CTL_CLEAR); /* the other queue goes on */
    CU_ASSERT_EQUAL(look(3), RB_HEAD_HIGH_RUNS | 0x010001);
    ring(2, 1, (uint32_t)RB_CTL_RESUME_LOW);
    CU_ASSERT_EQUAL(look(3), RB_HEAD_HIGH_RUNS | RB_HEAD_LOW_RUNS | 0x010001);
    ring(2, 1, 0); /* seen: now it works again */
    CU_ASSERT_EQUAL(look(3), RB_HEAD_HIGH_RUNS | RB_HEAD_LOW_RUNS | 0x010002);
}

static void a_high_queue_that_is_not_there_is_not_resumed(void)
{
    pages();
    CU_ASSERT_EQUAL(with_pages(1, 0), SNP_SUCCESS);
    ring(0, 5, (uint32_t)RB_CTL_RESUME_HIGH);
    ring(0, 5, 0);
    CU_ASSERT_EQUAL(look(3), RB_HEAD_LOW_RUNS);
}

static void the_indices_go_round(void)
{
    entered();
    for (unsigned int i = 0; i < RB_ENTRIES; i++) {
        put(LOW, i, SEV_CMD_NOP, 0);
    }
    ring(255, 0, 0);
    CU_ASSERT_EQUAL(RB_HEAD_LOW(look(300)), 255);
    put(LOW, 1, BAD, 0);
    ring(3, 0, 0);
    CU_ASSERT_EQUAL(RB_HEAD_LOW(look(300)), 2);
    CU_ASSERT_EQUAL(status_of(LOW, 1), SNP_INVALID_COMMAND);
}

static void the_head_says_why_it_interrupts_until_that_is_cleared(void)
{
    struct sev_ring_buffer b;

    pages();
    b = both();
    b.high_pages = 0;
    b.low_threshold = 2;
    b.interrupt_on_empty = 1;
    CU_ASSERT_EQUAL(enter(b), SNP_SUCCESS);
    put(LOW, 0, SEV_CMD_NOP, RB_FLAG_INTERRUPT);
    put(LOW, 1, SEV_CMD_NOP, 0);
    put(LOW, 2, SEV_CMD_NOP, 0);
    ring(3, 0, BIT(0));
    CU_ASSERT_EQUAL(look(1), RB_HEAD_LOW_RUNS | RB_HEAD_DONE | 1);
    CU_ASSERT_EQUAL(look(1), RB_HEAD_LOW_RUNS | RB_HEAD_DONE | 2);
    CU_ASSERT_EQUAL(look(1), RB_HEAD_LOW_RUNS | RB_HEAD_DONE | RB_HEAD_NEAR_EMPTY | 3);
    CU_ASSERT((look(1) & RB_HEAD_EMPTY) != 0);
    ring(4, 0, (uint32_t)RB_CTL_CLEAR);
    put(LOW, 3, SEV_CMD_NOP, 0);
    CU_ASSERT_EQUAL(look(1), RB_HEAD_LOW_RUNS | 4);
}

static void commands_in_the_ring_can_be_made_to_fail_and_to_come_late(void)
{
    entered();
    for (unsigned int i = 0; i < 4; i++) {
        put(LOW, i, SEV_CMD_NOP, 0);
    }
    emu_psp_fail_nth(2, SNP_HWERROR_PLATFORM);
    emu_psp_answer_after(3);
    ring(4, 0, 0);
    CU_ASSERT_EQUAL(RB_HEAD_LOW(look(3)), 0);
    CU_ASSERT_EQUAL(RB_HEAD_LOW(look(1)), 1);
    CU_ASSERT_EQUAL(look(4), RB_HEAD_HIGH_RUNS | RB_HEAD_PAUSED | 2);
    CU_ASSERT_EQUAL(status_of(LOW, 1), SNP_HWERROR_PLATFORM);
    CU_ASSERT_EQUAL(status_of(LOW, 2), 0);
}

/* ---- the end ---- */

static uint32_t take(uint64_t at)
{
    const struct rmp_entry e = {0};

    return emu_rmpupdate(pa(at), &e);
}

static void what_is_no_ring_control_ends_the_ring_and_gives_its_pages_back(void)
{
    entered();
    put(LOW, 0, SEV_CMD_NOP, 0);
    memset(host_at(status[LOW]), 0xff, PAGE_SIZE);
    CU_ASSERT_EQUAL(take(status[LOW]), RMP_FAIL_PERMISSION);
    ring(1, 0, 0);
    CU_ASSERT_EQUAL(leave(), PSP_RESPONSE | PSP_CMD(SEV_CMD_NOP) | SNP_EXIT_RING_BUFFER);
    CU_ASSERT_EQUAL(look(3) & 0xff, 0); /* what waited was not run */
    CU_ASSERT_EQUAL(status_of(LOW, 0), 0xffff);
    CU_ASSERT_EQUAL(take(status[LOW]), RMP_OK);
    CU_ASSERT_EQUAL(take(status[HIGH]), RMP_OK);
    CU_ASSERT_EQUAL(psp_do(SEV_CMD_NOP, NULL, 0), SNP_SUCCESS); /* the mailbox is back */
    status[LOW] = host_firmware_page();
    status[HIGH] = host_firmware_page();
    CU_ASSERT_EQUAL(enter(both()), SNP_SUCCESS);
}

static void that_the_ring_was_left_can_be_made_to_come_late(void)
{
    entered();
    emu_psp_answer_after(2);
    CU_ASSERT_EQUAL(leave() & PSP_RESPONSE, 0);
    CU_ASSERT_EQUAL(emu_psp_read(PSP_REG_CMDRESP) & PSP_RESPONSE, 0);
    CU_ASSERT_EQUAL(PSP_STATUS(emu_psp_read(PSP_REG_CMDRESP)), SNP_EXIT_RING_BUFFER);
}

/* The hypervisor reclaims it by a command in the ring, and makes it a guest's. */
static void a_status_page_that_is_no_longer_the_firmwares_is_not_written(void)
{
    uint8_t before[PAGE_SIZE];

    entered();
    memcpy(host_at(ours), &status[LOW], sizeof(status[LOW]));
    put(LOW, 0, SNP_CMD_PAGE_RECLAIM, 0);
    ((struct sev_ring_command *)host_at(commands[LOW]))[0].buffer = ours;
    ring(1, 0, 0);
    (void)look(2);
    CU_ASSERT_EQUAL(host_assign(status[LOW], RMP_4K, 0x5000, 1, false), RMP_OK);
    memcpy(before, host_at(status[LOW]), PAGE_SIZE);
    put(LOW, 1, BAD, RB_FLAG_CONTINUE);
    ring(2, 0, 0);
    CU_ASSERT_EQUAL(RB_HEAD_LOW(look(2)), 2);
    CU_ASSERT_EQUAL(memcmp(before, host_at(status[LOW]), PAGE_SIZE), 0);
    CU_ASSERT_EQUAL(PSP_STATUS(leave()), SNP_EXIT_RING_BUFFER);
    CU_ASSERT_EQUAL(memcmp(before, host_at(status[LOW]), PAGE_SIZE), 0);
}

int main(int argc, char **argv)
{
    static const struct cu_test tests[] = {
        CU(the_layout_is_that_of_the_firmwares_source),
        CU(ring_mode_needs_an_initialised_platform),
        CU(what_is_no_queue_is_refused),
        CU(older_firmware_has_no_ring),
        CU(there_is_one_ring),
        CU(commands_run_in_order_and_each_has_its_status),
        CU(the_high_queue_comes_first),
        CU(a_queue_stops_at_an_error_until_it_is_resumed),
        CU(a_high_queue_that_is_not_there_is_not_resumed),
        CU(the_indices_go_round),
        CU(the_head_says_why_it_interrupts_until_that_is_cleared),
        CU(commands_in_the_ring_can_be_made_to_fail_and_to_come_late),
        CU(what_is_no_ring_control_ends_the_ring_and_gives_its_pages_back),
        CU(that_the_ring_was_left_can_be_made_to_come_late),
        CU(a_status_page_that_is_no_longer_the_firmwares_is_not_written),
        CU_END,
    };

    return cu_main("emu_ring", tests, argc, argv);
}
