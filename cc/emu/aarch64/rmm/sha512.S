/*
 * SHA-512 of whole blocks by FEAT_SHA512 (Arm ARM, C7: SHA512H, SHA512H2, SHA512SU0, SHA512SU1),
 * two rounds a pair of instructions. void sha512_blocks(uint8_t state[64], const void *data,
 * size_t blocks): state is A to H, big-endian. Uses V0 to V7 and V16 to V27.
 */
    .arch   armv8.2-a+sha3

/* In: ab (V0), cd (V1), ef, gh, {w, next w}, K at X4. Out: the same two rounds later, with the
 * registers of ef and gh exchanged. */
.macro two_rounds ef, gh, w
    ld1     {v4.2d}, [x4], #16
    add     v4.2d, v4.2d, \w\().2d
    ext     v4.16b, v4.16b, v4.16b, #8
    add     v4.2d, v4.2d, \gh\().2d
    ext     v5.16b, \ef\().16b, \gh\().16b, #8
    ext     v6.16b, v1.16b, \ef\().16b, #8
    sha512h q4, q5, v6.2d
    add     \gh\().2d, v1.2d, v4.2d
    sha512h2 q4, q1, v0.2d
    mov     v1.16b, v0.16b
    mov     v0.16b, v4.16b
.endm

/* w = the pair that comes sixteen words after it. */
.macro schedule w, w2, w8, w10, w14
    sha512su0 \w\().2d, \w2\().2d
    ext     v7.16b, \w8\().16b, \w10\().16b, #8
    sha512su1 \w\().2d, \w14\().2d, v7.2d
.endm

.macro big_endian first, second, third, fourth
    rev64   \first\().16b, \first\().16b
    rev64   \second\().16b, \second\().16b
    rev64   \third\().16b, \third\().16b
    rev64   \fourth\().16b, \fourth\().16b
.endm

    .text
    .globl sha512_blocks
sha512_blocks:
    ld1     {v0.16b-v3.16b}, [x0]
    big_endian v0, v1, v2, v3
1:  adrp    x4, constants
    add     x4, x4, :lo12:constants
    mov     x5, #4
    mov     v24.16b, v0.16b
    mov     v25.16b, v1.16b
    mov     v26.16b, v2.16b
    mov     v27.16b, v3.16b
    ld1     {v16.16b-v19.16b}, [x1], #64
    ld1     {v20.16b-v23.16b}, [x1], #64
    big_endian v16, v17, v18, v19
    big_endian v20, v21, v22, v23
2:  two_rounds v2, v3, v16
    schedule v16, v17, v20, v21, v23
    two_rounds v3, v2, v17
    schedule v17, v18, v21, v22, v16
    two_rounds v2, v3, v18
    schedule v18, v19, v22, v23, v17
    two_rounds v3, v2, v19
    schedule v19, v20, v23, v16, v18
    two_rounds v2, v3, v20
    schedule v20, v21, v16, v17, v19
    two_rounds v3, v2, v21
    schedule v21, v22, v17, v18, v20
    two_rounds v2, v3, v22
    schedule v22, v23, v18, v19, v21
    two_rounds v3, v2, v23
    schedule v23, v16, v19, v20, v22
    subs    x5, x5, #1
    b.ne    2b
    two_rounds v2, v3, v16
    two_rounds v3, v2, v17
    two_rounds v2, v3, v18
    two_rounds v3, v2, v19
    two_rounds v2, v3, v20
    two_rounds v3, v2, v21
    two_rounds v2, v3, v22
    two_rounds v3, v2, v23
    add     v0.2d, v0.2d, v24.2d
    add     v1.2d, v1.2d, v25.2d
    add     v2.2d, v2.2d, v26.2d
    add     v3.2d, v3.2d, v27.2d
    subs    x2, x2, #1
    b.ne    1b
    big_endian v0, v1, v2, v3
    st1     {v0.16b-v3.16b}, [x0]
    ret

/* FIPS 180-4, 4.2.3 */
    .balign 16
constants:
    .quad   0x428a2f98d728ae22, 0x7137449123ef65cd, 0xb5c0fbcfec4d3b2f, 0xe9b5dba58189dbbc
    .quad   0x3956c25bf348b538, 0x59f111f1b605d019, 0x923f82a4af194f9b, 0xab1c5ed5da6d8118
    .quad   0xd807aa98a3030242, 0x12835b0145706fbe, 0x243185be4ee4b28c, 0x550c7dc3d5ffb4e2
    .quad   0x72be5d74f27b896f, 0x80deb1fe3b1696b1, 0x9bdc06a725c71235, 0xc19bf174cf692694
    .quad   0xe49b69c19ef14ad2, 0xefbe4786384f25e3, 0x0fc19dc68b8cd5b5, 0x240ca1cc77ac9c65
    .quad   0x2de92c6f592b0275, 0x4a7484aa6ea6e483, 0x5cb0a9dcbd41fbd4, 0x76f988da831153b5
    .quad   0x983e5152ee66dfab, 0xa831c66d2db43210, 0xb00327c898fb213f, 0xbf597fc7beef0ee4
    .quad   0xc6e00bf33da88fc2, 0xd5a79147930aa725, 0x06ca6351e003826f, 0x142929670a0e6e70
    .quad   0x27b70a8546d22ffc, 0x2e1b21385c26c926, 0x4d2c6dfc5ac42aed, 0x53380d139d95b3df
    .quad   0x650a73548baf63de, 0x766a0abb3c77b2a8, 0x81c2c92e47edaee6, 0x92722c851482353b
    .quad   0xa2bfe8a14cf10364, 0xa81a664bbc423001, 0xc24b8b70d0f89791, 0xc76c51a30654be30
    .quad   0xd192e819d6ef5218, 0xd69906245565a910, 0xf40e35855771202a, 0x106aa07032bbd1b8
    .quad   0x19a4c116b8d2d0c8, 0x1e376c085141ab53, 0x2748774cdf8eeb99, 0x34b0bcb5e19b48a8
    .quad   0x391c0cb3c5c95a63, 0x4ed8aa4ae3418acb, 0x5b9cca4f7763e373, 0x682e6ff3d6b2b8a3
    .quad   0x748f82ee5defb2fc, 0x78a5636f43172f60, 0x84c87814a1f0ab72, 0x8cc702081a6439ec
    .quad   0x90befffa23631e28, 0xa4506cebde82bde9, 0xbef9a3f7b2c67915, 0xc67178f2e372532b
    .quad   0xca273eceea26619c, 0xd186b8c721c0c207, 0xeada7dd6cde0eb1e, 0xf57d4f7fee6ed178
    .quad   0x06f067aa72176fba, 0x0a637dc5a2c898a6, 0x113f9804bef90dae, 0x1b710b35131c471b
    .quad   0x28db77f523047d84, 0x32caab7b40c72493, 0x3c9ebe0a15c9bebc, 0x431d67c49c100d4c
    .quad   0x4cc5d4becb3e42b6, 0x597f299cfc657e2a, 0x5fcb6fab3ad6faec, 0x6c44198c4a475817
