/* The emulated PSP: mailbox, platform, contexts, ASIDs, reclaim. ABI chapters 4, 5 and 8. */
#include "cu.h"
#include "emu_host.h"

#include <string.h>

static void fresh(void)
{
    emu_host_reset();
}

static void running(void)
{
    emu_host_reset();
    CU_ASSERT_EQUAL_FATAL(host_init(), SNP_SUCCESS);
}

static uint32_t status_into(uint64_t page, struct snp_platform_status *s)
{
    uint32_t r = psp_do(SNP_CMD_PLATFORM_STATUS, &page, sizeof(page));

    memcpy(s, host_at(page), sizeof(*s));
    return r;
}

static uint32_t init_with(struct snp_init_ex c)
{
    return psp_do(SNP_CMD_INIT_EX, &c, sizeof(c));
}

static struct emu_rmp entry(uint64_t at)
{
    struct emu_rmp e;

    CU_ASSERT_FATAL(emu_rmp_get(pa(at), &e));
    return e;
}

/* ---- the mailbox ---- */

static void the_mailbox_answers_with_the_response_bit_and_the_command(void)
{
    fresh();
    CU_ASSERT_EQUAL(psp_do(SNP_CMD_DF_FLUSH, NULL, 0), SNP_INVALID_PLATFORM_STATE);
    CU_ASSERT_EQUAL(emu_psp_read(PSP_REG_CMDRESP),
                    PSP_RESPONSE | PSP_CMD(SNP_CMD_DF_FLUSH) | SNP_INVALID_PLATFORM_STATE);
    emu_psp_write(PSP_REG_ADDR_LOW, 0x1234);
    emu_psp_write(PSP_REG_ADDR_HIGH, 0x56);
    CU_ASSERT_EQUAL(emu_psp_read(PSP_REG_ADDR_LOW), 0x1234);
    CU_ASSERT_EQUAL(emu_psp_read(PSP_REG_ADDR_HIGH), 0x56);
    CU_ASSERT_EQUAL(emu_psp_read(0x10000), 0);
}

static void what_is_no_command_is_refused(void)
{
    running();
    CU_ASSERT_EQUAL(psp_do(0x0c0, NULL, 0), SNP_INVALID_COMMAND); /* PAGE_SWAP_OUT: not built */
    CU_ASSERT_EQUAL(psp_do(0x7ff, NULL, 0), SNP_INVALID_COMMAND);
    CU_ASSERT_EQUAL(psp_do(0, NULL, 0), SNP_INVALID_COMMAND);
    emu_psp_write(PSP_REG_CMDRESP, (uint32_t)PSP_RESPONSE | PSP_CMD(SNP_CMD_DF_FLUSH));
    CU_ASSERT_EQUAL(PSP_STATUS(emu_psp_read(PSP_REG_CMDRESP)), SNP_INVALID_COMMAND); /* unmoved */
}

static void a_command_buffer_must_be_memory(void)
{
    running();
    CU_ASSERT_EQUAL(psp_do_addr(SNP_CMD_GCTX_CREATE, HOST_MEMORY), SNP_INVALID_ADDRESS);
    CU_ASSERT_EQUAL(psp_do_addr(SNP_CMD_GCTX_CREATE, HOST_MEMORY - 4), SNP_INVALID_ADDRESS);
    CU_ASSERT_EQUAL(psp_do_addr(SNP_CMD_GCTX_CREATE, ~0ull), SNP_INVALID_ADDRESS);
}

static void the_nth_command_can_be_made_to_fail(void)
{
    running();
    emu_psp_wbinvd(0);
    emu_psp_fail_nth(2, SNP_HWERROR_PLATFORM);
    CU_ASSERT_EQUAL(psp_do(SNP_CMD_DF_FLUSH, NULL, 0), SNP_SUCCESS);
    CU_ASSERT_EQUAL(psp_do(SNP_CMD_DF_FLUSH, NULL, 0), SNP_HWERROR_PLATFORM);
    CU_ASSERT_EQUAL(psp_do(SNP_CMD_DF_FLUSH, NULL, 0), SNP_SUCCESS);
}

static void an_answer_can_be_made_to_come_late(void)
{
    running();
    emu_psp_answer_after(3);
    emu_psp_write(PSP_REG_CMDRESP, PSP_CMD(SNP_CMD_DF_FLUSH));
    for (int i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(emu_psp_read(PSP_REG_CMDRESP) & PSP_RESPONSE, 0);
        emu_psp_write(PSP_REG_CMDRESP, PSP_CMD(0x7ff)); /* busy: ignored */
    }
    CU_ASSERT_EQUAL(emu_psp_read(PSP_REG_CMDRESP), PSP_RESPONSE | PSP_CMD(SNP_CMD_DF_FLUSH));
}

/* ---- the platform ---- */

static void platform_status_tells_state_version_and_guests(void)
{
    struct snp_platform_status s;
    struct host_guest g;
    uint64_t page;

    fresh();
    page = host_page(RMP_4K);
    CU_ASSERT_EQUAL(status_into(page, &s), SNP_SUCCESS);
    CU_ASSERT(s.state == 0 && s.rmp_initialized == 0 && s.guest_count == 0);
    CU_ASSERT(s.api_major == 1 && s.api_minor >= 55 && s.reported_tcb != 0);
    CU_ASSERT_EQUAL(s.reported_tcb, s.current_tcb);
    CU_ASSERT_EQUAL_FATAL(host_init(), SNP_SUCCESS);
    CU_ASSERT_EQUAL(status_into(page, &s), SNP_INVALID_PAGE_STATE);
    page = host_firmware_page();
    CU_ASSERT_EQUAL(host_start_guest(&g, 1, HOST_POLICY), SNP_SUCCESS);
    CU_ASSERT_EQUAL(status_into(page, &s), SNP_SUCCESS);
    CU_ASSERT(s.state == 1 && s.rmp_initialized == 1 && s.guest_count == 1);
    CU_ASSERT_EQUAL(status_into(page + PAGE_SIZE - 8, &s), SNP_INVALID_PARAM);
}

static void init_needs_snp_enabled_and_clean_input(void)
{
    fresh();
    emu_rmp_disable();
    CU_ASSERT_EQUAL(init_with((struct snp_init_ex){.flags = 1}), SNP_INVALID_CONFIG);
    emu_rmp_enable();
    host_save_area = true;
    CU_ASSERT_EQUAL(init_with((struct snp_init_ex){.flags = 1}), SNP_INVALID_CONFIG);
    host_save_area = false;
    CU_ASSERT_EQUAL(init_with((struct snp_init_ex){.flags = 0}), SNP_RMP_INIT_REQUIRED);
    CU_ASSERT_EQUAL(init_with((struct snp_init_ex){.flags = 0x21}), SNP_INVALID_PARAM);
    CU_ASSERT_EQUAL(init_with((struct snp_init_ex){.flags = 2}), SNP_INVALID_PARAM);
    CU_ASSERT_EQUAL(init_with((struct snp_init_ex){.flags = 1, .reserved0 = 1}), SNP_INVALID_PARAM);
    CU_ASSERT_EQUAL(init_with((struct snp_init_ex){.flags = 1, .reserved1 = {[45] = 1}}),
                    SNP_INVALID_PARAM);
    CU_ASSERT_EQUAL(init_with((struct snp_init_ex){.flags = 9}), SNP_UNSUPPORTED);
    CU_ASSERT_EQUAL(init_with((struct snp_init_ex){.flags = 1}), SNP_SUCCESS);
    CU_ASSERT_EQUAL(init_with((struct snp_init_ex){.flags = 1}), SNP_INVALID_PLATFORM_STATE);
}

static void init_resets_the_rmp_and_keeps_its_pages_and_the_listed_ones(void)
{
    struct snp_init_ex init = {.flags = 3};
    uint64_t list, fixed, stray, table;
    uint32_t *words;

    fresh();
    list = init.list = host_page(RMP_4K);
    fixed = host_page(RMP_4K);
    stray = host_page(RMP_4K);
    table = host_page(RMP_4K);
    emu_psp_rmp_area(pa(table), PAGE_SIZE);
    CU_ASSERT_EQUAL(host_assign(stray, RMP_4K, 0x5000, 3, true), RMP_OK);
    words = host_at(list);
    memcpy(words, (uint32_t[]){1, 0, (uint32_t)fixed, 0, 1, 0}, 24);
    CU_ASSERT_EQUAL(psp_do(SNP_CMD_INIT_EX, &init, sizeof(init)), SNP_SUCCESS);
    CU_ASSERT(!entry(stray).assigned && !entry(stray).immutable);
    CU_ASSERT(!entry(fixed).assigned && entry(fixed).immutable);
    CU_ASSERT_EQUAL(host_assign(fixed, RMP_4K, 0x5000, 1, false), RMP_FAIL_PERMISSION);
    CU_ASSERT(entry(table).assigned && entry(table).immutable);
    CU_ASSERT_EQUAL(psp_do(SNP_CMD_PAGE_RECLAIM, &table, 8), SNP_INVALID_PAGE_STATE);
    CU_ASSERT_EQUAL(psp_do(SNP_CMD_PAGE_RECLAIM, &fixed, 8), SNP_INVALID_PAGE_STATE);
}

/* Ranges in any order, over each other and over the table, which stays the firmware's. Sizes as
 * AMD's published firmware has it: an entry for each 4 KiB. */
static void init_takes_a_list_whose_ranges_overlap(void)
{
    struct snp_init_ex init = {.flags = 3};
    const uint32_t at = MiB(20);
    uint64_t table = MiB(24), part = table + PAGE_SIZE, first = at, big = at | 1;

    fresh();
    init.list = host_page(RMP_4K);
    emu_psp_rmp_area(pa(part), SIZE_2M + 100);
    memcpy(host_at(init.list),
           (uint32_t[]){4, 0, at + MiB(1), 0, 512, 0, at, 0, 512, 0, at, 0, 1, 0, at + MiB(3), 0,
                        512, 0},
           72);
    CU_ASSERT_EQUAL(psp_do(SNP_CMD_INIT_EX, &init, sizeof(init)), SNP_SUCCESS);
    for (uint64_t i = at; i < part + SIZE_2M + 2 * PAGE_SIZE; i += PAGE_SIZE) {
        bool table_page = i >= part && i < part + SIZE_2M + PAGE_SIZE;
        bool fixed = i < at + MiB(5) && !table_page;

        CU_ASSERT_EQUAL(entry(i).immutable, fixed || table_page);
        CU_ASSERT_EQUAL(entry(i).assigned, table_page);
    }
    CU_ASSERT_EQUAL(psp_do(SNP_CMD_PAGE_RECLAIM, &first, 8), SNP_INVALID_PAGE_STATE);
    CU_ASSERT_EQUAL(psp_do(SNP_CMD_PAGE_RECLAIM, &big, 8), SNP_INVALID_PAGE_SIZE);
    CU_ASSERT_EQUAL(psp_do(SNP_CMD_PAGE_RECLAIM, &part, 8), SNP_INVALID_PAGE_STATE);
    CU_ASSERT_EQUAL(psp_do(SNP_CMD_GCTX_CREATE, &first, 8), SNP_INVALID_PAGE_STATE);
}

static void a_malformed_range_list_fails_init(void)
{
    struct snp_init_ex init = {.flags = 3};

    fresh();
    init.list = host_page(RMP_4K);
    memcpy(host_at(init.list), (uint32_t[]){256, 0}, 8);
    CU_ASSERT_EQUAL(psp_do(SNP_CMD_INIT_EX, &init, sizeof(init)), SNP_INVALID_PARAM);
    memcpy(host_at(init.list), (uint32_t[]){1, 0, 0x10, 0, 1, 0}, 24);
    CU_ASSERT_EQUAL(psp_do(SNP_CMD_INIT_EX, &init, sizeof(init)), SNP_INVALID_PARAM);
    memcpy(host_at(init.list), (uint32_t[]){1, 0, 0, 0xffff, ~0u, 0}, 24); /* not in the RMP */
    CU_ASSERT_EQUAL(psp_do(SNP_CMD_INIT_EX, &init, sizeof(init)), SNP_SUCCESS);
}

static void shutdown_wants_flushed_caches_and_forgets_guests(void)
{
    struct host_guest g;
    struct snp_platform_status s;
    uint32_t cmd[2] = {8, 3};

    running();
    CU_ASSERT_EQUAL(host_start_guest(&g, 1, HOST_POLICY), SNP_SUCCESS);
    CU_ASSERT_EQUAL(host_finish(&g), SNP_SUCCESS);
    CU_ASSERT_EQUAL(psp_do(SNP_CMD_SHUTDOWN_EX, cmd, 8), SNP_DFFLUSH_REQUIRED); /* in use */
    CU_ASSERT_EQUAL(psp_do(SNP_CMD_DECOMMISSION, &g.gctx, 8), SNP_SUCCESS);
    CU_ASSERT_EQUAL(psp_do(SNP_CMD_SHUTDOWN_EX, cmd, 8), SNP_DFFLUSH_REQUIRED);
    emu_psp_wbinvd(0);
    CU_ASSERT_EQUAL(psp_do(SNP_CMD_DF_FLUSH, NULL, 0), SNP_SUCCESS);
    CU_ASSERT_EQUAL(psp_do(SNP_CMD_SHUTDOWN_EX, (uint32_t[]){16, 3}, 8), SNP_INVALID_PARAM);
    CU_ASSERT_EQUAL(psp_do(SNP_CMD_SHUTDOWN_EX, (uint32_t[]){8, 4}, 8), SNP_INVALID_PARAM);
    CU_ASSERT_EQUAL(psp_do(SNP_CMD_SHUTDOWN_EX, (uint32_t[]){8, 2}, 8), SNP_INVALID_PARAM);
    CU_ASSERT_EQUAL(psp_do(SNP_CMD_SHUTDOWN_EX, cmd, 8), SNP_SUCCESS);
    CU_ASSERT(!emu_rmp_enabled());
    CU_ASSERT_EQUAL(status_into(host_page(RMP_4K), &s), SNP_SUCCESS);
    CU_ASSERT(s.state == 0 && s.guest_count == 0 && s.rmp_initialized == 0);
    CU_ASSERT_EQUAL(psp_do(SNP_CMD_SHUTDOWN_EX, cmd, 8), SNP_SUCCESS); /* nothing to do */
}

static void feature_info_has_two_subfunctions(void)
{
    struct {
        uint32_t length, ecx_in;
        uint64_t at;
    } c = {.length = 16};

    running();
    c.at = host_firmware_page();
    memset(host_at(c.at), 0xee, 16);
    CU_ASSERT_EQUAL(psp_do(SNP_CMD_FEATURE_INFO, &c, sizeof(c)), SNP_SUCCESS);
    CU_ASSERT_EQUAL(*(uint32_t *)host_at(c.at), 1); /* the last subfunction */
    c.ecx_in = 1;
    CU_ASSERT_EQUAL(psp_do(SNP_CMD_FEATURE_INFO, &c, sizeof(c)), SNP_SUCCESS);
    CU_ASSERT_EQUAL(*(uint32_t *)host_at(c.at), 6); /* reports and keys */
    c.ecx_in = 2;
    CU_ASSERT_EQUAL(psp_do(SNP_CMD_FEATURE_INFO, &c, sizeof(c)), SNP_INVALID_PARAM);
    c.ecx_in = 0;
    c.at += 2;
    CU_ASSERT_EQUAL(psp_do(SNP_CMD_FEATURE_INFO, &c, sizeof(c)), SNP_INVALID_ADDRESS);
    c.length = 12;
    CU_ASSERT_EQUAL(psp_do(SNP_CMD_FEATURE_INFO, &c, sizeof(c)), SNP_INVALID_PARAM);
}

/* ---- contexts ---- */

static void a_context_is_made_of_a_firmware_page(void)
{
    uint64_t at, own, odd, big;

    running();
    at = host_firmware_page();
    CU_ASSERT_EQUAL(psp_do(SNP_CMD_GCTX_CREATE, &at, 8), SNP_SUCCESS);
    CU_ASSERT(entry(at).vmsa && entry(at).immutable && entry(at).asid == 0);
    CU_ASSERT_EQUAL(psp_do(SNP_CMD_GCTX_CREATE, &at, 8), SNP_INVALID_PAGE_STATE); /* already */
    CU_ASSERT_EQUAL(psp_do(SNP_CMD_PAGE_RECLAIM, &at, 8), SNP_INVALID_PAGE_STATE);
    own = host_page(RMP_4K);
    CU_ASSERT_EQUAL(psp_do(SNP_CMD_GCTX_CREATE, &own, 8), SNP_INVALID_PAGE_STATE);
    odd = at + 8;
    CU_ASSERT_EQUAL(psp_do(SNP_CMD_GCTX_CREATE, &odd, 8), SNP_INVALID_PARAM);
    odd = HOST_MEMORY;
    CU_ASSERT_EQUAL(psp_do(SNP_CMD_GCTX_CREATE, &odd, 8), SNP_INVALID_ADDRESS);
    big = host_page(RMP_2M);
    CU_ASSERT_EQUAL(host_assign(big, RMP_2M, 0, 0, true), RMP_OK);
    CU_ASSERT_EQUAL(psp_do(SNP_CMD_GCTX_CREATE, &big, 8), SNP_INVALID_PAGE_SIZE);
}

static void contexts_run_out(void)
{
    uint32_t r = SNP_SUCCESS;
    unsigned int made = 0;
    uint64_t at;

    running();
    while (r == SNP_SUCCESS && made < 100) {
        at = host_firmware_page();
        r = psp_do(SNP_CMD_GCTX_CREATE, &at, 8);
        made += r == SNP_SUCCESS;
    }
    CU_ASSERT_EQUAL(r, SNP_RESOURCE_LIMIT);
    CU_ASSERT_EQUAL(made, 64);
    CU_ASSERT(!entry(at).vmsa);
}

static void decommission_gives_the_page_back_to_the_firmware(void)
{
    struct host_guest g;

    running();
    CU_ASSERT_EQUAL(host_start_guest(&g, 1, HOST_POLICY), SNP_SUCCESS);
    CU_ASSERT_EQUAL(psp_do(SNP_CMD_DECOMMISSION, &g.gctx, 8), SNP_SUCCESS);
    CU_ASSERT(entry(g.gctx).assigned && !entry(g.gctx).vmsa);
    CU_ASSERT_EQUAL(psp_do(SNP_CMD_DECOMMISSION, &g.gctx, 8), SNP_INVALID_GUEST);
    CU_ASSERT_EQUAL(psp_do(SNP_CMD_PAGE_RECLAIM, &g.gctx, 8), SNP_SUCCESS);
    CU_ASSERT_EQUAL(host_assign(g.gctx, RMP_4K, 0x9000, 1, false), RMP_OK);
}

/* ---- ASIDs ---- */

static uint32_t activate(uint64_t gctx, uint32_t asid)
{
    const struct snp_activate c = {gctx, asid};

    return psp_do(SNP_CMD_ACTIVATE, &c, 12);
}

static void an_asid_belongs_to_one_guest(void)
{
    struct host_guest g, h;
    uint64_t context;

    running();
    CU_ASSERT_EQUAL(host_start_guest(&g, 5, HOST_POLICY), SNP_SUCCESS);
    CU_ASSERT_EQUAL(host_start_guest(&h, 5, HOST_POLICY), SNP_ASID_OWNED);
    CU_ASSERT_EQUAL(activate(h.gctx, 0), SNP_INVALID_ASID);
    CU_ASSERT_EQUAL(activate(h.gctx, EMU_SNP_ASIDS + 1), SNP_INVALID_ASID);
    CU_ASSERT_EQUAL(activate(h.gctx, EMU_SNP_ASIDS), SNP_SUCCESS);
    CU_ASSERT_EQUAL(activate(h.gctx, 7), SNP_ACTIVE);
    context = host_firmware_page();
    CU_ASSERT_EQUAL(activate(context, 7), SNP_INVALID_GUEST);
    CU_ASSERT_EQUAL(psp_do(SNP_CMD_GCTX_CREATE, &context, 8), SNP_SUCCESS);
    CU_ASSERT_EQUAL(activate(context, 7), SNP_INVALID_GUEST_STATE);
}

static void an_asid_is_used_again_only_after_every_cpu_flushed(void)
{
    struct host_guest g;

    running();
    emu_psp_cpus(2);
    CU_ASSERT_EQUAL(host_start_guest(&g, 5, HOST_POLICY), SNP_SUCCESS);
    CU_ASSERT_EQUAL(host_finish(&g), SNP_SUCCESS);
    CU_ASSERT_EQUAL(psp_do(SNP_CMD_DECOMMISSION, &g.gctx, 8), SNP_SUCCESS);
    CU_ASSERT_EQUAL(host_start_guest(&g, 5, HOST_POLICY), SNP_DFFLUSH_REQUIRED);
    CU_ASSERT_EQUAL(activate(g.gctx, 6), SNP_SUCCESS); /* another ASID was never used */
    emu_psp_wbinvd(0);
    CU_ASSERT_EQUAL(psp_do(SNP_CMD_DF_FLUSH, NULL, 0), SNP_WBINVD_REQUIRED);
    emu_psp_wbinvd(1);
    CU_ASSERT_EQUAL(psp_do(SNP_CMD_DF_FLUSH, NULL, 0), SNP_SUCCESS);
    CU_ASSERT_EQUAL(host_start_guest(&g, 5, HOST_POLICY), SNP_SUCCESS);
}

static void an_asid_whose_guest_never_ran_is_still_clean(void)
{
    struct host_guest g;

    running();
    CU_ASSERT_EQUAL(host_start_guest(&g, 5, HOST_POLICY), SNP_SUCCESS);
    CU_ASSERT_EQUAL(psp_do(SNP_CMD_DECOMMISSION, &g.gctx, 8), SNP_SUCCESS);
    CU_ASSERT_EQUAL(host_start_guest(&g, 5, HOST_POLICY), SNP_SUCCESS);
}

static void an_asid_with_pages_in_the_rmp_cannot_be_activated(void)
{
    struct host_guest g;
    uint64_t left = 0;
    const struct rmp_entry nobody = {0};

    running();
    left = host_page(RMP_4K);
    CU_ASSERT_EQUAL(host_assign(left, RMP_4K, 0x1000, 5, false), RMP_OK);
    CU_ASSERT_EQUAL(host_start_guest(&g, 5, HOST_POLICY), 3); /* INVALID_CONFIG */
    CU_ASSERT_EQUAL(emu_rmpupdate(pa(left), &nobody), RMP_OK);
    CU_ASSERT_EQUAL(activate(g.gctx, 5), SNP_SUCCESS);
}

static void guest_status_tells_policy_asid_and_state(void)
{
    struct host_guest g;
    struct {
        uint64_t policy;
        uint32_t asid;
        uint8_t state, reserved[3];
        uint64_t rest[2];
    } * s;
    uint64_t cmd[2];

    running();
    CU_ASSERT_EQUAL(host_start_guest(&g, 5, HOST_POLICY), SNP_SUCCESS);
    cmd[0] = g.gctx;
    cmd[1] = host_page(RMP_4K);
    CU_ASSERT_EQUAL(psp_do(0x092, cmd, 16), SNP_INVALID_PAGE_STATE);
    cmd[1] = host_firmware_page();
    s = host_at(cmd[1]);
    CU_ASSERT_EQUAL(psp_do(0x092, cmd, 16), SNP_SUCCESS);
    CU_ASSERT(s->policy == HOST_POLICY && s->asid == 5 && s->state == 1);
    CU_ASSERT_EQUAL(host_finish(&g), SNP_SUCCESS);
    CU_ASSERT_EQUAL(psp_do(0x092, cmd, 16), SNP_SUCCESS);
    CU_ASSERT_EQUAL(s->state, 2);
    cmd[0] = cmd[1];
    CU_ASSERT_EQUAL(psp_do(0x092, cmd, 16), SNP_INVALID_GUEST);
}

static void after_init_no_asid_is_clean(void)
{
    struct host_guest g;

    fresh();
    CU_ASSERT_EQUAL(init_with((struct snp_init_ex){.flags = 1}), SNP_SUCCESS);
    CU_ASSERT_EQUAL(host_start_guest(&g, 1, HOST_POLICY), SNP_DFFLUSH_REQUIRED);
    CU_ASSERT_EQUAL(psp_do(SNP_CMD_DF_FLUSH, NULL, 0), SNP_WBINVD_REQUIRED);
}

/* ---- reclaim ---- */

static void reclaim_lifts_immutability_and_nothing_else(void)
{
    uint64_t at, pre, big, arg;
    struct emu_rmp e;

    running();
    at = host_firmware_page();
    CU_ASSERT_EQUAL(psp_do(SNP_CMD_PAGE_RECLAIM, &at, 8), SNP_SUCCESS);
    e = entry(at);
    CU_ASSERT(e.assigned && !e.immutable && e.asid == 0);
    CU_ASSERT_EQUAL(psp_do(SNP_CMD_PAGE_RECLAIM, &at, 8), SNP_SUCCESS); /* nothing to do */
    pre = host_page(RMP_4K);
    CU_ASSERT_EQUAL(host_assign(pre, RMP_4K, 0x7000, 4, true), RMP_OK);
    CU_ASSERT_EQUAL(psp_do(SNP_CMD_PAGE_RECLAIM, &pre, 8), SNP_SUCCESS);
    e = entry(pre);
    CU_ASSERT(e.assigned && !e.immutable && !e.validated && e.asid == 4 && e.gpa == 0x7000);
    big = host_page(RMP_2M);
    CU_ASSERT_EQUAL(host_assign(big, RMP_2M, 0, 0, true), RMP_OK);
    CU_ASSERT_EQUAL(psp_do(SNP_CMD_PAGE_RECLAIM, &big, 8), SNP_INVALID_PAGE_SIZE);
    arg = big | 1;
    CU_ASSERT_EQUAL(psp_do(SNP_CMD_PAGE_RECLAIM, &arg, 8), SNP_SUCCESS);
    arg = big | 2;
    CU_ASSERT_EQUAL(psp_do(SNP_CMD_PAGE_RECLAIM, &arg, 8), SNP_INVALID_PARAM);
    arg = HOST_MEMORY;
    CU_ASSERT_EQUAL(psp_do(SNP_CMD_PAGE_RECLAIM, &arg, 8), SNP_INVALID_ADDRESS);
}

static void guest_commands_need_an_initialised_platform(void)
{
    static const uint32_t ids[] = {
        SNP_CMD_DF_FLUSH,      SNP_CMD_DECOMMISSION,  SNP_CMD_ACTIVATE,
        SNP_CMD_GCTX_CREATE,   SNP_CMD_GUEST_REQUEST, SNP_CMD_LAUNCH_START,
        SNP_CMD_LAUNCH_UPDATE, SNP_CMD_LAUNCH_FINISH, SNP_CMD_PAGE_RECLAIM};

    fresh();
    for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
        CU_ASSERT_EQUAL(psp_do(ids[i], NULL, 0), SNP_INVALID_PLATFORM_STATE);
    }
}

static const struct cu_test tests[] = {
    CU(the_mailbox_answers_with_the_response_bit_and_the_command),
    CU(what_is_no_command_is_refused),
    CU(a_command_buffer_must_be_memory),
    CU(the_nth_command_can_be_made_to_fail),
    CU(an_answer_can_be_made_to_come_late),
    CU(platform_status_tells_state_version_and_guests),
    CU(init_needs_snp_enabled_and_clean_input),
    CU(init_resets_the_rmp_and_keeps_its_pages_and_the_listed_ones),
    CU(init_takes_a_list_whose_ranges_overlap),
    CU(a_malformed_range_list_fails_init),
    CU(shutdown_wants_flushed_caches_and_forgets_guests),
    CU(feature_info_has_two_subfunctions),
    CU(a_context_is_made_of_a_firmware_page),
    CU(contexts_run_out),
    CU(decommission_gives_the_page_back_to_the_firmware),
    CU(an_asid_belongs_to_one_guest),
    CU(an_asid_is_used_again_only_after_every_cpu_flushed),
    CU(an_asid_whose_guest_never_ran_is_still_clean),
    CU(an_asid_with_pages_in_the_rmp_cannot_be_activated),
    CU(guest_status_tells_policy_asid_and_state),
    CU(after_init_no_asid_is_clean),
    CU(reclaim_lifts_immutability_and_nothing_else),
    CU(guest_commands_need_an_initialised_platform),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("emu_psp", tests, argc, argv);
}
