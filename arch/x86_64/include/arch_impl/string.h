#ifndef ARCH_IMPL_STRING_H
#define ARCH_IMPL_STRING_H

static inline void arch_copy(void *dst, const void *src, size_t n)
{
    size_t words = n / 8;

    __asm__ volatile("rep movsq" : "+D"(dst), "+S"(src), "+c"(words) : : "memory");
    n %= 8;
    __asm__ volatile("rep movsb" : "+D"(dst), "+S"(src), "+c"(n) : : "memory");
}

static inline void arch_fill(void *dst, uint8_t byte, size_t n)
{
    size_t words = n / 8;

    __asm__ volatile("rep stosq"
                     : "+D"(dst), "+c"(words)
                     : "a"(byte * 0x0101010101010101ull)
                     : "memory");
    n %= 8;
    __asm__ volatile("rep stosb" : "+D"(dst), "+c"(n) : "a"(byte) : "memory");
}

#endif
