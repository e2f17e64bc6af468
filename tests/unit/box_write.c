/* A guest's own instructions on its page tables: done as if by hypercall, or not at all. */
#include "box_host.h"
#include "cu.h"

#define TABLE 20u /* an L1 table in these tests, mapped read-only at its number */

static struct frame f;
static uint64_t *entry;

static uint64_t to(uint64_t n, uint64_t flags)
{
    return host_mfn(n) << PAGE_SHIFT | flags;
}

/* The entry that the instructions below write to. */
static void start(uint64_t value)
{
    host_start(0);
    host_table(TABLE)[3] = value;
    CU_ASSERT_EQUAL_FATAL(host_map(TABLE * PAGE_SIZE, to(TABLE, PTE_P)), 0);
    CU_ASSERT_EQUAL_FATAL(host_extended(MMUEXT_PIN_L1, host_mfn(TABLE), 0), 0);
    memset(&f, 0, sizeof(f));
    entry = &host_table(TABLE)[3];
}

static bool run(const char *code, size_t len, unsigned int offset)
{
    uint8_t *bytes = host_memory;
    bool done;

    memset(bytes, 0x90, 32);
    memcpy(bytes, code, len);
    f.rip = (uint64_t)(uintptr_t)bytes;
    done = emulate_table_write(&host_vcpu, &f, TABLE * PAGE_SIZE + 3 * 8 + offset);
    CU_ASSERT_EQUAL(f.rip - (uint64_t)(uintptr_t)bytes, done ? len : 0);
    CU_ASSERT_PTR_NULL(host_broken());
    return done;
}
#define RUN(code, offset) run(code, sizeof(code) - 1, offset)

static void a_move_sets_an_entry(void)
{
    start(0);
    f.rax = to(21, PTE_P | PTE_A);
    CU_ASSERT_TRUE(RUN("\x48\x89\x07", 0)); /* mov %rax, (%rdi) */
    CU_ASSERT_EQUAL(*entry, to(21, PTE_P | PTE_A | PTE_US));
    CU_ASSERT_TRUE(RUN("\x48\xc7\x44\x24\x08\x00\x00\x00\x00", 0)); /* movq $0, 8(%rsp) */
    CU_ASSERT_EQUAL(*entry, 0);
}

static void what_a_hypercall_would_refuse_is_not_done(void)
{
    start(0);
    f.rax = to(1, PTE_P); /* the box's */
    CU_ASSERT_FALSE(RUN("\x48\x89\x07", 0));
    f.rax = to(TABLE, PTE_P | PTE_RW);
    CU_ASSERT_FALSE(RUN("\x48\x89\x07", 0));
    CU_ASSERT_EQUAL(*entry, 0);
}

static void an_exchange_gives_the_old_entry(void)
{
    start(to(21, PTE_P | PTE_US));
    f.r9 = 0;
    CU_ASSERT_TRUE(RUN("\x4c\x87\x0f", 0)); /* xchg %r9, (%rdi) */
    CU_ASSERT_EQUAL(f.r9, to(21, PTE_P | PTE_US));
    CU_ASSERT_EQUAL(*entry, 0);
}

static void a_compare_exchange_says_whether_it_did(void)
{
    start(to(21, PTE_P | PTE_US));
    f.rax = 7;
    f.rcx = 0;
    CU_ASSERT_TRUE(RUN("\xf0\x48\x0f\xb1\x0f", 0)); /* lock cmpxchg %rcx, (%rdi) */
    CU_ASSERT_EQUAL(f.rflags & BIT(6), 0);
    CU_ASSERT_EQUAL(f.rax, to(21, PTE_P | PTE_US));
    CU_ASSERT_TRUE(RUN("\xf0\x48\x0f\xb1\x0f", 0));
    CU_ASSERT_NOT_EQUAL(f.rflags & BIT(6), 0);
    CU_ASSERT_EQUAL(*entry, 0);
}

static void bits_are_set_and_cleared(void)
{
    start(to(21, PTE_P | PTE_RW | PTE_US | PTE_A));
    CU_ASSERT_TRUE(RUN("\xf0\x48\x0f\xba\x37\x05", 0)); /* lock btrq $5, (%rdi) */
    CU_ASSERT_NOT_EQUAL(f.rflags & BIT(0), 0);
    CU_ASSERT_EQUAL(*entry, to(21, PTE_P | PTE_RW | PTE_US));
    CU_ASSERT_TRUE(RUN("\xf0\x80\x27\xfd", 0)); /* lock andb $~2, (%rdi) */
    CU_ASSERT_EQUAL(*entry, to(21, PTE_P | PTE_US));
    CU_ASSERT_TRUE(RUN("\xf0\x80\x4f\x07\x80", 7)); /* lock orb $0x80, 7(%rdi) */
    CU_ASSERT_EQUAL(*entry, to(21, PTE_P | PTE_US | PTE_NX));
}

static void other_instructions_and_crooked_addresses_are_faults(void)
{
    start(0);
    CU_ASSERT_FALSE(RUN("\x48\x01\x07", 0));     /* add %rax, (%rdi) */
    CU_ASSERT_FALSE(RUN("\x66\x89\x07", 0));     /* mov %ax, (%rdi) */
    CU_ASSERT_FALSE(RUN("\x48\x89\x07", 4));     /* across two entries */
    CU_ASSERT_FALSE(RUN("\x0f\x11\x07", 0));     /* movups */
}

/* Tables of higher levels change by hypercalls alone. */
static void only_l1_tables_are_written_so(void)
{
    start(0);
    CU_ASSERT_EQUAL(host_extended(MMUEXT_UNPIN, host_mfn(TABLE), 0), 0);
    CU_ASSERT_EQUAL(host_extended(MMUEXT_PIN_L2, host_mfn(TABLE), 0), 0);
    CU_ASSERT_FALSE(RUN("\x48\x89\x07", 0));
}

static const struct cu_test tests[] = {
    CU(a_move_sets_an_entry),
    CU(what_a_hypercall_would_refuse_is_not_done),
    CU(an_exchange_gives_the_old_entry),
    CU(a_compare_exchange_says_whether_it_did),
    CU(bits_are_set_and_cleared),
    CU(other_instructions_and_crooked_addresses_are_faults),
    CU(only_l1_tables_are_written_so),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("box_write", tests, argc, argv);
}
