/*
 * The core brings its own string functions. In host programs the build renames them
 * (core_names.txt): the core uses its own, everybody else the host's, and tests compare the two.
 */
#ifndef TESTS_LIB_CORE_NAMES_H
#define TESTS_LIB_CORE_NAMES_H

#include <stdarg.h>
#include <stddef.h>

void *hv_memcpy(void *restrict dst, const void *restrict src, size_t n);
void *hv_memmove(void *dst, const void *src, size_t n);
void *hv_memset(void *dst, int c, size_t n);
int hv_memcmp(const void *a, const void *b, size_t n);
void *hv_memchr(const void *s, int c, size_t n);
size_t hv_strlen(const char *s);
size_t hv_strnlen(const char *s, size_t max);
int hv_strcmp(const char *a, const char *b);
int hv_strncmp(const char *a, const char *b, size_t n);
char *hv_strchr(const char *s, int c);
char *hv_strrchr(const char *s, int c);
int hv_snprintf(char *buf, size_t size, const char *fmt, ...);
int hv_vsnprintf(char *buf, size_t size, const char *fmt, va_list ap);

#endif
