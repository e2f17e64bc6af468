/*
 * tdx_qgs CHAIN: the emulated platform's quote generation service. It speaks as Intel's QGS does
 * (qgs_msg_lib 1.1), on stdin and stdout: a length of four bytes, big-endian, then a message, its
 * numbers little-endian: versions (u16, u16), type, size, error code; for a request the sizes of
 * report and id list (u32 each) and these; for an answer the sizes of an id and of the quote, and
 * the quote.
 */
#include "mint.h"
#include "tdx_quote.h"

#include <stdlib.h>
#include <string.h>

enum { HEADER = 16, SIZES = 8, REPORT = 1024, CHAIN_MAX = 8192 };
enum { GET_QUOTE_REQ = 0, GET_QUOTE_RESP = 1 };
enum { BAD_PARAMETER = 0x12003, BAD_VERSION = 0x12004, BAD_TYPE = 0x12005, BAD_SIZE = 0x12006 };

static uint32_t le32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void put_le32(uint8_t *p, uint32_t v)
{
    for (size_t i = 0; i < 4; i++) {
        p[i] = (uint8_t)(v >> 8 * i);
    }
}

static uint32_t check_request(const uint8_t *m, uint32_t len)
{
    if (len < HEADER + SIZES || le32(m + 8) != len) {
        return BAD_SIZE;
    }
    if (m[0] != 1 || m[1] != 0) {
        return BAD_VERSION;
    }
    if (le32(m + 4) != GET_QUOTE_REQ) {
        return BAD_TYPE;
    }
    return le32(m + HEADER) == REPORT && len >= HEADER + SIZES + REPORT &&
                   le32(m + HEADER + 4) == len - HEADER - SIZES - REPORT
               ? 0
               : BAD_PARAMETER;
}

static bool answer(const uint8_t *request, uint32_t len, const char *chain, size_t chain_len)
{
    static uint8_t out[4 + HEADER + SIZES + TDX_QUOTE_MAX];
    uint8_t *m = out + 4;
    uint32_t error = check_request(request, len);
    size_t quote = error != 0 ? 0
                              : tdx_quote_make(request + HEADER + SIZES, chain, chain_len,
                                               m + HEADER + SIZES);
    uint32_t size = (uint32_t)(HEADER + SIZES + quote);

    memset(m, 0, HEADER + SIZES);
    m[0] = 1;
    m[2] = 1;
    put_le32(m + 4, GET_QUOTE_RESP);
    put_le32(m + 8, size);
    put_le32(m + 12, error == 0 && quote == 0 ? BAD_PARAMETER : error);
    put_le32(m + HEADER + 4, (uint32_t)quote);
    for (size_t i = 0; i < 4; i++) {
        out[i] = (uint8_t)(size >> (24 - 8 * i));
    }
    return fwrite(out, 4 + size, 1, stdout) == 1 && fflush(stdout) == 0;
}

static size_t load_chain(const char *path, char chain[CHAIN_MAX])
{
    FILE *f = fopen(path, "rb");
    size_t n = f != NULL ? fread(chain, 1, CHAIN_MAX, f) : 0;

    if (f != NULL) {
        fclose(f);
    }
    return n;
}

int main(int argc, char **argv)
{
    static uint8_t request[4096];
    char chain[CHAIN_MAX];
    size_t chain_len = argc == 2 ? load_chain(argv[1], chain) : 0;
    uint8_t head[4];

    if (chain_len == 0) {
        fprintf(stderr, "usage: %s CHAIN, a file of the PCK certificate and its CA\n", argv[0]);
        return 2;
    }
    while (fread(head, sizeof(head), 1, stdin) == 1) {
        uint32_t len = (uint32_t)head[0] << 24 | (uint32_t)head[1] << 16 | (uint32_t)head[2] << 8 |
                       head[3];

        if (len > sizeof(request) || fread(request, 1, len, stdin) != len ||
            !answer(request, len, chain, chain_len)) {
            return 1;
        }
    }
    return 0;
}
