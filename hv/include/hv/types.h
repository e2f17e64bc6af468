/* Address types, sizes and the few macros that everything uses. */
#ifndef HV_TYPES_H
#define HV_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/status.h"

/* An address is what its type says. Host-physical, guest-physical: plain integers do not mix. */
typedef struct {
    uint64_t v;
} pa_t;
typedef struct {
    uint64_t v;
} gpa_t;

static inline pa_t pa(uint64_t v)
{
    return (pa_t){v};
}

static inline gpa_t gpa(uint64_t v)
{
    return (gpa_t){v};
}

#define KiB(n) ((uint64_t)(n) << 10)
#define MiB(n) ((uint64_t)(n) << 20)
#define GiB(n) ((uint64_t)(n) << 30)

#define PAGE_SHIFT 12
#define PAGE_SIZE  4096u
#define PAGE_MASK  (~(uint64_t)(PAGE_SIZE - 1))
#define SIZE_2M    MiB(2)
#define SIZE_1G    GiB(1)

#define ARRAY_SIZE(a)     (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)         ((a) < (b) ? (a) : (b))
#define MAX(a, b)         ((a) > (b) ? (a) : (b))
#define ALIGN_UP(x, a)    (((x) + ((a) - 1)) & ~((uint64_t)(a) - 1))
#define ALIGN_DOWN(x, a)  ((x) & ~((uint64_t)(a) - 1))
#define IS_ALIGNED(x, a)  (((x) & ((uint64_t)(a) - 1)) == 0)
#define BIT(n)            (1ull << (n))
#define container_of(p, type, member) ((type *)((char *)(p)-offsetof(type, member)))

#define MUST_CHECK     __attribute__((warn_unused_result))
#define NORETURN       __attribute__((noreturn))
#define PRINTF(f, a)   __attribute__((format(printf, f, a)))
#define ALWAYS_INLINE  inline __attribute__((always_inline))
#define LIKELY(x)      __builtin_expect(!!(x), 1)
#define UNLIKELY(x)    __builtin_expect(!!(x), 0)

#endif
