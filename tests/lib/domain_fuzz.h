/* What the kernel fuzzers share: a layout of any bytes, and what must hold of it. */
#ifndef TESTS_LIB_DOMAIN_FUZZ_H
#define TESTS_LIB_DOMAIN_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/*
 * The first byte picks the memory size, the rest is the kernel, with `magic` stored at `at` so
 * that the input is taken for the right kind.
 */
void fuzz_kernel(const uint8_t *data, size_t size, size_t at, const void *magic, size_t magic_len);

#endif
