/* Instructions that C has no words for. */
#ifndef ARCH_IMPL_INSN_H
#define ARCH_IMPL_INSN_H

#include "hv/types.h"

/* A system register, by its name or as S<op0>_<op1>_C<n>_C<m>_<op2>; or by a macro that is one. */
#define sysreg_read(name)         sysreg_read_(name)
#define sysreg_write(name, value) sysreg_write_(name, value)
#define sysreg_read_(name)                                                                         \
    __extension__({                                                                                \
        uint64_t value_;                                                                           \
        __asm__ volatile("mrs %0, " #name : "=r"(value_));                                         \
        value_;                                                                                    \
    })
#define sysreg_write_(name, value)                                                                 \
    __asm__ volatile("msr " #name ", %x0" : : "rZ"((uint64_t)(value)) : "memory")

#define isb()     __asm__ volatile("isb" : : : "memory")
#define dsb(kind) __asm__ volatile("dsb " #kind : : : "memory")
#define wfi()     __asm__ volatile("wfi" : : : "memory")

/* A field of a register: `bits` from `low` on. */
static inline uint64_t field(uint64_t value, unsigned int low, unsigned int bits)
{
    return value >> low & (BIT(bits) - 1);
}

static inline uint8_t mmio_read8(const volatile void *at)
{
    uint32_t v;

    __asm__ volatile("ldrb %w0, %1" : "=r"(v) : "Q"(*(const volatile uint8_t *)at) : "memory");
    return (uint8_t)v;
}

static inline void mmio_write8(volatile void *at, uint8_t v)
{
    __asm__ volatile("strb %w1, %0" : "=Q"(*(volatile uint8_t *)at) : "rZ"(v) : "memory");
}

static inline uint32_t mmio_read32(const volatile void *at)
{
    uint32_t v;

    __asm__ volatile("ldr %w0, %1" : "=r"(v) : "Q"(*(const volatile uint32_t *)at) : "memory");
    return v;
}

static inline uint64_t mmio_read64(const volatile void *at)
{
    uint64_t v;

    __asm__ volatile("ldr %0, %1" : "=r"(v) : "Q"(*(const volatile uint64_t *)at) : "memory");
    return v;
}

static inline void mmio_write32(volatile void *at, uint32_t v)
{
    __asm__ volatile("str %w1, %0" : "=Q"(*(volatile uint32_t *)at) : "rZ"(v) : "memory");
}

#endif
