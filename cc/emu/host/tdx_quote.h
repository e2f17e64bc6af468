/*
 * The emulated quoting enclave: a TDREPORT of the emulated platform becomes a quote. Format: Intel
 * TDX DCAP Quoting Library API rev 0.9, appendix A.
 */
#ifndef EMU_TDX_QUOTE_H
#define EMU_TDX_QUOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TDX_QUOTE_MAX 16384u

/*
 * report: 1024 bytes; chain: the PCK certificate and its CA in PEM, at most 8 KiB. A report of
 * version 0 becomes a quote of version 4 (TD report 1.0), one of version 1 a quote of version 5 (TD
 * report 1.5). Returns its length; 0: the report is none of this platform (ABI 3.8.2: type, MAC,
 * hashes of its other parts).
 */
size_t tdx_quote_make(const uint8_t report[1024], const char *chain, size_t chain_len,
                      uint8_t out[TDX_QUOTE_MAX]);

#endif
