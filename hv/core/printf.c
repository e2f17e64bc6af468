/* Bounded formatting. What it does not know it prints as it stands. */
#include "hv/string.h"

struct out {
    char *buf;
    size_t size;
    size_t len;
};

struct spec {
    bool left, zero, longer;
    int width, precision; /* precision -1: none */
};

static void put(struct out *o, char c)
{
    if (o->len + 1 < o->size) {
        o->buf[o->len] = c;
    }
    o->len++;
}

static void put_padded(struct out *o, const struct spec *s, const char *text, size_t len)
{
    int pad = s->width > (int)len ? s->width - (int)len : 0;

    for (; !s->left && pad > 0; pad--) {
        put(o, ' ');
    }
    for (size_t i = 0; i < len; i++) {
        put(o, text[i]);
    }
    for (; pad > 0; pad--) {
        put(o, ' ');
    }
}

static void put_number(struct out *o, const struct spec *s, uint64_t v, unsigned int base, bool neg)
{
    static const char digits[] = "0123456789abcdef";
    char text[72];
    size_t at = sizeof(text);
    size_t least = s->precision >= 0 ? (size_t)s->precision : 1;

    if (s->zero && !s->left && s->precision < 0 && s->width > 0) {
        least = (size_t)s->width - (neg && s->width > 1 ? 1 : 0);
    }
    least = MIN(least, 64);
    while (v != 0 || sizeof(text) - at < least) {
        text[--at] = digits[v % base];
        v /= base;
    }
    if (neg) {
        text[--at] = '-';
    }
    put_padded(o, s, &text[at], sizeof(text) - at);
}

static const char *parse_spec(const char *f, struct spec *s, va_list *ap)
{
    *s = (struct spec){.precision = -1};
    for (; *f == '-' || *f == '0'; f++) {
        s->left |= *f == '-';
        s->zero |= *f == '0';
    }
    if (*f == '*') {
        s->width = va_arg(*ap, int);
        s->left |= s->width < 0;
        s->width = s->width < 0 ? -MAX(s->width, -1000) : MIN(s->width, 1000);
        f++;
    }
    for (; *f >= '0' && *f <= '9'; f++) {
        s->width = MIN(s->width * 10 + (*f - '0'), 1000);
    }
    if (*f == '.') {
        s->precision = 0;
        f++;
        if (*f == '*') {
            s->precision = va_arg(*ap, int);
            f++;
        }
        for (; *f >= '0' && *f <= '9'; f++) {
            s->precision = MIN(s->precision * 10 + (*f - '0'), 1000);
        }
    }
    for (; *f == 'l' || *f == 'z'; f++) {
        s->longer = true;
    }
    return f;
}

static void put_string(struct out *o, const struct spec *s, const char *text)
{
    text = text == NULL ? "(null)" : text;
    put_padded(o, s, text, strnlen(text, s->precision < 0 ? SIZE_MAX : (size_t)s->precision));
}

static void convert(struct out *o, const struct spec *s, char c, va_list *ap)
{
    int64_t v;
    char one;

    switch (c) {
    case 'd':
    case 'i':
        v = s->longer ? va_arg(*ap, int64_t) : va_arg(*ap, int);
        put_number(o, s, v < 0 ? 0 - (uint64_t)v : (uint64_t)v, 10, v < 0);
        break;
    case 'u':
    case 'x':
        put_number(o, s, s->longer ? va_arg(*ap, uint64_t) : va_arg(*ap, unsigned int),
                   c == 'u' ? 10 : 16, false);
        break;
    case 'p':
        put_number(o, s, (uint64_t)va_arg(*ap, void *), 16, false);
        break;
    case 's':
        put_string(o, s, va_arg(*ap, const char *));
        break;
    case 'c':
        one = (char)va_arg(*ap, int);
        put_padded(o, s, &one, 1);
        break;
    default:
        put(o, c);
    }
}

int vsnprintf(char *buf, size_t size, const char *fmt, va_list ap)
{
    struct out o = {buf, size, 0};
    struct spec s;
    va_list args;

    va_copy(args, ap);
    for (; *fmt != '\0'; fmt++) {
        if (*fmt != '%') {
            put(&o, *fmt);
            continue;
        }
        fmt = parse_spec(fmt + 1, &s, &args);
        if (*fmt == '\0') {
            break;
        }
        convert(&o, &s, *fmt, &args);
    }
    va_end(args);
    if (size > 0) {
        buf[MIN(o.len, size - 1)] = '\0';
    }
    return (int)o.len;
}

int snprintf(char *buf, size_t size, const char *fmt, ...)
{
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(buf, size, fmt, ap);
    va_end(ap);
    return n;
}
