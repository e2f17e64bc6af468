#include <attest/hex.h>

#include <string.h>

char *hex_encode(const uint8_t *p, size_t len, char *out)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < len; i++) {
        out[2 * i] = digits[p[i] >> 4];
        out[2 * i + 1] = digits[p[i] & 15];
    }
    out[2 * len] = '\0';
    return out;
}

static int digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool hex_decode(const char *s, uint8_t *out, size_t max, size_t *len)
{
    size_t n = strlen(s);

    if (n % 2 != 0 || n / 2 > max) {
        return false;
    }
    for (size_t i = 0; i < n / 2; i++) {
        int hi = digit(s[2 * i]);
        int lo = digit(s[2 * i + 1]);

        if (hi < 0 || lo < 0) {
            return false;
        }
        out[i] = (uint8_t)(hi << 4 | lo);
    }
    *len = n / 2;
    return true;
}

bool hex_decode_exact(const char *s, uint8_t *out, size_t len)
{
    size_t n;

    return hex_decode(s, out, len, &n) && n == len;
}

static const char *alphabet(bool url)
{
    return url ? "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
               : "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
}

size_t base64_encode(const uint8_t *p, size_t len, bool url, char *out)
{
    const char *abc = alphabet(url);
    size_t o = 0;

    for (size_t i = 0; i < len; i += 3) {
        size_t n = len - i < 3 ? len - i : 3;
        uint32_t v = (uint32_t)p[i] << 16;

        v |= n > 1 ? (uint32_t)p[i + 1] << 8 : 0;
        v |= n > 2 ? (uint32_t)p[i + 2] : 0;
        for (size_t k = 0; k <= n; k++) {
            out[o++] = abc[v >> (18 - 6 * k) & 63];
        }
        for (size_t k = n; k < 3 && !url; k++) {
            out[o++] = '=';
        }
    }
    out[o] = '\0';
    return o;
}

/* Takes off the padding; false when it is not as the alphabet demands. */
static bool strip_padding(const char *s, size_t *slen, bool url)
{
    size_t pad = 0;

    while (pad < 2 && *slen > pad && s[*slen - 1 - pad] == '=') {
        pad++;
    }
    if (url ? pad != 0 : *slen % 4 != 0) {
        return false;
    }
    *slen -= pad;
    return *slen % 4 != 1;
}

bool base64_decode(const char *s, size_t slen, bool url, uint8_t *out, size_t max, size_t *len)
{
    const char *abc = alphabet(url);
    uint32_t acc = 0;
    unsigned int bits = 0;
    size_t o = 0;

    if (!strip_padding(s, &slen, url)) {
        return false;
    }
    for (size_t i = 0; i < slen; i++) {
        const char *at = s[i] != '\0' ? strchr(abc, s[i]) : NULL;

        if (at == NULL) {
            return false;
        }
        acc = acc << 6 | (uint32_t)(at - abc);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            if (o == max) {
                return false;
            }
            out[o++] = (uint8_t)(acc >> bits);
        }
    }
    *len = o;
    return (acc & ((1U << bits) - 1)) == 0;
}
