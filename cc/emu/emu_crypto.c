/* The chips' cryptography over BearSSL: no allocation, no global state. */
#include "emu_crypto.h"

#include "hv/check.h"
#include "hv/string.h"

#include <bearssl.h>

void emu_sha384(const void *p, size_t len, uint8_t out[EMU_SHA384])
{
    br_sha384_context c;

    br_sha384_init(&c);
    br_sha384_update(&c, p, len);
    br_sha384_out(&c, out);
}

void emu_kdf(const void *root, size_t root_len, const void *info, size_t info_len, uint8_t *out,
             size_t out_len)
{
    br_hkdf_context c;

    br_hkdf_init(&c, &br_sha384_vtable, BR_HKDF_NO_SALT, 0);
    br_hkdf_inject(&c, root, root_len);
    br_hkdf_flip(&c);
    REQUIRE(br_hkdf_produce(&c, info, info_len, out, out_len) == out_len);
}

void emu_p384_derive(const void *root, size_t root_len, const void *info, size_t info_len,
                     uint8_t d[EMU_P384])
{
    emu_kdf(root, root_len, info, info_len, d, EMU_P384);
    d[0] = 0; /* below the group's order, whose first byte is FFh */
    d[EMU_P384 - 1] |= 1;
}

void emu_p384_public(const uint8_t d[EMU_P384], uint8_t xy[2 * EMU_P384])
{
    unsigned char secret[EMU_P384], point[1 + 2 * EMU_P384];
    const br_ec_private_key sk = {BR_EC_secp384r1, secret, EMU_P384};

    memcpy(secret, d, sizeof(secret));
    CHECK(br_ec_compute_pub(&br_ec_prime_i31, NULL, point, &sk) == sizeof(point));
    memcpy(xy, point + 1, 2 * EMU_P384);
}

void emu_p384_sign(const uint8_t d[EMU_P384], const uint8_t hash[EMU_SHA384],
                   uint8_t rs[2 * EMU_P384])
{
    unsigned char secret[EMU_P384];
    const br_ec_private_key sk = {BR_EC_secp384r1, secret, EMU_P384};

    memcpy(secret, d, sizeof(secret));
    CHECK(br_ecdsa_i31_sign_raw(&br_ec_prime_i31, &br_sha384_vtable, hash, &sk, rs) ==
          2 * EMU_P384);
}

bool emu_p384_verify(const uint8_t xy[2 * EMU_P384], const uint8_t hash[EMU_SHA384],
                     const uint8_t rs[2 * EMU_P384])
{
    unsigned char point[1 + 2 * EMU_P384] = {4};
    const br_ec_public_key pk = {BR_EC_secp384r1, point, sizeof(point)};

    memcpy(point + 1, xy, 2 * EMU_P384);
    return br_ecdsa_i31_vrfy_raw(&br_ec_prime_i31, hash, EMU_SHA384, &pk, rs, 2 * EMU_P384) == 1;
}

static void gcm_start(br_gcm_context *c, br_aes_ct64_ctr_keys *keys, const struct emu_gcm *g)
{
    br_aes_ct64_ctr_init(keys, g->key, 32);
    br_gcm_init(c, &keys->vtable, br_ghash_ctmul64);
    br_gcm_reset(c, g->iv, 12);
    br_gcm_aad_inject(c, g->aad, g->aad_len);
    br_gcm_flip(c);
}

void emu_gcm_seal(const struct emu_gcm *g, void *data, size_t len, uint8_t tag[16])
{
    br_aes_ct64_ctr_keys keys;
    br_gcm_context c;

    gcm_start(&c, &keys, g);
    br_gcm_run(&c, 1, data, len);
    br_gcm_get_tag(&c, tag);
}

bool emu_gcm_open(const struct emu_gcm *g, void *data, size_t len, const uint8_t tag[16])
{
    br_aes_ct64_ctr_keys keys;
    br_gcm_context c;

    gcm_start(&c, &keys, g);
    br_gcm_run(&c, 0, data, len);
    return br_gcm_check_tag(&c, tag) == 1;
}
