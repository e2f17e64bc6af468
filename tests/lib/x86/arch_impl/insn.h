/* The instructions of x86-64 in a test program, where those that read the chip are the test's. */
#ifndef X86_TEST_INSN_H
#define X86_TEST_INSN_H

#define rdmsr insn_rdmsr
#define wrmsr insn_wrmsr
#define cpuid insn_cpuid
#include "../../../../arch/x86_64/include/arch_impl/insn.h"
#undef rdmsr
#undef wrmsr
#undef cpuid

uint64_t rdmsr(uint32_t msr);
void wrmsr(uint32_t msr, uint64_t v);
struct cpuid_regs cpuid(uint32_t leaf, uint32_t sub);

#endif
