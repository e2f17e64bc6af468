/* What surrounds a VM: panic, log, clocks, random numbers, str_copy. */
#include "fake_vm.h"

#include "arch_impl/cpu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hv/check.h"
#include "hv/log.h"
#include "hv/string.h"

_Thread_local char fake_cpu;
jmp_buf fake_panic_jump;
static bool panic_expected;
static char panic_text[512];
static char log_text[512];
static unsigned int log_lines;
static uint64_t wall;
static bool random_fails;

void panic(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(panic_text, sizeof(panic_text), fmt, ap);
    va_end(ap);
    if (panic_expected) {
        longjmp(fake_panic_jump, 1);
    }
    fprintf(stderr, "panic: %s\n", panic_text);
    abort();
}

void fake_panic_expected(bool expected)
{
    panic_expected = expected;
}

const char *fake_panic_message(void)
{
    return panic_text;
}

void log_vat(enum log_level level, const char *fmt, va_list ap)
{
    log_lines++;
    vsnprintf(log_text, sizeof(log_text), fmt, ap);
    if (getenv("FAKE_LOG") != NULL) {
        fprintf(stderr, "log %d: %s\n", (int)level, log_text);
    }
}

void log_at(enum log_level level, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    log_vat(level, fmt, ap);
    va_end(ap);
}

void log_vm(struct vm *vm, enum log_level level, const char *fmt, ...)
{
    va_list ap;

    (void)vm;
    va_start(ap, fmt);
    log_vat(level, fmt, ap);
    va_end(ap);
}

unsigned int fake_log_lines(void)
{
    return log_lines;
}

const char *fake_log_last(void)
{
    return log_text;
}

void fake_log_clear(void)
{
    log_lines = 0;
    log_text[0] = '\0';
}

uint64_t time_ns(void)
{
    return 1000000000;
}

uint64_t time_wall(void)
{
    return wall;
}

void fake_set_wall(uint64_t seconds)
{
    wall = seconds;
}

bool random_bytes(void *buf, size_t len)
{
    static uint32_t x = 1;
    uint8_t *p = buf;

    for (size_t i = 0; i < len; i++) {
        x = x * 1664525 + 1013904223;
        p[i] = (uint8_t)(x >> 24);
    }
    return !random_fails;
}

void fake_random_works(bool works)
{
    random_fails = !works;
}

/* Weak: a test that links the real one gets the real one. */
__attribute__((weak)) bool str_copy(char *dst, size_t size, const char *src)
{
    size_t len = strlen(src);
    size_t n = MIN(len, size - 1);

    memcpy(dst, src, n);
    dst[n] = '\0';
    return len < size;
}
