/* Sizes, statuses and messages as people read them. */
#ifndef HV_DOMAIN_TEXT_H
#define HV_DOMAIN_TEXT_H

#include <stdarg.h>

#include "hv/types.h"

struct size_text {
    char s[32];
};

/* "3 MiB", "9 KiB", "513 bytes": the largest unit that is exact. */
struct size_text size_text(uint64_t bytes);

/* What a status means, from abi/status.def. */
const char *status_text(enum abi_status st);

/* Formats a message for the log: always ended, nothing in it but printable ASCII. */
void message_vformat(char *buf, size_t size, const char *prefix, const char *fmt, va_list ap)
    PRINTF(4, 0);

#endif
