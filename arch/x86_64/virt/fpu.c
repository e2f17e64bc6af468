/* The guests' x87, SSE and wider state. The hypervisor itself uses none of these registers. */
#include "arch_impl/svm.h"

#include "../cpu/x86.h"
#include "arch_impl/insn.h"
#include "hv/check.h"
#include "hv/string.h"

/* XCR0: x87, SSE, AVX, AVX-512 (three bits), protection keys. */
#define XCR0_KNOWN 0x2e7u
#define XCR0_X87   BIT(0)
#define XCR0_SSE   BIT(1)
#define XCR0_AVX   BIT(2)
#define XCR0_AVX512 0xe0u

static uint64_t mask = XCR0_X87 | XCR0_SSE;
static uint32_t area = 512;

void fpu_init(void)
{
    if (!cpu_features.xsave) {
        return;
    }
    mask = cpuid(0xd, 0).eax & XCR0_KNOWN;
    xsetbv(0, mask);
    area = cpuid(0xd, 0).ebx; /* for what XCR0 enables now */
    CHECK(area >= 576 && area <= PAGE_SIZE * 3);
}

size_t fpu_area_size(void)
{
    return area;
}

uint64_t fpu_xcr0_mask(void)
{
    return mask;
}

bool fpu_xcr0_valid(uint64_t xcr0)
{
    return (xcr0 & ~mask) == 0 && (xcr0 & XCR0_X87) != 0 &&
           ((xcr0 & XCR0_AVX) == 0 || (xcr0 & XCR0_SSE) != 0) &&
           ((xcr0 & XCR0_AVX512) == 0 ||
            ((xcr0 & XCR0_AVX512) == XCR0_AVX512 && (xcr0 & XCR0_AVX) != 0));
}

void fpu_reset(struct vcpu *v)
{
    const uint16_t fcw = 0x37f;
    const uint32_t mxcsr = 0x1f80;

    memset(v->arch.fpu, 0, area);
    memcpy(v->arch.fpu, &fcw, sizeof(fcw));
    memcpy(v->arch.fpu + 24, &mxcsr, sizeof(mxcsr));
    v->arch.xcr0 = XCR0_X87;
}

void fpu_save(uint8_t *at)
{
    if (cpu_features.xsave) {
        xsetbv(0, mask);
        __asm__ volatile("xsave64 (%0)" : : "r"(at), "a"((uint32_t)mask), "d"(0) : "memory");
    } else {
        __asm__ volatile("fxsave64 (%0)" : : "r"(at) : "memory");
    }
}

void fpu_load(const uint8_t *at, uint64_t xcr0)
{
    if (cpu_features.xsave) {
        xsetbv(0, mask);
        __asm__ volatile("xrstor64 (%0)" : : "r"(at), "a"((uint32_t)mask), "d"(0) : "memory");
        xsetbv(0, xcr0);
    } else {
        __asm__ volatile("fxrstor64 (%0)" : : "r"(at) : "memory");
    }
}
