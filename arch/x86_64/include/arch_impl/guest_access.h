/*
 * Each access names the place where it goes on after a page fault (trap.c: fixup). Loads and stores
 * of this architecture acquire and release by themselves.
 */
#ifndef ARCH_IMPL_GUEST_ACCESS_H
#define ARCH_IMPL_GUEST_ACCESS_H

struct fixup {
    uint64_t at, resume;
};

#define GUEST_FIXUP(at, resume)                                                                    \
    ".pushsection .fixups, \"a\"\n\t.quad " at ", " resume "\n\t.popsection\n"

static inline bool arch_guest_copy(void *dst, const void *src, size_t n)
{
    size_t words = n / 8;

    n %= 8;
    __asm__ volatile("1: rep movsq\n\t"
                     "xchg %[rest], %%rcx\n"
                     "2: rep movsb\n"
                     "3:\n\t" GUEST_FIXUP("1b", "3b") GUEST_FIXUP("2b", "3b")
                     : "+D"(dst), "+S"(src), "+c"(words), [rest] "+r"(n)
                     :
                     : "memory");
    return words == 0 && n == 0;
}

static inline bool arch_guest_fill(void *dst, uint8_t byte, size_t n)
{
    __asm__ volatile("1: rep stosb\n2:\n\t" GUEST_FIXUP("1b", "2b")
                     : "+D"(dst), "+c"(n)
                     : "a"(byte)
                     : "memory");
    return n == 0;
}

#define GUEST_LOAD(bits, mov, reg)                                                                 \
    static inline bool arch_guest_load##bits(const uint##bits##_t *at, uint##bits##_t *value)      \
    {                                                                                              \
        uint##bits##_t v = 0;                                                                      \
        bool ok = false;                                                                           \
                                                                                                   \
        __asm__ volatile("1: " mov " %[at], %" reg "[v]\n\t"                                       \
                         "movb $1, %[ok]\n2:\n\t" GUEST_FIXUP("1b", "2b")                          \
                         : [v] "+r"(v), [ok] "+q"(ok)                                              \
                         : [at] "m"(*at)                                                           \
                         : "memory");                                                              \
        *value = v;                                                                                \
        return ok;                                                                                 \
    }

#define GUEST_STORE(bits, mov, reg)                                                                \
    static inline bool arch_guest_store##bits(uint##bits##_t *at, uint##bits##_t value)            \
    {                                                                                              \
        bool ok = false;                                                                           \
                                                                                                   \
        __asm__ volatile("1: " mov " %" reg "[v], %[at]\n\t"                                       \
                         "movb $1, %[ok]\n2:\n\t" GUEST_FIXUP("1b", "2b")                          \
                         : [at] "=m"(*at), [ok] "+q"(ok)                                           \
                         : [v] "r"(value)                                                          \
                         : "memory");                                                              \
        return ok;                                                                                 \
    }

GUEST_LOAD(16, "movw", "w")
GUEST_LOAD(32, "movl", "k")
GUEST_STORE(16, "movw", "w")
GUEST_STORE(32, "movl", "k")
GUEST_STORE(64, "movq", "q")

#endif
