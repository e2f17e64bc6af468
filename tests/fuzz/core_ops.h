/* Reads a fuzzer's input as small numbers. */
#ifndef TESTS_FUZZ_CORE_OPS_H
#define TESTS_FUZZ_CORE_OPS_H

#include <stddef.h>
#include <stdint.h>

struct ops {
    const uint8_t *data;
    size_t size;
};

static inline uint64_t ops_take(struct ops *o, unsigned int bytes)
{
    uint64_t v = 0;

    for (; bytes > 0 && o->size > 0; bytes--) {
        v = v << 8 | *o->data++;
        o->size--;
    }
    return v;
}

#endif
