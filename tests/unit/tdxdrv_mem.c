/* A TD's RAM: given as it is accepted, converted as it is asked for, reclaimed whatever happened.
 */
#include "tdx_machine.h"

#include <string.h>

#include "../../cc/emu/tdx_module.h"
#include "../../cc/tdx/tdx_ram.h"
#include "core_host.h"
#include "cu.h"
#include "hv/page.h"

#define MEMORY  MiB(64)
#define GPA     MiB(4)
#define ENTRIES 8u /* until a TD is done with something: more is a loop */
#define NEVER   0xbadu

static struct vm *vm;
static struct tdx_vm s;
static uint8_t chunk[MEMORY / SIZE_2M];
static pa_t tdvpr;

/* ---- the TD: one thing each time that it is entered, then HLT ---- */
static uint64_t td_gpa, td_answer;
static unsigned int td_level;

static void halt_with(struct tdx_vp *vp, uint64_t answer)
{
    td_answer = answer;
    tdx_exit_async(vp, TDX_EXIT_HLT, 0, 0, 0);
}

static void accept(struct tdx_vp *vp)
{
    vp->regs.rax = TDG_MEM_PAGE_ACCEPT;
    vp->regs.rcx = TDX_PAGE(td_gpa, td_level);
    if (tdx_tdcall(vp) == TDX_RESUME) {
        halt_with(vp, vp->regs.rax);
    }
}

static void touch(struct tdx_vp *vp)
{
    uint64_t at;

    if (tdx_cpu_reaches(vp, td_gpa, &at)) {
        halt_with(vp, at);
    }
}

/* Its answer; NEVER when an exit of it could not be handled. */
static uint64_t run(void (*code)(struct tdx_vp *), uint64_t gpa, unsigned int level)
{
    td_gpa = gpa;
    td_level = level;
    td_answer = NEVER;
    tdx_cpu_code = code;
    for (unsigned int i = 0; i < ENTRIES; i++) {
        struct tdx_regs r = {.rcx = tdvpr.v};
        uint64_t rax = tdx_call(TDH_VP_ENTER, &r);

        if (TDX_STATUS_OF(rax) != TDX_SUCCESS || TDX_EXIT_REASON(rax) == TDX_EXIT_HLT) {
            break;
        }
        CU_ASSERT_EQUAL(TDX_EXIT_REASON(rax), TDX_EXIT_EPT_VIOLATION);
        if (!tdx_fault(vm, r.r8, r.rdx)) {
            break;
        }
    }
    tdx_cpu_code = NULL;
    return td_answer;
}

static uint64_t share(uint64_t gpa, uint64_t size)
{
    uint64_t next;

    return tdx_map_gpa(vm, gpa | TDX_SHARED, size, &next);
}

static uint64_t unshare(uint64_t gpa, uint64_t size)
{
    uint64_t next;

    return tdx_map_gpa(vm, gpa, size, &next);
}

static pa_t host_page(uint64_t gpa_)
{
    pa_t at = pa(0);

    CU_ASSERT_EQUAL(vm_mem_populate(vm, gpa(gpa_), &at), ABI_OK);
    return at;
}

static enum page_state state(uint64_t gpa_)
{
    return page_state_of(host_page(gpa_));
}

/* ---- */

static void start(void)
{
    struct domain_config cfg;
    struct tdx_td_params p;

    machine_ready(MiB(512));
    cfg = core_config(MEMORY, 1);
    CU_ASSERT_EQUAL_FATAL(vm_create(&cfg, &vm), ABI_OK);
    memset(&s, 0, sizeof(s));
    memset(chunk, 0, sizeof(chunk));
    s.td.name = "guest";
    s.td.owner = vm->id;
    s.chunk = chunk;
    s.blank = vm_alloc_page(vm);
    vm->cc_data = &s;
    machine_params(&p);
    CU_ASSERT_FATAL(tdx_ept_init(&s.ept, vm->id));
    CU_ASSERT_EQUAL_FATAL(tdx_td_create(&s.td, &p), ABI_OK);
    CU_ASSERT_EQUAL_FATAL(tdx_td_vcpu(&s.td, &tdvpr), ABI_OK);
    CU_ASSERT_EQUAL_FATAL(tdx_td_vcpu_init(&s.td, tdvpr, 0), ABI_OK);
    lock(&s.td.lock);
    CU_ASSERT_EQUAL_FATAL(tdx_td_finalize(&s.td), ABI_OK);
    unlock(&s.td.lock);
    CU_ASSERT_EQUAL(tdx_call2(TDH_VP_FLUSH, tdvpr.v, 0), TDX_SUCCESS);
}

static void set_shared_ept(void)
{
    struct tdx_regs r = {
        .rcx = tdvpr.v, .rdx = MD_VP_VMCS(VMCS_SHARED_EPTP), .r8 = s.ept.root.v, .r9 = ~0ull};

    CU_ASSERT_EQUAL(tdx_call(TDH_VP_WR, &r), TDX_SUCCESS);
}

static void finish(void)
{
    CU_ASSERT(tdx_pages_agree());
    (void)tdx_call2(TDH_VP_FLUSH, tdvpr.v, 0);
    CU_ASSERT_EQUAL(tdx_td_kill(&s.td), ABI_OK);
    tdx_mem_release(vm);
    tdx_td_destroy(&s.td);
    tdx_ept_destroy(&s.ept);
    vm->cc_data = NULL;
    for (uint64_t at = GPA; at < GPA + MiB(4); at += PAGE_SIZE) {
        CU_ASSERT_EQUAL_FATAL(state(at), PAGE_GUEST);
    }
    vm_destroy(vm);
    CU_ASSERT_EQUAL(machine_leaked(), 0);
}

static void what_is_accepted_whole_is_one_big_page(void)
{
    start();
    CU_ASSERT_EQUAL(run(accept, GPA, TDX_2M), TDX_SUCCESS);
    CU_ASSERT_EQUAL(s.chunk[GPA / SIZE_2M], TDX_CHUNK_LARGE);
    CU_ASSERT_EQUAL(state(GPA + MiB(1)), PAGE_PRIVATE);
    CU_ASSERT_EQUAL(run(touch, GPA + MiB(1), 0), host_page(GPA + MiB(1)).v);
    finish();
}

static void a_small_page_is_all_that_comes_when_it_is_all_that_is_accepted(void)
{
    start();
    CU_ASSERT_EQUAL(run(accept, GPA + PAGE_SIZE, TDX_4K), TDX_SUCCESS);
    CU_ASSERT_EQUAL(s.chunk[GPA / SIZE_2M], 0);
    CU_ASSERT_EQUAL(state(GPA), PAGE_GUEST);
    CU_ASSERT_EQUAL(state(GPA + PAGE_SIZE), PAGE_PRIVATE);
    /* Then the rest is small, too: the TD is told. */
    CU_ASSERT_EQUAL(TDX_STATUS_OF(run(accept, GPA, TDX_2M)), TDX_PAGE_SIZE_MISMATCH);
    CU_ASSERT_EQUAL(run(accept, GPA, TDX_4K), TDX_SUCCESS);
    finish();
}

static void what_is_touched_and_not_accepted_ends_it(void)
{
    start();
    CU_ASSERT_EQUAL(run(touch, GPA, 0), NEVER);
    /* and is whole: a TD that accepts a part of it afterwards has it split */
    CU_ASSERT_EQUAL(s.chunk[GPA / SIZE_2M], TDX_CHUNK_LARGE);
    CU_ASSERT_EQUAL(run(accept, GPA + PAGE_SIZE, TDX_4K), TDX_SUCCESS);
    CU_ASSERT_EQUAL(s.chunk[GPA / SIZE_2M], 0);
    CU_ASSERT_EQUAL(run(touch, MEMORY + GPA, 0), NEVER);
    finish();
}

/* Another vCPU converts its neighbour: for as long the whole big page is out of reach. */
static void a_page_that_is_blocked_for_a_moment_is_tried_again(void)
{
    start();
    CU_ASSERT_EQUAL(run(accept, GPA, TDX_2M), TDX_SUCCESS);
    lock(&s.td.lock);
    CU_ASSERT_EQUAL(tdx_sept_block(&s.td, GPA, TDX_2M), ABI_OK);
    unlock(&s.td.lock);
    CU_ASSERT_EQUAL(run(touch, GPA, 0), NEVER); /* after ENTRIES exits, each of them handled */
    CU_ASSERT(tdx_fault(vm, GPA, TDX_EEQ_NONE));
    lock(&s.td.lock);
    CU_ASSERT_EQUAL(tdx_sept_track(&s.td), ABI_OK);
    CU_ASSERT_EQUAL(tdx_sept_unblock(&s.td, GPA, TDX_2M), ABI_OK);
    unlock(&s.td.lock);
    CU_ASSERT_EQUAL(run(touch, GPA, 0), host_page(GPA).v);
    finish();
}

static void a_part_of_a_big_page_becomes_shared_and_private_again(void)
{
    uint64_t at = GPA + KiB(64);

    start();
    set_shared_ept();
    CU_ASSERT_EQUAL(run(accept, GPA, TDX_2M), TDX_SUCCESS);
    CU_ASSERT_EQUAL(run(touch, at | TDX_SHARED, 0), NEVER); /* private it is not shared */
    CU_ASSERT_EQUAL(share(at, KiB(8)), TDVMCALL_SUCCESS);
    CU_ASSERT_EQUAL(s.chunk[GPA / SIZE_2M], 0);
    CU_ASSERT(tdx_shared(vm, host_page(at)) && tdx_shared(vm, host_page(at + PAGE_SIZE)));
    CU_ASSERT(!tdx_shared(vm, host_page(at - PAGE_SIZE)));
    CU_ASSERT(!tdx_shared(vm, host_page(at + KiB(8))));
    CU_ASSERT_EQUAL(run(touch, at - PAGE_SIZE, 0), host_page(at - PAGE_SIZE).v);
    CU_ASSERT_EQUAL(run(touch, at | TDX_SHARED, 0), host_page(at).v);
    memset(emu_mem(host_page(at)), 0x55, PAGE_SIZE);

    CU_ASSERT_EQUAL(unshare(at, KiB(8)), TDVMCALL_SUCCESS);
    CU_ASSERT_EQUAL(run(accept, at, TDX_4K), TDX_SUCCESS);
    CU_ASSERT_EQUAL(run(touch, at, 0), host_page(at).v);
    CU_ASSERT_EQUAL(*(uint64_t *)emu_mem(host_page(at)), 0);
    CU_ASSERT_EQUAL(run(touch, at | TDX_SHARED, 0), NEVER);
    CU_ASSERT_EQUAL(s.conversions, 4);
    finish();
}

/* It comes back into the hypervisor's own mappings, which have the 2 MiB as one. */
static void a_part_that_the_hypervisor_has_no_table_for_stays_private(void)
{
    uint64_t at = GPA + KiB(64);

    start();
    CU_ASSERT_EQUAL(run(accept, GPA, TDX_2M), TDX_SUCCESS);
    fake_map_is_full = true;
    CU_ASSERT_EQUAL(share(at, KiB(8)), TDVMCALL_INVALID_OPERAND);
    fake_map_is_full = false;
    CU_ASSERT_EQUAL(s.chunk[GPA / SIZE_2M], TDX_CHUNK_LARGE);
    CU_ASSERT_EQUAL(state(at), PAGE_PRIVATE);
    CU_ASSERT_EQUAL(share(at, KiB(8)), TDVMCALL_SUCCESS);
    CU_ASSERT_EQUAL(state(at), PAGE_GUEST);
    finish();
}

/* It did not say so before; what it shared is out of its shared tables before it is private. */
static void accepting_what_is_shared_takes_it_back(void)
{
    start();
    set_shared_ept();
    CU_ASSERT_EQUAL(run(touch, GPA | TDX_SHARED, 0), host_page(GPA).v);
    CU_ASSERT_EQUAL(s.chunk[GPA / SIZE_2M], TDX_CHUNK_SHARED);
    CU_ASSERT_EQUAL(run(accept, GPA, TDX_2M), TDX_SUCCESS);
    CU_ASSERT_EQUAL(s.chunk[GPA / SIZE_2M], TDX_CHUNK_LARGE);
    CU_ASSERT_EQUAL(run(touch, GPA | TDX_SHARED, 0), NEVER);
    finish();
}

static void big_conversions_come_in_steps(void)
{
    uint64_t next = 0;

    start();
    CU_ASSERT_EQUAL(run(accept, GPA, TDX_2M), TDX_SUCCESS);
    CU_ASSERT_EQUAL(tdx_map_gpa(vm, TDX_SHARED, MiB(48), &next), TDVMCALL_RETRY);
    CU_ASSERT_EQUAL(next, MiB(32) | TDX_SHARED);
    CU_ASSERT_EQUAL(state(GPA), PAGE_GUEST);
    CU_ASSERT_EQUAL(tdx_map_gpa(vm, next, MiB(16), &next), TDVMCALL_SUCCESS);
    finish();
}

/* The n-th page that it takes is the last: for one n that is the table for the shared half. */
static void what_the_td_has_and_no_table_maps_is_converted_all_the_same(void)
{
    unsigned int met = 0;

    for (unsigned int n = 1; n < 8; n++) {
        pa_t at;

        start();
        at = vm_chunk_pa(vm, GPA / SIZE_2M);
        core_fail_alloc(n, false);
        if (run(accept, GPA, TDX_2M) == NEVER && page_state_of(at) == PAGE_PRIVATE) {
            met++;
            core_fail_alloc(0, false);
            CU_ASSERT_EQUAL(share(GPA, SIZE_2M), TDVMCALL_SUCCESS);
            CU_ASSERT_EQUAL(page_state_of(at), PAGE_GUEST);
        }
        core_fail_alloc(0, false);
        finish();
    }
    CU_ASSERT(met > 0);
}

static void what_cannot_be_converted_is_refused(void)
{
    static const struct {
        uint64_t gpa, size, answer;
    } bad[] = {
        {GPA + 1, PAGE_SIZE, TDVMCALL_ALIGN_ERROR},
        {GPA, PAGE_SIZE / 2, TDVMCALL_ALIGN_ERROR},
        {GPA, 0, TDVMCALL_INVALID_OPERAND},
        {MEMORY - PAGE_SIZE, 2 * PAGE_SIZE, TDVMCALL_INVALID_OPERAND},
        {GPA, ~0xfffull, TDVMCALL_INVALID_OPERAND},
        {~0xfffull & ~TDX_SHARED, PAGE_SIZE, TDVMCALL_INVALID_OPERAND},
        {GiB(4) - PAGE_SIZE, PAGE_SIZE, TDVMCALL_INVALID_OPERAND}, /* a firmware is there */
    };
    uint64_t next;

    start();
    for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
        CU_ASSERT_EQUAL(tdx_map_gpa(vm, bad[i].gpa, bad[i].size, &next), bad[i].answer);
        CU_ASSERT_EQUAL(tdx_map_gpa(vm, bad[i].gpa | TDX_SHARED, bad[i].size, &next),
                        bad[i].answer);
    }
    finish();
}

static void where_no_memory_is_it_is_shared_and_nothing_else(void)
{
    static const uint64_t where[] = {MEMORY, GiB(4), TDX_SHARED - PAGE_SIZE};
    uint64_t next;

    start();
    for (unsigned int i = 0; i < ARRAY_SIZE(where); i++) {
        CU_ASSERT_EQUAL(tdx_map_gpa(vm, where[i], PAGE_SIZE, &next), TDVMCALL_INVALID_OPERAND);
        CU_ASSERT_EQUAL(tdx_map_gpa(vm, where[i] | TDX_SHARED, PAGE_SIZE, &next),
                        TDVMCALL_SUCCESS);
        CU_ASSERT_EQUAL(next, (where[i] | TDX_SHARED) + PAGE_SIZE);
    }
    finish();
}

static void a_rom_is_a_blank_page_to_who_looks_for_it_in_shared_memory(void)
{
    start();
    set_shared_ept();
    CU_ASSERT_EQUAL(run(touch, 0xc0000 | TDX_SHARED, 0), hva_to_pa(s.blank).v);
    CU_ASSERT_EQUAL(run(accept, 0xc0000, TDX_4K), TDX_SUCCESS);
    CU_ASSERT_EQUAL(run(touch, 0xc0000, 0), host_page(0xc0000).v);
    finish();
}

/* Whichever call fails, and whatever the TD does then: all comes back. */
static void any_call_may_fail(void)
{
    unsigned int n = 0, calls;

    do {
        start();
        set_shared_ept();
        emu_tdx_fault_reset();
        emu_tdx_fail_nth(++n, tdx_error(TDX_OPERAND_INVALID, TDX_RCX));
        (void)run(accept, GPA, TDX_2M);
        (void)run(accept, GPA + SIZE_2M, TDX_4K);
        (void)share(GPA + KiB(64), KiB(8));
        (void)run(touch, (GPA + KiB(64)) | TDX_SHARED, 0);
        (void)unshare(GPA + KiB(64), KiB(8));
        (void)run(accept, GPA + KiB(64), TDX_4K);
        (void)share(GPA + KiB(48), KiB(48));
        CU_ASSERT(tdx_pages_agree());
        calls = emu_tdx_calls();
        emu_tdx_fault_reset();
        finish();
    } while (calls >= n);
    CU_ASSERT(n > 30);
}

static const struct cu_test tests[] = {
    CU(what_is_accepted_whole_is_one_big_page),
    CU(a_small_page_is_all_that_comes_when_it_is_all_that_is_accepted),
    CU(what_is_touched_and_not_accepted_ends_it),
    CU(a_page_that_is_blocked_for_a_moment_is_tried_again),
    CU(a_part_of_a_big_page_becomes_shared_and_private_again),
    CU(a_part_that_the_hypervisor_has_no_table_for_stays_private),
    CU(accepting_what_is_shared_takes_it_back),
    CU(big_conversions_come_in_steps),
    CU(what_the_td_has_and_no_table_maps_is_converted_all_the_same),
    CU(what_cannot_be_converted_is_refused),
    CU(where_no_memory_is_it_is_shared_and_nothing_else),
    CU(a_rom_is_a_blank_page_to_who_looks_for_it_in_shared_memory),
    CU(any_call_may_fail),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("tdxdrv_mem", tests, argc, argv);
}
