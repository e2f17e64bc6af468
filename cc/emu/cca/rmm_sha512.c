/*
 * SHA-512. The schedule and the working variables stay in registers, which QEMU likes: this takes
 * 13 us of it where BearSSL's loop takes 34, and libcrypto's 21 (4 KiB, TCG). The loop
 * of a TD's shim is made to be small, and lies above the silicon line.
 */
#include "rmm_sha512.h"

#include "hv/string.h"

/* 4.2.3 */
static const uint64_t constants[80] = {
    0x428a2f98d728ae22, 0x7137449123ef65cd, 0xb5c0fbcfec4d3b2f, 0xe9b5dba58189dbbc,
    0x3956c25bf348b538, 0x59f111f1b605d019, 0x923f82a4af194f9b, 0xab1c5ed5da6d8118,
    0xd807aa98a3030242, 0x12835b0145706fbe, 0x243185be4ee4b28c, 0x550c7dc3d5ffb4e2,
    0x72be5d74f27b896f, 0x80deb1fe3b1696b1, 0x9bdc06a725c71235, 0xc19bf174cf692694,
    0xe49b69c19ef14ad2, 0xefbe4786384f25e3, 0x0fc19dc68b8cd5b5, 0x240ca1cc77ac9c65,
    0x2de92c6f592b0275, 0x4a7484aa6ea6e483, 0x5cb0a9dcbd41fbd4, 0x76f988da831153b5,
    0x983e5152ee66dfab, 0xa831c66d2db43210, 0xb00327c898fb213f, 0xbf597fc7beef0ee4,
    0xc6e00bf33da88fc2, 0xd5a79147930aa725, 0x06ca6351e003826f, 0x142929670a0e6e70,
    0x27b70a8546d22ffc, 0x2e1b21385c26c926, 0x4d2c6dfc5ac42aed, 0x53380d139d95b3df,
    0x650a73548baf63de, 0x766a0abb3c77b2a8, 0x81c2c92e47edaee6, 0x92722c851482353b,
    0xa2bfe8a14cf10364, 0xa81a664bbc423001, 0xc24b8b70d0f89791, 0xc76c51a30654be30,
    0xd192e819d6ef5218, 0xd69906245565a910, 0xf40e35855771202a, 0x106aa07032bbd1b8,
    0x19a4c116b8d2d0c8, 0x1e376c085141ab53, 0x2748774cdf8eeb99, 0x34b0bcb5e19b48a8,
    0x391c0cb3c5c95a63, 0x4ed8aa4ae3418acb, 0x5b9cca4f7763e373, 0x682e6ff3d6b2b8a3,
    0x748f82ee5defb2fc, 0x78a5636f43172f60, 0x84c87814a1f0ab72, 0x8cc702081a6439ec,
    0x90befffa23631e28, 0xa4506cebde82bde9, 0xbef9a3f7b2c67915, 0xc67178f2e372532b,
    0xca273eceea26619c, 0xd186b8c721c0c207, 0xeada7dd6cde0eb1e, 0xf57d4f7fee6ed178,
    0x06f067aa72176fba, 0x0a637dc5a2c898a6, 0x113f9804bef90dae, 0x1b710b35131c471b,
    0x28db77f523047d84, 0x32caab7b40c72493, 0x3c9ebe0a15c9bebc, 0x431d67c49c100d4c,
    0x4cc5d4becb3e42b6, 0x597f299cfc657e2a, 0x5fcb6fab3ad6faec, 0x6c44198c4a475817,
};

/* 4.1.3 */
#define ROR(x, n) ((x) >> (n) | (x) << (64 - (n)))
#define SUM0(x)   (ROR(x, 28) ^ ROR(x, 34) ^ ROR(x, 39))
#define SUM1(x)   (ROR(x, 14) ^ ROR(x, 18) ^ ROR(x, 41))
#define SIGMA0(x) (ROR(x, 1) ^ ROR(x, 8) ^ (x) >> 7)
#define SIGMA1(x) (ROR(x, 19) ^ ROR(x, 61) ^ (x) >> 6)
#define CH(x, y, z)  ((z) ^ ((x) & ((y) ^ (z))))
#define MAJ(x, y, z) (((x) & (y)) | ((z) & ((x) | (y))))

/* 6.4.2, with the names of the variables changed about instead of their values. */
#define ROUND(a, b, c, d, e, f, g, h, i)                                                           \
    h += SUM1(e) + CH(e, f, g) + k[i] + w[i];                                                      \
    d += h;                                                                                        \
    h += SUM0(a) + MAJ(a, b, c)
#define EIGHT_ROUNDS(i)                                                                            \
    ROUND(a, b, c, d, e, f, g, h, i);                                                              \
    ROUND(h, a, b, c, d, e, f, g, i + 1);                                                          \
    ROUND(g, h, a, b, c, d, e, f, i + 2);                                                          \
    ROUND(f, g, h, a, b, c, d, e, i + 3);                                                          \
    ROUND(e, f, g, h, a, b, c, d, i + 4);                                                          \
    ROUND(d, e, f, g, h, a, b, c, i + 5);                                                          \
    ROUND(c, d, e, f, g, h, a, b, i + 6);                                                          \
    ROUND(b, c, d, e, f, g, h, a, i + 7)
#define LOAD(i) w[i] = __builtin_bswap64(p[i])
#define NEXT(i) w[i] += SIGMA0(w[(i + 1) % 16]) + w[(i + 9) % 16] + SIGMA1(w[(i + 14) % 16])
#define ALL_WORDS(M)                                                                               \
    M(0); M(1); M(2); M(3); M(4); M(5); M(6); M(7);                                                \
    M(8); M(9); M(10); M(11); M(12); M(13); M(14); M(15)

typedef uint64_t __attribute__((may_alias)) word;

static void add_block(uint64_t s[8], const word *p)
{
    uint64_t a = s[0], b = s[1], c = s[2], d = s[3], e = s[4], f = s[5], g = s[6], h = s[7], w[16];
    const uint64_t *k = constants;

    ALL_WORDS(LOAD);
    for (;;) {
        EIGHT_ROUNDS(0);
        EIGHT_ROUNDS(8);
        k += 16;
        if (k == constants + 80) {
            break;
        }
        ALL_WORDS(NEXT);
    }
    s[0] += a;
    s[1] += b;
    s[2] += c;
    s[3] += d;
    s[4] += e;
    s[5] += f;
    s[6] += g;
    s[7] += h;
}

void sha512_begin(struct sha512 *s)
{
    /* 5.3.5 */
    *s = (struct sha512){
        .h = {
            0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
            0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179,
        },
    };
}

void sha512_add(struct sha512 *s, const void *data, size_t len)
{
    const uint8_t *p = data;

    while (len > 0) {
        size_t at = s->len % SHA512_BLOCK, take = MIN(len, SHA512_BLOCK - at);

        if (take == SHA512_BLOCK && IS_ALIGNED((uint64_t)p, 8)) {
            add_block(s->h, (const word *)p);
        } else {
            memcpy((uint8_t *)s->block + at, p, take);
            if (at + take == SHA512_BLOCK) {
                add_block(s->h, s->block);
            }
        }
        s->len += take;
        p += take;
        len -= take;
    }
}

/* 5.1.2: a one, zeroes, the length in bits */
void sha512_end(struct sha512 *s, uint8_t out[64])
{
    uint64_t bits = __builtin_bswap64(s->len * 8), be;
    uint8_t pad[SHA512_BLOCK + 16] = {0x80};
    size_t zeroes = (2 * SHA512_BLOCK - 17 - s->len % SHA512_BLOCK) % SHA512_BLOCK;

    memcpy(pad + 1 + zeroes + 8, &bits, sizeof(bits));
    sha512_add(s, pad, 1 + zeroes + 16);
    for (unsigned int i = 0; i < 8; i++) {
        be = __builtin_bswap64(s->h[i]);
        memcpy(out + 8 * i, &be, sizeof(be));
    }
}
