/* What the files of arch/x86_64 say to each other. */
#ifndef X86_X86_H
#define X86_X86_H

#include "../../common/common.h"

/* Vectors of our own, besides VECTOR_POSTED (svm.h); all others are unexpected and dropped. */
#define VECTOR_KICK     0xfb
#define VECTOR_TIMER    0xfc
#define VECTOR_CALL     0xfd
#define VECTOR_ERROR    0xfe
#define VECTOR_SPURIOUS 0xff

#define SEL_CODE 0x08
#define SEL_DATA 0x10
#define SEL_TSS  0x18

/* As entry.S pushes it. */
struct trap_frame {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax;
    uint64_t vector, error, rip, cs, rflags, rsp, ss;
};

/* head.S */
NORETURN void x86_switch_stack(uint64_t top, void (*fn)(void));
NORETURN void x86_start(uint32_t magic, uint32_t info);

/* trap.c */
void idt_init(void);
void cpu_tables_init(struct cpu *c); /* GDT, TSS, IDT of this CPU, whose stacks exist */
void x86_trap(struct trap_frame *f);
void nmi_tell(void); /* that one came; no lock is held */

/* stacks.c: with a guard page below each; stacks_create() */
uint64_t stack_top(const struct cpu *c);
/* Is it a guard page? Then whose stack overflowed. */
const char *stack_guard_name(uint64_t va);
/* Can two words be read there? */
bool stack_readable(uint64_t va);

/* features.c */
struct cpu_features {
    bool page_1g, smep, smap, tsc_deadline, x2apic, xsave, rdrand, rdtscp;
    uint32_t phys_bits;
};
extern struct cpu_features cpu_features;
void features_read(void);
void features_enable(void); /* on each CPU: CR0, CR4, EFER */

/* lapic.c */
void lapic_init(void); /* on each CPU */
uint32_t lapic_id(void);
void lapic_eoi(void);
void lapic_send(uint32_t apic_id, uint32_t icr_low); /* waits until it is sent */
void lapic_send_others(uint32_t icr_low);
void lapic_timer(uint32_t count);
uint32_t lapic_timer_now(void);

#define ICR_FIXED   0x4000u /* level assert */
#define ICR_NMI     0x4400u
#define ICR_INIT    0x4500u
#define ICR_STARTUP 0x4600u

/* clock.c */
void clock_init(void); /* boot CPU: calibrates */
uint64_t tsc_hz(void);

/* smp.c */
bool nmi_says_stop(void);

#endif
