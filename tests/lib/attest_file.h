/*
 * Files for the attestation tests: whole contents, bounded, freed by the caller.
 */
#ifndef TESTS_LIB_ATTEST_FILE_H
#define TESTS_LIB_ATTEST_FILE_H

#include <attest/collateral.h>

#include <stddef.h>
#include <stdint.h>

/* The file's bytes (malloc'ed, with a NUL behind them) or NULL. */
uint8_t *file_read(const char *path, size_t *len);

/* The same below the folder of vectors; NULL when there is none. */
uint8_t *vector_read(const char *name, size_t *len);

/* Adds the vector to the collateral; 0 on success, else prints the error. */
int vector_add(struct attest_collateral *c, const char *name);

#endif
