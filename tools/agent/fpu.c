/*
 * The SSE and AVX registers of several processes on every CPU: each finds its own again after every
 * switch, in the form that the kernel saves them in, and by XSAVEC, which user code may use itself.
 */
#include "agent.h"

#include <cpuid.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS  300
#define EACH    2  /* processes a CPU */
#define YMM     32 /* bytes */
#define SSE_AVX 6  /* in XCR0 */

struct registers {
    uint8_t r[16][YMM];
};

#define ALL(op)                                                                                    \
    op(0) op(1) op(2) op(3) op(4) op(5) op(6) op(7) op(8) op(9) op(10) op(11) op(12) op(13)        \
    op(14) op(15)
#define LOAD_YMM(i)  "vmovdqu " #i "*32(%[in]), %%ymm" #i "\n"
#define STORE_YMM(i) "vmovdqu %%ymm" #i ", " #i "*32(%[out])\n"
#define LOAD_XMM(i)  "movdqu " #i "*32(%[in]), %%xmm" #i "\n"
#define STORE_XMM(i) "movdqu %%xmm" #i ", " #i "*32(%[out])\n"
#define REGISTERS                                                                                  \
    "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",       \
        "xmm11", "xmm12", "xmm13", "xmm14", "xmm15"

/* Puts them into the registers, lets others run, and takes them out. */
static void through_a_switch(const struct registers *in, struct registers *out, bool avx)
{
    long call = SYS_sched_yield;

    if (avx) {
        __asm__ volatile(ALL(LOAD_YMM) "syscall\n" ALL(STORE_YMM)
                         : "+a"(call)
                         : [in] "r"(in), [out] "r"(out)
                         : "rcx", "r11", "memory", REGISTERS);
    } else {
        __asm__ volatile(ALL(LOAD_XMM) "syscall\n" ALL(STORE_XMM)
                         : "+a"(call)
                         : [in] "r"(in), [out] "r"(out)
                         : "rcx", "r11", "memory", REGISTERS);
    }
}

/* The address has a base, an index and a displacement. */
static void through_xsavec(const struct registers *in, struct registers *out)
{
    static uint8_t area[4096] __attribute__((aligned(64)));

    __asm__ volatile(ALL(LOAD_YMM) "xsavec64 128(%[area],%[four],4)\n"
                                   "vzeroall\n"
                                   "xrstor64 128(%[area],%[four],4)\n" ALL(STORE_YMM)
                     :
                     : [in] "r"(in), [out] "r"(out), [area] "r"(area), [four] "r"(16l),
                       "a"(SSE_AVX), "d"(0)
                     : "memory", REGISTERS);
}

static bool has_xsavec(void)
{
    unsigned int a, b, c, d;

    return __get_cpuid_count(0xd, 1, &a, &b, &c, &d) != 0 && (a & 2) != 0;
}

static int process(unsigned int number, bool avx, bool xsavec)
{
    struct registers mine, back;
    size_t width = avx ? YMM : YMM / 2;

    for (unsigned int round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < sizeof(mine); i++) {
            mine.r[i / YMM][i % YMM] = (uint8_t)(number * 37 + round * 11 + i * 7);
        }
        memset(&back, 0, sizeof(back));
        if (xsavec && round % 2 != 0) {
            through_xsavec(&mine, &back);
        } else {
            through_a_switch(&mine, &back, avx);
        }
        for (unsigned int i = 0; i < 16; i++) {
            if (memcmp(mine.r[i], back.r[i], width) != 0) {
                return 1;
            }
        }
    }
    return 0;
}

void work_fpu(unsigned int seconds)
{
    unsigned int count = EACH * (unsigned int)sysconf(_SC_NPROCESSORS_ONLN), bad = 0;
    bool avx = __builtin_cpu_supports("avx") != 0, xsavec = avx && has_xsavec();
    int status;

    (void)seconds;
    for (unsigned int i = 0; i < count; i++) {
        pid_t child = child_fork("a process with registers");

        if (child == 0) {
            _exit(process(i, avx, xsavec));
        }
    }
    while (wait(&status) > 0) {
        bad += status != 0 ? 1 : 0;
    }
    if (bad != 0) {
        say_failed("%u of %u processes lost registers", bad, count);
        return;
    }
    say("registers: %u processes kept theirs, %s%s", count, avx ? "AVX" : "SSE",
        xsavec ? ", XSAVEC" : "");
    say_event("fpu", "\"processes\":%u,\"avx\":%s,\"xsavec\":%s", count, avx ? "true" : "false",
              xsavec ? "true" : "false");
}
