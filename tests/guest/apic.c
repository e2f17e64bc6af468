/* The virtual x2APIC of one vCPU: self IPIs, priorities, EOI order, masks, HLT. */
#include "guest.h"

#define GP 13

static volatile unsigned int order[16], count;

static void note(struct frame *f)
{
    order[count++ % 16] = (unsigned int)f->vector;
    eoi();
}

static void note_without_eoi(struct frame *f)
{
    order[count++ % 16] = (unsigned int)f->vector;
}

static void handle(unsigned int vector, void (*fn)(struct frame *f))
{
    on[vector] = fn;
    count = 0;
}

static void self(unsigned int vector)
{
    apic_write(APIC_SELF, vector);
}

static void self_ipis_wait_for_interrupts_on(void)
{
    handle(0x50, note);
    self(0x50);
    expect_eq(count, 0);
    expect(apic_bit(APIC_IRR, 0x50));
    irqs_window();
    expect_eq(count, 1);
    expect(!apic_bit(APIC_IRR, 0x50));
    expect(!apic_bit(APIC_ISR, 0x50));
}

static void one_bit_holds_many_sends(void)
{
    handle(0x50, note);
    for (unsigned int i = 0; i < 5; i++) {
        self(0x50);
    }
    irqs_window();
    irqs_window();
    expect_eq(count, 1);
}

static void the_highest_vector_comes_first(void)
{
    handle(0x31, note);
    handle(0x91, note);
    handle(0x51, note);
    self(0x31);
    self(0x91);
    self(0x51);
    irqs_on();
    irqs_off();
    expect_eq(count, 3);
    expect_eq(order[0], 0x91);
    expect_eq(order[1], 0x51);
    expect_eq(order[2], 0x31);
}

static void an_interrupt_in_service_holds_back_its_class(void)
{
    handle(0x42, note_without_eoi);
    handle(0x45, note_without_eoi);
    handle(0x52, note_without_eoi);
    self(0x42);
    irqs_window();
    expect_eq(count, 1);
    expect_eq(apic_read(APIC_PPR), 0x40);
    self(0x45); /* the same class */
    irqs_window();
    expect_eq(count, 1);
    self(0x52);
    irqs_window();
    expect_eq(count, 2);
    expect_eq(apic_read(APIC_PPR), 0x50);
    eoi(); /* ends 52h, the highest */
    expect(!apic_bit(APIC_ISR, 0x52) && apic_bit(APIC_ISR, 0x42));
    irqs_window();
    expect_eq(count, 2);
    eoi();
    irqs_window();
    expect_eq(count, 3);
    expect_eq(order[2], 0x45);
    eoi();
    expect_eq(apic_read(APIC_PPR), 0);
}

static void nest(struct frame *f)
{
    order[count++ % 16] = (unsigned int)f->vector;
    if (f->vector == 0x40) {
        self(0x60);
        self(0x41);
        irqs_on();
        irqs_off();
        order[count++ % 16] = 1;
    }
    eoi();
}

static void interrupts_nest_by_priority(void)
{
    handle(0x40, nest);
    handle(0x60, nest);
    handle(0x41, nest);
    self(0x40);
    irqs_on();
    irqs_off();
    expect_eq(count, 4);
    expect_eq(order[0], 0x40);
    expect_eq(order[1], 0x60);
    expect_eq(order[2], 1);
    expect_eq(order[3], 0x41);
}

static uint64_t read_cr8(void)
{
    uint64_t v;

    __asm__ volatile("mov %%cr8, %0" : "=r"(v));
    return v;
}

static void write_cr8(uint64_t v)
{
    __asm__ volatile("mov %0, %%cr8" : : "r"(v) : "memory");
}

/*
 * QEMU 10's TCG delivers a class that equals the task priority, too, and stops with an assertion
 * when a MOV to CR8 lets a waiting interrupt through (target/i386/tcg/system/misc_helper.c, write
 * of CR8: cpu_interrupt without its lock). So the class is above, and the MSR lets through.
 */
static void the_task_priority_holds_back(void)
{
    handle(0x55, note);
    apic_write(APIC_TPR, 0x60);
    expect_eq(read_cr8(), 6);
    expect_eq(apic_read(APIC_PPR), 0x60);
    self(0x55);
    irqs_window();
    expect_eq(count, 0);
    apic_write(APIC_TPR, 0x40);
    irqs_window();
    expect_eq(count, 1);
    apic_write(APIC_TPR, 0);
}

static void cr8_is_the_task_priority(void)
{
    handle(0x55, note);
    write_cr8(6);
    expect_eq(apic_read(APIC_TPR), 0x60);
    expect_eq(apic_read(APIC_PPR), 0x60);
    self(0x55);
    irqs_window();
    expect_eq(count, 0);
    apic_write(APIC_TPR, 0x4f);
    expect_eq(read_cr8(), 4);
    irqs_window();
    expect_eq(count, 1);
    write_cr8(0);
    expect_eq(apic_read(APIC_TPR), 0);
}

static void halt_ends_with_an_interrupt_that_waited(void)
{
    handle(0x50, note);
    self(0x50);
    halt(); /* the shadow of STI covers HLT: it is not lost before */
    expect_eq(count, 1);
}

static void halt_ignores_what_the_priority_forbids(void)
{
    handle(0x30, note);
    handle(0x70, note);
    write_cr8(5);
    self(0x30);
    apic_write(APIC_LVT_TIMER, 0x70);
    apic_write(APIC_COUNT, 3000000);
    halt();
    expect_eq(count, 1);
    expect_eq(order[0], 0x70);
    apic_write(APIC_TPR, 0);
    irqs_window();
    expect_eq(count, 2);
    apic_write(APIC_LVT_TIMER, LVT_MASKED);
}

static void sti_shades_one_instruction(void)
{
    handle(0x50, note);
    self(0x50);
    __asm__ volatile("sti; cli");
    expect_eq(count, 0);
    irqs_window();
    expect_eq(count, 1);
}

static void an_exit_in_the_shadow_ends_it(void)
{
    handle(0x50, note);
    self(0x50);
    __asm__ volatile("xor %%eax, %%eax; sti; cpuid; cli" ::: "rax", "rbx", "rcx", "rdx", "memory");
    expect_eq(count, 1);
}

static void a_disabled_apic_delivers_nothing(void)
{
    handle(0x50, note);
    apic_write(APIC_SVR, 0xff);
    self(0x50);
    irqs_window();
    expect_eq(count, 0);
    apic_write(APIC_LVT_LINT0, 0x50);
    expect(apic_read(APIC_LVT_LINT0) & LVT_MASKED);
    apic_write(APIC_SVR, 0x1ff);
    irqs_window();
    expect_eq(count, 1); /* it waited */
}

static void low_vectors_are_never_delivered(void)
{
    for (unsigned int vector = 0; vector < 16; vector++) {
        self(vector);
        expect(!apic_bit(APIC_IRR, vector));
    }
    irqs_window();
}

static void registers_have_their_shape(void)
{
    expect_eq(apic_read(APIC_ID), 0);
    expect_eq(apic_read(APIC_VERSION) & 0xff, 0x14);
    expect_eq(apic_read(APIC_VERSION) >> 16 & 0xff, 5);
    expect_eq(apic_read(APIC_LDR), 1);
    for (unsigned int i = 0; i < 8; i++) {
        expect_eq(apic_read(APIC_TMR + i), 0); /* edges only */
    }
}

static void reserved_registers_and_bits_are_refused(void)
{
    static const uint32_t no_read[] = {0x800, 0x801, 0x804, 0x809, 0x80b, 0x80c, 0x80e, 0x83f,
                                       0x829, 0x831, 0x83a, 0x840, 0x8ff};
    static const uint32_t no_write[] = {0x800, 0x802, 0x803, 0x80a, 0x80d, 0x810, 0x818, 0x820,
                                        0x831, 0x839, 0x840, 0x8ff};
    uint64_t v;

    for (size_t i = 0; i < ARRAY_SIZE(no_read); i++) {
        if (rdmsr_fault(no_read[i], &v) != GP) {
            fail(__FILE__, __LINE__, "MSR %x can be read", no_read[i]);
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(no_write); i++) {
        if (wrmsr_fault(no_write[i], 0) != GP) {
            fail(__FILE__, __LINE__, "MSR %x can be written", no_write[i]);
        }
    }
    expect_eq(wrmsr_fault(MSR_X2APIC + APIC_EOI, 1), GP);
    expect_eq(wrmsr_fault(MSR_X2APIC + APIC_TPR, 0x150), GP);
    expect_eq(wrmsr_fault(MSR_X2APIC + APIC_TPR, BIT(32) | 0x50), GP);
    expect_eq(wrmsr_fault(MSR_X2APIC + APIC_SELF, 0x150), GP);
    expect_eq(wrmsr_fault(MSR_X2APIC + APIC_ESR, 1), GP);
    expect_eq(apic_read(APIC_TPR), 0); /* and nothing has happened */
    expect(!apic_bit(APIC_IRR, 0x50));
}

const struct test tests[] = {
    TEST(self_ipis_wait_for_interrupts_on),
    TEST(one_bit_holds_many_sends),
    TEST(the_highest_vector_comes_first),
    TEST(an_interrupt_in_service_holds_back_its_class),
    TEST(interrupts_nest_by_priority),
    TEST(the_task_priority_holds_back),
    TEST(cr8_is_the_task_priority),
    TEST(halt_ends_with_an_interrupt_that_waited),
    TEST(halt_ignores_what_the_priority_forbids),
    TEST(sti_shades_one_instruction),
    TEST(an_exit_in_the_shadow_ends_it),
    TEST(a_disabled_apic_delivers_nothing),
    TEST(low_vectors_are_never_delivered),
    TEST(registers_have_their_shape),
    TEST(reserved_registers_and_bits_are_refused),
    TEST_END,
};
