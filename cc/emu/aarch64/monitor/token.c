/*
 * The platform's part of the attestation token (draft-ffm-rats-cca-token, 2023 profile). Every key
 * follows from the public text below, so nobody can mistake them for secrets.
 */
#include "token.h"

#include "hv/string.h"

#include <bearssl.h>

#define LIFECYCLE_SECURED 0x3000u

static const char root_text[] = "EMULATED CCA platform, not secret, not Arm's";

static uint8_t rmm_digest[32];

void platform_cpak(uint8_t key[EMU_P384])
{
    emu_p384_derive(root_text, sizeof(root_text) - 1, "CPAK", 4, key);
}

void platform_rak(uint8_t key[EMU_P384])
{
    emu_p384_derive(root_text, sizeof(root_text) - 1, "RAK", 3, key);
}

static void sha256(const void *p, size_t len, uint8_t out[32])
{
    br_sha256_context c;

    br_sha256_init(&c);
    br_sha256_update(&c, p, len);
    br_sha256_out(&c, out);
}

void platform_measure(const void *rmm, size_t len)
{
    sha256(rmm, len, rmm_digest);
}

static void put_component(struct cose_out *o)
{
    uint8_t signer[32];

    sha256(root_text, sizeof(root_text) - 1, signer);
    cose_head(o, COSE_ARRAY, 1);
    cose_head(o, COSE_MAP, 3);
    cose_label(o, 1);
    cose_text(o, "RMM");
    cose_label(o, 2);
    cose_bytes(o, rmm_digest, sizeof(rmm_digest));
    cose_label(o, 5);
    cose_bytes(o, signer, sizeof(signer));
}

/* The implementation is this text; the instance is the platform key's hash. */
static void claims(struct cose_out *o, const uint8_t key[EMU_P384], const uint8_t *challenge,
                   size_t len)
{
    uint8_t implementation[32], instance[33] = {1}, xy[2 * EMU_P384];

    sha256(root_text, sizeof(root_text) - 1, implementation);
    emu_p384_public(key, xy);
    sha256(xy, sizeof(xy), instance + 1);
    cose_head(o, COSE_MAP, 8);
    cose_label(o, 265);
    cose_text(o, "tag:arm.com,2023:cca_platform#1.0.0");
    cose_label(o, 10);
    cose_bytes(o, challenge, len);
    cose_label(o, 2396);
    cose_bytes(o, implementation, sizeof(implementation));
    cose_label(o, 256);
    cose_bytes(o, instance, sizeof(instance));
    cose_label(o, 2401);
    cose_bytes(o, "EMULATED", 8);
    cose_label(o, 2395);
    cose_head(o, COSE_UINT, LIFECYCLE_SECURED);
    cose_label(o, 2402);
    cose_text(o, "sha-256");
    cose_label(o, 2399);
    put_component(o);
}

size_t platform_token(const uint8_t *challenge, size_t len, void *to, size_t size)
{
    uint8_t payload[640], key[EMU_P384];
    struct cose_out c = {payload, sizeof(payload), 0, true}, o = {to, size, 0, true};

    platform_cpak(key);
    claims(&c, key, challenge, len);
    cose_sign1(&o, key, payload, c.used);
    return c.ok && o.ok ? o.used : 0;
}
