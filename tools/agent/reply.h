/*
 * The broker's side of the conversation (docs/attestd.md, line mode), as bytes from outside: lines
 * out of a stream, and what the two answers hold that carry something.
 */
#ifndef AGENT_REPLY_H
#define AGENT_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REPLY_NONCE    64u
#define REPLY_LINE_MAX 16384u /* a longer line is dropped whole */
#define REPLY_PREFIX   "broker "

struct reply_lines {
    size_t have;
    bool overlong;
    char text[REPLY_LINE_MAX + 1];
};

/* Takes one byte; true when text is a whole line, without its end, that is for us. */
bool reply_byte(struct reply_lines *l, char c);
/* The answer in a line of ours: what follows the prefix; NULL when it has none. */
const char *reply_of(const char *line);
/* "nonce HEX SECONDS": exactly 64 bytes in hex and a life of 1 to 86400 seconds. */
bool reply_nonce(const char *answer, uint8_t nonce[REPLY_NONCE]);
/* "secret JWE": the JWE, or NULL. */
const char *reply_secret(const char *answer);

#endif
