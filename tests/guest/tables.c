/* Guest page tables in odd places, and mappings that forbid what the nested ones allow. */
#include "guest.h"

static uint64_t old_entry;

/* A window at 512 GiB through tables that lie where we say. */
static volatile uint64_t *window(uint64_t tables, uint64_t target, uint64_t flags)
{
    volatile uint64_t *t3 = map(30, tables, PTE_P | PTE_W);
    volatile uint64_t *t2 = map(31, tables + 4096, PTE_P | PTE_W);
    volatile uint64_t *t1 = map(32, tables + 8192, PTE_P | PTE_W);

    t3[0] = (tables + 4096) | 7;
    t2[0] = (tables + 8192) | 7;
    t1[0] = target | flags;
    old_entry = page_table4[1];
    page_table4[1] = tables | 7;
    write_cr3(read_cr3());
    return (volatile uint64_t *)GiB(512);
}

static void close_window(void)
{
    page_table4[1] = old_entry;
    write_cr3(read_cr3());
}

static void tables_may_lie_at_the_end_of_memory(void)
{
    volatile uint64_t *p = window(MiB(option("mib", 0)) - 3 * 4096, 0x80000, PTE_P | PTE_W);

    *p = 0x1234567;
    expect_eq(*(volatile uint64_t *)0x80000, 0x1234567);
    close_window();
}

/* The walk itself sets accessed bits in memory that has never been touched before. */
static void a_walk_may_be_the_first_touch(void)
{
    volatile uint64_t *fresh = map(33, MiB(4), PTE_P | PTE_W);

    page_table4[2] = MiB(6) | 7; /* zero, once it is backed: nothing present */
    write_cr3(read_cr3());
    expect_eq(TRY("mov (%0), %%rax", : : "r"(GiB(1024)) : "rax"), 14);
    expect_eq(me()->fault_error, 0);
    expect_eq(me()->fault_cr2, GiB(1024));
    page_table4[2] = 0;
    write_cr3(read_cr3());
    expect_eq(*fresh, 0);
}

static void tables_in_a_page_of_ones_are_reserved_bits(void)
{
    page_table4[2] = 0xfed00000 | 7;
    write_cr3(read_cr3());
    expect_eq(TRY("mov (%0), %%rax", : : "r"(GiB(1024)) : "rax"), 14);
    expect(me()->fault_error & 8);
    page_table4[2] = 0;
    write_cr3(read_cr3());
}

static void a_table_that_maps_itself(void)
{
    page_table4[511] = (uint64_t)page_table4 | 3;
    write_cr3(read_cr3());
    expect_eq(((volatile uint64_t *)0xfffffffffffff000ull)[511] & ~0x60ull,
              (uint64_t)page_table4 | 3);
    page_table4[511] = 0;
    write_cr3(read_cr3());
}

static void read_only_mappings_hold(void)
{
    volatile uint64_t *p = window(MiB(2), 0x81000, PTE_P);

    expect_eq(TRY("movq $1, (%0)", : : "r"(p) : "memory"), 14);
    expect_eq(me()->fault_error, 3);
    write_cr0(read_cr0() & ~CR0_WP);
    expect_eq(TRY("movq $1, (%0)", : : "r"(p) : "memory"), NO_FAULT);
    write_cr0(read_cr0() | CR0_WP);
    close_window();
}

/* No APIC lies in memory: what is there are ones that can be written over, and no effect. */
static void the_apic_page_is_nothing(void)
{
    volatile uint32_t *ro = map(34, 0xfee00000, PTE_P);
    volatile uint32_t *rw = map(35, 0xfee00000, PTE_P | PTE_W);
    uint64_t svr = apic_read(APIC_SVR);

    expect_eq(ro[0x20 / 4], 0xffffffff);
    expect_eq(TRY("movl $0, (%0)", : : "r"(ro) : "memory"), 14);
    rw[0xf0 / 4] = 0;
    rw[0x300 / 4] = 0x000c4500; /* INIT to all others */
    expect_eq(apic_read(APIC_SVR), svr);
}

static void big_pages_and_small_ones_show_the_same(void)
{
    volatile uint64_t *small = map(36, MiB(2) + 4096, PTE_P | PTE_W);

    *small = 0xfeedface;
    expect_eq(*(volatile uint64_t *)(MiB(2) + 4096), 0xfeedface);
}

static void back(struct frame *f)
{
    me()->fault_error = f->error;
    f->rip = *(uint64_t *)f->rsp; /* the call's return address */
    f->rsp += 8;
}

static void no_execute_holds(void)
{
    volatile uint8_t *p = map(37, 0x82000, PTE_P | PTE_W | PTE_NX);

    *p = 0xc3; /* ret */
    me()->fault_error = 0;
    on[14] = back;
    __asm__ volatile("call *%0" : : "r"(p) : "memory");
    expect_eq(me()->fault_error, 0x11);
    p = map(37, 0x82000, PTE_P | PTE_W);
    me()->fault_error = 0;
    __asm__ volatile("call *%0" : : "r"(p) : "memory");
    expect_eq(me()->fault_error, 0);
    on[14] = NULL;
}

const struct test tests[] = {
    TEST(tables_may_lie_at_the_end_of_memory),
    TEST(a_walk_may_be_the_first_touch),
    TEST(tables_in_a_page_of_ones_are_reserved_bits),
    TEST(a_table_that_maps_itself),
    TEST(read_only_mappings_hold),
    TEST(the_apic_page_is_nothing),
    TEST(big_pages_and_small_ones_show_the_same),
    TEST(no_execute_holds),
    TEST_END,
};
