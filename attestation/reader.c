#include <attest/reader.h>

#include <string.h>

bool rd_bytes(struct reader *r, size_t len, const uint8_t **out)
{
    if (len > r->left) {
        return false;
    }
    *out = r->p;
    if (len > 0) { /* an empty input may be a null pointer, to which nothing is added */
        r->p += len;
        r->left -= len;
    }
    return true;
}

bool rd_copy(struct reader *r, void *out, size_t len)
{
    const uint8_t *p;

    if (!rd_bytes(r, len, &p)) {
        return false;
    }
    if (len > 0) {
        memcpy(out, p, len);
    }
    return true;
}

bool rd_skip(struct reader *r, size_t len)
{
    const uint8_t *p;

    return rd_bytes(r, len, &p);
}

bool rd_sub(struct reader *r, size_t len, struct reader *out)
{
    const uint8_t *p;

    if (!rd_bytes(r, len, &p)) {
        return false;
    }
    *out = rd_make(p, len);
    return true;
}

static uint64_t load(const uint8_t *p, size_t len, bool big)
{
    uint64_t v = 0;

    for (size_t i = 0; i < len; i++) {
        v |= (uint64_t)p[i] << (8 * (big ? len - 1 - i : i));
    }
    return v;
}

bool rd_u8(struct reader *r, uint8_t *v)
{
    return rd_copy(r, v, 1);
}

#define RD(bits, order, big)                                                                       \
    bool rd_u##bits##order(struct reader *r, uint##bits##_t *v)                                    \
    {                                                                                              \
        const uint8_t *p;                                                                          \
        if (!rd_bytes(r, bits / 8, &p)) {                                                          \
            return false;                                                                          \
        }                                                                                          \
        *v = (uint##bits##_t)load(p, bits / 8, big);                                               \
        return true;                                                                               \
    }

RD(16, le, false)
RD(32, le, false)
RD(64, le, false)
RD(16, be, true)
RD(32, be, true)
RD(64, be, true)

uint16_t ld16le(const uint8_t *p)
{
    return (uint16_t)load(p, 2, false);
}

uint32_t ld32le(const uint8_t *p)
{
    return (uint32_t)load(p, 4, false);
}

uint64_t ld64le(const uint8_t *p)
{
    return load(p, 8, false);
}

static void store(uint8_t *p, uint64_t v, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        p[i] = (uint8_t)(v >> (8 * i));
    }
}

void st16le(uint8_t *p, uint16_t v)
{
    store(p, v, 2);
}

void st32le(uint8_t *p, uint32_t v)
{
    store(p, v, 4);
}

void st64le(uint8_t *p, uint64_t v)
{
    store(p, v, 8);
}

bool bytes_are_zero(const uint8_t *p, size_t len)
{
    uint8_t any = 0;

    for (size_t i = 0; i < len; i++) {
        any |= p[i];
    }
    return any == 0;
}
