/* What the fuzzers share: changes to a good input, layouts of any kernel, and what must hold. */
#ifndef TESTS_LIB_DOMAIN_FUZZ_H
#define TESTS_LIB_DOMAIN_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed);

/*
 * A valid input, set by LLVMFuzzerInitialize. One change in eight starts from it again, so that a
 * run without a corpus goes deep, too.
 */
extern const uint8_t *fuzz_good;
extern size_t fuzz_good_len;

/*
 * The first byte picks the memory size, the rest is the kernel, with `magic` stored at `at` so
 * that the input is taken for the right kind.
 */
void fuzz_kernel(const uint8_t *data, size_t size, size_t at, const void *magic, size_t magic_len);

#endif
