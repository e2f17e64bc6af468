/* What the micro-guests for AArch64 share. They print to the PL011 and end by PSCI. */
#ifndef TESTS_GUEST_ARM64_H
#define TESTS_GUEST_ARM64_H

#include <stdbool.h>
#include <stdint.h>

void guest_main(void);

void print(const char *text);
void print_number(const char *what, uint64_t n);
/* "ok NAME", or "FAIL NAME: got". */
void expect(const char *name, uint64_t got, uint64_t wanted);

struct regs {
    uint64_t x[4];
};
struct regs hvc(uint64_t x0, uint64_t x1, uint64_t x2, uint64_t x3);
struct regs smc(uint64_t x0, uint64_t x1, uint64_t x2, uint64_t x3);
void power_off(void);

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

/* Exceptions so far, and the last one's syndrome: start.S keeps them in registers. */
static inline uint64_t exceptions(void)
{
    uint64_t n;

    __asm__ volatile("mov %0, x18" : "=r"(n));
    return n;
}

static inline uint64_t syndrome(void)
{
    uint64_t v;

    __asm__ volatile("mov %0, x17" : "=r"(v));
    return v;
}

#define read_sysreg(name)                                                                          \
    __extension__({                                                                                \
        uint64_t v_ = 0;                                                                           \
        __asm__ volatile("mrs %0, " #name : "+r"(v_) : : "memory");                                \
        v_;                                                                                        \
    })
#define write_sysreg(name, v)                                                                      \
    __asm__ volatile("msr " #name ", %0" : : "r"((uint64_t)(v)) : "memory")

#endif
