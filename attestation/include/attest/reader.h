/*
 * A bounded read cursor over hostile bytes. Each read either takes all it asked for or takes
 * nothing and returns false; no read passes the end.
 */
#ifndef ATTEST_READER_H
#define ATTEST_READER_H

#include <attest/status.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct reader {
    const uint8_t *p;
    size_t left;
};

static inline struct reader rd_make(const void *p, size_t len)
{
    return (struct reader){.p = p, .left = len};
}

/* Points *out into the input. */
ATTEST_MUST_CHECK bool rd_bytes(struct reader *r, size_t len, const uint8_t **out);
ATTEST_MUST_CHECK bool rd_copy(struct reader *r, void *out, size_t len);
ATTEST_MUST_CHECK bool rd_skip(struct reader *r, size_t len);
/* A cursor over the next len bytes, which the outer cursor then has passed. */
ATTEST_MUST_CHECK bool rd_sub(struct reader *r, size_t len, struct reader *out);

ATTEST_MUST_CHECK bool rd_u8(struct reader *r, uint8_t *v);
ATTEST_MUST_CHECK bool rd_u16le(struct reader *r, uint16_t *v);
ATTEST_MUST_CHECK bool rd_u32le(struct reader *r, uint32_t *v);
ATTEST_MUST_CHECK bool rd_u64le(struct reader *r, uint64_t *v);
ATTEST_MUST_CHECK bool rd_u16be(struct reader *r, uint16_t *v);
ATTEST_MUST_CHECK bool rd_u32be(struct reader *r, uint32_t *v);
ATTEST_MUST_CHECK bool rd_u64be(struct reader *r, uint64_t *v);

/* Fixed-place loads and stores for layouts whose size was checked before. */
uint16_t ld16le(const uint8_t *p);
uint32_t ld32le(const uint8_t *p);
uint64_t ld64le(const uint8_t *p);
void st16le(uint8_t *p, uint16_t v);
void st32le(uint8_t *p, uint32_t v);
void st64le(uint8_t *p, uint64_t v);

/* Are all len bytes zero? */
bool bytes_are_zero(const uint8_t *p, size_t len);

#endif
