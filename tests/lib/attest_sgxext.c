#include "attest_sgxext.h"

#include <string.h>

/* A TLV whose content is shorter than 64 KiB, appended to out; returns the new end. */
static uint8_t *tlv(uint8_t *out, uint8_t tag, const uint8_t *content, size_t len)
{
    *out++ = tag;
    if (len > 0xFF) {
        *out++ = 0x82;
        *out++ = (uint8_t)(len >> 8);
    } else if (len > 0x7F) {
        *out++ = 0x81;
    }
    *out++ = (uint8_t)len;
    memcpy(out, content, len);
    return out + len;
}

/* SEQUENCE { OID 1.2.840.113741.1.13.1.<arcs>, value } */
static uint8_t *member(uint8_t *out, const uint8_t *arcs, size_t arc_count, const uint8_t *value,
                       size_t len)
{
    uint8_t oid[12] = {0x2A, 0x86, 0x48, 0x86, 0xF8, 0x4D, 0x01, 0x0D, 0x01}, body[1024];
    uint8_t *end;

    memcpy(oid + 9, arcs, arc_count);
    end = tlv(body, 0x06, oid, 9 + arc_count);
    memcpy(end, value, len);
    return tlv(out, 0x30, body, (size_t)(end - body) + len);
}

static uint8_t *octets(uint8_t *out, uint8_t arc, const uint8_t *p, size_t len)
{
    uint8_t value[32];

    return member(out, &arc, 1, value, (size_t)(tlv(value, 0x04, p, len) - value));
}

size_t sgx_extension(uint8_t *out)
{
    static const uint8_t fives[16] = {5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5}, five = 5,
                         ten = 10, zeros[16];
    static const uint8_t fmspc[6] = {0x50, 0x80, 0x6F, 0, 0, 0};
    uint8_t all[1024], tcb[1024], value[1024], *a = all, *t = tcb;

    for (uint8_t i = 1; i <= 18; i++) {
        const uint8_t arcs[] = {2, i};
        uint8_t *end =
            i == 18 ? tlv(value, 0x04, fives, 16) : tlv(value, 0x02, i == 17 ? &ten : &five, 1);

        t = member(t, arcs, 2, value, (size_t)(end - value));
    }
    a = octets(a, 1, zeros, 16);
    t = tlv(value, 0x30, tcb, (size_t)(t - tcb));
    a = member(a, (const uint8_t[]){2}, 1, value, (size_t)(t - value));
    a = octets(a, 3, zeros, 2);
    a = octets(a, 4, fmspc, 6);
    a = member(a, (const uint8_t[]){5}, 1, (const uint8_t[]){0x0A, 1, 1}, 3);
    t = tcb;
    for (uint8_t i = 1; i <= 3; i++) {
        t = member(t, (const uint8_t[]){7, i}, 2, (const uint8_t[]){0x01, 1, i == 1 ? 0 : 0xFF}, 3);
    }
    t = tlv(value, 0x30, tcb, (size_t)(t - tcb));
    a = member(a, (const uint8_t[]){7}, 1, value, (size_t)(t - value));
    return (size_t)(tlv(out, 0x30, all, (size_t)(a - all)) - out);
}

void sgxext_add(X509 *x)
{
    ASN1_OBJECT *oid = OBJ_txt2obj("1.2.840.113741.1.13.1", 1);
    ASN1_OCTET_STRING *s = ASN1_OCTET_STRING_new();
    uint8_t der[1024];
    X509_EXTENSION *e;

    ASN1_OCTET_STRING_set(s, der, (int)sgx_extension(der));
    e = X509_EXTENSION_create_by_OBJ(NULL, oid, 0, s);
    X509_add_ext(x, e, -1);
    X509_EXTENSION_free(e);
    ASN1_OCTET_STRING_free(s);
    ASN1_OBJECT_free(oid);
}
