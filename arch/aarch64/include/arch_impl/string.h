#ifndef ARCH_IMPL_STRING_H
#define ARCH_IMPL_STRING_H

static inline void arch_copy(void *dst, const void *src, size_t n)
{
    uint64_t a, b;

    for (; n >= 16; n -= 16) {
        __asm__ volatile("ldp %2, %3, [%1], #16\n\tstp %2, %3, [%0], #16"
                         : "+r"(dst), "+r"(src), "=&r"(a), "=&r"(b)
                         :
                         : "memory");
    }
    for (; n > 0; n--) {
        __asm__ volatile("ldrb %w2, [%1], #1\n\tstrb %w2, [%0], #1"
                         : "+r"(dst), "+r"(src), "=&r"(a)
                         :
                         : "memory");
    }
}

/* Arm ARM, DCZID_EL0: words in a block that DC ZVA clears, as a power of two; bit 4: forbidden. */
static inline size_t arch_zero_block(void)
{
    uint64_t dczid;

    __asm__("mrs %0, dczid_el0" : "=r"(dczid));
    return (dczid & BIT(4)) != 0 ? 0 : (size_t)4 << (dczid & 15);
}

static inline void arch_fill(void *dst, uint8_t byte, size_t n)
{
    uint64_t word = byte * 0x0101010101010101ull;
    size_t block = word == 0 && n >= PAGE_SIZE ? arch_zero_block() : 0;

    if (block != 0 && IS_ALIGNED((uint64_t)dst, block)) {
        for (; n >= block; n -= block) {
            __asm__ volatile("dc zva, %0" : : "r"(dst) : "memory");
            dst = (uint8_t *)dst + block;
        }
    }
    for (; n >= 16; n -= 16) {
        __asm__ volatile("stp %1, %1, [%0], #16" : "+r"(dst) : "r"(word) : "memory");
    }
    for (; n > 0; n--) {
        __asm__ volatile("strb %w1, [%0], #1" : "+r"(dst) : "r"(word) : "memory");
    }
}

#endif
