/* Exceptions of the hypervisor itself: all of them are bugs, and end with a readable report. */
#include "x86.h"

#include "arch/boot.h"
#include "arch/guest_access.h"
#include "arch/panic.h"
#include "arch_impl/insn.h"
#include "arch_impl/svm.h"
#include "hv/check.h"
#include "hv/log_ring.h"
#include "hv/symbols.h"
#include "hv/vcpu.h"

struct idt_gate { /* APM Vol. 2, 4.8.4 */
    uint16_t offset0, selector;
    uint8_t ist, type;
    uint16_t offset1;
    uint32_t offset2, reserved;
};
_Static_assert(sizeof(struct idt_gate) == 16, "APM Vol. 2, figure 4-24");

#define STUB_SIZE 16u
#define GATE_INTERRUPT 0x8e

extern const uint8_t trap_stubs[];
extern const struct fixup fixups_start[], fixups_end[];
static struct idt_gate idt[256];

static const char *const names[32] = {
    "#DE divide error", "#DB debug", "NMI", "#BP breakpoint", "#OF overflow", "#BR bound range",
    "#UD invalid opcode", "#NM device not available", "#DF double fault", "vector 9",
    "#TS invalid TSS", "#NP segment not present", "#SS stack fault", "#GP general protection",
    "#PF page fault", "vector 15", "#MF x87", "#AC alignment check", "#MC machine check",
    "#XF SIMD", "vector 20", "#CP control protection",
};

/* NMI, #DF and #MC come at any moment: stacks of their own (IST 1 to 3). */
static uint8_t ist_of(unsigned int vector)
{
    return vector == 2 ? 1 : vector == 8 ? 2 : vector == 18 ? 3 : 0;
}

void idt_init(void)
{
    for (unsigned int i = 0; i < 256; i++) {
        uint64_t at = (uint64_t)trap_stubs + i * STUB_SIZE;

        idt[i] = (struct idt_gate){
            .offset0 = (uint16_t)at,
            .selector = SEL_CODE,
            .ist = ist_of(i),
            .type = GATE_INTERRUPT,
            .offset1 = (uint16_t)(at >> 16),
            .offset2 = (uint32_t)(at >> 32),
        };
    }
}

static void load_table(bool gdt, const void *base, uint16_t limit)
{
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) r = {limit, (uint64_t)base};

    if (gdt) {
        __asm__ volatile("lgdt %0" : : "m"(r));
    } else {
        __asm__ volatile("lidt %0" : : "m"(r));
    }
}

void cpu_tables_init(struct cpu *c)
{
    struct arch_cpu *a = &c->arch;
    uint64_t tss = (uint64_t)&a->tss;

    a->tss.iomap = sizeof(a->tss);
    a->gdt[SEL_CODE / 8] = 0x00af9b000000ffff;
    a->gdt[SEL_DATA / 8] = 0x00cf93000000ffff;
    a->gdt[SEL_TSS / 8] = (sizeof(a->tss) - 1) | (tss & 0xffffff) << 16 | 0x89ull << 40 |
                          (tss >> 24 & 0xff) << 56;
    a->gdt[SEL_TSS / 8 + 1] = tss >> 32;
    load_table(true, a->gdt, sizeof(a->gdt) - 1);
    load_table(false, idt, sizeof(idt) - 1);
    __asm__ volatile("pushq %0; leaq 1f(%%rip), %%rax; pushq %%rax; lretq; 1:"
                     :
                     : "i"(SEL_CODE)
                     : "rax", "memory");
    __asm__ volatile("ltr %w0" : : "r"(SEL_TSS));
}

static void print_registers(const struct trap_frame *f)
{
    log_error("rip %016lx rsp %016lx rflags %08lx cs %lx", (unsigned long)f->rip,
              (unsigned long)f->rsp, (unsigned long)f->rflags, (unsigned long)f->cs);
    log_error("rax %016lx rbx %016lx rcx %016lx rdx %016lx", (unsigned long)f->rax,
              (unsigned long)f->rbx, (unsigned long)f->rcx, (unsigned long)f->rdx);
    log_error("rsi %016lx rdi %016lx rbp %016lx r8  %016lx", (unsigned long)f->rsi,
              (unsigned long)f->rdi, (unsigned long)f->rbp, (unsigned long)f->r8);
    log_error("r9  %016lx r10 %016lx r11 %016lx r12 %016lx", (unsigned long)f->r9,
              (unsigned long)f->r10, (unsigned long)f->r11, (unsigned long)f->r12);
    log_error("r13 %016lx r14 %016lx r15 %016lx", (unsigned long)f->r13, (unsigned long)f->r14,
              (unsigned long)f->r15);
    log_error("cr0 %lx cr2 %lx cr3 %lx cr4 %lx", (unsigned long)read_cr0(),
              (unsigned long)read_cr2(), (unsigned long)read_cr3(), (unsigned long)read_cr4());
}

static void exception(struct trap_frame *f)
{
    const char *name = names[f->vector] != NULL ? names[f->vector] : "reserved vector";
    const char *guard =
        f->vector == 14 || f->vector == 8 ? stack_guard_name(read_cr2()) : NULL;

    arch_stop_others();
    log_panic_mode();
    log_error("EXCEPTION on CPU %u: %s, error code %lx%s%s", this_cpu()->index, name,
              (unsigned long)f->error, guard != NULL ? ": overflow of " : "",
              guard != NULL ? guard : "");
    print_registers(f);
    print_frame(f->rip);
    arch_backtrace(f->rbp, print_frame);
    panic("%s at %lx", name, (unsigned long)f->rip);
}

/*
 * An NMI comes at any moment, also while this CPU holds the lock of the log: it is only noted. Code
 * that interrupts may come to holds no lock, and tells of it.
 */
static bool nmi_came; /* to any CPU */

void nmi_tell(void)
{
    if (UNLIKELY(load_once(&nmi_came)) && atomic_swap(&nmi_came, false)) {
        log_warn("NMI: the machine reports a hardware error, or somebody pressed a button");
    }
}

static void interrupt(uint8_t vector)
{
    nmi_tell();
    switch (vector) {
    case VECTOR_SPURIOUS:
        return; /* no EOI: APM Vol. 2, 16.4.6 */
    case VECTOR_TIMER:
        lapic_eoi();
        timer_interrupt();
        return;
    case VECTOR_KICK:
        lapic_eoi();
        sched_set_slice(); /* somebody may have queued behind the one that runs */
        return;
    case VECTOR_CALL:
        lapic_eoi();
        smp_called();
        return;
    case VECTOR_POSTED:
        lapic_eoi(); /* the guest did not run: it is told again */
        return;
    default:
        lapic_eoi();
        log_warn("unexpected interrupt, vector %u", vector);
    }
}

/* An access to guest memory that the guest has just taken away goes on behind it. */
static bool fixup(struct trap_frame *f)
{
    for (const struct fixup *x = fixups_start; x < fixups_end; x++) {
        if (f->rip == x->at) {
            f->rip = x->resume;
            return true;
        }
    }
    return false;
}

void x86_trap(struct trap_frame *f)
{
    if (f->vector >= 32) {
        interrupt((uint8_t)f->vector);
    } else if (f->vector == 2 && nmi_says_stop()) {
        cpu_stop();
    } else if (f->vector == 2) {
        store_once(&nmi_came, true);
    } else if (f->vector != 14 || !fixup(f)) {
        exception(f);
    }
}

void arch_backtrace(uint64_t frame, void (*fn)(uint64_t address))
{
    const uint64_t *rbp = (const uint64_t *)frame;

    if (frame == 0) {
        rbp = __builtin_frame_address(0);
    }
    for (unsigned int depth = 0; depth < 24; depth++) {
        /* Only where our stacks are: a broken frame pointer must not fault again. */
        if (!IS_ALIGNED((uint64_t)rbp, 8) || !stack_readable((uint64_t)rbp)) {
            return;
        }
        if (rbp[1] == 0) {
            return;
        }
        fn(rbp[1] - 1); /* inside the call, not after it: the call may be the last instruction */
        rbp = (const uint64_t *)rbp[0];
    }
}
