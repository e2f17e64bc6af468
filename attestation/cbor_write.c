/* Writing CBOR in its shortest form. */
#include <attest/cbor.h>

#include <string.h>

struct cbor_writer cbor_writer(uint8_t *p, size_t size)
{
    return (struct cbor_writer){.p = p, .size = size, .ok = true};
}

void cbor_put_raw(struct cbor_writer *w, const void *p, size_t len)
{
    if (!w->ok || len > w->size - w->used) {
        w->ok = false;
        return;
    }
    if (len > 0) {
        memcpy(w->p + w->used, p, len);
        w->used += len;
    }
}

void cbor_put_head(struct cbor_writer *w, enum cbor_major type, uint64_t value)
{
    uint8_t head[9];
    size_t n = value < 24 ? 0 : value <= UINT8_MAX ? 1 : value <= UINT16_MAX ? 2
                                                     : value <= UINT32_MAX   ? 4
                                                                             : 8;
    uint8_t info = n == 0 ? (uint8_t)value : n == 1 ? 24 : n == 2 ? 25 : n == 4 ? 26 : 27;

    head[0] = (uint8_t)(type << 5 | info);
    for (size_t i = 0; i < n; i++) {
        head[1 + i] = (uint8_t)(value >> (8 * (n - 1 - i)));
    }
    cbor_put_raw(w, head, 1 + n);
}

void cbor_put_int(struct cbor_writer *w, int64_t v)
{
    if (v >= 0) {
        cbor_put_head(w, CBOR_UINT, (uint64_t)v);
    } else {
        cbor_put_head(w, CBOR_NINT, (uint64_t)(-1 - v));
    }
}

void cbor_put_bytes(struct cbor_writer *w, const void *p, size_t len)
{
    cbor_put_head(w, CBOR_BYTES, len);
    cbor_put_raw(w, p, len);
}

void cbor_put_text(struct cbor_writer *w, const char *s)
{
    cbor_put_head(w, CBOR_TEXT, strlen(s));
    cbor_put_raw(w, s, strlen(s));
}
