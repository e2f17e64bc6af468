#ifndef ARCH_IMPL_STRING_H
#define ARCH_IMPL_STRING_H

void fake_copy(void *dst, const void *src, size_t n);
void fake_fill(void *dst, uint8_t byte, size_t n);

static inline void arch_copy(void *dst, const void *src, size_t n)
{
    fake_copy(dst, src, n);
}

static inline void arch_fill(void *dst, uint8_t byte, size_t n)
{
    fake_fill(dst, byte, n);
}

#endif
