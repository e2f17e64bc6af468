/* Hexadecimal and base64, both ways, strictly. */
#ifndef ATTEST_HEX_H
#define ATTEST_HEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Writes 2*len digits and a NUL; out has room for 2*len+1. Returns out. */
char *hex_encode(const uint8_t *p, size_t len, char *out);

/* Exactly 2*len digits of either case, nothing else; false leaves out undefined. */
bool hex_decode_exact(const char *s, uint8_t *out, size_t len);

/* Any even number of digits up to 2*max; *len is the number of bytes. */
bool hex_decode(const char *s, uint8_t *out, size_t max, size_t *len);

/*
 * RFC 4648 base64; url selects the URL alphabet without padding. Decoding refuses foreign
 * characters, wrong padding and non-zero trailing bits. out has room for 4*((len+2)/3)+1.
 */
size_t base64_encode(const uint8_t *p, size_t len, bool url, char *out);
bool base64_decode(const char *s, size_t slen, bool url, uint8_t *out, size_t max, size_t *len);

#endif
