/*
 * The CCA driver's contract, against the test RMM on a host: whichever RMI call or allocation fails
 * while a realm is made, launched or takes a fault, all memory is back when it is destroyed. The
 * cases are those that snp_contract.c has for other technologies.
 */
#include <stdio.h>
#include <string.h>

#include "cca_driver.h"
#include "cu.h"
#include "hv/page.h"

static unsigned int faults;

/* The realm touches the other block; runs; and shares a page that the host then maps. */
static enum abi_status live(void)
{
    enum abi_status st = cca_fault_private(&drv_vm, SIZE_2M + 0x5000);

    st = st == ABI_OK ? cca_fault_private(&drv_vm, 0x1000) : st;
    if (st == ABI_OK) {
        cca_run(&drv_vcpu[0]);
    }
    return st;
}

static void a_realm_lives_and_leaves_nothing_behind(void)
{
    drv_reset();
    CU_ASSERT_EQUAL(drv_launch(), ABI_OK);
    CU_ASSERT_EQUAL(live(), ABI_OK);
    CU_ASSERT_FALSE(drv.ended);
    CU_ASSERT(cca_realm_pages() > 512);
    cc_cca_ops.vm_destroy(&drv_vm);
    CU_ASSERT_EQUAL(cca_realm_pages(), 0);
    CU_ASSERT_EQUAL(drv_not_back(), 0);
}

/* Until the first step that fails. */
static enum abi_status whole_life(void)
{
    enum abi_status st = drv_launch();

    return st == ABI_OK ? live() : st;
}

/* The first two calls are the platform's. A launch that misses one of its own has failed. */
static void whichever_call_fails_nothing_is_lost(void)
{
    unsigned int total, launched;

    drv_reset();
    CU_ASSERT_EQUAL(drv_launch(), ABI_OK);
    launched = drv.calls;
    CU_ASSERT_EQUAL(live(), ABI_OK);
    total = drv.calls;
    cc_cca_ops.vm_destroy(&drv_vm);
    for (unsigned int n = 3; n <= total; n++) {
        enum abi_status st;

        drv_reset();
        drv.fail_at = n;
        faults++;
        st = whole_life();
        CU_ASSERT(n > launched || st != ABI_OK || drv.failed == RMI_RTT_FOLD);
        drv.fail_at = 0;
        cc_cca_ops.vm_destroy(&drv_vm);
        if (cca_realm_pages() != 0 || drv_not_back() != 0) {
            printf("call %u: %u pages are the RMM's, %u not back\n", n, cca_realm_pages(),
                   drv_not_back());
            CU_FAIL("a page was lost");
            return;
        }
    }
    CU_ASSERT(launched > 1024 && total > launched + 1024);
}

static void whichever_page_cannot_be_had_nothing_is_lost(void)
{
    unsigned int n = 0;

    do {
        enum abi_status st;

        drv_reset();
        drv.fail_alloc = ++n;
        st = whole_life();
        CU_ASSERT((drv.allocs >= n) == (st != ABI_OK) || !drv.ended);
        cc_cca_ops.vm_destroy(&drv_vm);
        CU_ASSERT_EQUAL_FATAL(cca_realm_pages() + drv_not_back() + drv.lost, 0);
        faults += drv.allocs >= n;
    } while (drv.allocs >= n);
    CU_ASSERT(n > 10);
}

/* Nobody panics (the test would end), and nobody is handed what the RMM has kept. */
static void an_rmm_that_gives_nothing_back_costs_memory_and_no_more(void)
{
    unsigned int total, rollbacks = 0;

    drv_reset();
    CU_ASSERT_EQUAL(drv_launch(), ABI_OK);
    CU_ASSERT_EQUAL(live(), ABI_OK);
    total = drv.calls;
    cc_cca_ops.vm_destroy(&drv_vm);
    for (unsigned int n = 3; n <= total; n++) {
        enum abi_status st;

        drv_reset();
        drv.fail_at = n;
        drv.refuse = RMI_GRANULE_UNDELEGATE;
        faults++;
        st = whole_life();
        rollbacks += drv.refused != 0 && st != ABI_OK;
        CU_ASSERT_EQUAL(drv_exposed(), 0);
        drv.fail_at = 0;
        cc_cca_ops.vm_destroy(&drv_vm);
        CU_ASSERT_EQUAL_FATAL(drv_exposed(), 0);
    }
    CU_ASSERT(rollbacks > 1500);
}

/* A block that comes back page by page after all is shared, as one that came back at once. */
static void an_rmm_that_refuses_once_costs_nothing(void)
{
    drv_reset();
    CU_ASSERT_EQUAL(cc_cca_ops.vm_create(&drv_vm, NULL), ABI_OK);
    drv.fail_at = drv.calls + 300;
    drv.fail_too = drv.calls + 400;
    CU_ASSERT_EQUAL(cca_page_delegate(drv_vm.id, pa(cca_page(RAM_FIRST)), ORDER_2M), ABI_HARDWARE);
    CU_ASSERT_EQUAL(drv.failed, RMI_GRANULE_UNDELEGATE);
    CU_ASSERT_EQUAL(drv_exposed(), 0);
    cc_cca_ops.vm_destroy(&drv_vm);
    CU_ASSERT_EQUAL(drv_not_back(), 0);
}

static const uint8_t *ram(uint64_t ipa)
{
    return cca_bytes(cca_page(RAM_FIRST) + ipa);
}

static void a_launch_puts_the_pieces_in_place_and_nothing_else(void)
{
    drv_reset();
    CU_ASSERT_EQUAL(drv_launch(), ABI_OK);
    CU_ASSERT(ram(IMAGE_AT)[0] == IMAGE_BYTE && ram(IMAGE_AT + PAGE_SIZE)[99] == IMAGE_BYTE);
    CU_ASSERT_EQUAL(ram(IMAGE_AT + 2 * PAGE_SIZE)[PAGE_SIZE - 101], IMAGE_BYTE);
    CU_ASSERT_EQUAL(ram(IMAGE_AT + 2 * PAGE_SIZE)[PAGE_SIZE - 100], 0);
    CU_ASSERT_EQUAL(ram(0)[0] + ram(IMAGE_AT + IMAGE_LEN + PAGE_SIZE)[0], 0);
    cc_cca_ops.vm_destroy(&drv_vm);
}

static void vcpu_0_starts_at_the_layouts_entry_and_the_others_wait(void)
{
    const struct rec *first, *second;

    drv_reset();
    CU_ASSERT_EQUAL(drv_launch(), ABI_OK);
    first = cca_bytes(cca_vcpu_of(&drv_vcpu[0])->rec.v);
    second = cca_bytes(cca_vcpu_of(&drv_vcpu[1])->rec.v);
    CU_ASSERT(first->runnable && first->cpu.pc == IMAGE_AT && first->gprs[0] == 0x77);
    CU_ASSERT(!second->runnable && second->cpu.pc == 0);
    CU_ASSERT_EQUAL(drv_vcpu[0].arch.power, POWER_ON);
    cc_cca_ops.vm_destroy(&drv_vm);
}

static void a_realm_with_more_interrupts_than_list_registers_exits_for_them(void)
{
    drv_reset();
    CU_ASSERT_EQUAL(drv_launch(), ABI_OK);
    cca_run(&drv_vcpu[0]);
    CU_ASSERT_EQUAL(cca_vcpu_of(&drv_vcpu[0])->run->enter.gicv3_hcr, 0);
    drv.more_irqs = true;
    cca_run(&drv_vcpu[0]);
    CU_ASSERT_EQUAL(cca_vcpu_of(&drv_vcpu[0])->run->enter.gicv3_hcr, BIT(1)); /* UIE */
    CU_ASSERT_FALSE(drv.ended);
    cc_cca_ops.vm_destroy(&drv_vm);
}

static void nobody_sees_what_a_former_guest_left(void)
{
    unsigned int left = 0;

    drv_reset();
    CU_ASSERT_EQUAL(drv_launch(), ABI_OK);
    CU_ASSERT_EQUAL(live(), ABI_OK);
    memset(cca_bytes(cca_page(RAM_FIRST + 600)), 0xee, PAGE_SIZE);
    cc_cca_ops.vm_destroy(&drv_vm);
    for (uint64_t i = 0; i < RAM; i += PAGE_SIZE) {
        left += ram(i)[0] != 0 || memcmp(ram(i), ram(i) + 1, PAGE_SIZE - 1) != 0;
    }
    CU_ASSERT_EQUAL(left, 0);
}

static void what_the_rmm_keeps_is_never_handed_out_again(void)
{
    drv_reset();
    CU_ASSERT_EQUAL(drv_launch(), ABI_OK);
    CU_ASSERT_EQUAL(live(), ABI_OK);
    drv.refuse = RMI_GRANULE_UNDELEGATE;
    cc_cca_ops.vm_destroy(&drv_vm);
    CU_ASSERT_EQUAL(drv.lost, 2);
    CU_ASSERT(drv_not_back() >= RAM_PAGES);
}

/* ---- what the realm shares ---- */

#define ESR_SMC (0x17ull << 26)
static struct {
    uint64_t base, top, ripas;
    bool asked;
} wish;

static enum port_exit asks_once(struct rec *rec)
{
    if (wish.asked) {
        return PORT_IRQ;
    }
    wish.asked = true;
    rec->gprs[0] = RSI_IPA_STATE_SET;
    rec->gprs[1] = wish.base;
    rec->gprs[2] = wish.top;
    rec->gprs[3] = wish.ripas;
    rec->gprs[4] = RSI_CHANGE_DESTROYED;
    rec->cpu.esr = ESR_SMC;
    return PORT_SYNC;
}

/* Until the realm has its answer; how far the change went. */
static uint64_t change(uint64_t base, uint64_t top, uint64_t ripas)
{
    const struct rec *rec;

    wish.base = base;
    wish.top = top;
    wish.ripas = ripas;
    wish.asked = false;
    cca_script = asks_once;
    cca_run(&drv_vcpu[0]);
    cca_run(&drv_vcpu[0]);
    cca_script = NULL;
    rec = cca_bytes(cca_vcpu_of(&drv_vcpu[0])->rec.v);
    return rec->gprs[1];
}

static unsigned int realm_pages_of_chunk(unsigned int chunk)
{
    unsigned int n = 0;

    for (unsigned int i = 0; i < 512; i++) {
        n += cca_is_realm(cca_page(RAM_FIRST + chunk * 512 + i));
    }
    return n;
}

static unsigned int level_of(uint64_t ipa)
{
    CU_ASSERT(rmi_ok(rmi(RMI_RTT_READ_ENTRY, cca_of(&drv_vm)->rd.v, ipa, 3, 0)));
    return (unsigned int)cca_last.x[1];
}

static void what_was_never_shared_is_not_mapped_for_the_realm(void)
{
    drv_reset();
    CU_ASSERT_EQUAL(drv_launch(), ABI_OK);
    CU_ASSERT_EQUAL(live(), ABI_OK);
    CU_ASSERT_EQUAL(cca_fault_shared(&drv_vm, CCA_SHARED_BIT | 0x2000), ABI_BAD_STATE);
    CU_ASSERT_EQUAL(cca_fault_shared(&drv_vm, CCA_SHARED_BIT | 0x9000), ABI_BAD_STATE);
    CU_ASSERT_EQUAL(cca_fault_shared(&drv_vm, CCA_SHARED_BIT | RAM), ABI_BAD_ADDRESS);
    cc_cca_ops.vm_destroy(&drv_vm);
    CU_ASSERT_EQUAL(drv_not_back(), 0);
}

static void memory_is_mapped_by_2_mib_until_a_page_of_it_is_shared(void)
{
    drv_reset();
    CU_ASSERT_EQUAL(drv_launch(), ABI_OK);
    CU_ASSERT_EQUAL(live(), ABI_OK);
    CU_ASSERT_EQUAL(level_of(0x2000), 2);
    CU_ASSERT_EQUAL(level_of(SIZE_2M), 2);
    CU_ASSERT_EQUAL(change(SIZE_2M + 0x9000, SIZE_2M + 0xb000, RIPAS_EMPTY), SIZE_2M + 0xb000);
    CU_ASSERT_EQUAL(level_of(SIZE_2M), 3);
    CU_ASSERT_EQUAL(realm_pages_of_chunk(1), 510);
    CU_ASSERT_EQUAL(cca_fault_shared(&drv_vm, CCA_SHARED_BIT | (SIZE_2M + 0x9000)), ABI_OK);
    CU_ASSERT_EQUAL(level_of(CCA_SHARED_BIT | (SIZE_2M + 0x9000)), 3);
    CU_ASSERT_EQUAL(change(SIZE_2M + 0x9000, SIZE_2M + 0xb000, RIPAS_RAM), SIZE_2M + 0xb000);
    CU_ASSERT_EQUAL(cca_fault_shared(&drv_vm, CCA_SHARED_BIT | (SIZE_2M + 0x8000)), ABI_BAD_STATE);
    CU_ASSERT_EQUAL(cca_fault_private(&drv_vm, SIZE_2M + 0x9000), ABI_OK);
    CU_ASSERT_EQUAL(realm_pages_of_chunk(1), 511);
    cc_cca_ops.vm_destroy(&drv_vm);
    CU_ASSERT_EQUAL(drv_not_back() + drv.lost, 0);
}

/* A page comes back into the hypervisor's own mappings, which have it as 2 MiB or as a page. */
static void without_memory_for_smaller_mappings_a_page_stays_with_the_rmm(void)
{
    drv_reset();
    CU_ASSERT_EQUAL(drv_launch(), ABI_OK);
    CU_ASSERT_EQUAL(live(), ABI_OK);
    drv.no_tables = true;
    (void)change(SIZE_2M + 0x9000, SIZE_2M + 0xa000, RIPAS_EMPTY);
    CU_ASSERT_EQUAL(realm_pages_of_chunk(1), 512);
    CU_ASSERT_EQUAL(cca_fault_shared(&drv_vm, CCA_SHARED_BIT | (SIZE_2M + 0x9000)), ABI_BAD_STATE);
    drv.no_tables = false;
    (void)change(SIZE_2M + 0xa000, SIZE_2M + 0xb000, RIPAS_EMPTY);
    CU_ASSERT_EQUAL(realm_pages_of_chunk(1), 511);
    drv.no_tables = true;
    (void)change(SIZE_2M + 0xb000, SIZE_2M + 0xc000, RIPAS_EMPTY); /* they are there by now */
    CU_ASSERT_EQUAL(realm_pages_of_chunk(1), 510);
    cc_cca_ops.vm_destroy(&drv_vm);
    CU_ASSERT_EQUAL(drv_not_back() + drv.lost, 0);
}

static void a_whole_block_is_shared_and_comes_back_as_one(void)
{
    drv_reset();
    CU_ASSERT_EQUAL(drv_launch(), ABI_OK);
    CU_ASSERT_EQUAL(live(), ABI_OK);
    CU_ASSERT_EQUAL(change(SIZE_2M, 2 * SIZE_2M, RIPAS_EMPTY), 2 * SIZE_2M);
    CU_ASSERT_EQUAL(realm_pages_of_chunk(1), 0);
    CU_ASSERT_EQUAL(cca_fault_shared(&drv_vm, CCA_SHARED_BIT | (SIZE_2M + 0x9000)), ABI_OK);
    CU_ASSERT_EQUAL(level_of(CCA_SHARED_BIT | SIZE_2M), 2);
    CU_ASSERT_EQUAL(change(SIZE_2M + 0x1000, SIZE_2M + 0x2000, RIPAS_RAM), SIZE_2M + 0x2000);
    CU_ASSERT_EQUAL(cca_fault_private(&drv_vm, SIZE_2M + 0x1000), ABI_OK);
    CU_ASSERT_EQUAL(realm_pages_of_chunk(1), 1);
    CU_ASSERT_EQUAL(cca_fault_shared(&drv_vm, CCA_SHARED_BIT | (SIZE_2M + 0x9000)), ABI_OK);
    CU_ASSERT_EQUAL(level_of(CCA_SHARED_BIT | (SIZE_2M + 0x9000)), 3);
    cc_cca_ops.vm_destroy(&drv_vm);
    CU_ASSERT_EQUAL(drv_not_back() + drv.lost, 0);
}

static void an_rmm_of_another_revision_is_refused_by_its_number(void)
{
    drv_reset();
    CU_ASSERT_PTR_NOT_NULL(strstr(drv.said, "RMI 1.0, 48 bits"));
    drv.newer = true;
    CU_ASSERT_FALSE(cc_cca_ops.start());
    CU_ASSERT_PTR_NOT_NULL(strstr(drv.said, "this RMM speaks RMI 2.0 to 2.0, not 1.0"));
    drv.newer = false;
}

static const struct cu_test tests[] = {
    CU(a_realm_lives_and_leaves_nothing_behind),
    CU(whichever_call_fails_nothing_is_lost),
    CU(whichever_page_cannot_be_had_nothing_is_lost),
    CU(an_rmm_that_gives_nothing_back_costs_memory_and_no_more),
    CU(an_rmm_that_refuses_once_costs_nothing),
    CU(a_launch_puts_the_pieces_in_place_and_nothing_else),
    CU(vcpu_0_starts_at_the_layouts_entry_and_the_others_wait),
    CU(a_realm_with_more_interrupts_than_list_registers_exits_for_them),
    CU(nobody_sees_what_a_former_guest_left),
    CU(what_the_rmm_keeps_is_never_handed_out_again),
    CU(what_was_never_shared_is_not_mapped_for_the_realm),
    CU(memory_is_mapped_by_2_mib_until_a_page_of_it_is_shared),
    CU(without_memory_for_smaller_mappings_a_page_stays_with_the_rmm),
    CU(a_whole_block_is_shared_and_comes_back_as_one),
    CU(an_rmm_of_another_revision_is_refused_by_its_number),
    CU_END,
};

int main(int argc, char **argv)
{
    int status = cu_main("cca_driver", tests, argc, argv);

    fprintf(stderr, "contract: %u cases, all but a few with an injected fault\n", faults + 10);
    return status;
}
