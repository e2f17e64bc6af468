/* What a micro-guest is made of on x86: PVH or a bzImage, 64 bits, memory mapped to itself. */
#ifndef GUEST_H
#define GUEST_H

#include "arch/barrier.h"
#include "arch_impl/insn.h"
#include "frame.h"

extern struct start_info *start_info;

/* Xen, public/arch-x86/hvm/start_info.h. */
struct start_info {
    uint32_t magic, version, flags, modules;
    uint64_t module_list, cmdline, rsdp, map;
    uint32_t map_entries, reserved;
};
struct map_entry {
    uint64_t at, len;
    uint32_t type, reserved;
};

/* What the first vCPU started with, as 32 bits can see it (start.S); the others': AP_STATE. */
struct entry_state {
    uint32_t eax, ebx, ecx, edx, esi, edi, ebp, esp;
    uint32_t cs, ds, es, fs, gs, ss;
    uint32_t cr0, cr2, cr3, cr4, dr6, dr7;
    uint32_t tr, ldtr, efer, eflags;
    uint8_t gdtr[8], idtr[8]; /* limit, then base */
};
extern struct entry_state entry_state;
#define AP_STATE ((const struct entry_state *)(AP_PAGE * 4096ull + 0xf00))

/* ---- CPUs ---- */

#define CPUS_MAX   8u
#define STACK_SIZE 0x4000u
#define NO_FAULT   256

struct frame {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax;
    uint64_t vector, error, rip, cs, rflags, rsp, ss;
};

struct tss64 { /* AMD64 APM Vol. 2, 12.2.5 */
    uint32_t reserved0;
    uint64_t rsp[3], reserved1, ist[7], reserved2;
    uint16_t reserved3, iomap;
} __attribute__((packed));

struct guest_cpu {
    struct guest_cpu *self; /* GS:0 */
    unsigned int index;
    int fault;              /* the last exception that TRY or user_run caught */
    uint64_t fault_error, fault_cr2;
    uint64_t user_rsp;
    struct tss64 tss;
    uint64_t gdt[8];
    bool online;
    void (*work)(void *arg);
    void *work_arg;
    uint8_t ist[2][4096] __attribute__((aligned(16)));
};
extern struct guest_cpu cpus[CPUS_MAX];

static inline struct guest_cpu *me(void)
{
    struct guest_cpu *c;

    __asm__ volatile("mov %%gs:0, %0" : "=r"(c));
    return c;
}

/* trap.c. A handler for a vector, or NULL; interrupt handlers say eoi() themselves. */
extern void (*on[256])(struct frame *f);
void cpu_setup(unsigned int index);
/* The gate of a vector: its stack table entry (0: none) and the ring that may say INT n. */
void gate_set(unsigned int vector, unsigned int ist, unsigned int dpl);
void gate_clear(unsigned int vector);
struct idt_gate {
    uint64_t low, high;
};
extern struct idt_gate idt[256];
/* Runs fn in ring 3 with interrupts off; the vector of the exception that ended it. */
int user_run(void (*fn)(void));
#define USER_END "int $0x80"

/*
 * TRY(instruction, : outputs : inputs : clobbers): the vector of the exception that it raised, or
 * NO_FAULT. Outputs keep their old values only when they are "+" operands.
 */
#define TRY(insn, ...)                                                                             \
    ({                                                                                             \
        struct guest_cpu *c_ = me();                                                               \
        c_->fault = NO_FAULT;                                                                      \
        __asm__ volatile("" : : : "memory");                                                       \
        __asm__ volatile("1: " insn "\n2:\n"                                                       \
                         ".pushsection .extable, \"a\"\n .quad 1b, 2b\n .popsection"              \
                         __VA_ARGS__);                                                             \
        __asm__ volatile("" : : : "memory");                                                       \
        *(volatile int *)&c_->fault;                                                               \
    })

static inline int rdmsr_fault(uint32_t msr, uint64_t *value)
{
    uint32_t lo = 0, hi = 0;
    int fault = TRY("rdmsr", : "+a"(lo), "+d"(hi) : "c"(msr) : "memory");

    *value = (uint64_t)hi << 32 | lo;
    return fault;
}

static inline int wrmsr_fault(uint32_t msr, uint64_t v)
{
    return TRY("wrmsr", : : "c"(msr), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)) : "memory");
}

static inline void irqs_on(void)
{
    __asm__ volatile("sti; nop" : : : "memory");
}

static inline void irqs_off(void)
{
    __asm__ volatile("cli" : : : "memory");
}

/* Takes what is pending, with interrupts on for an instruction. */
static inline void irqs_window(void)
{
    __asm__ volatile("sti; nop; nop; cli" : : : "memory");
}

static inline uint64_t irqs_save(void)
{
    uint64_t flags;

    __asm__ volatile("pushfq; popq %0; cli" : "=r"(flags) : : "memory");
    return flags;
}

static inline void irqs_restore(uint64_t flags)
{
    if ((flags & 0x200) != 0) {
        irqs_on();
    }
}

/* Interrupts on and halt as one step, then off again. */
static inline void halt(void)
{
    __asm__ volatile("sti; hlt; cli" : : : "memory");
}

static inline void pause_cpu(void)
{
    __asm__ volatile("pause" : : : "memory");
}

#define PORT_OPS(letter, type, reg)                                                                \
    static inline type in##letter##_(uint16_t port)                                                \
    {                                                                                              \
        type v;                                                                                    \
        __asm__ volatile("in" #letter " %1, %" reg : "=a"(v) : "Nd"(port));                        \
        return v;                                                                                  \
    }                                                                                              \
    static inline void out##letter##_(uint16_t port, type v)                                       \
    {                                                                                              \
        __asm__ volatile("out" #letter " %" reg ", %1" : : "a"(v), "Nd"(port));                    \
    }
PORT_OPS(b, uint8_t, "%al")
PORT_OPS(w, uint16_t, "%ax")
PORT_OPS(l, uint32_t, "%eax")
#undef PORT_OPS

static inline struct call_result vmmcall(uint64_t number, uint64_t a, uint64_t b, uint64_t c,
                                         uint64_t d)
{
    struct call_result r;
    register uint64_t r10 __asm__("r10") = d;

    __asm__ volatile("vmmcall"
                     : "=a"(r.status), "=D"(r.value[0]), "=S"(r.value[1]), "=d"(r.value[2])
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10)
                     : "memory");
    return r;
}

/* ---- confidential guests: tests/guest/cc; the same source, with another beginning ---- */

/* A call of the guest ABI, by what carries it in this kind of guest: VMMCALL unless set. */
extern struct call_result (*call)(uint64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d);
/* Memory that the hypervisor and peers may reach: shared from the start, and zero. */
#define SHARED __attribute__((section(".bss.shared"), aligned(4096)))
/* A page of SHARED becomes private, or shared again; false: the hypervisor refuses. */
extern bool (*convert)(const void *page, bool shared);
/* Starts a vCPU; it calls guest_start. INIT and a start-up IPI unless set. */
extern void (*vcpu_start)(unsigned int index);
extern uint64_t shared_pte; /* what a page table's entry for shared memory has */
extern uint8_t stacks[][STACK_SIZE];

/* ---- what the guest ABI's tests need of any CPU ---- */

#define CALL_NUMBERS 0x10001u    /* from ABI_CALL_BASE on, that are calls or none */
#define INTERRUPT     0x61u
#define INTERRUPT_LOW 32u
#define INTERRUPT_END 256u
static inline void interrupt_to(unsigned int n, unsigned int vcpu) /* the port says that here */
{
    (void)n;
    (void)vcpu;
}
#define RAM_ENDS_BEFORE_DEVICES 0xe0000000ull
static inline uint64_t counter(void)
{
    return rdtsc();
}
#define ticks_of_us tsc_of_us
#define us_of_ticks us_of_tsc

/* ---- local APIC ---- */

enum { /* register offsets from MSR 800h */
    APIC_ID = 0x02, APIC_VERSION = 0x03, APIC_TPR = 0x08, APIC_PPR = 0x0a, APIC_EOI = 0x0b,
    APIC_LDR = 0x0d, APIC_SVR = 0x0f, APIC_ISR = 0x10, APIC_TMR = 0x18, APIC_IRR = 0x20,
    APIC_ESR = 0x28, APIC_ICR = 0x30, APIC_LVT_TIMER = 0x32, APIC_LVT_LINT0 = 0x35,
    APIC_LVT_ERROR = 0x37, APIC_COUNT = 0x38, APIC_NOW = 0x39, APIC_DIVIDE = 0x3e,
    APIC_SELF = 0x3f,
};
static inline uint64_t apic_read(unsigned int reg)
{
    return rdmsr(MSR_X2APIC + reg);
}

static inline void apic_write(unsigned int reg, uint64_t v)
{
    wrmsr(MSR_X2APIC + reg, v);
}

static inline void eoi(void)
{
    apic_write(APIC_EOI, 0);
}

static inline bool apic_bit(unsigned int reg, unsigned int vector)
{
    return (apic_read(reg + vector / 32) >> vector % 32 & 1) != 0;
}

#define ICR_NMI_MODE (4u << 8)
#define ICR_INIT_    (5u << 8 | 1u << 14)
#define ICR_SIPI     (6u << 8 | 1u << 14)
#define ICR_LOGICAL_ (1u << 11)
#define ICR_SELF     (1u << 18)
#define ICR_ALL      (2u << 18)
#define ICR_OTHERS   (3u << 18)
#define LVT_MASKED   (1u << 16)
#define LVT_PERIODIC_ (1u << 17)
#define LVT_TSC      (2u << 17)

static inline void ipi(uint32_t dest, uint32_t low)
{
    apic_write(APIC_ICR, (uint64_t)dest << 32 | low);
}

/* ---- smp.c ---- */

unsigned int vcpu_count(void);
bool cpu_wait_online(unsigned int index);
#define AP_PAGE     8u
#define WAKE_VECTOR 0xf0u

/* ---- time.c: the TSC at the rate that the clock page tells ---- */

void time_setup(void);
uint64_t tsc_of_us(uint64_t us);
uint64_t us_of_tsc(uint64_t tsc);
struct clock_page { /* Linux Documentation/virt/kvm/x86/msr.rst */
    uint32_t version, pad0;
    uint64_t tsc, ns;
    uint32_t mul;
    int8_t shift;
    uint8_t flags, pad[2];
};
uint64_t clock_page_ns(const volatile struct clock_page *p, uint64_t tsc);
#define MSR_KVM_WALL 0x4b564d00u
#define MSR_KVM_TIME 0x4b564d01u

/* ---- memory: 512 pages of 4 KiB at 4 GiB that map wherever one wants ---- */

extern uint64_t page_table4[512], page_table3[512], page_table2[2048], page_window[512];
#define PTE_P  1ull
#define PTE_W  2ull
#define PTE_U  4ull
#define PTE_NX (1ull << 63)
static inline volatile void *map(unsigned int slot, uint64_t at, uint64_t flags)
{
    uint64_t va = GiB(4) + slot * 4096ull;

    page_window[slot] = (at & ~4095ull) | flags | shared_pte;
    invlpg(va);
    return (volatile void *)(va + at % 4096);
}
/* Pages from `at` on that are not ours, where `at` says. */
static inline volatile void *map_shared(uint64_t at)
{
    return map(0, at, PTE_P | PTE_W);
}
extern char image_end[];

#endif
