/*
 * What a micro-guest is made of, whatever its CPU. A test is one C file with a table of sentences:
 *
 *   static void an_unknown_msr_is_refused(void) { expect(rdmsr_fault(0xdead, &v) == 13); }
 *   const struct test tests[] = {TEST(an_unknown_msr_is_refused), TEST_END};
 *
 * Each sentence prints "ok NAME" or "FAILED NAME: why"; after the last one comes "done: N ok, N
 * failed" and the guest powers off. The CPU's part is its guest.h, which includes this file.
 */
#ifndef GUEST_FRAME_H
#define GUEST_FRAME_H

#include "hv/string.h"
#include "hv/types.h"

struct test {
    const char *name;
    void (*fn)(void);
};
extern const struct test tests[];
#define TEST(fn) {#fn, fn}
#define TEST_END {NULL, NULL}

/* frame.c */
void say(const char *fmt, ...) PRINTF(1, 2);
void fail(const char *file, int line, const char *fmt, ...) PRINTF(3, 4);
NORETURN void fatal(const char *fmt, ...) PRINTF(1, 2);
/* A vCPU that is set up: the first runs the tests, the others what they are given. */
NORETURN void frame_run(unsigned int index);

#define expect(cond)                                                                               \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            fail(__FILE__, __LINE__, "%s", #cond);                                                 \
        }                                                                                          \
    } while (0)
#define expect_eq(a, b)                                                                            \
    do {                                                                                           \
        uint64_t a_ = (uint64_t)(a), b_ = (uint64_t)(b);                                           \
        if (a_ != b_) {                                                                            \
            fail(__FILE__, __LINE__, "%s is %lx, not %s = %lx", #a, (unsigned long)a_, #b,         \
                 (unsigned long)b_);                                                               \
        }                                                                                          \
    } while (0)

/* ---- what each CPU's part has ---- */

void emit(const char *text); /* on the console */
NORETURN void power_off(void);
/* NAME=value on the command line, or otherwise. */
uint64_t option(const char *name, uint64_t otherwise);

enum guest_kind { GUEST_PLAIN, GUEST_SNP, GUEST_TD, GUEST_REALM };
extern enum guest_kind guest_kind;
struct call_result {
    uint64_t status, value[3];
};
struct abi_found {
    uint32_t signature[3], version, features;
};
struct abi_found discover(void); /* before any call */

void guest_start(unsigned int index);
/* Brings up vCPUs 1 to n-1, one after another; false when one does not answer in 20 s. */
bool smp_start(unsigned int n);
/* Runs fn on another vCPU; and: waits until it is done. */
void cpu_run(unsigned int index, void (*fn)(void *arg), void *arg);
void cpu_join(unsigned int index);

/* fn runs when it comes, and what an end of interrupt needs is done. */
void on_interrupt(unsigned int n, void (*fn)(void));
void wake_in_us(uint64_t us); /* an interrupt that does nothing else, on this vCPU */
void delay_us(uint64_t us);

/* Spins until cond or so many milliseconds; is cond true? */
#define within_ms(ms, cond)                                                                        \
    ({                                                                                             \
        uint64_t end_ = counter() + ticks_of_us((uint64_t)(ms) * 1000);                            \
        while (!(cond) && counter() < end_) {                                                      \
            pause_cpu();                                                                           \
        }                                                                                          \
        (cond);                                                                                    \
    })

/* A small generator for hostile values (Marsaglia, "Xorshift RNGs", 2003). */
static inline uint64_t next_random(uint64_t *s)
{
    *s ^= *s << 13;
    *s ^= *s >> 7;
    *s ^= *s << 17;
    return *s;
}

#endif
