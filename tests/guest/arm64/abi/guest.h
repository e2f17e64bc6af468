/*
 * What tests/guest/abi_*.c find on AArch64, under the names of lib/guest.h: in plain domains and in
 * realms, with pages of 4, 16 or 64 KiB (`granule=` of the command line).
 */
#ifndef GUEST_H
#define GUEST_H

#include "abi/const.h"
#include "arch/barrier.h"
#include "frame.h"

/* Registers at the entry (start.S): X0 to X30, SP, then those that `special` in start.S lists. */
#define STATE_REGS 48u
extern uint64_t entry_state[STATE_REGS], second_state[STATE_REGS];

/* ---- calls; realm.c has what a realm has of its own ---- */

extern uint64_t shared_bit; /* of an address, which names shared memory; 0: none */

struct regs {
    uint64_t x[5];
};
void smc(struct regs *r);
void hvc(struct regs *r);
void host_call(struct regs *r);
void realm_begin(void);
bool convert(const void *page, bool shared);

struct call_result call(uint64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d);
#define CALL_NUMBERS 0x100u /* beyond are discovery, and the calls of others */

/* ---- memory: mmu.c ---- */

#define SHARED __attribute__((section(".bss.shared"), aligned(65536)))
void mmu_begin(void);
void mmu_on(void);
/* One page of 64 KiB at `at`, shared: where it is, too. */
volatile void *map_shared(uint64_t at);
#define RAM_ENDS_BEFORE_DEVICES 0xfe000000ull

/* ---- CPUs, interrupts, time: cpu.c ---- */

#define CPUS_MAX 4u
struct guest_cpu {
    unsigned int index;
    bool online;
    void (*work)(void *arg);
    void *work_arg;
};
extern struct guest_cpu cpus[CPUS_MAX];

static inline struct guest_cpu *me(void)
{
    struct guest_cpu *c;

    __asm__ volatile("mrs %0, tpidr_el1" : "=r"(c));
    return c;
}

void cpu_begin(unsigned int index);

#define INTERRUPT     40u /* one that nobody else uses */
#define INTERRUPT_LOW 32u
#define INTERRUPT_END 96u
void interrupt_to(unsigned int n, unsigned int vcpu);
static inline void irqs_window(void)
{
    __asm__ volatile("msr daifclr, #2; isb; nop; msr daifset, #2" : : : "memory");
}
static inline void irqs_off(void)
{
    __asm__ volatile("msr daifset, #2" : : : "memory");
}

/* Waits for an interrupt, and takes it. */
static inline void halt(void)
{
    __asm__ volatile("wfi" : : : "memory");
    irqs_window();
}

static inline void pause_cpu(void)
{
    __asm__ volatile("yield" : : : "memory");
}

static inline uint64_t counter(void)
{
    uint64_t v;

    __asm__ volatile("isb; mrs %0, cntvct_el0" : "=r"(v) : : "memory");
    return v;
}
uint64_t ticks_of_us(uint64_t us);
uint64_t us_of_ticks(uint64_t ticks);
static inline uint32_t load32(uint64_t at)
{
    uint32_t v;

    __asm__ volatile("ldr %w0, [%1]" : "=r"(v) : "r"(at) : "memory");
    return v;
}

static inline void store32(uint64_t at, uint32_t v)
{
    __asm__ volatile("str %w0, [%1]" : : "r"(v), "r"(at) : "memory");
}

#define read_sysreg(name)                                                                          \
    __extension__({                                                                                \
        uint64_t v_ = 0;                                                                           \
        __asm__ volatile("mrs %0, " #name : "+r"(v_) : : "memory");                                \
        v_;                                                                                        \
    })
#define write_sysreg(name, v)                                                                      \
    __asm__ volatile("msr " #name ", %0; isb" : : "r"((uint64_t)(v)) : "memory")

static inline uint64_t irqs_save(void)
{
    uint64_t flags = read_sysreg(daif);

    irqs_off();
    return flags;
}

static inline void irqs_restore(uint64_t flags)
{
    write_sysreg(daif, flags);
}

#endif
