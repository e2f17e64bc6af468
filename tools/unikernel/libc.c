/* The few functions of C that compilers and the cipher call. */
#include <stddef.h>

void *memcpy(void *to, const void *from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *at, int byte, size_t n);
void *__memcpy_chk(void *to, const void *from, size_t n, size_t room);
void *__memset_chk(void *at, int byte, size_t n, size_t room);
_Noreturn void __stack_chk_fail(void);

void *memcpy(void *to, const void *from, size_t n)
{
    unsigned char *d = to;
    const unsigned char *s = from;

    for (size_t i = 0; i < n; i++) {
        d[i] = s[i];
    }
    return to;
}

void *memmove(void *to, const void *from, size_t n)
{
    unsigned char *d = to;
    const unsigned char *s = from;

    if (d <= s) {
        return memcpy(to, from, n);
    }
    while (n-- > 0) {
        d[n] = s[n];
    }
    return to;
}

void *memset(void *at, int byte, size_t n)
{
    unsigned char *d = at;

    for (size_t i = 0; i < n; i++) {
        d[i] = (unsigned char)byte;
    }
    return at;
}

void *__memcpy_chk(void *to, const void *from, size_t n, size_t room)
{
    return n <= room ? memcpy(to, from, n) : (__stack_chk_fail(), to);
}

void *__memset_chk(void *at, int byte, size_t n, size_t room)
{
    return n <= room ? memset(at, byte, n) : (__stack_chk_fail(), at);
}

void __stack_chk_fail(void)
{
    for (;;) {
        __asm__ volatile("ud2");
    }
}
