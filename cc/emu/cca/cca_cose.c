#include "cca_cose.h"

#include "hv/check.h"
#include "hv/string.h"

#define TAG_SIGN1     18u
#define SIG_STRUCTURE 64u /* what stands in front of the payload, at most */

static const uint8_t protected_header[] = {0xa1, 0x01, 0x38, 0x22}; /* alg: ES384 */

static void put(struct cose_out *o, const void *p, size_t len)
{
    if (!o->ok || len > o->size - o->used) {
        o->ok = false;
        return;
    }
    memcpy(o->p + o->used, p, len);
    o->used += len;
}

void cose_head(struct cose_out *o, unsigned int major, uint64_t value)
{
    unsigned int bytes = value < 24 ? 0 : value < 0x100 ? 1 : value < 0x10000 ? 2 : 4;
    uint8_t b[5] = {(uint8_t)(major << 5 | (bytes == 0   ? (unsigned int)value
                                            : bytes == 1 ? 24u
                                            : bytes == 2 ? 25u
                                                         : 26u))};

    REQUIRE(value <= UINT32_MAX);
    for (unsigned int i = 0; i < bytes; i++) {
        b[1 + i] = (uint8_t)(value >> 8 * (bytes - 1 - i));
    }
    put(o, b, 1 + bytes);
}

void cose_bytes(struct cose_out *o, const void *p, size_t len)
{
    cose_head(o, COSE_BYTES, len);
    put(o, p, len);
}

void cose_text(struct cose_out *o, const char *text)
{
    cose_head(o, COSE_TEXT, strlen(text));
    put(o, text, strlen(text));
}

void cose_label(struct cose_out *o, uint64_t label)
{
    cose_head(o, COSE_UINT, label);
}

/* RFC 9052, 4.4: the payload stands where it is signed; what is in front of it is put there. */
void cose_sign1(struct cose_out *o, const uint8_t key[EMU_P384], const uint8_t *payload,
                size_t len)
{
    static uint8_t buf[SIG_STRUCTURE + 2048]; /* monitor and RMM: under their locks */
    struct cose_out s = {buf, sizeof(buf), 0, true};
    uint8_t hash[EMU_SHA384], rs[2 * EMU_P384];

    cose_head(&s, COSE_ARRAY, 4);
    cose_text(&s, "Signature1");
    cose_bytes(&s, protected_header, sizeof(protected_header));
    cose_head(&s, COSE_BYTES, 0);
    cose_bytes(&s, payload, len);
    o->ok = o->ok && s.ok;
    emu_sha384(buf, s.used, hash);
    emu_p384_sign(key, hash, rs);
    cose_head(o, COSE_TAG, TAG_SIGN1);
    cose_head(o, COSE_ARRAY, 4);
    cose_bytes(o, protected_header, sizeof(protected_header));
    cose_head(o, COSE_MAP, 0);
    cose_bytes(o, payload, len);
    cose_bytes(o, rs, sizeof(rs));
}

/* RFC 9053, 7.1.1: kty EC2, crv P-384, x, y. */
void cose_key(const uint8_t key[EMU_P384], uint8_t out[CCA_RAK_CLAIM])
{
    struct cose_out o = {out, CCA_RAK_CLAIM, 0, true};
    uint8_t xy[2 * EMU_P384];

    emu_p384_public(key, xy);
    cose_head(&o, COSE_MAP, 4);
    cose_label(&o, 1);
    cose_head(&o, COSE_UINT, 2);
    cose_head(&o, COSE_NINT, 0);
    cose_head(&o, COSE_UINT, 2);
    cose_head(&o, COSE_NINT, 1);
    cose_bytes(&o, xy, EMU_P384);
    cose_head(&o, COSE_NINT, 2);
    cose_bytes(&o, xy + EMU_P384, EMU_P384);
    CHECK(o.ok && o.used == CCA_RAK_CLAIM);
}
