#include "aml.h"

#include "bytes.h"
#include "hv/check.h"
#include "hv/string.h"

/* ACPI 6.5, 20.3: opcodes. */
enum {
    OP_ZERO = 0x00,
    OP_ONE = 0x01,
    OP_NAME = 0x08,
    OP_BYTE = 0x0a,
    OP_WORD = 0x0b,
    OP_DWORD = 0x0c,
    OP_SCOPE = 0x10,
    OP_BUFFER = 0x11,
    OP_PACKAGE = 0x12,
    OP_EXT = 0x5b,
    OP_EXT_DEVICE = 0x82,
};

/* 6.4: resource descriptor tags, and the flags of address spaces. */
enum {
    TAG_IO = 0x47,
    TAG_END = 0x79,
    TAG_DWORD_SPACE = 0x87,
    TAG_WORD_SPACE = 0x88,
    SPACE_MEMORY = 0,
    SPACE_IO = 1,
    SPACE_BUS = 2,
    SPACE_FIXED = 0x0c,       /* MinAddress and MaxAddress are fixed; we produce */
    IO_ENTIRE_RANGE = 3,      /* ISA and non-ISA addresses */
    MEMORY_NOCACHE_WRITE = 1, /* read-write, not cacheable */
};

#define CLOSED_LENGTH 2u /* PkgLength in its two-byte form, up to 4095 */

void aml_bytes(struct aml *a, const void *bytes, size_t len)
{
    if (a->overflow || len > a->size - a->len) {
        a->overflow = true;
        return;
    }
    memcpy(a->buf + a->len, bytes, len);
    a->len += len;
}

void aml_byte(struct aml *a, uint8_t byte)
{
    aml_bytes(a, &byte, 1);
}

void aml_word(struct aml *a, uint16_t v)
{
    uint8_t b[2];

    put_le16(b, v);
    aml_bytes(a, b, sizeof(b));
}

void aml_dword(struct aml *a, uint32_t v)
{
    uint8_t b[4];

    put_le32(b, v);
    aml_bytes(a, b, sizeof(b));
}

void aml_integer(struct aml *a, uint32_t v)
{
    if (v <= 1) {
        aml_byte(a, v == 0 ? OP_ZERO : OP_ONE);
    } else if (v <= 0xff) {
        aml_byte(a, OP_BYTE);
        aml_byte(a, (uint8_t)v);
    } else if (v <= 0xffff) {
        aml_byte(a, OP_WORD);
        aml_word(a, (uint16_t)v);
    } else {
        aml_byte(a, OP_DWORD);
        aml_dword(a, v);
    }
}

void aml_name(struct aml *a, const char *name)
{
    aml_byte(a, OP_NAME);
    aml_bytes(a, name, strlen(name));
}

static uint32_t hex(char c)
{
    return (uint32_t)(c <= '9' ? c - '0' : c - 'A' + 10);
}

/* 19.3.4: three letters of five bits, then four hexadecimal digits, most significant byte first. */
void aml_hid(struct aml *a, const char *id)
{
    uint32_t v = 0;
    uint8_t be[4];

    REQUIRE(strlen(id) == 7);
    for (int i = 0; i < 3; i++) {
        v = v << 5 | (uint32_t)(id[i] - 0x40);
    }
    for (int i = 3; i < 7; i++) {
        v = v << 4 | hex(id[i]);
    }
    for (int i = 0; i < 4; i++) {
        be[i] = (uint8_t)(v >> (24 - 8 * i));
    }
    aml_name(a, "_HID");
    aml_byte(a, OP_DWORD);
    aml_bytes(a, be, sizeof(be));
}

static void open_term(struct aml *a)
{
    CHECK(a->depth < AML_DEPTH);
    a->open[a->depth++] = a->len;
    aml_word(a, 0);
}

/* 20.2.4: PkgLength counts itself; two leading bits say that one byte follows. */
void aml_close(struct aml *a)
{
    size_t at, len;

    CHECK(a->depth > 0);
    at = a->open[--a->depth];
    len = a->len - at;
    if (a->overflow) {
        return;
    }
    CHECK(len >= CLOSED_LENGTH && len < 4096);
    a->buf[at] = (uint8_t)(0x40 | (len & 0xf));
    a->buf[at + 1] = (uint8_t)(len >> 4);
}

void aml_scope(struct aml *a, const char *name)
{
    aml_byte(a, OP_SCOPE);
    open_term(a);
    aml_bytes(a, name, strlen(name));
}

void aml_device(struct aml *a, const char *name)
{
    aml_byte(a, OP_EXT);
    aml_byte(a, OP_EXT_DEVICE);
    open_term(a);
    aml_bytes(a, name, strlen(name));
}

void aml_package(struct aml *a, uint8_t elements)
{
    aml_byte(a, OP_PACKAGE);
    open_term(a);
    aml_byte(a, elements);
}

void aml_crs_begin(struct aml *a)
{
    aml_name(a, "_CRS");
    aml_byte(a, OP_BUFFER);
    open_term(a);
    aml_byte(a, OP_BYTE);
    aml_byte(a, 0); /* the buffer's size, from aml_crs_end */
}

void aml_crs_end(struct aml *a)
{
    size_t at = a->open[a->depth - 1] + CLOSED_LENGTH + 1;

    aml_byte(a, TAG_END);
    aml_byte(a, 0); /* checksum 0: treated as correct (6.4.2.9) */
    if (!a->overflow) {
        size_t len = a->len - (at + 1);

        CHECK(len <= 0xff);
        a->buf[at] = (uint8_t)len;
    }
    aml_close(a);
}

void aml_io(struct aml *a, uint16_t base, uint8_t len)
{
    aml_byte(a, TAG_IO);
    aml_byte(a, 1); /* decodes 16 bits */
    aml_word(a, base);
    aml_word(a, base);
    aml_byte(a, 1); /* alignment */
    aml_byte(a, len);
}

static void word_space(struct aml *a, uint8_t type, uint8_t flags, uint16_t first, uint16_t last)
{
    aml_byte(a, TAG_WORD_SPACE);
    aml_word(a, 13);
    aml_byte(a, type);
    aml_byte(a, SPACE_FIXED);
    aml_byte(a, flags);
    aml_word(a, 0); /* granularity */
    aml_word(a, first);
    aml_word(a, last);
    aml_word(a, 0); /* translation */
    aml_word(a, (uint16_t)(last - first + 1));
}

void aml_bus_range(struct aml *a, uint16_t first, uint16_t last)
{
    word_space(a, SPACE_BUS, 0, first, last);
}

void aml_io_window(struct aml *a, uint16_t base, uint16_t len)
{
    word_space(a, SPACE_IO, IO_ENTIRE_RANGE, base, (uint16_t)(base + len - 1));
}

void aml_memory_window(struct aml *a, uint32_t base, uint32_t len)
{
    aml_byte(a, TAG_DWORD_SPACE);
    aml_word(a, 23);
    aml_byte(a, SPACE_MEMORY);
    aml_byte(a, SPACE_FIXED);
    aml_byte(a, MEMORY_NOCACHE_WRITE);
    aml_dword(a, 0);
    aml_dword(a, base);
    aml_dword(a, base + len - 1);
    aml_dword(a, 0);
    aml_dword(a, len);
}
