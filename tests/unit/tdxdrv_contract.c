/* The TDX driver against the emulated module: what it promises when any one call fails. */
#include "tdx_machine.h"

#include <string.h>

#include "../../cc/emu/tdx_module.h"
#include "core_host.h"
#include "cu.h"
#include "hv/page.h"

#define PERMANENT tdx_error(TDX_OPERAND_INVALID, TDX_RCX)
#define TRANSIENT tdx_error(TDX_OPERAND_BUSY, TDX_RCX)
#define ADDED 3u
#define LATE  2u

static const struct boot_range holes[] = {
    {0, KiB(636)},
    {MiB(1), MiB(767)},
    {MiB(800), MiB(224)},
    {GiB(1) + MiB(8), MiB(500)},
    {GiB(4), MiB(700)},
    {GiB(4) + MiB(701), PAGE_SIZE},
};

static void a_memory_map_with_holes_brings_the_platform_up(void)
{
    machine_boot(holes, ARRAY_SIZE(holes));
    CU_ASSERT_FATAL(tdx_platform_start());
    CU_ASSERT_EQUAL(tdx_module.state, SYS_READY);
    CU_ASSERT_EQUAL(tdx_module.tdmrs, 2);
    for (unsigned int i = 0; i < tdx_module.tdmrs; i++) {
        const struct tdx_tdmr *t = &tdx_module.tdmr[i];

        CU_ASSERT_EQUAL(t->initialized, t->info.base + t->info.size);
    }
    CU_ASSERT_EQUAL(tdx_module.tdmr[0].info.size, 2 * SIZE_1G);
    CU_ASSERT_EQUAL(tdx_pamt_of(MiB(790), TDX_4K)->type, TDX_PT_RSVD);
    CU_ASSERT_EQUAL(tdx_pamt_of(GiB(1) + MiB(7), TDX_4K)->type, TDX_PT_RSVD);
    CU_ASSERT_EQUAL(tdx_pamt_of(GiB(4) + MiB(600), TDX_4K)->type, TDX_PT_NDA);
    CU_ASSERT_EQUAL(tdx_pamt_of(GiB(4) + MiB(702), TDX_4K)->type, TDX_PT_RSVD);
    CU_ASSERT_EQUAL(tdx_pamt_of(tdx_module.tdmr[0].info.pamt_4k_base, TDX_4K)->type, TDX_PT_RSVD);
    CU_ASSERT_EQUAL(page_state_of(pa(tdx_module.tdmr[1].info.pamt_2m_base)), PAGE_CHIP);
}

static void no_page_of_the_pool_is_out_of_the_modules_reach(void)
{
    machine_boot(holes, ARRAY_SIZE(holes));
    CU_ASSERT_FATAL(tdx_platform_start());
    for (unsigned int i = 0; i < ARRAY_SIZE(holes); i++) {
        for (uint64_t at = holes[i].base; at < holes[i].base + holes[i].len; at += PAGE_SIZE) {
            if (page_state_of(pa(at)) == PAGE_FREE) {
                CU_ASSERT_EQUAL_FATAL(tdx_pamt_of(at, TDX_4K)->type, TDX_PT_NDA);
            }
        }
    }
}

/* RAM of `n` pieces of 16 MiB, each with a hole behind it. */
static unsigned int pieces(struct boot_range *ram, unsigned int n)
{
    for (unsigned int i = 0; i < n; i++) {
        ram[i] = (struct boot_range){MiB(32) * i, MiB(16)};
    }
    return n;
}

static void tdmrs_end_where_reserved_areas_would_run_out(void)
{
    struct tdx_tdmr_info t[8];
    struct boot_range ram[40];
    unsigned int n = pieces(ram, 24); /* 768 MiB, 24 holes */

    CU_ASSERT_EQUAL(tdx_tdmr_ranges(ram, n, 16, 8, t), 0);
    CU_ASSERT_EQUAL(tdx_tdmr_ranges(ram, n, 32, 8, t), 1);
    n = pieces(ram, 10);
    for (unsigned int i = 0; i < 10; i++) {
        ram[n + i] = (struct boot_range){SIZE_1G + MiB(32) * i, MiB(16)};
    }
    CU_ASSERT_EQUAL(tdx_tdmr_ranges(ram, 20, 16, 8, t), 2);
    CU_ASSERT(t[0].size == SIZE_1G && t[1].base == SIZE_1G);
    CU_ASSERT_EQUAL(tdx_tdmr_ranges(ram, 20, 16, 1, t), 0);
    CU_ASSERT_EQUAL(tdx_tdmr_ranges(ram, 20, 32, 8, t), 1);
    CU_ASSERT(t[0].size == 2 * SIZE_1G);
    CU_ASSERT(tdx_tdmr_reserve(ram, 20, NULL, 0, 32, &t[0]) == false); /* 20 and an end: 16 fit */
    n = pieces(ram, 4);
    t[0] = (struct tdx_tdmr_info){.base = 0, .size = SIZE_1G};
    CU_ASSERT(tdx_tdmr_reserve(ram, n, NULL, 0, 16, &t[0]));
    CU_ASSERT(t[0].reserved[0].offset == MiB(16) && t[0].reserved[0].size == MiB(16));
    CU_ASSERT(t[0].reserved[3].offset == MiB(112) && t[0].reserved[3].size == MiB(912));
    CU_ASSERT_EQUAL(t[0].reserved[4].size, 0);
}

static void a_bring_up_that_fails_anywhere_says_no(void)
{
    bool ok = false;
    unsigned int n;

    for (n = 1; !ok && n < 2000; n++) {
        machine_boot(holes, ARRAY_SIZE(holes));
        emu_tdx_fail_nth(n, PERMANENT);
        ok = tdx_platform_start();
        CU_ASSERT_FATAL(ok || tdx_module.state != SYS_SHUT_DOWN);
        if (n > 40 && !ok) {
            n += 97; /* the many steps of TDMR.INIT are alike */
        }
    }
    CU_ASSERT(ok && n > 30);
}

static void a_platform_whose_loader_or_module_cannot_protect_a_td_is_not_touched(void)
{
    struct tdx_seamldr_info *info = emu_seamldr();

    for (unsigned int i = 0; i < 8; i++) {
        machine_boot(holes, ARRAY_SIZE(holes));
        info->version += i == 0;
        info->vendor_id ^= i == 1;
        info->attributes |= i == 2 ? SEAMLDR_ATTR_DEBUG : 0;
        info->seamextend.p_seamldr_ready ^= i == 3;
        info->seamextend.seam_ready ^= i == 4;
        info->seamextend.valid *= i != 5;
        info->seamextend.seam_debug ^= i == 6;
        CU_ASSERT_EQUAL(tdx_platform_start(), i == 7);
        CU_ASSERT_EQUAL(tdx_module.state, i == 7 ? SYS_READY : SYS_PENDING);
    }
    machine_boot(holes, ARRAY_SIZE(holes));
    emu_tdx_fail_nth(1, SEAMLDR_EUNSPECERR);
    CU_ASSERT_FALSE(tdx_platform_start());
    CU_ASSERT_EQUAL(emu_tdx_calls(), 1);
}

static void a_platform_that_stops_leaves_a_module_that_takes_no_calls(void)
{
    struct machine_td m;
    uint64_t value;

    machine_ready(GiB(1));
    CU_ASSERT_EQUAL(machine_td(&m, ADDED, LATE), ABI_OK);
    machine_td_end(&m);
    emu_tdx_fail_leaf(TDH_SYS_SHUTDOWN, 1, tdx_error(TDX_SYS_BUSY, 0));
    tdx_platform_stop();
    CU_ASSERT_EQUAL(tdx_module.state, SYS_SHUT_DOWN);
    CU_ASSERT_FALSE(tdx_metadata(MD_MAX_TDMRS, &value));
    CU_ASSERT_NOT_EQUAL(machine_td(&m, ADDED, LATE), ABI_OK);
    machine_td_end(&m);
    CU_ASSERT_EQUAL(machine_leaked(), 0);
}

static void a_stop_that_fails_anywhere_leaves_the_module_running(void)
{
    unsigned int n;

    for (n = 1; n < 10; n++) {
        machine_ready(GiB(1));
        emu_tdx_fail_nth(n, PERMANENT);
        tdx_platform_stop();
        if (tdx_module.state == SYS_SHUT_DOWN) {
            break;
        }
        CU_ASSERT_EQUAL(tdx_module.state, SYS_READY);
    }
    CU_ASSERT_EQUAL(n, 4);
}

static void a_td_lives_and_leaves_nothing(void)
{
    struct machine_td m;

    machine_ready(GiB(1));
    CU_ASSERT_EQUAL(machine_td(&m, ADDED, LATE), ABI_OK);
    CU_ASSERT(tdx_pages_agree());
    CU_ASSERT(machine_leaked() > 0);
    machine_td_end(&m);
    CU_ASSERT_EQUAL(machine_leaked(), 0);
    CU_ASSERT(tdx_pages_agree());
}

static void key_ids_come_back(void)
{
    struct machine_td m;

    machine_ready(GiB(1));
    for (unsigned int i = 0; i < 2 * (EMU_TDX_KEYS - EMU_TDX_KEY_FIRST); i++) {
        CU_ASSERT_EQUAL_FATAL(machine_td(&m, 0, 0), ABI_OK);
        machine_td_end(&m);
    }
    CU_ASSERT_EQUAL(machine_leaked(), 0);
}

static void a_td_beyond_the_last_key_id_is_refused(void)
{
    enum { KEYS = EMU_TDX_KEYS - EMU_TDX_KEY_FIRST - 1 };
    static struct machine_td m[KEYS + 1];

    machine_ready(GiB(2));
    for (unsigned int i = 0; i < KEYS; i++) {
        CU_ASSERT_EQUAL_FATAL(machine_td(&m[i], 0, 0), ABI_OK);
    }
    CU_ASSERT_EQUAL(machine_td(&m[KEYS], 0, 0), ABI_LIMIT);
    for (unsigned int i = 0; i <= KEYS; i++) {
        machine_td_end(&m[i]);
    }
    CU_ASSERT_EQUAL(machine_leaked(), 0);
}

/* Each SEAMCALL of a TD's making fails once: nothing stays behind. */
static void a_making_that_fails_anywhere_leaves_nothing(void)
{
    enum abi_status st = ABI_BUSY;
    struct machine_td m;
    unsigned int n;

    machine_ready(GiB(1));
    for (n = 1; st != ABI_OK && n < 500; n++) {
        emu_tdx_fault_reset();
        emu_tdx_fail_nth(n, PERMANENT);
        st = machine_td(&m, ADDED, LATE);
        CU_ASSERT(st == ABI_OK || emu_tdx_calls() <= n + 1); /* the other package goes on */
        emu_tdx_fail_nth(0, 0);
        machine_td_end(&m);
        CU_ASSERT_EQUAL_FATAL(machine_leaked(), 0);
        CU_ASSERT_FATAL(tdx_pages_agree());
    }
    CU_ASSERT(st == ABI_OK && n > 80);
}

static void a_module_that_is_busy_is_asked_again(void)
{
    struct machine_td m;
    unsigned int total;

    machine_ready(GiB(1));
    CU_ASSERT_EQUAL(machine_td(&m, ADDED, LATE), ABI_OK);
    total = emu_tdx_calls();
    machine_td_end(&m);
    for (unsigned int n = 1; n <= total; n++) {
        emu_tdx_fail_nth(n, n % 2 != 0 ? TRANSIENT : tdx_error(TDX_RND_NO_ENTROPY, 0));
        CU_ASSERT_EQUAL_FATAL(machine_td(&m, ADDED, LATE), ABI_OK);
        machine_td_end(&m);
    }
    CU_ASSERT_EQUAL(machine_leaked(), 0);
}

static void a_making_without_memory_leaves_nothing(void)
{
    enum abi_status st = ABI_BUSY;
    struct machine_td m;
    unsigned int n;

    machine_ready(GiB(1));
    for (n = 2; st != ABI_OK && n < 200; n++) { /* the first is the guest's RAM, of the test */
        core_fail_alloc(n, false);
        st = machine_td(&m, ADDED, LATE);
        core_fail_alloc(0, false);
        machine_td_end(&m);
        CU_ASSERT_EQUAL_FATAL(machine_leaked(), 0);
    }
    CU_ASSERT(st == ABI_OK && n > 20);
}

/* A teardown that fails may lose pages, to nobody: what the module keeps is never handed out. */
static void an_end_that_fails_anywhere_gives_nobody_what_is_a_tds(void)
{
    struct machine_td m;
    bool clean = false;
    unsigned int n;

    for (n = 1; !clean && n < 200; n++) {
        machine_ready(GiB(1));
        CU_ASSERT_EQUAL_FATAL(machine_td(&m, ADDED, LATE), ABI_OK);
        emu_tdx_fault_reset();
        emu_tdx_fail_nth(n, PERMANENT);
        machine_td_end(&m);
        clean = emu_tdx_calls() < n;
        CU_ASSERT_FATAL(tdx_pages_agree());
        CU_ASSERT(!clean || machine_leaked() == 0);
    }
    CU_ASSERT(clean && n > 20);
}

/* ---- conversions ---- */

static enum abi_status convert(struct machine_td *m)
{
    enum abi_status st;
    struct tdx_td *td = &m->td;

    lock(&td->lock);
    st = tdx_sept_block(td, SIZE_1G, TDX_2M);
    st = st == ABI_OK ? tdx_sept_track(td) : st;
    st = st == ABI_OK ? tdx_sept_split(td, SIZE_1G) : st;
    st = st == ABI_OK ? tdx_sept_block(td, SIZE_1G + PAGE_SIZE, TDX_4K) : st;
    st = st == ABI_OK ? tdx_sept_track(td) : st;
    st = st == ABI_OK ? tdx_sept_remove(td, SIZE_1G + PAGE_SIZE, TDX_4K) : st;
    unlock(&td->lock);
    return st;
}

static void one_page_of_a_big_one_can_be_taken_back(void)
{
    struct machine_td m;

    machine_ready(GiB(1));
    CU_ASSERT_EQUAL(machine_td(&m, ADDED, LATE), ABI_OK);
    CU_ASSERT_EQUAL(convert(&m), ABI_OK);
    CU_ASSERT_EQUAL(tdx_pamt_of(m.ram.v + SIZE_2M + PAGE_SIZE, TDX_4K)->type, TDX_PT_NDA);
    CU_ASSERT_EQUAL(tdx_pamt_of(m.ram.v + SIZE_2M, TDX_4K)->type, TDX_PT_REG);
    machine_td_end(&m);
    CU_ASSERT_EQUAL(machine_leaked(), 0);
}

static void a_conversion_that_fails_anywhere_can_still_be_torn_down(void)
{
    enum abi_status st = ABI_BUSY;
    struct machine_td m;
    unsigned int n;

    machine_ready(GiB(1));
    for (n = 1; st != ABI_OK && n < 50; n++) {
        CU_ASSERT_EQUAL_FATAL(machine_td(&m, ADDED, LATE), ABI_OK);
        emu_tdx_fail_nth(n, PERMANENT);
        st = convert(&m);
        emu_tdx_fail_nth(0, 0);
        machine_td_end(&m);
        CU_ASSERT_EQUAL_FATAL(machine_leaked(), 0);
    }
    CU_ASSERT(st == ABI_OK && n == 8);
}

static void what_is_there_already_is_no_error_of_the_hosts(void)
{
    struct machine_td m;

    machine_ready(GiB(1));
    CU_ASSERT_EQUAL(machine_td(&m, ADDED, LATE), ABI_OK);
    lock(&m.td.lock);
    CU_ASSERT_EQUAL(tdx_sept_aug(&m.td, SIZE_1G, pa(m.ram.v), TDX_2M), ABI_EXISTS);
    CU_ASSERT_EQUAL(tdx_sept_aug(&m.td, SIZE_1G + PAGE_SIZE, pa(m.ram.v), TDX_4K), ABI_EXISTS);
    CU_ASSERT_EQUAL(tdx_sept_aug(&m.td, 0, pa(m.ram.v), TDX_2M), ABI_EXISTS);
    unlock(&m.td.lock);
    machine_td_end(&m);
    CU_ASSERT_EQUAL(machine_leaked(), 0);
}

/* ---- the shared EPT ---- */

static void the_shared_ept_maps_pages_and_forgets_them(void)
{
    struct tdx_ept t = {.owner = 0};
    int64_t before;

    machine_ready(GiB(1));
    before = machine_leaked();
    CU_ASSERT_FATAL(tdx_ept_init(&t, 7));
    CU_ASSERT(!tdx_ept_unmap(&t, BIT(47)));
    CU_ASSERT_EQUAL(tdx_ept_map(&t, BIT(47) | 0x5000, pa(0x9000)), ABI_OK);
    CU_ASSERT_EQUAL(tdx_ept_map(&t, BIT(47) | GiB(5), pa(0xa000)), ABI_OK);
    CU_ASSERT_EQUAL(machine_leaked() - before, 1 + 3 + 2);
    CU_ASSERT(tdx_ept_unmap(&t, BIT(47) | 0x5000));
    CU_ASSERT(!tdx_ept_unmap(&t, BIT(47) | 0x5000));
    tdx_ept_destroy(&t);
    CU_ASSERT_EQUAL(machine_leaked(), before);
}

static const struct cu_test tests[] = {
    CU(a_memory_map_with_holes_brings_the_platform_up),
    CU(no_page_of_the_pool_is_out_of_the_modules_reach),
    CU(tdmrs_end_where_reserved_areas_would_run_out),
    CU(a_bring_up_that_fails_anywhere_says_no),
    CU(a_platform_whose_loader_or_module_cannot_protect_a_td_is_not_touched),
    CU(a_platform_that_stops_leaves_a_module_that_takes_no_calls),
    CU(a_stop_that_fails_anywhere_leaves_the_module_running),
    CU(a_td_lives_and_leaves_nothing),
    CU(key_ids_come_back),
    CU(a_td_beyond_the_last_key_id_is_refused),
    CU(a_making_that_fails_anywhere_leaves_nothing),
    CU(a_module_that_is_busy_is_asked_again),
    CU(a_making_without_memory_leaves_nothing),
    CU(an_end_that_fails_anywhere_gives_nobody_what_is_a_tds),
    CU(one_page_of_a_big_one_can_be_taken_back),
    CU(a_conversion_that_fails_anywhere_can_still_be_torn_down),
    CU(what_is_there_already_is_no_error_of_the_hosts),
    CU(the_shared_ept_maps_pages_and_forgets_them),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("tdxdrv_contract", tests, argc, argv);
}
