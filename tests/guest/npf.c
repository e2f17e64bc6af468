/*
 * Delivery that is cut short by a nested page fault: each gate's stack lies in memory that nobody
 * has touched, so the push faults, the hypervisor backs the page, and the event must come again,
 * exactly once, as it was.
 */
#include "guest.h"

#define CHUNK MiB(2)

static unsigned int next_chunk = 2; /* 2 MiB each; below are the image and what the loader wrote */
static volatile unsigned int hits;
static struct frame seen;
static uint64_t seen_cr2, seen_stack;

static void note(struct frame *f)
{
    seen = *f;
    seen_cr2 = read_cr2();
    seen_stack = (uint64_t)f;
    hits++;
}

static void note_irq(struct frame *f)
{
    note(f);
    eoi();
}

/* The vector's stack ends in the middle of an untouched chunk. */
static void fresh_stack(unsigned int vector, void (*handler)(struct frame *f))
{
    expect(next_chunk < option("mib", 0) / 2);
    me()->tss.ist[3] = next_chunk * CHUNK + CHUNK / 2;
    next_chunk++;
    gate_set(vector, 4, 3);
    on[vector] = handler;
    hits = 0;
}

static void came_once_on_that_stack(unsigned int vector)
{
    gate_set(vector, vector == 8 ? 1 : vector == 2 ? 2 : 0, 0);
    on[vector] = NULL;
    expect_eq(hits, 1);
    expect_eq(seen.vector, vector);
    expect_eq(seen_stack + sizeof(struct frame), me()->tss.ist[3]);
}

static void step_over(struct frame *f)
{
    note(f);
    f->rip += 2;
}

static void an_exception(void)
{
    fresh_stack(6, step_over);
    __asm__ volatile("ud2" ::: "memory");
    came_once_on_that_stack(6);
}

static void recover(struct frame *f)
{
    note(f);
    f->rip = f->rbx;
}

static void an_exception_with_an_error_code(void)
{
    fresh_stack(13, recover);
    __asm__ volatile("lea 1f(%%rip), %%rbx; mov %0, %%ds; 1:" : : "r"(0x48) : "rbx", "memory");
    came_once_on_that_stack(13);
    expect_eq(seen.error, 0x48);
}

static void an_injected_exception(void)
{
    fresh_stack(13, recover);
    __asm__ volatile("lea 1f(%%rip), %%rbx; rdmsr; 1:" : : "c"(0xdead) : "rax", "rbx", "rdx",
                     "memory");
    came_once_on_that_stack(13);
    expect_eq(seen.error, 0);
}

static void a_page_fault_keeps_its_address(void)
{
    volatile uint8_t *hole = map(3, 0, 0);

    fresh_stack(14, recover);
    __asm__ volatile("lea 1f(%%rip), %%rbx; movb $0, 17(%0); 1:" : : "r"(hole) : "rbx", "memory");
    came_once_on_that_stack(14);
    expect_eq(seen.error, 2);
    expect_eq(seen_cr2, (uint64_t)hole + 17);
}

static void a_software_interrupt(void)
{
    uint64_t next;

    fresh_stack(0x41, note);
    __asm__ volatile("lea 1f(%%rip), %0; int $0x41; 1:" : "=r"(next) : : "memory");
    came_once_on_that_stack(0x41);
    expect_eq(seen.rip, next);
}

static void a_breakpoint(void)
{
    uint64_t next;

    fresh_stack(3, note);
    __asm__ volatile("lea 1f(%%rip), %0; int3; 1:" : "=r"(next) : : "memory");
    came_once_on_that_stack(3);
    expect_eq(seen.rip, next);
}

static void an_interrupt(void)
{
    fresh_stack(0x51, note_irq);
    apic_write(APIC_SELF, 0x51);
    irqs_window();
    came_once_on_that_stack(0x51);
    expect(!apic_bit(APIC_ISR, 0x51));
    expect(!apic_bit(APIC_IRR, 0x51));
}

static void an_nmi(void)
{
    fresh_stack(2, note);
    ipi(0, ICR_NMI_MODE);
    (void)within_ms(2000, hits != 0);
    came_once_on_that_stack(2);
}

static void a_double_fault(void)
{
    gate_clear(13);
    fresh_stack(8, recover);
    __asm__ volatile("lea 1f(%%rip), %%rbx; mov (%0), %%rax; 1:" : : "r"(BIT(62)) : "rax", "rbx",
                     "memory");
    gate_set(13, 0, 0);
    came_once_on_that_stack(8);
    expect_eq(seen.error, 0);
}

/* The interrupt stays next in line while an exception of its handler's comes first. */
static void an_interrupt_whose_handler_faults(void)
{
    fresh_stack(0x51, note_irq);
    __asm__ volatile("sti" ::: "memory");
    apic_write(APIC_SELF, 0x51);
    expect_eq(TRY("ud2", ::), 6);
    irqs_off();
    came_once_on_that_stack(0x51);
}

const struct test tests[] = {
    TEST(an_exception),
    TEST(an_exception_with_an_error_code),
    TEST(an_injected_exception),
    TEST(a_page_fault_keeps_its_address),
    TEST(a_software_interrupt),
    TEST(a_breakpoint),
    TEST(an_interrupt),
    TEST(an_nmi),
    TEST(a_double_fault),
    TEST(an_interrupt_whose_handler_faults),
    TEST_END,
};
