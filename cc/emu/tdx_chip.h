/*
 * The emulated platform's identity, for the module and for the host programs that stand in for its
 * maker and its quoting enclave. Every key follows from a public text: nobody can mistake them for
 * secrets, and what they sign proves nothing to anybody who was not told to believe it.
 */
#ifndef TDX_CHIP_H
#define TDX_CHIP_H

#include "../tdx/tdx_spec.h"

extern const uint8_t tdx_chip_cpusvn[16];
extern const uint8_t tdx_chip_tcb_svn[16]; /* TEE_TCB_SVN: module 1.5's first */

/* `what` names a key. Callers hold emu_fpu_begin(). */
void tdx_chip_secret(const char *what, uint8_t *out, size_t len);
/* MRSEAM of the module that is loaded. */
void tdx_chip_mrseam(uint8_t mrseam[48]);
/* The MAC of a REPORTMACSTRUCT, which only this platform can check: ABI 3.8.2. */
void tdx_chip_mac(const struct tdx_report_mac *m, uint8_t mac[32]);

#endif
