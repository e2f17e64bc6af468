/* The keys of the emulated platform's maker and of its quoting enclave: P-256, from tdx_chip.h. */
#ifndef EMU_TDX_KEYS_H
#define EMU_TDX_KEYS_H

#include <stdint.h>

#define TDX_KEY_ROOT    "SGX root CA"
#define TDX_KEY_CA      "PCK platform CA"
#define TDX_KEY_PCK     "PCK"
#define TDX_KEY_SIGNER  "TCB signing"
#define TDX_KEY_ATTEST  "attestation key"

void tdx_key(const char *what, uint8_t d[32]);

/* The quoting enclave, as its report shows it and as the QE identity describes it. */
#define TDX_QE_ATTRIBUTES 0x15u /* INIT, MODE64BIT, PROVISIONKEY */
#define TDX_QE_PRODID     2u
#define TDX_QE_SVN        4u
void tdx_qe_mrsigner(uint8_t mr[32]);

#endif
