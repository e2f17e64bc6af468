#include <attest/error.h>
#include <attest/hex.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void copy_text(char *dst, size_t size, const char *src)
{
    snprintf(dst, size, "%s", src != NULL ? src : "");
}

/* Text that came from outside must not drive a terminal or break a log line. */
static void make_printable(char *s)
{
    for (; *s != '\0'; s++) {
        if ((unsigned char)*s < 0x20 || (unsigned char)*s > 0x7e) {
            *s = '?';
        }
    }
}

enum attest_status attest_fail(struct attest_error *err, enum attest_status st, const char *object,
                               const char *field, const char *expected, const char *found_fmt, ...)
{
    va_list ap;

    if (err == NULL) {
        return st;
    }
    err->status = st;
    copy_text(err->object, sizeof(err->object), object);
    copy_text(err->field, sizeof(err->field), field);
    copy_text(err->expected, sizeof(err->expected), expected);
    err->found[0] = '\0';
    if (found_fmt != NULL) {
        va_start(ap, found_fmt);
        vsnprintf(err->found, sizeof(err->found), found_fmt, ap);
        va_end(ap);
    }
    make_printable(err->object);
    make_printable(err->field);
    make_printable(err->expected);
    make_printable(err->found);
    return st;
}

/* 64 bytes fit whole; longer strings keep their head and say so. */
static void bytes_text(char *dst, const uint8_t *p, size_t len)
{
    if (p == NULL) {
        dst[0] = '\0';
    } else if (len <= 64) {
        hex_encode(p, len, dst);
    } else {
        hex_encode(p, 60, dst);
        strcpy(dst + 120, "...");
    }
}

enum attest_status attest_fail_bytes(struct attest_error *err, enum attest_status st,
                                     const char *object, const char *field, const uint8_t *expected,
                                     size_t expected_len, const uint8_t *found, size_t found_len)
{
    char want[130];
    char got[130];

    if (err == NULL) {
        return st;
    }
    bytes_text(want, expected, expected_len);
    bytes_text(got, found, found_len);
    return attest_fail(err, st, object, field, want, "%s", got);
}

enum attest_status attest_no_memory(struct attest_error *err, const char *object)
{
    return attest_fail(err, ATTEST_NO_MEMORY, object, "memory", NULL, NULL);
}

const char *attest_error_text(const struct attest_error *err, char *buf, size_t size)
{
    const char *e = err->expected;
    const char *f = err->found;

    snprintf(buf, size, "%s: %s: %s%s%s%s%s%s%s", err->object, err->field,
             attest_status_text(err->status), e[0] != '\0' || f[0] != '\0' ? " (" : "",
             e[0] != '\0' ? "expected " : "", e, e[0] != '\0' && f[0] != '\0' ? ", " : "",
             f[0] != '\0' ? "found " : "", f);
    if ((e[0] != '\0' || f[0] != '\0') && strlen(buf) + 1 < size) {
        strcat(buf, ")");
    }
    return buf;
}
