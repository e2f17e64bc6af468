/* Growing hashes and HMAC over BearSSL. */
#include "emu_sha.h"

#include "hv/string.h"

#include <bearssl.h>

_Static_assert(sizeof(br_sha384_context) <= sizeof(struct emu_sha384), "BearSSL's context");

void emu_sha384_start(struct emu_sha384 *h)
{
    br_sha384_init((br_sha384_context *)(void *)h);
}

void emu_sha384_add(struct emu_sha384 *h, const void *p, size_t len)
{
    br_sha384_update((br_sha384_context *)(void *)h, p, len);
}

void emu_sha384_value(const struct emu_sha384 *h, uint8_t out[48])
{
    br_sha384_out((const br_sha384_context *)(const void *)h, out);
}

void emu_hmac_sha256(const uint8_t key[32], const void *p, size_t len, uint8_t out[32])
{
    br_hmac_key_context k;
    br_hmac_context c;

    br_hmac_key_init(&k, &br_sha256_vtable, key, 32);
    br_hmac_init(&c, &k, 0);
    br_hmac_update(&c, p, len);
    (void)br_hmac_out(&c, out);
}
