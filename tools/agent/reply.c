/* What the broker says. */
#include "reply.h"

#include <attest/hex.h>

#include <stdlib.h>
#include <string.h>

#define LIFE_MAX 86400u /* seconds */

bool reply_byte(struct reply_lines *l, char c)
{
    bool whole = c == '\n' && !l->overlong && memchr(l->text, '\0', l->have) == NULL;

    if (c == '\n') {
        l->text[l->have] = '\0';
        l->have = 0;
        l->overlong = false;
        return whole;
    }
    if (l->have == REPLY_LINE_MAX) {
        l->overlong = true;
    } else {
        l->text[l->have++] = c;
    }
    return false;
}

static const char *after(const char *text, const char *word)
{
    size_t n = strlen(word);

    return strncmp(text, word, n) == 0 ? text + n : NULL;
}

const char *reply_of(const char *line)
{
    return after(line, REPLY_PREFIX);
}

bool reply_nonce(const char *answer, uint8_t nonce[REPLY_NONCE])
{
    const char *p = after(answer, "nonce ");
    char hex[2 * REPLY_NONCE + 1];
    char *end;
    unsigned long life;

    if (p == NULL || strlen(p) < sizeof(hex) + 1 || p[sizeof(hex) - 1] != ' ') {
        return false;
    }
    memcpy(hex, p, sizeof(hex) - 1);
    hex[sizeof(hex) - 1] = '\0';
    p += sizeof(hex);
    life = strtoul(p, &end, 10);
    return p[0] >= '0' && p[0] <= '9' && *end == '\0' && life >= 1 && life <= LIFE_MAX &&
           hex_decode_exact(hex, nonce, REPLY_NONCE);
}

const char *reply_secret(const char *answer)
{
    const char *jwe = after(answer, "secret ");

    return jwe != NULL && *jwe != '\0' ? jwe : NULL;
}
