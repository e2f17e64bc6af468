/* The SGX extension of a minted PCK certificate. */
#ifndef TESTS_LIB_ATTEST_SGXEXT_H
#define TESTS_LIB_ATTEST_SGXEXT_H

#include <openssl/x509.h>
#include <stddef.h>
#include <stdint.h>

/*
 * FMSPC 50806F000000, PCE-ID 0000, every TCB component 5, PCESVN 10, CPUSVN all fives, type
 * scalable, keys cached, SMT enabled, no dynamic platform. Adds it to a certificate that is not
 * signed yet.
 */
void sgxext_add(X509 *x);
/* Its DER; out has room for 1024 bytes. */
size_t sgx_extension(uint8_t *out);

#endif
