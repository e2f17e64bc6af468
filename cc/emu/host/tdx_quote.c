#include "tdx_quote.h"

#include "../emu_crypto.h"
#include "../tdx_chip.h"
#include "mint.h"
#include "tdx_keys.h"

#include <openssl/evp.h>
#include <string.h>

enum {
    TEE_TDX = 0x81,
    KEY_ECDSA_P256 = 2,
    BODY_TD15 = 3,
    TD10_SIZE = 584,
    TD15_SIZE = 648,
    QE_REPORT_SIZE = 384,
    CERT_PCK_CHAIN = 5,
    CERT_QE_REPORT = 6,
    AUTH_SIZE = 32,
    CHAIN_MAX = 8192,
};

static const uint8_t intel_qe[16] = {0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9,
                                     0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07};

static uint8_t *put(uint8_t *at, const void *p, size_t len)
{
    memcpy(at, p, len);
    return at + len;
}

static uint8_t *put_le(uint8_t *at, uint64_t v, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        *at++ = (uint8_t)(v >> 8 * i);
    }
    return at;
}

/* EVERIFYREPORT2, and what a quoting enclave checks besides. */
static bool is_genuine(const struct tdx_report *r)
{
    uint8_t mac[32], tcb[48], info[48];

    tdx_chip_mac(&r->mac, mac);
    emu_sha384(&r->tcb, TDX_TEE_TCB_INFO_HASHED, tcb);
    emu_sha384(&r->info, sizeof(r->info), info);
    return r->mac.type == TDX_REPORT_TYPE && r->mac.subtype == 0 && r->mac.version <= 1 &&
           memcmp(mac, r->mac.mac, sizeof(mac)) == 0 &&
           memcmp(tcb, r->mac.tee_tcb_info_hash, sizeof(tcb)) == 0 &&
           memcmp(info, r->mac.tee_info_hash, sizeof(info)) == 0;
}

static uint8_t *put_header(uint8_t *at, bool td15)
{
    at = put_le(at, td15 ? 5 : 4, 2);
    at = put_le(at, KEY_ECDSA_P256, 2);
    at = put_le(at, TEE_TDX, 4);
    at = put_le(at, 0, 4);
    at = put(at, intel_qe, sizeof(intel_qe));
    memset(at, 0, 20); /* user data: the QE's own, none */
    at += 20;
    if (td15) {
        at = put_le(at, BODY_TD15, 2);
        at = put_le(at, TD15_SIZE, 4);
    }
    return at;
}

static uint8_t *put_body(uint8_t *at, const struct tdx_report *r, bool td15)
{
    const struct tdx_info *i = &r->info;

    at = put(at, r->tcb.tee_tcb_svn, 16);
    at = put(at, r->tcb.mrseam, 48);
    at = put(at, r->tcb.mrsignerseam, 48);
    at = put_le(at, r->tcb.attributes, 8);
    at = put_le(at, i->attributes, 8);
    at = put_le(at, i->xfam, 8);
    at = put(at, i->mrtd, 48);
    at = put(at, i->mrconfigid, 48);
    at = put(at, i->mrowner, 48);
    at = put(at, i->mrownerconfig, 48);
    at = put(at, i->rtmr, sizeof(i->rtmr));
    at = put(at, r->mac.report_data, 64);
    if (td15) {
        at = put(at, r->tcb.tee_tcb_svn2, 16);
        at = put(at, i->servtd_hash, 48);
    }
    return at;
}

/* The enclave's own report binds the attestation key; the PCK key signs it. */
static uint8_t *put_qe_report(uint8_t *at, const uint8_t key[64], const uint8_t auth[AUTH_SIZE])
{
    uint8_t both[64 + AUTH_SIZE], d[32], *report = at;

    memset(report, 0, QE_REPORT_SIZE);
    put(report, tdx_chip_cpusvn, sizeof(tdx_chip_cpusvn));
    report[48] = TDX_QE_ATTRIBUTES;
    tdx_chip_secret("measurement of the quoting enclave", report + 64, 32);
    tdx_qe_mrsigner(report + 128);
    put_le(report + 256, TDX_QE_PRODID, 2);
    put_le(report + 258, TDX_QE_SVN, 2);
    put(put(both, key, 64), auth, AUTH_SIZE);
    mint_must(EVP_Digest(both, sizeof(both), report + 320, NULL, EVP_sha256(), NULL) == 1,
              "digest");
    tdx_key(TDX_KEY_PCK, d);
    mint_sign(MINT_P256, d, report, QE_REPORT_SIZE, report + QE_REPORT_SIZE);
    return report + QE_REPORT_SIZE + 64;
}

static uint8_t *put_signature(uint8_t *at, const uint8_t *quote, const char *chain,
                              size_t chain_len)
{
    uint8_t auth[AUTH_SIZE], d[32], *const start = at + 4, *outer;

    tdx_key(TDX_KEY_ATTEST, d);
    tdx_chip_secret("QE authentication data", auth, sizeof(auth));
    mint_sign(MINT_P256, d, quote, (size_t)(at - quote), start);
    mint_public(MINT_P256, d, start + 64);
    outer = start + 128;
    at = put_qe_report(outer + 6, start + 64, auth);
    at = put_le(at, AUTH_SIZE, 2);
    at = put(at, auth, AUTH_SIZE);
    at = put_le(at, CERT_PCK_CHAIN, 2);
    at = put_le(at, chain_len, 4);
    at = put(at, chain, chain_len);
    put_le(outer, CERT_QE_REPORT, 2);
    put_le(outer + 2, (uint64_t)(at - outer - 6), 4);
    put_le(start - 4, (uint64_t)(at - start), 4);
    return at;
}

size_t tdx_quote_make(const uint8_t report[1024], const char *chain, size_t chain_len,
                      uint8_t out[TDX_QUOTE_MAX])
{
    struct tdx_report r;
    uint8_t *at;

    memcpy(&r, report, sizeof(r));
    if (!is_genuine(&r) || chain_len > CHAIN_MAX) {
        return 0;
    }
    at = put_header(out, r.mac.version == 1);
    at = put_body(at, &r, r.mac.version == 1);
    at = put_signature(at, out, chain, chain_len);
    return (size_t)(at - out);
}
