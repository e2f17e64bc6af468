#include "text.h"

#include "hv/string.h"

struct size_text size_text(uint64_t bytes)
{
    struct size_text t;

    if (bytes != 0 && IS_ALIGNED(bytes, MiB(1))) {
        snprintf(t.s, sizeof(t.s), "%llu MiB", (unsigned long long)(bytes >> 20));
    } else if (bytes != 0 && IS_ALIGNED(bytes, KiB(1))) {
        snprintf(t.s, sizeof(t.s), "%llu KiB", (unsigned long long)(bytes >> 10));
    } else {
        snprintf(t.s, sizeof(t.s), "%llu bytes", (unsigned long long)bytes);
    }
    return t;
}

const char *status_text(enum abi_status st)
{
    switch (st) {
#define ABI_STATUS(name, number, meaning)                                                          \
    case ABI_##name:                                                                               \
        return meaning;
#include "abi/status.def"
#undef ABI_STATUS
    }
    return "an unknown status";
}

/* Names in a message come from outside, and a console obeys control characters. */
static void make_printable(char *s)
{
    for (; *s != '\0'; s++) {
        if (*s < 0x20 || *s > 0x7e) {
            *s = '?';
        }
    }
}

void message_vformat(char *buf, size_t size, const char *prefix, const char *fmt, va_list ap)
{
    int n;

    if (size == 0) {
        return;
    }
    n = snprintf(buf, size, "%s", prefix);
    if (n >= 0 && (size_t)n < size) {
        vsnprintf(buf + n, size - (size_t)n, fmt, ap);
    }
    make_printable(buf);
}
