/*
 * Exceptions: each arrives with its vector, error code and address, also when exits lie between.
 * QEMU's TCG raises no #AC, no #XF and no #SS for addresses, so these are not here.
 */
#include "guest.h"

static volatile unsigned int hits;
static struct frame seen;

static void note(struct frame *f)
{
    seen = *f;
    hits++;
}

static void divide_error(void)
{
    expect_eq(TRY("div %0", : : "r"(0), "a"(1), "d"(0)), 0);
}

static void breakpoint_points_after_the_instruction(void)
{
    uint64_t at;

    hits = 0;
    on[3] = note;
    __asm__ volatile("lea 1f(%%rip), %0; int3; 1:" : "=r"(at) : : "memory");
    on[3] = NULL;
    expect_eq(hits, 1);
    expect_eq(seen.rip, at);
}

static void software_interrupts_arrive_once(void)
{
    hits = 0;
    on[0x41] = note;
    for (unsigned int i = 0; i < 100; i++) {
        __asm__ volatile("int $0x41" ::: "memory");
    }
    on[0x41] = NULL;
    expect_eq(hits, 100);
}

static void icebp_is_a_debug_trap(void)
{
    hits = 0;
    on[1] = note;
    __asm__ volatile(".byte 0xf1" ::: "memory");
    on[1] = NULL;
    expect_eq(hits, 1);
}

static void invalid_opcode(void)
{
    expect_eq(TRY("ud2", ::), 6);
}

static void device_not_available(void)
{
    uint64_t cr0 = read_cr0();

    write_cr0(cr0 | BIT(3));
    expect_eq(TRY("movaps %%xmm0, %%xmm0", ::), 7);
    write_cr0(cr0);
    expect_eq(TRY("movaps %%xmm0, %%xmm0", ::), NO_FAULT);
}

static void segment_not_present_names_the_selector(void)
{
    me()->gdt[4] &= ~(1ull << 47);
    expect_eq(TRY("mov %0, %%es", : : "r"(0x23)), 11);
    expect_eq(me()->fault_error, 0x20);
    expect_eq(TRY("mov %0, %%ss", : : "r"(0x20)), 13); /* DPL 3 */
    me()->gdt[4] |= 1ull << 47;
}

static void a_stack_segment_not_present_is_a_stack_fault(void)
{
    uint64_t old = me()->gdt[3];

    me()->gdt[3] = me()->gdt[2] & ~(1ull << 47);
    expect_eq(TRY("mov %0, %%ss", : : "r"(0x18)), 12);
    expect_eq(me()->fault_error, 0x18);
    me()->gdt[3] = old;
}

static void general_protection(void)
{
    expect_eq(TRY("mov (%0), %%rax", : : "r"(BIT(62)) : "rax"), 13);
    expect_eq(me()->fault_error, 0);
    expect_eq(TRY("mov %0, %%ds", : : "r"(0x40)), 13); /* beyond the table */
    expect_eq(me()->fault_error, 0x40);
}

static void page_faults_tell_address_and_kind(void)
{
    volatile uint8_t *p = map(1, 0x80000, 0);

    expect_eq(TRY("movb (%0), %%al", : : "r"(p + 5) : "rax"), 14);
    expect_eq(me()->fault_error, 0);
    expect_eq(me()->fault_cr2, p + 5);
    expect_eq(TRY("movb %%al, (%0)", : : "r"(p + 6) : "memory"), 14);
    expect_eq(me()->fault_error, 2);
    p = map(1, 0x80000, PTE_P);
    expect_eq(TRY("movb %%al, (%0)", : : "r"(p + 7) : "memory"), 14);
    expect_eq(me()->fault_error, 3);
    expect_eq(me()->fault_cr2, p + 7);
    expect_eq(TRY("movb (%0), %%al", : : "r"(p) : "rax"), NO_FAULT);
}

static void x87_errors_are_reported(void)
{
    uint16_t control = 0x37b; /* unmask divide by zero */

    __asm__ volatile("fninit; fldcw %0; fld1; fldz; fdivrp" : : "m"(control));
    expect_eq(TRY("fwait", ::), 16);
    __asm__ volatile("fnclex; fninit");
}

static void single_steps_trap_after_each_instruction(void)
{
    hits = 0;
    on[1] = note;
    __asm__ volatile("pushfq; orl $0x100, (%%rsp); popfq; nop; nop; nop;"
                     "pushfq; andl $~0x100, (%%rsp); popfq" ::: "memory");
    on[1] = NULL;
    expect_eq(hits, 6);
}

/* The hypervisor does the instruction, and owes the trap behind it. */
static void single_steps_pass_over_exits(void)
{
    hits = 0;
    on[1] = note;
    __asm__ volatile("pushfq; orl $0x100, (%%rsp); popfq; xor %%eax, %%eax; cpuid; nop;"
                     "pushfq; andl $~0x100, (%%rsp); popfq" ::: "rax", "rbx", "rcx", "rdx",
                     "memory");
    on[1] = NULL;
    expect_eq(hits, 6);
}

static void single_steps_pass_over_port_accesses(void)
{
    hits = 0;
    on[1] = note;
    __asm__ volatile("pushfq; orl $0x100, (%%rsp); popfq; inb $0x80, %%al;"
                     "pushfq; andl $~0x100, (%%rsp); popfq" ::: "rax", "memory");
    on[1] = NULL;
    expect_eq(hits, 4);
}

static void a_fault_during_delivery_is_a_double_fault(void)
{
    gate_clear(13);
    expect_eq(TRY("mov (%0), %%rax", : : "r"(BIT(62)) : "rax"), 8);
    expect_eq(me()->fault_error, 0);
    gate_set(13, 0, 0);
}

/* #GP that the hypervisor injects, no gate for it: #DF as from the CPU itself. */
static void an_injected_fault_can_double_too(void)
{
    uint64_t v;

    gate_clear(13);
    expect_eq(rdmsr_fault(0xdead, &v), 8);
    gate_set(13, 0, 0);
    expect_eq(rdmsr_fault(0xdead, &v), 13);
}

static void ring_3(void)
{
    __asm__ volatile("mov %cr0, %rax");
}

static void ring_3_vmmcall(void)
{
    __asm__ volatile("vmmcall" : : "a"(0x434c0000));
}

static void ring_3_ends(void)
{
    __asm__ volatile(USER_END);
}

static void ring_3_interrupts(void)
{
    __asm__ volatile("int $0x41");
}

static void ring_3_ports(void)
{
    (void)inb(0x3f8);
}

static void ring_3_may_little(void)
{
    expect_eq(user_run(ring_3_ends), 0x80);
    expect_eq(user_run(ring_3), 13);
    expect_eq(user_run(ring_3_vmmcall), 6);
    expect_eq(user_run(ring_3_interrupts), 13);
    expect_eq(me()->fault_error, 0x41 << 3 | 2);
    expect_eq(user_run(ring_3_ports), 13);
}

const struct test tests[] = {
    TEST(divide_error),
    TEST(breakpoint_points_after_the_instruction),
    TEST(software_interrupts_arrive_once),
    TEST(icebp_is_a_debug_trap),
    TEST(invalid_opcode),
    TEST(device_not_available),
    TEST(segment_not_present_names_the_selector),
    TEST(a_stack_segment_not_present_is_a_stack_fault),
    TEST(general_protection),
    TEST(page_faults_tell_address_and_kind),
    TEST(x87_errors_are_reported),
    TEST(single_steps_trap_after_each_instruction),
    TEST(single_steps_pass_over_exits),
    TEST(single_steps_pass_over_port_accesses),
    TEST(a_fault_during_delivery_is_a_double_fault),
    TEST(an_injected_fault_can_double_too),
    TEST(ring_3_may_little),
    TEST_END,
};
