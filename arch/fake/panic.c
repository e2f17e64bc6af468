/* A panic ends the test program, unless the test expects it. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "fake/fake.h"
#include "hv/check.h"

_Thread_local jmp_buf fake_panic_jump;
static _Thread_local bool expected;
static char text[512];

void fake_panic_expect(bool on)
{
    expected = on;
    if (on) {
        fake_save();
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
        fake_restore();
        longjmp(fake_panic_jump, 1);
    }
    fprintf(stderr, "panic: %s\n", text);
    abort();
}
