#include "attest_tdxpki.h"

#include "attest_sgxext.h"
#include "attest_tdx.h"
#include "cu.h"

#include <attest/hex.h>
#include <attest/reader.h>

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct tdxpki {
    EVP_PKEY *root_key, *ca_key, *pck_key, *signer_key, *att_key, *other_key;
    X509 *root, *ca, *pck, *signer, *other;
    struct attest_collateral *collateral;
    char top[512];
};

#define FROM  "2026-01-01"
#define UNTIL "2036-01-01"

static const char *or_default(const char *s, const char *otherwise)
{
    return s == NULL ? otherwise : s;
}

/* ---- certificates ---- */

static void set_times(X509 *x, const char *from, const char *until)
{
    ASN1_TIME_set(X509_getm_notBefore(x), (time_t)tdx_time(from));
    ASN1_TIME_set(X509_getm_notAfter(x), (time_t)tdx_time(until));
}

static void add_extension(X509 *x, int nid, const char *value)
{
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

    CU_ASSERT_PTR_NOT_NULL_FATAL(e);
    X509_add_ext(x, e, -1);
    X509_EXTENSION_free(e);
}

static X509 *certificate(const char *name, EVP_PKEY *key, const X509 *issuer, long serial, bool ca)
{
    X509 *x = X509_new();
    X509_NAME *n = X509_get_subject_name(x);

    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), serial);
    X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_ASC, (const uint8_t *)name, -1, -1, 0);
    X509_NAME_add_entry_by_txt(n, "O", MBSTRING_ASC, (const uint8_t *)"Test", -1, -1, 0);
    X509_set_issuer_name(x, issuer == NULL ? n : X509_get_subject_name(issuer));
    X509_set_pubkey(x, key);
    set_times(x, FROM, UNTIL);
    add_extension(x, NID_basic_constraints, ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
    add_extension(x, NID_key_usage,
                  ca ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature");
    return x;
}

static void mint_certificates(struct tdxpki *p, const struct tdxpki_knobs *k)
{
    p->root = certificate("Intel SGX Root CA", p->root_key, NULL, 1, true);
    p->ca = certificate("Intel SGX PCK Platform CA", p->ca_key, p->root, 2, true);
    p->pck = certificate(or_default(k->pck_name, "Intel SGX PCK Certificate"), p->pck_key, p->ca, 3,
                         false);
    p->other = certificate("Another Root CA", p->other_key, NULL, 5, true);
    p->signer = certificate("Intel SGX TCB Signing", p->signer_key,
                            k->foreign_signer ? p->other : p->root, 4, false);
    set_times(p->pck, or_default(k->pck_from, FROM), or_default(k->pck_until, UNTIL));
    set_times(p->signer, FROM, or_default(k->signer_until, UNTIL));
    if (!k->no_sgx_extension) {
        sgxext_add(p->pck);
    }
    X509_sign(p->root, p->root_key, EVP_sha256());
    X509_sign(p->ca, p->root_key, EVP_sha256());
    X509_sign(p->pck, p->ca_key, EVP_sha256());
    X509_sign(p->signer, k->foreign_signer ? p->other_key : p->root_key, EVP_sha256());
    X509_sign(p->other, p->other_key, EVP_sha256());
}

/* ---- collateral ---- */

static void add(struct tdxpki *p, const char *name, const uint8_t *der, size_t len)
{
    struct attest_error err = {0};
    char text[512];

    if (attest_collateral_add(p->collateral, name, der, len, &err) != ATTEST_OK) {
        fprintf(stderr, "%s\n", attest_error_text(&err, text, sizeof(text)));
        CU_FAIL_FATAL("minted collateral is refused");
    }
}

static void add_certificate(struct tdxpki *p, const char *name, X509 *x)
{
    uint8_t *der = NULL;
    int len = i2d_X509(x, &der);

    add(p, name, der, (size_t)len);
    OPENSSL_free(der);
}

static void revoke(X509_CRL *crl, long serial)
{
    X509_REVOKED *r = X509_REVOKED_new();
    ASN1_INTEGER *n = ASN1_INTEGER_new();
    ASN1_TIME *t = ASN1_TIME_set(NULL, (time_t)tdx_time(FROM));

    ASN1_INTEGER_set(n, serial);
    X509_REVOKED_set_serialNumber(r, n);
    X509_REVOKED_set_revocationDate(r, t);
    X509_CRL_add0_revoked(crl, r);
    ASN1_INTEGER_free(n);
    ASN1_TIME_free(t);
}

/* serials[] ends with 0. */
static void add_crl(struct tdxpki *p, const X509 *issuer, EVP_PKEY *key, const char *until,
                    const long serials[3])
{
    X509_CRL *crl = X509_CRL_new();
    ASN1_TIME *from = ASN1_TIME_set(NULL, (time_t)tdx_time("2026-06-01"));
    ASN1_TIME *to = ASN1_TIME_set(NULL, (time_t)tdx_time(until));
    uint8_t *der = NULL;
    int len;

    X509_CRL_set_version(crl, 1);
    X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer));
    X509_CRL_set1_lastUpdate(crl, from);
    X509_CRL_set1_nextUpdate(crl, to);
    for (size_t i = 0; serials[i] != 0; i++) {
        revoke(crl, serials[i]);
    }
    X509_CRL_sign(crl, key, EVP_sha256());
    len = i2d_X509_CRL(crl, &der);
    add(p, "crl", der, (size_t)len);
    OPENSSL_free(der);
    ASN1_TIME_free(from);
    ASN1_TIME_free(to);
    X509_CRL_free(crl);
}

static void sign_raw(EVP_PKEY *key, const void *msg, size_t len, uint8_t out[64])
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    uint8_t der[80];
    const uint8_t *at = der;
    size_t n = sizeof(der);
    ECDSA_SIG *s;

    EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key);
    CU_ASSERT_EQUAL_FATAL(EVP_DigestSign(ctx, der, &n, msg, len), 1);
    s = d2i_ECDSA_SIG(NULL, &at, (long)n);
    BN_bn2binpad(ECDSA_SIG_get0_r(s), out, 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(s), out + 32, 32);
    ECDSA_SIG_free(s);
    EVP_MD_CTX_free(ctx);
}

static void add_signed(struct tdxpki *p, const char *key, const char *inner, bool broken)
{
    char text[8192], hex[129];
    uint8_t sig[64];

    sign_raw(p->signer_key, inner, strlen(inner), sig);
    sig[40] ^= broken;
    snprintf(text, sizeof(text), "{\"%s\":%s,\"signature\":\"%s\"}", key, inner,
             hex_encode(sig, 64, hex));
    add(p, key, (const uint8_t *)text, strlen(text));
}

static void components(char *out, size_t size, int first, int second, int rest)
{
    size_t n = 0;

    for (int i = 0; i < 16; i++) {
        n += (size_t)snprintf(out + n, size - n, "%s{\"svn\":%d}", i == 0 ? "" : ",",
                              i == 0   ? first
                              : i == 1 ? second
                                       : rest);
    }
}

#define MODULE                                                                                     \
    "\"mrsigner\":\"%096d\",\"attributes\":\"0000000000000000\",\"attributesMask\":\"%s\""

/*
 * Levels: the newest, which the TD's SVNs do not reach (with k->newest the SGX ones do); the one
 * that all reach. The module's newest is 4, the QE's too.
 */
static void add_tcb_info(struct tdxpki *p, const struct tdxpki_knobs *k)
{
    char six[300], five[300], tdx6[300], tdx5[300], text[6000];
    const char *mask = or_default(k->seam_mask, "FFFFFFFFFFFFFFFF");

    components(six, sizeof(six), 6, 6, 6);
    components(five, sizeof(five), 5, 5, 5);
    components(tdx6, sizeof(tdx6), 4, 0, 6);
    components(tdx5, sizeof(tdx5), k->tdx_first == 0 ? 3 : k->tdx_first, 0, 5);
    snprintf(text, sizeof(text),
             "{\"id\":\"%s\",\"version\":3,\"issueDate\":\"%s\",\"nextUpdate\":\"%s\","
             "\"fmspc\":\"%s\",\"pceId\":\"%s\",\"tcbType\":0,\"tcbEvaluationDataNumber\":17,"
             "\"tdxModule\":{" MODULE "},\"tdxModuleIdentities\":[{\"id\":\"TDX_01\"," MODULE
             ",\"tcbLevels\":[{\"tcb\":{\"isvsvn\":4},\"tcbDate\":\"2026-03-01T00:00:00Z\","
             "\"tcbStatus\":\"UpToDate\"},{\"tcb\":{\"isvsvn\":3},\"tcbDate\":\"2025-03-01\","
             "\"tcbStatus\":\"%s\",\"advisoryIDs\":[\"INTEL-SA-00002\"]}]}],"
             "\"tcbLevels\":[{\"tcb\":{\"sgxtcbcomponents\":[%s],\"pcesvn\":%d,"
             "\"tdxtcbcomponents\":[%s]},\"tcbDate\":\"2026-03-01\",\"tcbStatus\":\"%s\"},"
             "{\"tcb\":{\"sgxtcbcomponents\":[%s],\"pcesvn\":%d,\"tdxtcbcomponents\":[%s]},"
             "\"tcbDate\":\"2025-01-01\",\"tcbStatus\":\"%s\",\"advisoryIDs\":[%s]}]}",
             k->sgx ? "SGX" : "TDX", or_default(k->tcb_info_from, "2026-06-01"),
             or_default(k->tcb_info_until, "2026-07-01"), or_default(k->fmspc, "50806F000000"),
             or_default(k->pceid, "0000"), 0, mask, 0, mask, or_default(k->module, "UpToDate"),
             k->newest != NULL ? five : six, k->pcesvn == 0 ? 10 : k->pcesvn, tdx6,
             or_default(k->newest, "UpToDate"), five, k->pcesvn == 0 ? 10 : k->pcesvn, tdx5,
             or_default(k->level, "UpToDate"),
             or_default(k->advisories, "\"INTEL-SA-00001\",\"INTEL-SA-00002\""));
    add_signed(p, "tcbInfo", text, k->tcb_info_signature_broken);
}

static void add_identity(struct tdxpki *p, const struct tdxpki_knobs *k, const char *id)
{
    char text[2000], mr[65];

    snprintf(mr, sizeof(mr), "%064d", 0);
    snprintf(text, sizeof(text),
             "{\"id\":\"%s\",\"version\":2,\"issueDate\":\"2026-06-01\",\"nextUpdate\":\"%s\","
             "\"tcbEvaluationDataNumber\":18,\"miscselect\":\"00000000\","
             "\"miscselectMask\":\"FFFFFFFF\",\"attributes\":\"11000000000000000000000000000000\","
             "\"attributesMask\":\"FBFFFFFFFFFFFFFF0000000000000000\",\"mrsigner\":\"%s\","
             "\"isvprodid\":2,\"tcbLevels\":[{\"tcb\":{\"isvsvn\":4},\"tcbDate\":\"2026-03-01\","
             "\"tcbStatus\":\"UpToDate\"},{\"tcb\":{\"isvsvn\":2},\"tcbDate\":\"2025-02-01\","
             "\"tcbStatus\":\"%s\",\"advisoryIDs\":[\"INTEL-SA-00003\"]}]}",
             id, or_default(k->identity_until, "2026-07-01"), or_default(k->mrsigner_qe, mr),
             or_default(k->qe, "UpToDate"));
    add_signed(p, "enclaveIdentity", text, k->identity_signature_broken);
}

static void mint_collateral(struct tdxpki *p, const struct tdxpki_knobs *k)
{
    long root_revoked[3] = {0}, ca_revoked[3] = {k->revoke_pck ? 3 : 0};
    size_t n = 0;

    if (k->revoke_ca) {
        root_revoked[n++] = 2;
    }
    if (k->revoke_signer) {
        root_revoked[n] = 4;
    }
    add_certificate(p, "root", p->root);
    add_certificate(p, "signer", p->signer);
    add_certificate(p, "ca", p->ca);
    add_certificate(p, "pck", p->pck);
    add_certificate(p, "other", p->other);
    if (!k->no_root_crl) {
        add_crl(p, p->root, p->root_key, or_default(k->root_crl_until, "2026-07-01"), root_revoked);
    }
    if (!k->no_pck_crl) {
        add_crl(p, p->ca, p->ca_key, or_default(k->crl_until, "2026-07-01"), ca_revoked);
    }
    if (!k->no_tcb_info) {
        add_tcb_info(p, k);
    }
    if (k->forged_tcb_info) {
        add_tcb_info(p, &(struct tdxpki_knobs){.tcb_info_signature_broken = true,
                                               .tcb_info_from = "2026-06-10"});
    }
    if (!k->no_identity) {
        add_identity(p, k, k->sgx ? "QE" : "TD_QE");
    }
    attest_collateral_seal(p->collateral);
}

struct tdxpki *tdxpki_new(const struct tdxpki_knobs *k)
{
    struct tdxpki *p = calloc(1, sizeof(*p));
    EVP_PKEY **const keys[] = {&p->root_key,   &p->ca_key,  &p->pck_key,
                               &p->signer_key, &p->att_key, &p->other_key};
    char spki[65];

    for (size_t i = 0; i < 6; i++) {
        *keys[i] = EVP_EC_gen("P-256");
        CU_ASSERT_PTR_NOT_NULL_FATAL(*keys[i]);
    }
    p->collateral = attest_collateral_new();
    mint_certificates(p, k);
    mint_collateral(p, k);
    hex_encode(attest_cert_spki_sha256(attest_collateral_cert(p->collateral, 0)), 32, spki);
    snprintf(p->top, sizeof(p->top),
             ",\"test-roots\":[{\"name\":\"minted\",\"kind\":\"tdx\",\"spki-sha256\":\"%s\"},"
             "{\"name\":\"minted\",\"kind\":\"sgx\",\"spki-sha256\":\"%s\"}]",
             spki, spki);
    return p;
}

void tdxpki_free(struct tdxpki *p)
{
    EVP_PKEY *const keys[] = {p->root_key,   p->ca_key,  p->pck_key,
                              p->signer_key, p->att_key, p->other_key};
    X509 *const certs[] = {p->root, p->ca, p->pck, p->signer, p->other};

    for (size_t i = 0; i < 6; i++) {
        EVP_PKEY_free(keys[i]);
    }
    for (size_t i = 0; i < 5; i++) {
        X509_free(certs[i]);
    }
    attest_collateral_free(p->collateral);
    free(p);
}

const struct attest_collateral *tdxpki_collateral(const struct tdxpki *p)
{
    return p->collateral;
}

const char *tdxpki_top(const struct tdxpki *p)
{
    return p->top;
}

/* ---- quotes ---- */

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

static void fill_td(uint8_t *td, const struct tdxpki_quote *k)
{
    static const uint8_t svn[16] = {3, 1, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5}, zero[16];

    memset(td, 0, TD15_SIZE);
    put(td + TD_TEE_TCB_SVN, memcmp(k->svn, zero, 16) == 0 ? svn : k->svn, 16);
    td[TD_SEAMATTRIBUTES] = k->seam_attributes;
    st64le(td + TD_ATTRIBUTES, k->attributes | (k->sept_ve ? 0 : TD_ATTRIBUTE_SEPT_VE_DISABLE));
    memset(td + TD_MRTD, 0x11, 48);
    for (uint8_t i = 0; i < 4; i++) {
        memset(td + TD_RTMR0 + 48 * i, 0x20 + i, 48);
    }
    memset(td + TD_REPORTDATA, 0x33, 64);
    put(td + TD_TEE_TCB_SVN_2, k->svn2, 16);
    td[k->td_twist] ^= k->td_twist == 0 ? 0 : 2;
}

static uint8_t *put_qe(const struct tdxpki *p, const struct tdxpki_quote *k, const uint8_t *key,
                       uint8_t *at)
{
    static const uint8_t auth[32] = {1, 2, 3};
    const struct attest_span spans[] = {{key, 64}, {auth, sizeof(auth)}};
    uint8_t *report = at;

    memset(report, 0, SGX_REPORT_SIZE);
    report[SGX_ATTRIBUTES] = 0x11;
    st16le(report + SGX_ISVPRODID, 2);
    st16le(report + SGX_ISVSVN, k->qe_isvsvn == 0 ? 2 : k->qe_isvsvn);
    CU_ASSERT_FATAL(attest_hash(ATTEST_SHA256, spans, 2, report + SGX_REPORTDATA));
    report[SGX_REPORTDATA] ^= k->wrong_binding;
    report[k->qe_twist] ^= k->qe_twist == 0 ? 0 : 2;
    sign_raw(p->pck_key, report, SGX_REPORT_SIZE, report + SGX_REPORT_SIZE);
    at = put_le(report + SGX_REPORT_SIZE + 64, sizeof(auth), 2);
    return put(at, auth, sizeof(auth));
}

/* Certification data: leaf and CA in PEM; the root comes from the collateral. */
static uint8_t *put_certificates(const struct tdxpki *p, uint8_t type, uint8_t *at)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *pem;
    size_t len;

    PEM_write_bio_X509(bio, p->pck);
    if (type == TDX_CERT_PCK_CHAIN) {
        PEM_write_bio_X509(bio, p->ca);
    }
    len = (size_t)BIO_get_mem_data(bio, &pem);
    at = put_le(at, type, 2);
    at = put_le(at, len, 4);
    at = put(at, pem, len);
    BIO_free(bio);
    return at;
}

static uint8_t *put_ppid(uint8_t type, uint8_t *at)
{
    at = put_le(at, type, 2);
    at = put_le(at, 404, 4);
    memset(at, 0, 404);
    memset(at + 384, 5, 16);
    at[400] = 10;
    return at + 404;
}

static uint8_t *put_signature(const struct tdxpki *p, const struct tdxpki_quote *k,
                              const uint8_t *quote, uint8_t *at)
{
    uint8_t *len_at = at, *outer, key[65];
    uint8_t type = k->cert_type == 0 ? TDX_CERT_PCK_CHAIN : k->cert_type;
    size_t n;

    CU_ASSERT_EQUAL_FATAL(EVP_PKEY_get_octet_string_param(p->att_key, "pub", key, 65, &n), 1);
    sign_raw(p->att_key, quote, (size_t)(at - quote), at + 4);
    at = put(at + 4 + 64, key + 1, 64);
    outer = at;
    at = put_qe(p, k, key + 1, k->version == 3 ? at : at + 6);
    at = type <= TDX_CERT_PPID_3072 ? put_ppid(type, at) : put_certificates(p, type, at);
    if (k->version != 3) {
        put_le(outer, TDX_CERT_QE_REPORT, 2);
        put_le(outer + 2, (uint64_t)(at - outer - 6), 4);
    }
    put_le(len_at, (uint64_t)(at - len_at - 4), 4);
    return at;
}

uint8_t *tdxpki_quote(const struct tdxpki *p, const struct tdxpki_quote *k, size_t *len)
{
    static const uint8_t vendor[16] = {0x93, 0x9A, 0x72, 0x33, 0xF7, 0x9C, 0x4C, 0xA9,
                                       0x94, 0x0A, 0x0D, 0xB3, 0x95, 0x7F, 0x06, 0x07};
    enum tdx_body body = k->body == 0 ? TDX_BODY_TD10 : k->body;
    size_t size = body == TDX_BODY_ENCLAVE ? SGX_REPORT_SIZE
                  : body == TDX_BODY_TD10  ? TD10_SIZE
                                           : TD15_SIZE;
    struct tdxpki_quote q = *k;
    uint8_t *quote = calloc(1, 16384), *at = quote, td[TD15_SIZE];

    q.version = k->version != 0 ? k->version : body == TDX_BODY_TD15 ? 5 : 4;
    at = put_le(at, (uint64_t)q.version | 2 << 16, 4);
    at = put_le(at, body == TDX_BODY_ENCLAVE ? TDX_TEE_SGX : TDX_TEE_TDX, 4);
    at = put(at + 4, vendor, 16) + 20;
    if (q.version == 5) {
        at = put_le(at, body, 2);
        at = put_le(at, size, 4);
    }
    fill_td(td, k);
    if (body == TDX_BODY_ENCLAVE) {
        memset(td, 0, sizeof(td));
        td[SGX_ATTRIBUTES] = k->sgx_debug ? 7 : 5;
    }
    at = put(at, td, size);
    at = put_signature(p, &q, quote, at);
    *len = (size_t)(at - quote) + (k->padded ? 64 : 0);
    return quote;
}
