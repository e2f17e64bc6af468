/* The ID block and its authentication: ABI 8.18, tables 74-76; keys and signatures: chapter 10. */
#include "snp_psp.h"

#include "hv/string.h"

struct id_block { /* table 75 */
    uint8_t ld[48], family_id[16], image_id[16];
    uint32_t version, svn;
    uint64_t policy;
};
_Static_assert(sizeof(struct id_block) == 0x60, "table 75");

struct ecdsa_key { /* table 139: little-endian */
    uint32_t curve;
    uint8_t x[72], y[72], reserved[0x404 - 0x94];
};
_Static_assert(sizeof(struct ecdsa_key) == 0x404, "table 139");

struct ecdsa_signature { /* table 140: little-endian */
    uint8_t r[72], s[72], reserved[0x200 - 0x90];
};
_Static_assert(sizeof(struct ecdsa_signature) == 0x200, "table 140");

struct id_auth { /* table 76 */
    uint32_t id_algorithm, author_algorithm;
    uint8_t reserved1[0x38];
    struct ecdsa_signature block_sig; /* 040h */
    struct ecdsa_key id_key;          /* 240h */
    uint8_t reserved2[0x680 - 0x644];
    struct ecdsa_signature id_key_sig; /* 680h */
    struct ecdsa_key author_key;       /* 880h */
    uint8_t reserved3[0x1000 - 0xc84];
};
_Static_assert(sizeof(struct id_auth) == 0x1000, "table 76");
_Static_assert(offsetof(struct id_auth, id_key_sig) == 0x680, "table 76");

#define ALGORITHM_P384_SHA384 1u
#define CURVE_P384            2u

/* 72 little-endian bytes to 48 big-endian ones; false when the number is too large. */
static bool big_endian(const uint8_t in[72], uint8_t out[EMU_P384])
{
    for (size_t i = 0; i < EMU_P384; i++) {
        out[EMU_P384 - 1 - i] = in[i];
    }
    return psp_is_zero(in + EMU_P384, 72 - EMU_P384);
}

static bool verify(const struct ecdsa_key *key, const struct ecdsa_signature *sig, const void *p,
                   size_t len)
{
    uint8_t xy[2 * EMU_P384], rs[2 * EMU_P384], hash[EMU_SHA384];

    if (key->curve != CURVE_P384 || !psp_is_zero(key->reserved, sizeof(key->reserved)) ||
        !psp_is_zero(sig->reserved, sizeof(sig->reserved)) || !big_endian(key->x, xy) ||
        !big_endian(key->y, xy + EMU_P384) || !big_endian(sig->r, rs) ||
        !big_endian(sig->s, rs + EMU_P384)) {
        return false;
    }
    emu_sha384(p, len, hash);
    return emu_p384_verify(xy, hash, rs);
}

/* What the owner expects of the guest. */
static uint32_t block_check(const struct psp_guest *g, const struct id_block *b)
{
    if (memcmp(b->ld, g->ld, sizeof(b->ld)) != 0) {
        return SNP_BAD_MEASUREMENT;
    }
    if (b->policy != g->policy) {
        return SNP_POLICY_FAILURE;
    }
    return b->version != 1 ? SNP_INVALID_PARAM : SNP_SUCCESS;
}

static uint32_t auth_check(const struct id_auth *a, const struct id_block *b, bool author)
{
    if (a->id_algorithm != ALGORITHM_P384_SHA384 ||
        (author && a->author_algorithm != ALGORITHM_P384_SHA384)) {
        return SNP_INVALID_PARAM;
    }
    if (!verify(&a->id_key, &a->block_sig, b, sizeof(*b)) ||
        (author && !verify(&a->author_key, &a->id_key_sig, &a->id_key, sizeof(a->id_key)))) {
        return SNP_BAD_SIGNATURE;
    }
    return SNP_SUCCESS;
}

uint32_t psp_id_check(struct psp_guest *g, const struct snp_launch_finish *f)
{
    static struct id_auth auth; /* under the mailbox's lock */
    bool author = (f->flags & 2) != 0;
    struct id_block block;
    uint32_t r;

    if (!psp_read(f->id_block, &block, sizeof(block)) ||
        !psp_read(f->id_auth, &auth, sizeof(auth))) {
        return SNP_INVALID_ADDRESS;
    }
    r = block_check(g, &block);
    if (r == SNP_SUCCESS) {
        r = auth_check(&auth, &block, author);
    }
    if (r != SNP_SUCCESS) {
        return r;
    }
    memcpy(g->family_id, block.family_id, sizeof(g->family_id));
    memcpy(g->image_id, block.image_id, sizeof(g->image_id));
    g->svn = block.svn;
    g->author_en = author;
    emu_sha384(&auth.id_key, sizeof(auth.id_key), g->id_key_digest);
    if (author) {
        emu_sha384(&auth.author_key, sizeof(auth.author_key), g->author_key_digest);
    }
    return SNP_SUCCESS;
}
