/*
 * CBOR diagnostic notation (RFC 8949 section 8) and the Veraison claims JSON, as bytes: what the
 * CCA vectors are written in. Only what these need: integers, h'', text, arrays, maps.
 */
#ifndef TESTS_LIB_ATTEST_DIAG_H
#define TESTS_LIB_ATTEST_DIAG_H

#include <attest/cbor.h>

#include <jansson.h>

/* false: the text is not in the subset. */
bool diag_to_cbor(const char *text, struct cbor_writer *w);

/* {"cca-platform-...": base64 or text or number}; unknown members become text keys. */
bool claims_json_to_cbor(const json_t *j, struct cbor_writer *w);

#endif
