/* SHA-256: FIPS 180-4, sections 4.1.2, 4.2.2, 5 and 6.2, with the names used there. */
#include "hv/sha256.h"

#include "hv/string.h"

static const uint32_t K[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t rotr(uint32_t x, unsigned int n)
{
    return x >> n | x << (32 - n);
}

static uint32_t load_be(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* 6.2.2 and 6.1.3: one block. a to h are VAR(0) to VAR(7), which move along by one with each round;
 * W keeps the 16 words that the next ones are made of. */
#define VAR(i) v[((i) - t) % 8]
static void compress(uint32_t H[8], const uint8_t *block)
{
    uint32_t W[16], v[8];

    memcpy(v, H, sizeof(v));
#pragma GCC unroll 16
    for (unsigned int t = 0; t < 16; t++) {
        W[t] = load_be(&block[4 * t]);
    }
    for (unsigned int k = 0; k < 64; k += 16) {
#pragma GCC unroll 16 /* then every variable has its place */
        for (unsigned int t = 0; t < 16; t++) {
            uint32_t a = VAR(0), e = VAR(4), T1, T2;

            if (k > 0) {
                uint32_t p = W[(t + 1) % 16], q = W[(t + 14) % 16];

                W[t] += (rotr(q, 17) ^ rotr(q, 19) ^ q >> 10) + W[(t + 9) % 16] +
                        (rotr(p, 7) ^ rotr(p, 18) ^ p >> 3);
            }
            T1 = VAR(7) + (rotr(e, 6) ^ rotr(e, 11) ^ rotr(e, 25)) +
                 ((e & VAR(5)) ^ (~e & VAR(6))) + K[k + t] + W[t];
            T2 = (rotr(a, 2) ^ rotr(a, 13) ^ rotr(a, 22)) +
                 ((a & VAR(1)) ^ (a & VAR(2)) ^ (VAR(1) & VAR(2)));
            VAR(3) += T1;
            VAR(7) = T1 + T2; /* a of the next round */
        }
    }
    for (unsigned int i = 0; i < 8; i++) {
        H[i] += v[i];
    }
}

void sha256_begin(struct sha256 *h)
{
    *h = (struct sha256){.state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f,
                                   0x9b05688c, 0x1f83d9ab, 0x5be0cd19}};
}

void sha256_add(struct sha256 *h, const void *data, size_t len)
{
    const uint8_t *p = data;
    size_t have = h->bytes % sizeof(h->block);

    h->bytes += len;
    if (have != 0) {
        size_t n = MIN(len, sizeof(h->block) - have);

        memcpy(&h->block[have], p, n);
        p += n;
        len -= n;
        if (have + n < sizeof(h->block)) {
            return;
        }
        compress(h->state, h->block);
    }
    for (; len >= sizeof(h->block); p += sizeof(h->block), len -= sizeof(h->block)) {
        compress(h->state, p);
    }
    memcpy(h->block, p, len);
}

void sha256_end(struct sha256 *h, uint8_t digest[SHA256_SIZE])
{
    static const uint8_t padding[64] = {0x80};
    uint64_t bits = h->bytes * 8;
    uint8_t length[8];

    for (unsigned int i = 0; i < 8; i++) {
        length[i] = (uint8_t)(bits >> (56 - 8 * i));
    }
    sha256_add(h, padding, 1 + (119 - h->bytes % 64) % 64);
    sha256_add(h, length, sizeof(length));
    for (unsigned int i = 0; i < SHA256_SIZE; i++) {
        digest[i] = (uint8_t)(h->state[i / 4] >> (24 - 8 * (i % 4)));
    }
}

void sha256(const void *data, size_t len, uint8_t digest[SHA256_SIZE])
{
    struct sha256 h;

    sha256_begin(&h);
    sha256_add(&h, data, len);
    sha256_end(&h, digest);
}

void sha256_hex(const uint8_t digest[SHA256_SIZE], char hex[2 * SHA256_SIZE + 1])
{
    static const char digits[] = "0123456789abcdef";

    for (unsigned int i = 0; i < SHA256_SIZE; i++) {
        hex[2 * i] = digits[digest[i] >> 4];
        hex[2 * i + 1] = digits[digest[i] & 15];
    }
    hex[2 * SHA256_SIZE] = '\0';
}
