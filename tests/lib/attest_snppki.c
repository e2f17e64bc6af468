#include "attest_snppki.h"

#include "cu.h"

#include <attest/hex.h>
#include <attest/reader.h>

#include <openssl/ec.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FROM       "2026-01-01"
#define UNTIL      "2036-01-01"
#define ASK_SERIAL 77

struct snppki {
    struct snppki_knobs k;
    EVP_PKEY *ark_key, *ask_key, *vek_key, *other_key;
    X509 *ark, *ask, *vek;
    struct attest_collateral *collateral;
    struct attest_cert *leaf;
    uint8_t spki[32];
};

static const char *or_default(const char *s, const char *otherwise)
{
    return s == NULL ? otherwise : s;
}

static time_t date(const char *s)
{
    int64_t t = 0;

    CU_ASSERT_FATAL(attest_time_parse(s, &t));
    return (time_t)t;
}

static void conf_extension(X509 *x, int nid, const char *value)
{
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

    CU_ASSERT_PTR_NOT_NULL_FATAL(e);
    X509_add_ext(x, e, -1);
    X509_EXTENSION_free(e);
}

static void raw_extension(X509 *x, const char *oid, const uint8_t *p, int len)
{
    ASN1_OBJECT *obj = OBJ_txt2obj(oid, 1);
    ASN1_OCTET_STRING *s = ASN1_OCTET_STRING_new();
    X509_EXTENSION *e;

    ASN1_OCTET_STRING_set(s, p, len);
    e = X509_EXTENSION_create_by_OBJ(NULL, obj, 0, s);
    X509_add_ext(x, e, -1);
    X509_EXTENSION_free(e);
    ASN1_OCTET_STRING_free(s);
    ASN1_OBJECT_free(obj);
}

static X509 *certificate(const char *name, EVP_PKEY *key, const X509 *issuer, long serial)
{
    X509 *x = X509_new();
    X509_NAME *n = X509_get_subject_name(x);

    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), serial);
    X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_ASC, (const uint8_t *)name, -1, -1, 0);
    X509_set_issuer_name(x, issuer == NULL ? n : X509_get_subject_name(issuer));
    X509_set_pubkey(x, key);
    ASN1_TIME_set(X509_getm_notBefore(x), date(FROM));
    ASN1_TIME_set(X509_getm_notAfter(x), date(UNTIL));
    return x;
}

static void add_spl(X509 *x, const char *number, uint8_t v)
{
    char oid[40];
    uint8_t small[3] = {2, 1, v};
    uint8_t big[4] = {2, 2, 0, v};

    snprintf(oid, sizeof(oid), "1.3.6.1.4.1.3704.1.%s", number);
    raw_extension(x, oid, v > 0x7f ? big : small, v > 0x7f ? 4 : 3);
}

static void add_ia5(X509 *x, const char *oid, const char *text)
{
    uint8_t der[64] = {0x16, (uint8_t)strlen(text)};

    memcpy(der + 2, text, strlen(text));
    raw_extension(x, oid, der, 2 + (int)strlen(text));
}

/* Bootloader 3, tee 0, snp 8, microcode 209 (two bytes of DER), fmc 1; chip id all 5Ah. */
static void add_vek_extensions(const struct snppki *p, X509 *x)
{
    static const uint8_t huge[] = {2, 2, 1, 0};
    uint8_t hwid[64];

    memset(hwid, 0x5a, sizeof(hwid));
    add_spl(x, "1", 1);
    add_ia5(x, "1.3.6.1.4.1.3704.1.2", or_default(p->k.product, "Milan-B0"));
    add_spl(x, "3.1", 3);
    add_spl(x, "3.2", 0);
    add_spl(x, "3.3", 8);
    if (p->k.big_spl) {
        raw_extension(x, "1.3.6.1.4.1.3704.1.3.8", huge, sizeof(huge));
    } else {
        add_spl(x, "3.8", 209);
    }
    if (p->k.fmc) {
        add_spl(x, "3.9", 1);
    }
    if (p->k.reserved_spl || p->k.repeated) {
        add_spl(x, p->k.repeated ? "3.2" : "3.4", p->k.reserved_spl);
    }
    if (p->k.vlek) {
        add_ia5(x, "1.3.6.1.4.1.3704.1.5", "CN=minted.example");
    } else if (!p->k.no_hwid) {
        raw_extension(x, "1.3.6.1.4.1.3704.1.4", hwid, p->k.short_hwid ? 10 : p->k.fmc ? 8 : 64);
    }
}

static void mint(struct snppki *p)
{
    const char *ask_name = p->k.vlek && !p->k.asvk_named_ask ? "SEV-VLEK-Minted" : "SEV-Minted";

    p->ark = certificate("ARK-Minted", p->ark_key, NULL, 1);
    p->ask = certificate(ask_name, p->ask_key, p->ark, ASK_SERIAL);
    p->vek = certificate(p->k.vlek ? "SEV-VLEK" : "SEV-VCEK", p->vek_key,
                         p->k.vek_by_ark ? p->ark : p->ask, 0);
    conf_extension(p->ark, NID_basic_constraints, "critical,CA:TRUE");
    conf_extension(p->ark, NID_key_usage,
                   p->k.ark_signs_no_crls ? "critical,keyCertSign"
                                          : "critical,keyCertSign,cRLSign");
    conf_extension(p->ask, NID_basic_constraints,
                   p->k.ask_not_ca ? "critical,CA:FALSE" : "critical,CA:TRUE,pathlen:0");
    conf_extension(p->ask, NID_key_usage, "critical,keyCertSign");
    ASN1_TIME_set(X509_getm_notAfter(p->ask), date(or_default(p->k.ask_until, UNTIL)));
    ASN1_TIME_set(X509_getm_notBefore(p->vek), date(or_default(p->k.vek_from, FROM)));
    ASN1_TIME_set(X509_getm_notAfter(p->vek), date(or_default(p->k.vek_until, UNTIL)));
    add_vek_extensions(p, p->vek);
    X509_sign(p->ark, p->ark_key, EVP_sha384());
    X509_sign(p->ask, p->ark_key, EVP_sha384());
    X509_sign(p->vek,
              p->k.wrong_issuer ? p->other_key
              : p->k.vek_by_ark ? p->ark_key
                                : p->ask_key,
              EVP_sha384());
}

static void add(struct attest_collateral *c, const char *name, uint8_t *der, int len)
{
    struct attest_error err = {0};

    CU_ASSERT_EQUAL_FATAL(attest_collateral_add(c, name, der, (size_t)len, &err), ATTEST_OK);
    OPENSSL_free(der);
}

static void add_certificate(struct attest_collateral *c, const char *name, X509 *x)
{
    uint8_t *der = NULL;
    int len = i2d_X509(x, &der);

    add(c, name, der, len);
}

static void revoke(X509_CRL *crl, long serial, const ASN1_TIME *when)
{
    X509_REVOKED *r = X509_REVOKED_new();
    ASN1_INTEGER *n = ASN1_INTEGER_new();
    ASN1_TIME *t = ASN1_STRING_dup(when);

    ASN1_INTEGER_set(n, serial);
    X509_REVOKED_set_serialNumber(r, n);
    X509_REVOKED_set_revocationDate(r, t);
    X509_CRL_add0_revoked(crl, r);
    ASN1_INTEGER_free(n);
    ASN1_TIME_free(t);
}

uint8_t *snppki_crl(const struct snppki *p, bool revoke_ask, bool partial, const char *from,
                    const char *until, size_t *len)
{
    X509_CRL *crl = X509_CRL_new();
    ASN1_TIME *t = ASN1_TIME_set(NULL, date(from));
    uint8_t *der = NULL;

    X509_CRL_set_version(crl, 1);
    X509_CRL_set_issuer_name(crl, X509_get_subject_name(p->ark));
    X509_CRL_set1_lastUpdate(crl, t);
    revoke(crl, revoke_ask ? ASK_SERIAL : ASK_SERIAL + 1, t);
    ASN1_TIME_set(t, date(until));
    X509_CRL_set1_nextUpdate(crl, t);
    if (partial) {
        X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, NID_issuing_distribution_point,
                                                "critical,onlyuser:TRUE");

        X509_CRL_add_ext(crl, e, -1);
        X509_EXTENSION_free(e);
    }
    X509_CRL_sign(crl, p->ark_key, EVP_sha384());
    *len = (size_t)i2d_X509_CRL(crl, &der);
    ASN1_TIME_free(t);
    X509_CRL_free(crl);
    return der;
}

static void add_crl(struct snppki *p)
{
    size_t len;
    uint8_t *der = snppki_crl(p, p->k.revoke_ask, false, "2026-06-01",
                              or_default(p->k.crl_until, "2026-07-01"), &len);

    add(p->collateral, "crl", der, (int)len);
}

static void add_certificates(const struct snppki *p, struct attest_collateral *c)
{
    add_certificate(c, "vek", p->vek);
    add_certificate(c, "ark", p->ark);
    if (!p->k.no_ask) {
        add_certificate(c, "ask", p->ask);
    }
}

struct attest_collateral *snppki_store(const struct snppki *p)
{
    struct attest_collateral *c = attest_collateral_new();

    add_certificates(p, c);
    return c;
}

struct snppki *snppki_new(const struct snppki_knobs *k)
{
    struct snppki *p = calloc(1, sizeof(*p));

    p->k = *k;
    p->ark_key = EVP_EC_gen("P-384");
    p->ask_key = EVP_EC_gen("P-384");
    p->other_key = EVP_EC_gen("P-384");
    p->vek_key = EVP_EC_gen(k->p256 ? "P-256" : "P-384");
    mint(p);
    p->collateral = snppki_store(p);
    if (k->with_crl || k->revoke_ask) {
        add_crl(p);
    }
    attest_collateral_seal(p->collateral);
    p->leaf = attest_collateral_cert(p->collateral, 0);
    memcpy(p->spki, attest_cert_spki_sha256(attest_collateral_cert(p->collateral, 1)), 32);
    return p;
}

void snppki_free(struct snppki *p)
{
    attest_collateral_free(p->collateral);
    X509_free(p->ark);
    X509_free(p->ask);
    X509_free(p->vek);
    EVP_PKEY_free(p->ark_key);
    EVP_PKEY_free(p->ask_key);
    EVP_PKEY_free(p->vek_key);
    EVP_PKEY_free(p->other_key);
    free(p);
}

const struct attest_collateral *snppki_collateral(const struct snppki *p)
{
    return p->collateral;
}

struct attest_cert *snppki_vek(const struct snppki *p)
{
    return p->leaf;
}

const uint8_t *snppki_root_spki(const struct snppki *p)
{
    return p->spki;
}

void snppki_sign(const struct snppki *p, uint8_t report[SNP_REPORT_SIZE])
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    uint8_t der[160];
    const uint8_t *at = der;
    size_t n = sizeof(der);
    ECDSA_SIG *s;

    memset(report + SNP_SIGNED_SIZE, 0, 512);
    EVP_DigestSignInit(ctx, NULL, EVP_sha384(), NULL, p->vek_key);
    CU_ASSERT_EQUAL_FATAL(EVP_DigestSign(ctx, der, &n, report, SNP_SIGNED_SIZE), 1);
    s = d2i_ECDSA_SIG(NULL, &at, (long)n);
    BN_bn2lebinpad(ECDSA_SIG_get0_r(s), report + SNP_SIGNED_SIZE, 72);
    BN_bn2lebinpad(ECDSA_SIG_get0_s(s), report + SNP_SIGNED_SIZE + 72, 72);
    ECDSA_SIG_free(s);
    EVP_MD_CTX_free(ctx);
}

/* CPUID family and model for the product in the certificate. */
static void set_cpu(const struct snppki *p, uint8_t *out)
{
    const char *name = or_default(p->k.product, "Milan-B0");
    uint8_t venice = strncmp(name, "Venice", 6) == 0 ? 0x50 : 0x02;

    out[0x188] = p->k.fmc ? 0x1a : 0x19;
    out[0x189] = p->k.fmc ? venice : strncmp(name, "Genoa", 5) == 0 ? 0x11 : 0x01;
    out[0x18a] = 1;
}

void snppki_report(const struct snppki *p, uint32_t version, uint8_t out[SNP_REPORT_SIZE])
{
    const struct snp_tcb tcb = {1, 3, 0, 8, 209};
    uint64_t raw = snp_tcb_encode(p->k.fmc ? SNP_TURIN : SNP_MILAN, &tcb);

    memset(out, 0, SNP_REPORT_SIZE);
    st32le(out, version);
    st64le(out + 0x08, 0x30000);
    st32le(out + 0x34, 1);
    st64le(out + 0x38, raw);
    st64le(out + 0x40, 0x25);
    st32le(out + 0x48, p->k.vlek ? 1U << 2 : 0);
    memset(out + 0x50, 0x22, 64);
    memset(out + 0x90, 0x11, 48);
    st64le(out + 0x180, raw);
    if (version >= 3) {
        set_cpu(p, out);
    }
    if (!p->k.vlek) {
        memset(out + 0x1a0, 0x5a, p->k.fmc ? 8 : 64);
    }
    st64le(out + 0x1e0, raw);
    out[0x1e9] = out[0x1ed] = 55;
    out[0x1ea] = out[0x1ee] = 1;
    st64le(out + 0x1f0, raw);
    if (version >= 5) {
        st64le(out + 0x1f8, 3);
        st64le(out + 0x200, 7);
    }
    snppki_sign(p, out);
}

struct attest_policy *snppki_policy(const struct snppki *p, bool no_root, const char *extra_top,
                                    const char *extra)
{
    unsigned int snp = p->k.policy_snp != 0 ? p->k.policy_snp : 8;
    char old[80], fmc[96];
    struct attest_policy *policy = NULL;
    struct attest_error err = {0};
    char root[256] = "", spki[65], text[4096];

    snprintf(old, sizeof(old), "{\"bootloader\":3,\"tee\":0,\"snp\":%u,\"microcode\":209}", snp);
    snprintf(fmc, sizeof(fmc), "{\"fmc\":1,%s", old + 1);
    hex_encode(p->spki, 32, spki);
    if (!no_root) {
        snprintf(root, sizeof(root),
                 ",\"test-roots\":[{\"name\":\"minted\",\"kind\":\"sev-snp\","
                 "\"spki-sha256\":\"%s\"}]",
                 spki);
    }
    snprintf(
        text, sizeof(text),
        "{\"version\":1%s%s,\"sev-snp\":{\"measurement\":\"111111111111111111111111111111111111"
        "111111111111111111111111111111111111111111111111111111111111\",\"signer\":[\"vcek\","
        "\"vlek\"],\"minimum-tcb\":{\"Milan\":%s,\"Genoa\":%s,\"Turin\":%s,\"Venice\":%s}%s}}",
        root, extra_top, old, old, fmc, fmc, extra);
    if (attest_policy_parse(text, strlen(text), &policy, &err) != ATTEST_OK) {
        fprintf(stderr, "%s\n", attest_error_text(&err, text, sizeof(text)));
    }
    CU_ASSERT_PTR_NOT_NULL_FATAL(policy);
    return policy;
}
