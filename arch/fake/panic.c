/* A panic ends the test program, unless the test expects it; and what makes a new boot. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "fake/fake.h"
#include "hv/check.h"

_Thread_local jmp_buf fake_panic_jump;
static _Thread_local bool expected;
static char text[512];

/* The core's variables, which the build puts into sections of their own. */
extern char __start_core_data[] __attribute__((weak));
extern char __stop_core_data[] __attribute__((weak));
extern char __start_core_bss[] __attribute__((weak));
extern char __stop_core_bss[] __attribute__((weak));

struct image {
    char data[128 * 1024];
    char bss[128 * 1024];
};
static struct image at_start, at_panic;

/* Red zones lie between the variables: the sanitizers must not look. */
__attribute__((no_sanitize("address", "thread", "undefined"))) static void
copy(char *to, const char *from, size_t n)
{
    for (volatile size_t i = 0; i < n; i++) {
        to[i] = from[i];
    }
}

static void save(struct image *i)
{
    size_t data = (size_t)(__stop_core_data - __start_core_data);
    size_t bss = (size_t)(__stop_core_bss - __start_core_bss);

    if (data > sizeof(i->data) || bss > sizeof(i->bss)) {
        fprintf(stderr, "panic.c: the core has %zu and %zu bytes of variables\n", data, bss);
        abort();
    }
    copy(i->data, __start_core_data, data);
    copy(i->bss, __start_core_bss, bss);
}

static void restore(const struct image *i)
{
    copy(__start_core_data, i->data, (size_t)(__stop_core_data - __start_core_data));
    copy(__start_core_bss, i->bss, (size_t)(__stop_core_bss - __start_core_bss));
}

__attribute__((constructor)) static void at_program_start(void)
{
    save(&at_start);
}

void fake_reboot(void)
{
    restore(&at_start);
}

void fake_panic_expect(bool on)
{
    expected = on;
    if (on) {
        save(&at_panic);
    }
}

const char *fake_panic_text(void)
{
    return text;
}

void panic(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (expected) {
        restore(&at_panic);
        longjmp(fake_panic_jump, 1);
    }
    fprintf(stderr, "panic: %s\n", text);
    abort();
}
