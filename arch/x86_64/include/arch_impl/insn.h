/* Single instructions, by their names. Only arch/x86_64 includes this. */
#ifndef ARCH_IMPL_INSN_H
#define ARCH_IMPL_INSN_H

#include "hv/types.h"

static inline void outb(uint16_t port, uint8_t v)
{
    __asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port));
}

static inline uint8_t inb(uint16_t port)
{
    uint8_t v;

    __asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
    return v;
}

static inline uint64_t rdmsr(uint32_t msr)
{
    uint32_t lo, hi;

    __asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
    return (uint64_t)hi << 32 | lo;
}

static inline void wrmsr(uint32_t msr, uint64_t v)
{
    __asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)) : "memory");
}

static inline uint64_t rdtsc(void)
{
    uint32_t lo, hi;

    __asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
    return (uint64_t)hi << 32 | lo;
}

struct cpuid_regs {
    uint32_t eax, ebx, ecx, edx;
};

static inline struct cpuid_regs cpuid(uint32_t leaf, uint32_t sub)
{
    struct cpuid_regs r;

    __asm__ volatile("cpuid"
                     : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
                     : "a"(leaf), "c"(sub));
    return r;
}

#define CR_ACCESS(reg)                                                                             \
    static inline uint64_t read_##reg(void)                                                        \
    {                                                                                              \
        uint64_t v;                                                                                \
        __asm__ volatile("mov %%" #reg ", %0" : "=r"(v));                                          \
        return v;                                                                                  \
    }                                                                                              \
    static inline void write_##reg(uint64_t v)                                                     \
    {                                                                                              \
        __asm__ volatile("mov %0, %%" #reg : : "r"(v) : "memory");                                 \
    }
CR_ACCESS(cr0)
CR_ACCESS(cr2)
CR_ACCESS(cr3)
CR_ACCESS(cr4)
CR_ACCESS(dr0)
CR_ACCESS(dr1)
CR_ACCESS(dr2)
CR_ACCESS(dr3)
#undef CR_ACCESS

static inline void invlpg(uint64_t va)
{
    __asm__ volatile("invlpg (%0)" : : "r"(va) : "memory");
}

static inline void xsetbv(uint32_t index, uint64_t v)
{
    __asm__ volatile("xsetbv" : : "c"(index), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)));
}

#define MSR_APIC_BASE   0x0000001bu
#define MSR_SPEC_CTRL   0x00000048u
#define MSR_PRED_CMD    0x00000049u
#define MSR_TSC_DEADLINE 0x000006e0u
#define MSR_X2APIC      0x00000800u
#define MSR_EFER        0xc0000080u
#define MSR_FS_BASE     0xc0000100u
#define MSR_TSC_AUX     0xc0000103u
#define MSR_VM_CR       0xc0010114u
#define MSR_VM_HSAVE_PA 0xc0010117u

#define EFER_SCE  BIT(0)
#define EFER_LME  BIT(8)
#define EFER_LMA  BIT(10)
#define EFER_NXE  BIT(11)
#define EFER_SVME BIT(12)
#define EFER_AIBRSE BIT(21) /* Automatic IBRS */

#define SPEC_CTRL_STIBP BIT(1)
#define PRED_CMD_IBPB   BIT(0)

#define CR0_PE  BIT(0)
#define CR0_ET  BIT(4)
#define CR0_NE  BIT(5)
#define CR0_WP  BIT(16)
#define CR0_NW  BIT(29)
#define CR0_CD  BIT(30)
#define CR0_PG  BIT(31)
#define CR4_PAE BIT(5)
#define CR4_MCE BIT(6)
#define CR4_OSFXSR  BIT(9)
#define CR4_OSXMM   BIT(10)
#define CR4_OSXSAVE BIT(18)
#define CR4_SMEP    BIT(20)
#define CR4_SMAP    BIT(21)

#endif
