/* Little-endian fields at any alignment. */
#ifndef HV_DEV_BYTES_H
#define HV_DEV_BYTES_H

#include "hv/types.h"

static inline void put_le16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

static inline void put_le32(uint8_t *p, uint32_t v)
{
    put_le16(p, (uint16_t)v);
    put_le16(p + 2, (uint16_t)(v >> 16));
}

static inline void put_le64(uint8_t *p, uint64_t v)
{
    put_le32(p, (uint32_t)v);
    put_le32(p + 4, (uint32_t)(v >> 32));
}

static inline uint16_t get_le16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t get_le32(const uint8_t *p)
{
    return get_le16(p) | (uint32_t)get_le16(p + 2) << 16;
}

static inline uint64_t get_le64(const uint8_t *p)
{
    return get_le32(p) | (uint64_t)get_le32(p + 4) << 32;
}

/* size bytes (1 to 4) at p, as one number. */
static inline uint32_t get_le(const uint8_t *p, unsigned int size)
{
    uint32_t v = 0;

    for (unsigned int i = 0; i < size; i++) {
        v |= (uint32_t)p[i] << (8 * i);
    }
    return v;
}

/* What a read of `size` bytes at `offset` sees of the aligned dword that holds it. */
static inline uint32_t sub_dword(uint32_t dword, uint32_t offset, unsigned int size)
{
    uint32_t v = dword >> (8 * (offset & 3));

    return size >= 4 ? v : v & ((1u << (8 * size)) - 1);
}

#endif
