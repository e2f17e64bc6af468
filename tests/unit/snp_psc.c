/* Lists of page state changes (GHCB 4.1.6): as many in one exit as a list has room for. */
#include "cu.h"
#include "snp_attack.h"

#include "hv/page.h"

#include <stdio.h>
#include <string.h>

#define FIRST SIZE_2M /* the GHCB lies before it */

static uint64_t entries[PSC_ENTRIES_MAX];
static unsigned int conversions;

static void fill(unsigned int op, bool large)
{
    uint64_t size = large ? SIZE_2M : PAGE_SIZE;

    for (unsigned int i = 0; i < PSC_ENTRIES_MAX; i++) {
        entries[i] = (FIRST + i * size) | (uint64_t)op << 52 | (uint64_t)large << 56;
    }
}

static unsigned int shared_of(struct vm *vm, uint64_t size)
{
    unsigned int n = 0;

    for (unsigned int i = 0; i < PSC_ENTRIES_MAX; i++) {
        n += vm->ops->shared(vm, snp_pa(vm, FIRST + i * size));
    }
    return n;
}

static void converts_all(struct vcpu *who, unsigned int op, bool large)
{
    uint64_t before = snp_of(who->vm)->conversions;
    unsigned int cur;

    fill(op, large);
    CU_ASSERT_EQUAL(snp_psc(who, entries, PSC_ENTRIES_MAX, &cur), 0);
    CU_ASSERT_EQUAL(cur, PSC_ENTRIES_MAX);
    CU_ASSERT_EQUAL(shared_of(who->vm, large ? SIZE_2M : PAGE_SIZE),
                    op == PSC_SHARED ? PSC_ENTRIES_MAX : 0);
    conversions = (unsigned int)(snp_of(who->vm)->conversions - before);
    CU_ASSERT_EQUAL(conversions, PSC_ENTRIES_MAX * (large ? SIZE_2M / PAGE_SIZE : 1));
}

static void one_exit_converts_253_pages(void)
{
    attack_begin();
    converts_all(v, PSC_PRIVATE, false);
    converts_all(v, PSC_SHARED, false);
    converts_all(v, PSC_PRIVATE, false);
    fprintf(stderr, "%u conversions in one exit\n", conversions);
    attack_end();
}

static void one_exit_converts_253_pages_of_2_mib(void)
{
    struct domain_config cfg = snp_config(CC_SEV_SNP, MiB(512), 1);
    struct vm *vm = NULL;

    snp_boot(MiB(640));
    CU_ASSERT_EQUAL_FATAL(vm_create(&cfg, &vm), ABI_OK);
    CU_ASSERT_EQUAL_FATAL(vm_launch(vm, snp_layout(CC_SEV_SNP)), ABI_OK);
    snp_ghcb_register(vm->vcpu[0], GHCB_AT);
    converts_all(vm->vcpu[0], PSC_PRIVATE, true);
    CU_ASSERT(snp_is_large(snp_pa(vm, FIRST + (PSC_ENTRIES_MAX - 1) * SIZE_2M)));
    fprintf(stderr, "%u pages' worth in one exit\n", conversions);
    snp_drop(vm);
    core_done();
    CU_ASSERT_EQUAL(snp_pages_kept(), 0);
}

/* The entry that stopped it is put right; the guest asks again with the header as it found it. */
static void a_list_that_stopped_goes_on_from_its_cursor(void)
{
    struct psc_header *h;
    uint64_t *list;
    unsigned int cur;

    attack_begin();
    fill(PSC_PRIVATE, false);
    entries[100] = FIRST | 3ull << 52;
    CU_ASSERT_EQUAL(snp_psc(v, entries, PSC_ENTRIES_MAX, &cur), PSC_BAD_ENTRY);
    CU_ASSERT_EQUAL(cur, 100);
    CU_ASSERT_EQUAL(shared_of(bad, PAGE_SIZE), PSC_ENTRIES_MAX - 100);
    h = (void *)((uint8_t *)snp_ram(bad, GHCB_AT) + GHCB_SHARED_BUFFER);
    list = (uint64_t *)(h + 1);
    list[0] = FIRST | (uint64_t)PSC_SHARED << 52; /* is done: nobody looks at it */
    list[100] = (FIRST + 100 * PAGE_SIZE) | (uint64_t)PSC_PRIVATE << 52;
    snp_event(v, NAE_PSC, 0, 0);
    CU_ASSERT_EQUAL(snp_ghcb(v)->info2, 0);
    CU_ASSERT_EQUAL(h->cur, PSC_ENTRIES_MAX);
    CU_ASSERT_EQUAL(shared_of(bad, PAGE_SIZE), 0);
    attack_end();
}

/* A page in the middle is registered as a buffer; when it is not any more, the rest follows. */
static void an_entry_that_stopped_in_the_middle_goes_on_from_there(void)
{
    const uint64_t large = FIRST | BIT(56), kept = FIRST + 300 * PAGE_SIZE;
    const uint64_t *list;
    unsigned int cur;

    attack_begin();
    list = (void *)((uint8_t *)snp_ram(bad, GHCB_AT) + GHCB_SHARED_BUFFER + 8);
    entries[0] = large | (uint64_t)PSC_SHARED << 52;
    CU_ASSERT_EQUAL_FATAL(snp_psc(v, entries, 1, &cur), 0);
    CU_ASSERT_EQUAL_FATAL(vm_mem_pin(bad, gpa(kept), PAGE_SIZE), ABI_OK);
    entries[0] = FIRST | (uint64_t)PSC_SHARED << 52;
    entries[1] = large | (uint64_t)PSC_PRIVATE << 52;
    CU_ASSERT_EQUAL(snp_psc(v, entries, 2, &cur), PSC_GENERIC);
    CU_ASSERT_EQUAL(cur, 1);
    CU_ASSERT_EQUAL(list[0], entries[0]);
    CU_ASSERT_EQUAL(list[1], entries[1] | 300);
    CU_ASSERT_FALSE(bad->ops->shared(bad, snp_pa(bad, kept - PAGE_SIZE)));
    CU_ASSERT_TRUE(bad->ops->shared(bad, snp_pa(bad, kept)));
    vm_mem_unpin(bad, gpa(kept), PAGE_SIZE);
    CU_ASSERT_TRUE(snp_psc_one(bad, FIRST >> PAGE_SHIFT, PSC_SHARED)); /* done: not looked at */
    snp_event(v, NAE_PSC, 0, 0);
    CU_ASSERT_EQUAL(snp_ghcb(v)->info2, 0);
    CU_ASSERT_TRUE(bad->ops->shared(bad, snp_pa(bad, FIRST)));
    CU_ASSERT_FALSE(bad->ops->shared(bad, snp_pa(bad, kept)));
    CU_ASSERT_FALSE(bad->ops->shared(bad, snp_pa(bad, FIRST + SIZE_2M - PAGE_SIZE)));
    attack_end();
}

/* It comes back into the hypervisor's own mappings, which have the 2 MiB as one. */
static void a_page_that_the_hypervisor_has_no_table_for_stays_private(void)
{
    unsigned int cur;

    attack_begin();
    entries[0] = FIRST | BIT(56) | (uint64_t)PSC_SHARED << 52;
    entries[1] = FIRST | BIT(56) | (uint64_t)PSC_PRIVATE << 52;
    CU_ASSERT_EQUAL(snp_psc(v, entries, 2, &cur), 0);
    CU_ASSERT_FATAL(snp_is_large(snp_pa(bad, FIRST)));
    entries[0] = (FIRST + PAGE_SIZE) | (uint64_t)PSC_SHARED << 52;
    fake_map_is_full = true;
    CU_ASSERT_EQUAL(snp_psc(v, entries, 1, &cur), PSC_GENERIC);
    fake_map_is_full = false;
    CU_ASSERT_EQUAL(cur, 0);
    CU_ASSERT(snp_is_large(snp_pa(bad, FIRST)));
    CU_ASSERT_FALSE(bad->ops->shared(bad, snp_pa(bad, FIRST + PAGE_SIZE)));
    CU_ASSERT_EQUAL(snp_psc(v, entries, 1, &cur), 0);
    CU_ASSERT(bad->ops->shared(bad, snp_pa(bad, FIRST + PAGE_SIZE)));
    fake_map_is_full = true; /* the tables are there by now, for the guest's end as well */
    entries[0] = (FIRST + 2 * PAGE_SIZE) | (uint64_t)PSC_SHARED << 52;
    CU_ASSERT_EQUAL(snp_psc(v, entries, 1, &cur), 0);
    attack_end();
    fake_map_is_full = false;
}

int main(int argc, char **argv)
{
    static const struct cu_test tests[] = {
        CU(one_exit_converts_253_pages),
        CU(one_exit_converts_253_pages_of_2_mib),
        CU(a_list_that_stopped_goes_on_from_its_cursor),
        CU(an_entry_that_stopped_in_the_middle_goes_on_from_there),
        CU(a_page_that_the_hypervisor_has_no_table_for_stays_private),
        CU_END,
    };

    return cu_main("snp_psc", tests, argc, argv);
}
