/* The box of PV64 guests: what frames are used as, and what its guest cannot make of them. */
#include "box_host.h"
#include "cu.h"

#define RW (PTE_P | PTE_RW)

static uint64_t entry_at(uint64_t table, uint64_t index)
{
    return host_mfn(table) << PAGE_SHIFT | index * 8;
}

static uint64_t to(uint64_t n, uint64_t flags)
{
    return host_mfn(n) << PAGE_SHIFT | flags;
}

static void holds(void)
{
    const char *broken = host_broken();

    if (broken != NULL) {
        printf("%s\n", broken);
    }
    CU_ASSERT_PTR_NULL(broken);
}

/* Takes a frame's writable mapping away, as guests do before they make it a table. */
static void protect(uint64_t n)
{
    CU_ASSERT_EQUAL(host_map(n * PAGE_SIZE, to(n, PTE_P)), 0);
}

static void a_frame_that_is_writable_becomes_no_table(void)
{
    host_start(0);
    holds();
    CU_ASSERT_EQUAL(host_extended(MMUEXT_PIN_L1, 20, 0), -XEN_EINVAL);
    protect(20);
    CU_ASSERT_EQUAL(host_extended(MMUEXT_PIN_L1, 20, 0), 0);
    CU_ASSERT_EQUAL(host_map(20 * PAGE_SIZE, to(20, RW)), -XEN_EINVAL);
    CU_ASSERT_EQUAL(host_extended(MMUEXT_UNPIN, 20, 0), 0);
    CU_ASSERT_EQUAL(host_map(20 * PAGE_SIZE, to(20, RW)), 0);
    holds();
}

/* A stale entry would still write: so TLBs are flushed before the table is looked at. */
static void a_frame_that_changes_its_use_is_in_no_tlb(void)
{
    host_start(0);
    protect(20);
    CU_ASSERT_EQUAL(host_extended(MMUEXT_PIN_L1, 20, 0), 0);
    CU_ASSERT_EQUAL(host_flushes, 1);
    CU_ASSERT_EQUAL(host_extended(MMUEXT_UNPIN, 20, 0), 0);
    flush_local(&host_vcpu);
    CU_ASSERT_EQUAL(host_map(20 * PAGE_SIZE, to(20, RW)), 0);
    CU_ASSERT_EQUAL(host_flushes, 1); /* it was flushed since */
}

static void frames_of_the_box_and_of_nobody_are_not_mapped(void)
{
    host_start(0);
    for (uint64_t n = 0; n < HOST_OWN; n++) {
        CU_ASSERT_EQUAL(host_map(20 * PAGE_SIZE, to(n, PTE_P)), -XEN_EINVAL);
        CU_ASSERT_EQUAL(host_extended(MMUEXT_PIN_L4, n, 0), -XEN_EINVAL);
        CU_ASSERT_EQUAL(host_extended(MMUEXT_CLEAR_PAGE, n, 0), -XEN_EINVAL);
        CU_ASSERT_EQUAL(host_extended(MMUEXT_COPY_PAGE, 20, n), -XEN_EINVAL);
        CU_ASSERT_EQUAL(host_update(n << PAGE_SHIFT, 1), -XEN_EINVAL);
    }
    CU_ASSERT_EQUAL(host_map(20 * PAGE_SIZE, to(HOST_FRAMES, PTE_P)), -XEN_EINVAL);
    CU_ASSERT_EQUAL(host_map(20 * PAGE_SIZE, 0xfffffffffffffull << 12 | PTE_P), -XEN_EINVAL);
    holds();
}

static void memory_without_the_c_bit_is_not_a_guests(void)
{
    host_start(BIT(35));
    holds();
    CU_ASSERT_EQUAL(host_map(20 * PAGE_SIZE, 20 << PAGE_SHIFT | PTE_P), -XEN_EINVAL);
    CU_ASSERT_EQUAL(host_map(20 * PAGE_SIZE, to(21, PTE_P)), 0);
    holds();
}

static void a_table_has_one_level(void)
{
    host_start(0);
    protect(20);
    CU_ASSERT_EQUAL(host_update(entry_at(HOST_L2, 1), to(20, RW)), 0);
    CU_ASSERT_EQUAL(host_update(entry_at(HOST_L3, 1), to(20, RW)), -XEN_EINVAL);
    CU_ASSERT_EQUAL(host_update(entry_at(HOST_L2, 2), to(HOST_L2, RW)), -XEN_EINVAL);
    CU_ASSERT_EQUAL(host_update(entry_at(HOST_L2, 2), to(HOST_L4, RW)), -XEN_EINVAL);
    CU_ASSERT_EQUAL(host_update(entry_at(HOST_L2, 3), to(21, RW | PTE_PS)), -XEN_EINVAL);
    holds();
    CU_ASSERT_EQUAL(host_update(entry_at(HOST_L2, 1), 0), 0);
    CU_ASSERT_EQUAL(host_map(20 * PAGE_SIZE, to(20, RW)), 0);
    holds();
}

/* A bad entry, wherever it is, and nothing of the table's is kept. */
static void a_table_that_is_refused_holds_nothing(void)
{
    host_start(0);
    for (uint64_t i = 0; i < 511; i++) {
        host_table(20)[i] = to(30 + i % 4, RW);
    }
    host_table(20)[511] = to(1, PTE_P);
    protect(20);
    CU_ASSERT_EQUAL(host_extended(MMUEXT_PIN_L1, 20, 0), -XEN_EINVAL);
    holds();
}

static void a_pml4_shows_itself_read_only_and_never_writable(void)
{
    host_start(0);
    CU_ASSERT_EQUAL(host_update(entry_at(HOST_L4, 5), to(HOST_L4, PTE_P)), 0);
    CU_ASSERT_EQUAL(host_update(entry_at(HOST_L4, 5), to(HOST_L4, RW)), -XEN_EINVAL); /* XSA-182 */
    holds();
    /* what it shows is no way to change a table as something that it is not */
    CU_ASSERT_EQUAL(host_map(5ull << 39, to(20, RW)), -XEN_EINVAL);
    CU_ASSERT_EQUAL(host_update(entry_at(HOST_L4, 5), 0), 0);
    holds();
}

/* There the processor, in the box, would read the box's own tables and memory. */
static void no_pointer_leads_where_a_pml4_showed_itself(void)
{
    const uint64_t at = 9ull << 39;

    host_start(0);
    CU_ASSERT_TRUE(guest_range(at, 8));
    CU_ASSERT_EQUAL(host_update(entry_at(HOST_L4, 9), to(HOST_L4, PTE_P)), 0);
    CU_ASSERT_EQUAL(host_flushes, 1); /* nobody follows one any more */
    CU_ASSERT_FALSE(guest_range(at, 8));
    CU_ASSERT_FALSE(guest_range(at + (RESERVED_SLOT << 30), PAGE_SIZE));
    CU_ASSERT_FALSE(guest_range(at - 4, 8));
    CU_ASSERT_FALSE(guest_range(at + BIT(39) - 4, 8));
    CU_ASSERT_TRUE(guest_range(at - 8, 8));
    CU_ASSERT_TRUE(guest_range(at + BIT(39), 8));
    CU_ASSERT_EQUAL(host_update(entry_at(HOST_L4, 9), 0), 0);
    CU_ASSERT_EQUAL(host_update(entry_at(HOST_L4, 9), to(HOST_L4, PTE_P)), 0);
    CU_ASSERT_EQUAL(host_flushes, 1);
    holds();
}

static void pointers_lead_to_the_guests_part_of_the_addresses(void)
{
    CU_ASSERT_TRUE(guest_range(0, 0));
    CU_ASSERT_TRUE(guest_range(RESERVED_START - 8, 8));
    CU_ASSERT_FALSE(guest_range(RESERVED_START - 8, 9));
    CU_ASSERT_FALSE(guest_range(RESERVED_END - 1, 1));
    CU_ASSERT_TRUE(guest_range(RESERVED_END, 8));
    CU_ASSERT_FALSE(guest_range(~0ull, 2));
    CU_ASSERT_FALSE(guest_range(0, SIZE_MAX));
}

static void reserved_slots_are_the_boxs(void)
{
    host_start(0);
    for (uint64_t i = RESERVED_SLOT; i < RESERVED_SLOT + RESERVED_SLOTS; i++) {
        CU_ASSERT_EQUAL(host_update(entry_at(HOST_L4, i), 0), -XEN_EINVAL);
    }
    CU_ASSERT_EQUAL(host_map(RESERVED_START, to(20, RW)), -XEN_EINVAL);
    CU_ASSERT_EQUAL(host_map(0x0000800000000000, to(20, RW)), -XEN_EINVAL);
    holds();
}

/* And what becomes ordinary memory again shows nothing of them. */
static void a_pml4_that_is_none_any_more_has_no_slots(void)
{
    host_start(0);
    protect(20);
    CU_ASSERT_EQUAL(host_extended(MMUEXT_PIN_L4, 20, 0), 0);
    CU_ASSERT_EQUAL(host_table(20)[RESERVED_SLOT], table_reserved[0]);
    CU_ASSERT_EQUAL(host_extended(MMUEXT_UNPIN, 20, 0), 0);
    CU_ASSERT_EQUAL(host_table(20)[RESERVED_SLOT], 0);
    host_table(20)[511] = to(1, PTE_P);
    CU_ASSERT_EQUAL(host_extended(MMUEXT_PIN_L4, 20, 0), -XEN_EINVAL); /* nor what became none */
    CU_ASSERT_EQUAL(host_table(20)[RESERVED_SLOT], 0);
    holds();
}

static void tables_that_a_cpu_runs_on_stay(void)
{
    host_start(0);
    protect(20);
    CU_ASSERT_EQUAL(host_extended(MMUEXT_NEW_USER_BASEPTR, 20, 0), 0);
    CU_ASSERT_EQUAL(host_map(20 * PAGE_SIZE, to(20, RW)), -XEN_EINVAL);
    CU_ASSERT_EQUAL(host_extended(MMUEXT_NEW_USER_BASEPTR, 0, 0), 0);
    CU_ASSERT_EQUAL(host_map(20 * PAGE_SIZE, to(20, RW)), 0);
    CU_ASSERT_EQUAL(host_extended(MMUEXT_NEW_BASEPTR, 0, 0), -XEN_EINVAL);
    holds();
}

static void descriptors_are_ring_3s_or_refused(void)
{
    uint64_t gate = 0x0000ec0000000000, code = 0x00af9a000000ffff;

    CU_ASSERT_FALSE(descriptor_fix(&gate));
    CU_ASSERT_TRUE(descriptor_fix(&code));
    CU_ASSERT_EQUAL(code, 0x00affb000000ffff);
    host_start(0);
    host_table(20)[7] = gate;
    protect(20);
    CU_ASSERT_EQUAL(host_extended(MMUEXT_SET_LDT, 20 * PAGE_SIZE, 512), -XEN_EINVAL);
    holds();
    host_table(20)[7] = code;
    CU_ASSERT_EQUAL(host_extended(MMUEXT_SET_LDT, 20 * PAGE_SIZE, 512), 0);
    CU_ASSERT_EQUAL(host_map(20 * PAGE_SIZE, to(20, RW)), -XEN_EINVAL);
    holds();
}

static int64_t reserve(uint32_t op, uint64_t extents)
{
    struct xen_reservation r = {.extents = extents, .count = 1, .domid = DOMID_SELF};
    const uint64_t arg[6] = {op, host_put(&r, sizeof(r))};

    return call_memory_op(&host_vcpu, NULL, arg);
}

static void a_frame_that_the_guest_is_not_told_of_is_not_its_own(void)
{
    const uint64_t mfn = 20, told = (uint64_t)(uintptr_t)host_memory + 64;

    host_start(0);
    box.guest_pages = 1;
    CU_ASSERT_EQUAL(host_map(20 * PAGE_SIZE, 0), 0);
    memcpy(host_memory + 64, &mfn, sizeof(mfn));
    CU_ASSERT_EQUAL(reserve(XENMEM_DECREASE, told), 1);
    CU_ASSERT_PTR_NULL(page_of(mfn));
    CU_ASSERT_EQUAL(reserve(XENMEM_INCREASE, 0), 0); /* no place to write to */
    CU_ASSERT_PTR_NULL(page_of(mfn));
    CU_ASSERT_EQUAL(box.guest_pages, 0);
    CU_ASSERT_EQUAL(reserve(XENMEM_INCREASE, told), 1);
    CU_ASSERT_PTR_NOT_NULL(page_of(mfn));
    holds();
}

static const struct cu_test tests[] = {
    CU(a_frame_that_is_writable_becomes_no_table),
    CU(a_frame_that_changes_its_use_is_in_no_tlb),
    CU(frames_of_the_box_and_of_nobody_are_not_mapped),
    CU(memory_without_the_c_bit_is_not_a_guests),
    CU(a_table_has_one_level),
    CU(a_table_that_is_refused_holds_nothing),
    CU(a_pml4_shows_itself_read_only_and_never_writable),
    CU(no_pointer_leads_where_a_pml4_showed_itself),
    CU(pointers_lead_to_the_guests_part_of_the_addresses),
    CU(reserved_slots_are_the_boxs),
    CU(a_pml4_that_is_none_any_more_has_no_slots),
    CU(tables_that_a_cpu_runs_on_stay),
    CU(descriptors_are_ring_3s_or_refused),
    CU(a_frame_that_the_guest_is_not_told_of_is_not_its_own),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("box_tables", tests, argc, argv);
}
