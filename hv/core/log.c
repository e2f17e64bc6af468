#include "hv/log.h"

#include "arch/console.h"
#include "arch/lock.h"
#include "arch/timer.h"
#include "hv/cpu.h"
#include "hv/log_ring.h"
#include "hv/string.h"
#include "hv/vm_priv.h"

#define RING_SIZE   KiB(32)
#define LOG_BURST   20u
#define LOG_GAIN_NS 200000000u

static struct {
    struct lock lock;
    enum log_level level;
    bool panicking; /* one CPU is left: no lock */
    uint64_t written;
    char ring[RING_SIZE];
} out = {.level = LOG_INFO};

static const char *const level_names[] = {"error", "warning", "info", "debug"};

void log_set_level(enum log_level level)
{
    out.level = level;
}

bool log_level_by_name(const char *name, enum log_level *level)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(level_names); i++) {
        if (strcmp(name, level_names[i]) == 0) {
            *level = (enum log_level)i;
            return true;
        }
    }
    return false;
}

void log_panic_mode(void)
{
    out.panicking = true;
}

static void keep(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        out.ring[out.written++ % RING_SIZE] = text[i];
    }
}

void log_raw(const char *text, size_t len)
{
    if (!out.panicking) {
        lock(&out.lock);
    }
    keep(text, len);
    uart_write(UART_CONSOLE, text, len);
    if (!out.panicking) {
        unlock(&out.lock);
    }
}

void log_vat(enum log_level level, const char *fmt, va_list ap)
{
    char line[320];
    uint64_t us = clock_ns() / 1000;
    size_t len;

    if (level > out.level) {
        return;
    }
    len = (size_t)snprintf(line, sizeof(line), "[%5lu.%06lu] cpu%u %s: ",
                           (unsigned long)(us / 1000000), (unsigned long)(us % 1000000),
                           this_cpu()->index, level_names[level]);
    len += (size_t)vsnprintf(&line[len], sizeof(line) - len - 2, fmt, ap);
    len = MIN(len, sizeof(line) - 3);
    memcpy(&line[len], "\r\n", 2);
    log_raw(line, len + 2);
}

void log_at(enum log_level level, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    log_vat(level, fmt, ap);
    va_end(ap);
}

/* A bucket of 20 that fills at 5 a second. */
static bool may_log(struct vm *vm, uint32_t *dropped)
{
    uint64_t now, gained;
    bool may;

    lock(&vm->log_lock);
    now = clock_ns();
    gained = (now - MIN(now, vm->log_time)) / LOG_GAIN_NS;
    if (gained > 0) {
        vm->log_credit = (uint32_t)MIN(vm->log_credit + gained, LOG_BURST);
        vm->log_time += gained * LOG_GAIN_NS;
    }
    may = vm->log_credit > 0;
    if (may) {
        vm->log_credit--;
        *dropped = vm->log_dropped;
        vm->log_dropped = 0;
    } else {
        vm->log_dropped++;
    }
    unlock(&vm->log_lock);
    return may;
}

void log_vm(struct vm *vm, enum log_level level, const char *fmt, ...)
{
    char text[240];
    uint32_t dropped = 0;
    va_list ap;

    if (level > out.level || !may_log(vm, &dropped)) {
        return;
    }
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (dropped > 0) {
        log_at(level, "%s: %u messages dropped", vm->name, dropped);
    }
    log_at(level, "%s: %s", vm->name, text);
}
