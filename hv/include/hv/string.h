/* What a freestanding image needs of <string.h>, and bounded formatting. */
#ifndef HV_STRING_H
#define HV_STRING_H

#include <stdarg.h>

#include "hv/types.h"

void *memcpy(void *restrict dst, const void *restrict src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
void *memchr(const void *s, int c, size_t n);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
char *strrchr(const char *s, int c);

/*
 * Copies up to size - 1 characters and always ends with NUL (size >= 1).
 * Returns false when src did not fit.
 */
bool str_copy(char *dst, size_t size, const char *src);

/*
 * As C's, with %c %s %d %i %u %x %p %% and the modifiers 0, -, width, .precision, l, ll, z.
 * Returns the length the whole text has.
 */
int snprintf(char *buf, size_t size, const char *fmt, ...) PRINTF(3, 4);
int vsnprintf(char *buf, size_t size, const char *fmt, va_list ap) PRINTF(3, 0);

#endif
