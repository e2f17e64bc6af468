/* The emulated RMP: APM Vol. 2, 15.36; Vol. 3, RMPUPDATE, PSMASH, PVALIDATE, RMPADJUST. */
#include "cu.h"
#include "emu_host.h"

#include <string.h>

#define GPA  0x12345000ull
#define GPA2 0x40000000ull

static struct emu_rmp entry(uint64_t at)
{
    struct emu_rmp e;

    CU_ASSERT_FATAL(emu_rmp_get(pa(at), &e));
    return e;
}

static uint32_t release(uint64_t at, unsigned int size)
{
    const struct rmp_entry e = {.page_size = size};

    return emu_rmpupdate(pa(at), &e);
}

/* A page that guest 1 validated. */
static uint64_t valid_page(void)
{
    uint64_t at = host_page(RMP_4K);
    bool changed;

    CU_ASSERT_EQUAL_FATAL(host_assign(at, RMP_4K, GPA, 1, false), RMP_OK);
    CU_ASSERT_EQUAL_FATAL(emu_pvalidate(pa(at), GPA, 1, 0, RMP_4K, true, &changed), RMP_OK);
    CU_ASSERT_FATAL(changed);
    return at;
}

static uint32_t validate(uint64_t at, uint64_t gpa, uint32_t asid, unsigned int size)
{
    bool changed;

    return emu_pvalidate(pa(at), gpa, asid, 0, size, true, &changed);
}

static void a_page_starts_as_the_hypervisors(void)
{
    struct emu_rmp e;

    emu_host_reset();
    e = entry(host_page(RMP_4K));
    CU_ASSERT(!e.assigned && !e.validated && !e.immutable && !e.vmsa && e.asid == 0);
    CU_ASSERT(!emu_rmp_get(pa(HOST_MEMORY), &e));
}

static void rmpupdate_assigns_and_takes_back(void)
{
    uint64_t at;
    struct emu_rmp e;

    emu_host_reset();
    at = host_page(RMP_4K);
    CU_ASSERT_EQUAL(host_assign(at, RMP_4K, GPA, 3, false), RMP_OK);
    e = entry(at);
    CU_ASSERT(e.assigned && !e.validated && !e.immutable && e.asid == 3 && e.gpa == GPA);
    CU_ASSERT(e.perms[0] == EMU_PERM_ALL && e.perms[1] == 0 && e.perms[3] == 0);
    CU_ASSERT_EQUAL(release(at, RMP_4K), RMP_OK);
    e = entry(at);
    CU_ASSERT(!e.assigned && e.asid == 0 && e.gpa == 0);
}

static void rmpupdate_refuses_malformed_input(void)
{
    struct rmp_entry e = {.gpa = GPA, .assigned = 1, .asid = 1};
    uint64_t at;

    emu_host_reset();
    at = host_page(RMP_2M);
#define REFUSED(change)                                                                            \
    do {                                                                                           \
        struct rmp_entry bad = e;                                                                  \
        change;                                                                                    \
        CU_ASSERT_EQUAL(emu_rmpupdate(pa(at), &bad), RMP_FAIL_INPUT);                              \
    } while (0)
    REFUSED(bad.reserved = 1);
    REFUSED(bad.assigned = 2);
    REFUSED(bad.immutable = 2);
    REFUSED(bad.page_size = 2);
    REFUSED(bad.gpa |= 1);
    REFUSED(bad.gpa = 1ull << 52);
    REFUSED(bad.page_size = RMP_2M); /* GPA is not aligned to 2 MiB */
    REFUSED(bad.asid = EMU_SNP_ASIDS + 1);
    REFUSED(bad.assigned = 0); /* a hypervisor page with an ASID */
#undef REFUSED
    CU_ASSERT_EQUAL(emu_rmpupdate(pa(at + 1), &e), RMP_FAIL_INPUT);
    CU_ASSERT_EQUAL(emu_rmpupdate(pa(HOST_MEMORY), &e), RMP_FAIL_INPUT);
    CU_ASSERT_EQUAL(emu_rmpupdate(pa(~0ull & PAGE_MASK), &e), RMP_FAIL_INPUT);
    CU_ASSERT_EQUAL(host_assign(at + PAGE_SIZE, RMP_2M, GPA2, 1, false), RMP_FAIL_INPUT);
    CU_ASSERT(!entry(at).assigned);
}

static void nothing_works_before_snp_is_enabled(void)
{
    uint64_t at;

    emu_host_reset();
    at = host_page(RMP_4K);
    emu_rmp_disable();
    CU_ASSERT_EQUAL(host_assign(at, RMP_4K, GPA, 1, false), RMP_FAIL_INPUT);
    CU_ASSERT_EQUAL(emu_psmash(pa(host_page(RMP_2M))), RMP_FAIL_INPUT);
    CU_ASSERT_EQUAL(validate(at, GPA, 1, RMP_4K), RMP_FAIL_INPUT);
    CU_ASSERT(!emu_rmp_use(pa(at), 1));
}

static void an_immutable_page_is_out_of_rmpupdates_reach(void)
{
    uint64_t at, big;

    emu_host_reset();
    at = host_firmware_page();
    CU_ASSERT_EQUAL(release(at, RMP_4K), RMP_FAIL_PERMISSION);
    CU_ASSERT_EQUAL(host_assign(at, RMP_4K, GPA, 1, false), RMP_FAIL_PERMISSION);
    big = host_page(RMP_2M);
    CU_ASSERT_EQUAL(host_assign(big + 5 * PAGE_SIZE, RMP_4K, GPA, 1, true), RMP_OK);
    CU_ASSERT_EQUAL(host_assign(big, RMP_2M, GPA2, 1, false), RMP_FAIL_PERMISSION);
    CU_ASSERT(entry(at).immutable && !entry(big).assigned);
}

static void pages_of_two_sizes_do_not_overlap(void)
{
    uint64_t at;

    emu_host_reset();
    at = host_page(RMP_2M);
    CU_ASSERT_EQUAL(host_assign(at + 7 * PAGE_SIZE, RMP_4K, GPA, 1, false), RMP_OK);
    CU_ASSERT_EQUAL(host_assign(at, RMP_2M, GPA2, 1, false), RMP_FAIL_OVERLAP);
    CU_ASSERT_EQUAL(release(at + 7 * PAGE_SIZE, RMP_4K), RMP_OK);
    CU_ASSERT_EQUAL(host_assign(at, RMP_2M, GPA2, 1, false), RMP_OK);
    CU_ASSERT_EQUAL(host_assign(at + 7 * PAGE_SIZE, RMP_4K, GPA, 1, false), RMP_FAIL_OVERLAP);
    CU_ASSERT_EQUAL(release(at, RMP_4K), RMP_FAIL_OVERLAP);
    CU_ASSERT_EQUAL(release(at, RMP_2M), RMP_OK);
    CU_ASSERT_EQUAL(host_assign(at + 7 * PAGE_SIZE, RMP_4K, GPA, 1, false), RMP_OK);
}

static void a_large_page_is_seen_through_each_of_its_parts(void)
{
    uint64_t at;
    struct emu_rmp e;

    emu_host_reset();
    at = host_page(RMP_2M);
    CU_ASSERT_EQUAL(host_assign(at, RMP_2M, GPA2, 2, false), RMP_OK);
    e = entry(at + SIZE_2M - PAGE_SIZE);
    CU_ASSERT(e.assigned && e.page_size == RMP_2M && e.gpa == GPA2 && e.asid == 2);
    CU_ASSERT(!entry(at + SIZE_2M).assigned);
}

static void psmash_makes_512_pages_of_one(void)
{
    uint64_t at;
    bool changed;

    emu_host_reset();
    at = host_page(RMP_2M);
    CU_ASSERT_EQUAL(host_assign(at, RMP_2M, GPA2, 2, false), RMP_OK);
    CU_ASSERT_EQUAL(emu_pvalidate(pa(at), GPA2, 2, 0, RMP_2M, true, &changed), RMP_OK);
    CU_ASSERT_EQUAL(emu_psmash(pa(at)), RMP_OK);
    for (uint64_t i = 0; i < 512; i++) {
        struct emu_rmp e = entry(at + i * PAGE_SIZE);

        CU_ASSERT(e.assigned && e.validated && e.page_size == RMP_4K && e.asid == 2);
        CU_ASSERT(e.gpa == GPA2 + i * PAGE_SIZE && e.perms[0] == EMU_PERM_ALL);
    }
    CU_ASSERT_EQUAL(release(at + PAGE_SIZE, RMP_4K), RMP_OK);
    CU_ASSERT(entry(at).assigned && !entry(at + PAGE_SIZE).assigned);
}

static void psmash_refuses_what_is_no_large_page(void)
{
    uint64_t at;

    emu_host_reset();
    at = host_page(RMP_2M);
    CU_ASSERT_EQUAL(emu_psmash(pa(at)), RMP_FAIL_INPUT);
    CU_ASSERT_EQUAL(emu_psmash(pa(at + PAGE_SIZE)), RMP_FAIL_INPUT);
    CU_ASSERT_EQUAL(emu_psmash(pa(HOST_MEMORY)), RMP_FAIL_INPUT);
    CU_ASSERT_EQUAL(host_assign(at, RMP_4K, GPA, 1, false), RMP_OK);
    CU_ASSERT_EQUAL(emu_psmash(pa(at)), RMP_FAIL_INPUT);
    at = host_page(RMP_2M);
    CU_ASSERT_EQUAL(host_assign(at, RMP_2M, GPA2, 1, true), RMP_OK);
    CU_ASSERT_EQUAL(emu_psmash(pa(at)), RMP_FAIL_PERMISSION);
}

static void pvalidate_tells_whether_it_changed_something(void)
{
    uint64_t at;
    bool changed;

    emu_host_reset();
    at = valid_page();
    CU_ASSERT(entry(at).validated);
    CU_ASSERT_EQUAL(emu_pvalidate(pa(at), GPA, 1, 0, RMP_4K, true, &changed), RMP_OK);
    CU_ASSERT(!changed);
    CU_ASSERT_EQUAL(emu_pvalidate(pa(at), GPA, 1, 0, RMP_4K, false, &changed), RMP_OK);
    CU_ASSERT(changed && !entry(at).validated);
    CU_ASSERT_EQUAL(host_forgotten.calls, 2); /* the assignment, and this */
}

static void pvalidate_needs_the_guests_own_page_at_its_own_address(void)
{
    uint64_t at;

    emu_host_reset();
    at = host_page(RMP_4K);
    CU_ASSERT_EQUAL(validate(at, GPA, 1, RMP_4K), EMU_RMP_FAULT); /* the hypervisor's */
    CU_ASSERT_EQUAL(host_assign(at, RMP_4K, GPA, 1, false), RMP_OK);
    CU_ASSERT_EQUAL(validate(at, GPA, 2, RMP_4K), EMU_RMP_FAULT);
    CU_ASSERT_EQUAL(validate(at, GPA + PAGE_SIZE, 1, RMP_4K), EMU_RMP_FAULT);
    CU_ASSERT_EQUAL(validate(at, GPA + 1, 1, RMP_4K), RMP_FAIL_INPUT);
    CU_ASSERT_EQUAL(validate(at, GPA, 0, RMP_4K), RMP_FAIL_INPUT);
    CU_ASSERT_EQUAL(validate(at, GPA, 1, 2), RMP_FAIL_INPUT);
    CU_ASSERT_EQUAL(validate(HOST_MEMORY, GPA, 1, RMP_4K), RMP_FAIL_INPUT);
    CU_ASSERT(!entry(at).validated);
}

static void pvalidate_is_vmpl_0s(void)
{
    uint64_t at;
    bool changed = true;

    emu_host_reset();
    at = host_page(RMP_4K);
    CU_ASSERT_EQUAL(host_assign(at, RMP_4K, GPA, 1, false), RMP_OK);
    CU_ASSERT_EQUAL(emu_pvalidate(pa(at), GPA, 1, 1, RMP_4K, true, &changed), RMP_FAIL_PERMISSION);
    CU_ASSERT(!changed && !entry(at).validated);
}

static void pvalidate_minds_the_page_size(void)
{
    uint64_t at;
    bool changed;

    emu_host_reset();
    at = host_page(RMP_2M);
    CU_ASSERT_EQUAL(host_assign(at, RMP_4K, GPA2, 1, false), RMP_OK);
    CU_ASSERT_EQUAL(validate(at, GPA2, 1, RMP_2M), RMP_FAIL_SIZEMISMATCH);
    at = host_page(RMP_2M);
    CU_ASSERT_EQUAL(host_assign(at, RMP_2M, GPA2, 1, false), RMP_OK);
    CU_ASSERT_EQUAL(validate(at + PAGE_SIZE, GPA2 + PAGE_SIZE, 1, RMP_4K), EMU_RMP_FAULT_SIZE);
    CU_ASSERT_EQUAL(emu_pvalidate(pa(at), GPA2, 1, 0, RMP_2M, true, &changed), RMP_OK);
    CU_ASSERT(changed && entry(at + PAGE_SIZE).validated);
}

static void a_remapped_page_is_not_validated_again(void)
{
    uint64_t at;

    emu_host_reset();
    at = valid_page();
    CU_ASSERT_EQUAL(host_assign(at, RMP_4K, GPA, 1, false), RMP_OK); /* even the same way */
    CU_ASSERT(!entry(at).validated);
    CU_ASSERT_EQUAL(validate(host_page(RMP_4K), GPA, 1, RMP_4K), EMU_RMP_FAULT);
}

static uint32_t adjust(uint64_t at, unsigned int vmpl, unsigned int target, uint8_t perms,
                       bool vmsa)
{
    return emu_rmpadjust(pa(at), GPA, 1, vmpl, RMP_4K, target, perms, vmsa);
}

static void rmpadjust_gives_no_more_than_one_has(void)
{
    uint64_t at;

    emu_host_reset();
    at = valid_page();
    CU_ASSERT_EQUAL(adjust(at, 0, 1, 3, false), RMP_OK);
    CU_ASSERT_EQUAL(entry(at).perms[1], 3);
    CU_ASSERT_EQUAL(adjust(at, 1, 2, 1, false), RMP_OK);
    CU_ASSERT_EQUAL(entry(at).perms[2], 1);
    CU_ASSERT_EQUAL(adjust(at, 1, 2, 5, false), RMP_FAIL_PERMISSION);
    CU_ASSERT_EQUAL(adjust(at, 1, 1, 0, false), RMP_FAIL_PERMISSION);
    CU_ASSERT_EQUAL(adjust(at, 2, 1, 0, false), RMP_FAIL_PERMISSION);
    CU_ASSERT_EQUAL(adjust(at, 1, 2, 1, true), RMP_FAIL_PERMISSION);
    CU_ASSERT_EQUAL(adjust(at, 0, 1, 0x10, false), RMP_FAIL_INPUT);
    CU_ASSERT_EQUAL(adjust(at, 0, 4, 0, false), RMP_FAIL_INPUT);
    CU_ASSERT_EQUAL(entry(at).perms[1], 3);
}

static uint32_t touch(uint64_t at, unsigned int vmpl, uint8_t need)
{
    const struct emu_touch t = {GPA, 1, true, (uint8_t)vmpl, need};
    struct emu_rmp e;

    return emu_rmp_access(pa(at), &t, &e);
}

static void a_vmpl_has_the_rights_that_it_was_given(void)
{
    uint64_t at;

    emu_host_reset();
    at = host_page(RMP_4K);
    CU_ASSERT_EQUAL(host_assign(at, RMP_4K, GPA, 1, false), RMP_OK);
    CU_ASSERT_EQUAL(touch(at, 1, EMU_PERM_READ), EMU_RMP_UNVALIDATED); /* that comes first */
    CU_ASSERT_EQUAL(validate(at, GPA, 1, RMP_4K), RMP_OK);
    for (unsigned int need = 1; need <= EMU_PERM_ALL; need++) {
        CU_ASSERT_EQUAL(touch(at, 0, (uint8_t)need), RMP_OK);
        CU_ASSERT_EQUAL(touch(at, 1, (uint8_t)need), EMU_RMP_FAULT_VMPL);
    }
    for (unsigned int given = 0; given <= EMU_PERM_ALL; given++) {
        CU_ASSERT_EQUAL(adjust(at, 0, 2, (uint8_t)given, false), RMP_OK);
        for (unsigned int need = 1; need <= EMU_PERM_ALL; need++) {
            CU_ASSERT_EQUAL(touch(at, 2, (uint8_t)need),
                            (need & ~given) != 0 ? EMU_RMP_FAULT_VMPL : RMP_OK);
            CU_ASSERT_EQUAL(touch(at, 3, (uint8_t)need), EMU_RMP_FAULT_VMPL);
        }
    }
    CU_ASSERT_EQUAL(host_assign(at, RMP_4K, GPA, 1, false), RMP_OK); /* away, and back */
    CU_ASSERT_EQUAL(validate(at, GPA, 1, RMP_4K), RMP_OK);
    CU_ASSERT_EQUAL(touch(at, 2, EMU_PERM_READ), EMU_RMP_FAULT_VMPL);
}

static void rmpadjust_needs_a_validated_page(void)
{
    uint64_t at;

    emu_host_reset();
    at = host_page(RMP_4K);
    CU_ASSERT_EQUAL(adjust(at, 0, 1, 0, false), EMU_RMP_FAULT);
    CU_ASSERT_EQUAL(host_assign(at, RMP_4K, GPA, 1, false), RMP_OK);
    CU_ASSERT_EQUAL(adjust(at, 0, 1, 0, false), EMU_RMP_UNVALIDATED);
    CU_ASSERT_EQUAL(emu_rmpadjust(pa(at), GPA2, 1, 0, RMP_2M, 1, 0, false), RMP_FAIL_INPUT);
}

static void a_vmsa_is_made_and_unmade_by_vmpl_0(void)
{
    uint64_t at, big;
    bool changed;

    emu_host_reset();
    at = valid_page();
    CU_ASSERT(!emu_rmp_use(pa(at), 1));
    CU_ASSERT_EQUAL(adjust(at, 0, 1, 0, true), RMP_OK);
    CU_ASSERT(entry(at).vmsa);
    CU_ASSERT_EQUAL(emu_pvalidate(pa(at), GPA, 1, 0, RMP_4K, false, &changed), RMP_FAIL_INPUT);
    CU_ASSERT(emu_rmp_use(pa(at), 1));
    CU_ASSERT(!emu_rmp_use(pa(at), 1));
    CU_ASSERT_EQUAL(adjust(at, 0, 1, 0, false), RMP_FAIL_INUSE);
    CU_ASSERT_EQUAL(release(at, RMP_4K), RMP_FAIL_INUSE);
    emu_rmp_unuse(pa(at));
    ASSERT_PANICS(emu_rmp_unuse(pa(at)));
    emu_host_reset();
    big = host_page(RMP_2M);
    CU_ASSERT_EQUAL(host_assign(big, RMP_2M, GPA2, 1, false), RMP_OK);
    CU_ASSERT_EQUAL(validate(big, GPA2, 1, RMP_2M), RMP_OK);
    CU_ASSERT_EQUAL(emu_rmpadjust(pa(big), GPA2, 1, 0, RMP_2M, 1, 0, true), RMP_FAIL_INPUT);
}

static void the_core_hears_of_a_save_area_that_is_none_any_more(void)
{
    uint64_t at;

    emu_host_reset();
    at = valid_page();
    CU_ASSERT_EQUAL(adjust(at, 0, 1, 0, true), RMP_OK);
    CU_ASSERT_EQUAL(adjust(at, 0, 1, 1, true), RMP_OK);
    CU_ASSERT_EQUAL(host_forgotten_vmsa, 0);
    CU_ASSERT_EQUAL(adjust(at, 0, 1, 0, false), RMP_OK);
    CU_ASSERT_EQUAL(host_forgotten_vmsa, at);
    host_forgotten_vmsa = 0;
    CU_ASSERT_EQUAL(adjust(at, 0, 1, 0, true), RMP_OK);
    CU_ASSERT_EQUAL(release(at, RMP_4K), RMP_OK);
    CU_ASSERT_EQUAL(host_forgotten_vmsa, at);
}

static void vmrun_takes_only_that_guests_vmsa(void)
{
    uint64_t at;

    emu_host_reset();
    at = valid_page();
    CU_ASSERT_EQUAL(adjust(at, 0, 1, 0, true), RMP_OK);
    CU_ASSERT(!emu_rmp_use(pa(at), 2));
    CU_ASSERT(!emu_rmp_use(pa(at + 8), 1));
    CU_ASSERT(!emu_rmp_use(pa(HOST_MEMORY), 1));
    CU_ASSERT_EQUAL(adjust(at, 0, 1, 0, false), RMP_OK);
    CU_ASSERT(!emu_rmp_use(pa(at), 1));
}

static uint64_t contested;
static uint32_t seen_update, seen_validate, seen_adjust;
static bool seen_assigned;

static void look_while_busy(void)
{
    seen_update = release(contested, RMP_4K);
    seen_validate = validate(contested, GPA, 1, RMP_4K);
    seen_adjust = adjust(contested, 0, 1, 0, false);
    seen_assigned = entry(contested).assigned;
}

static void a_page_being_taken_is_in_use_until_translations_are_forgotten(void)
{
    emu_host_reset();
    contested = valid_page();
    host_during_forget = look_while_busy;
    CU_ASSERT_EQUAL(release(contested, RMP_4K), RMP_OK);
    CU_ASSERT_EQUAL(seen_update, RMP_FAIL_INUSE);
    CU_ASSERT_EQUAL(seen_validate, EMU_RMP_AGAIN);
    CU_ASSERT_EQUAL(seen_adjust, EMU_RMP_AGAIN);
    CU_ASSERT(!seen_assigned); /* the new state is what a page walk finds */
    CU_ASSERT_EQUAL(host_forgotten.asid, 1);
    CU_ASSERT_EQUAL(host_forgotten.gpa, GPA);
    CU_ASSERT_EQUAL(host_forgotten.size, PAGE_SIZE);
    CU_ASSERT_EQUAL(release(contested, RMP_4K), RMP_OK);
}

static void grab_a_part(void)
{
    seen_update = host_assign(contested + 9 * PAGE_SIZE, RMP_4K, GPA, 2, false);
}

static void no_part_of_a_large_page_changes_hands_before_the_whole_is_forgotten(void)
{
    emu_host_reset();
    contested = host_page(RMP_2M);
    CU_ASSERT_EQUAL(host_assign(contested, RMP_2M, GPA2, 1, false), RMP_OK);
    host_during_forget = grab_a_part;
    CU_ASSERT_EQUAL(release(contested, RMP_2M), RMP_OK);
    CU_ASSERT_EQUAL(seen_update, RMP_FAIL_INUSE);
    grab_a_part();
    CU_ASSERT_EQUAL(seen_update, RMP_OK);
}

static void moving_a_page_between_guests_forgets_both_names(void)
{
    uint64_t at;
    unsigned int calls;

    emu_host_reset();
    at = valid_page();
    calls = host_forgotten.calls;
    CU_ASSERT_EQUAL(host_assign(at, RMP_4K, GPA2, 2, false), RMP_OK);
    CU_ASSERT_EQUAL(host_forgotten.calls, calls + 2);
    CU_ASSERT_EQUAL(host_forgotten.asid, 2);
    calls = host_forgotten.calls;
    CU_ASSERT_EQUAL(release(at, RMP_4K), RMP_OK);
    CU_ASSERT_EQUAL(release(at, RMP_4K), RMP_OK); /* nobody's page: nothing to forget */
    CU_ASSERT_EQUAL(host_forgotten.calls, calls + 1);
}

static void the_nth_rmpupdate_can_be_made_to_fail(void)
{
    uint64_t at;

    emu_host_reset();
    at = host_page(RMP_4K);
    emu_rmpupdate_fail_nth(2, RMP_FAIL_OVERLAP);
    CU_ASSERT_EQUAL(host_assign(at, RMP_4K, GPA, 1, false), RMP_OK);
    CU_ASSERT_EQUAL(release(at, RMP_4K), RMP_FAIL_OVERLAP);
    CU_ASSERT(entry(at).assigned);
    CU_ASSERT_EQUAL(release(at, RMP_4K), RMP_OK);
}

static const struct cu_test tests[] = {
    CU(a_page_starts_as_the_hypervisors),
    CU(rmpupdate_assigns_and_takes_back),
    CU(rmpupdate_refuses_malformed_input),
    CU(nothing_works_before_snp_is_enabled),
    CU(an_immutable_page_is_out_of_rmpupdates_reach),
    CU(pages_of_two_sizes_do_not_overlap),
    CU(a_large_page_is_seen_through_each_of_its_parts),
    CU(psmash_makes_512_pages_of_one),
    CU(psmash_refuses_what_is_no_large_page),
    CU(pvalidate_tells_whether_it_changed_something),
    CU(pvalidate_needs_the_guests_own_page_at_its_own_address),
    CU(pvalidate_is_vmpl_0s),
    CU(pvalidate_minds_the_page_size),
    CU(a_remapped_page_is_not_validated_again),
    CU(rmpadjust_gives_no_more_than_one_has),
    CU(a_vmpl_has_the_rights_that_it_was_given),
    CU(rmpadjust_needs_a_validated_page),
    CU(a_vmsa_is_made_and_unmade_by_vmpl_0),
    CU(the_core_hears_of_a_save_area_that_is_none_any_more),
    CU(vmrun_takes_only_that_guests_vmsa),
    CU(a_page_being_taken_is_in_use_until_translations_are_forgotten),
    CU(no_part_of_a_large_page_changes_hands_before_the_whole_is_forgotten),
    CU(moving_a_page_between_guests_forgets_both_names),
    CU(the_nth_rmpupdate_can_be_made_to_fail),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("emu_rmp", tests, argc, argv);
}
