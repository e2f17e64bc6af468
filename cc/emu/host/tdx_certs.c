/*
 * Writes what the maker of the emulated platform publishes, the same bytes each time: root.pem
 * ca.pem pck.pem signer.pem, pck-chain.pem (PCK certificate and CA, for quotes), root.crl pck.crl,
 * tcb-info.json, qe-identity.json, root.spki (SHA-256 of the root's key, as policies name it).
 * Certificates and CRLs: Intel SGX PCK Certificate and CRL Profile Specification; JSON: Intel PCS
 * API v4, TCB Info V3, Enclave Identity V2.
 */
#include "../tdx_chip.h"
#include "mint.h"
#include "tdx_keys.h"

#include <stdlib.h>
#include <string.h>

#define NOT       "EMULATED, not Intel"
#define SGX_OID   "1.2.840.113741.1.13.1"
#define FMSPC_HEX "454D554C0000"
#define DATES     "\"issueDate\":\"2026-01-01T00:00:00Z\",\"nextUpdate\":\"2051-01-01T00:00:00Z\""
#define LEVEL     "\"tcbDate\":\"2026-01-01T00:00:00Z\",\"tcbStatus\":\"UpToDate\""

static const uint8_t fmspc[6] = {0x45, 0x4d, 0x55, 0x4c};
enum { PCESVN = 1 };

/* ---- DER ---- */

/* A TLV whose content is shorter than 64 KiB; returns the new end. */
static uint8_t *tlv(uint8_t *out, uint8_t tag, const uint8_t *content, size_t len)
{
    *out++ = tag;
    if (len > 0xff) {
        *out++ = 0x82;
        *out++ = (uint8_t)(len >> 8);
    } else if (len > 0x7f) {
        *out++ = 0x81;
    }
    *out++ = (uint8_t)len;
    memmove(out, content, len);
    return out + len;
}

/* SEQUENCE { the SGX OID with these arcs, value } */
static uint8_t *member(uint8_t *out, const uint8_t *arcs, size_t count, uint8_t tag,
                       const void *value, size_t len)
{
    uint8_t oid[12] = {0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 0x01, 0x0d, 0x01};
    uint8_t body[1024];
    uint8_t *end;

    memcpy(oid + 9, arcs, count);
    end = tlv(tlv(body, 6, oid, 9 + count), tag, value, len);
    return tlv(out, 0x30, body, (size_t)(end - body));
}

/* PCK certificate profile, 1.3.5: PPID, TCB, PCE-ID, FMSPC, SGX type, platform, configuration. */
static void add_sgx_extension(X509 *x)
{
    static const uint8_t zeros[16], scalable = 1, pcesvn = PCESVN, flags[3] = {0, 0xff, 0xff};
    uint8_t all[1024], part[1024], der[1100], *a = all, *t = part;

    a = member(a, (const uint8_t[]){1}, 1, 4, zeros, 16);
    for (uint8_t i = 1; i <= 16; i++) {
        t = member(t, (const uint8_t[]){2, i}, 2, 2, &tdx_chip_cpusvn[i - 1], 1);
    }
    t = member(t, (const uint8_t[]){2, 17}, 2, 2, &pcesvn, 1);
    t = member(t, (const uint8_t[]){2, 18}, 2, 4, tdx_chip_cpusvn, 16);
    a = member(a, (const uint8_t[]){2}, 1, 0x30, part, (size_t)(t - part));
    a = member(a, (const uint8_t[]){3}, 1, 4, zeros, 2);
    a = member(a, (const uint8_t[]){4}, 1, 4, fmspc, sizeof(fmspc));
    a = member(a, (const uint8_t[]){5}, 1, 0x0a, &scalable, 1);
    a = member(a, (const uint8_t[]){6}, 1, 4, zeros, 16);
    t = part;
    for (uint8_t i = 1; i <= 3; i++) {
        t = member(t, (const uint8_t[]){7, i}, 2, 1, &flags[i - 1], 1);
    }
    a = member(a, (const uint8_t[]){7}, 1, 0x30, part, (size_t)(t - part));
    mint_raw(x, SGX_OID, der, (size_t)(tlv(der, 0x30, all, (size_t)(a - all)) - der));
}

/* An empty one. TBSCertList: v2, algorithm, issuer, thisUpdate, nextUpdate (RFC 5280, 5.1). */
static void write_crl(const char *dir, const char *name, const struct holder *issuer)
{
    static const uint8_t algorithm[] = {0x30, 10,   6,    8,    0x2a, 0x86,
                                        0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};
    static const char from[] = "260101000000Z", until[] = "20510101000000Z";
    const uint8_t *subject;
    uint8_t body[512], tbs[600], *at = body, *der;
    FILE *f = mint_create(dir, name);
    size_t n;
    int len;

    mint_must(X509_NAME_get0_der(X509_get_subject_name(issuer->x), &subject, &n) == 1, "name");
    at = tlv(at, 2, (const uint8_t[]){1}, 1);
    memcpy(at, algorithm, sizeof(algorithm));
    memcpy(at + sizeof(algorithm), subject, n);
    at = tlv(at + sizeof(algorithm) + n, 0x17, (const uint8_t *)from, 13);
    at = tlv(at, 0x18, (const uint8_t *)until, 15);
    n = (size_t)(tlv(tbs, 0x30, body, (size_t)(at - body)) - tbs);
    der = mint_signed(issuer, tbs, n, &len);
    mint_must(fwrite(der, (size_t)len, 1, f) == 1, name);
    mint_close(f, name);
    free(der);
}

/* ---- JSON, signed as it stands ---- */

static void put_hex(FILE *f, const uint8_t *p, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        fprintf(f, "%02x", p[i]);
    }
}

static void write_signed(const char *dir, const char *file, const char *key, const char *inner,
                         const struct holder *signer)
{
    FILE *f = mint_create(dir, file);
    uint8_t rs[64];

    mint_sign(MINT_P256, signer->d, inner, strlen(inner), rs);
    fprintf(f, "{\"%s\":%s,\"signature\":\"", key, inner);
    put_hex(f, rs, sizeof(rs));
    fprintf(f, "\"}\n");
    mint_close(f, file);
}

static void put_components(FILE *f, const uint8_t svn[16])
{
    for (size_t i = 0; i < 16; i++) {
        fprintf(f, "%s{\"svn\":%u}", i == 0 ? "[" : ",", svn[i]);
    }
    fputc(']', f);
}

/* One level, which the platform reaches; its module by the version in TEE_TCB_SVN. */
static void write_tcb_info(const char *dir, const struct holder *signer)
{
    static const char module[] = "\"mrsigner\":\"%096d\",\"attributes\":\"0000000000000000\","
                                 "\"attributesMask\":\"FFFFFFFFFFFFFFFF\"";
    char *text = NULL, described[300];
    size_t size;
    FILE *f = open_memstream(&text, &size);

    snprintf(described, sizeof(described), module, 0);
    fprintf(f,
            "{\"id\":\"TDX\",\"version\":3," DATES ",\"fmspc\":\"" FMSPC_HEX "\","
            "\"pceId\":\"0000\",\"tcbType\":0,\"tcbEvaluationDataNumber\":1,\"tdxModule\":{%s},"
            "\"tdxModuleIdentities\":[{\"id\":\"TDX_%02u\",%s,"
            "\"tcbLevels\":[{\"tcb\":{\"isvsvn\":%u}," LEVEL "}]}],"
            "\"tcbLevels\":[{\"tcb\":{\"sgxtcbcomponents\":",
            described, tdx_chip_tcb_svn[1], described, tdx_chip_tcb_svn[0]);
    put_components(f, tdx_chip_cpusvn);
    fprintf(f, ",\"pcesvn\":%u,\"tdxtcbcomponents\":", PCESVN);
    put_components(f, tdx_chip_tcb_svn);
    fprintf(f, "}," LEVEL "}]}");
    fclose(f);
    write_signed(dir, "tcb-info.json", "tcbInfo", text, signer);
    free(text);
}

static void write_identity(const char *dir, const struct holder *signer)
{
    char *text = NULL;
    uint8_t mrsigner[32];
    size_t size;
    FILE *f = open_memstream(&text, &size);

    tdx_qe_mrsigner(mrsigner);
    fprintf(f,
            "{\"id\":\"TD_QE\",\"version\":2," DATES ",\"tcbEvaluationDataNumber\":1,"
            "\"miscselect\":\"00000000\",\"miscselectMask\":\"FFFFFFFF\","
            "\"attributes\":\"%02X000000000000000000000000000000\","
            "\"attributesMask\":\"FBFFFFFFFFFFFFFF0000000000000000\",\"mrsigner\":\"",
            TDX_QE_ATTRIBUTES & 0xfbu);
    put_hex(f, mrsigner, sizeof(mrsigner));
    fprintf(f, "\",\"isvprodid\":%u,\"tcbLevels\":[{\"tcb\":{\"isvsvn\":%u}," LEVEL "}]}",
            TDX_QE_PRODID, TDX_QE_SVN);
    fclose(f);
    write_signed(dir, "qe-identity.json", "enclaveIdentity", text, signer);
    free(text);
}

/* ---- all of it ---- */

static void add(struct holder *h, const struct holder *issuer, const char *key, long serial,
                bool ca)
{
    tdx_key(key, h->d);
    mint_start(h, issuer, serial);
    mint_conf(h->x, NID_basic_constraints, ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
    mint_conf(h->x, NID_key_usage,
              ca ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature");
}

static void write_chain(const char *dir, const struct holder *pck, const struct holder *ca)
{
    FILE *f = mint_create(dir, "pck-chain.pem");

    mint_pem(f, pck);
    mint_pem(f, ca);
    mint_close(f, "pck-chain.pem");
}

static void write_all(const char *dir, struct holder *h)
{
    struct holder *root = &h[0], *ca = &h[1], *pck = &h[2], *signer = &h[3];

    for (size_t i = 0; i < 4; i++) {
        mint_write_pem(dir, &h[i]);
    }
    mint_write_spki(dir, "root.spki", root);
    write_chain(dir, pck, ca);
    write_crl(dir, "root.crl", root);
    write_crl(dir, "pck.crl", ca);
    write_tcb_info(dir, signer);
    write_identity(dir, signer);
}

int main(int argc, char **argv)
{
    /* Verifiers go by these common names; the organisation says EMULATED. */
    struct holder h[] = {{"root.pem", "Intel SGX Root CA EMULATED", NOT, MINT_P256, .key = NULL},
                         {"ca.pem", "Intel SGX PCK Platform CA EMULATED", NOT, MINT_P256,
                          .key = NULL},
                         {"pck.pem", "Intel SGX PCK Certificate", NOT, MINT_P256, .key = NULL},
                         {"signer.pem", "Intel SGX TCB Signing", NOT, MINT_P256, .key = NULL}};

    if (argc != 2) {
        fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    add(&h[0], &h[0], TDX_KEY_ROOT, 1, true);
    add(&h[1], &h[0], TDX_KEY_CA, 2, true);
    add(&h[2], &h[1], TDX_KEY_PCK, 3, false);
    add(&h[3], &h[0], TDX_KEY_SIGNER, 4, false);
    add_sgx_extension(h[2].x);
    mint_finish(&h[0], &h[0]);
    mint_finish(&h[1], &h[0]);
    mint_finish(&h[2], &h[1]);
    mint_finish(&h[3], &h[0]);
    write_all(argv[1], h);
    for (size_t i = 0; i < 4; i++) {
        mint_free(&h[i]);
    }
    return 0;
}
