/* Finding signed collateral in the store, and checking it. */
#include <attest/tdx_collateral.h>

#include <attest/hex.h>

#include <string.h>

#define SIGNER_NAME "Intel SGX TCB Signing"

static bool signed_by(const struct tdx_signed *s, const struct attest_cert *cert)
{
    EVP_PKEY *key = attest_cert_key(cert);

    return p256_is(key) && p256_verify(key, s->signature, s->raw, s->raw_len);
}

/* The signature is checked once; the answer stays with the item. */
static enum attest_status find_signer(struct tdx_signed *s, const struct attest_collateral *c,
                                      struct attest_cert **out, struct attest_error *err)
{
    struct attest_cert *cert;
    bool named = false;

    *out = atomic_load(&s->signer);
    if (*out != NULL) {
        return ATTEST_OK;
    }
    for (size_t i = 0; (cert = attest_collateral_cert(c, i)) != NULL; i++) {
        if (strcmp(attest_cert_name(cert), SIGNER_NAME) != 0) {
            continue;
        }
        named = true;
        if (signed_by(s, cert)) {
            atomic_store(&s->signer, cert);
            *out = cert;
            return ATTEST_OK;
        }
    }
    return attest_fail(err, named ? ATTEST_SIGNATURE : ATTEST_COLLATERAL_MISSING, s->object,
                       "signature", "one by " SIGNER_NAME,
                       named ? "another" : "no such certificate");
}

/*
 * Of two items: a signed one before another, so that a forged file hides nothing; one issued by
 * `at` before one issued later; then the newer.
 */
static bool better(struct tdx_signed *a, struct tdx_signed *b, const struct attest_collateral *c,
                   int64_t at)
{
    struct attest_cert *cert;
    bool a_signed = find_signer(a, c, &cert, NULL) == ATTEST_OK;
    bool b_signed = b != NULL && find_signer(b, c, &cert, NULL) == ATTEST_OK;

    if (b == NULL || a_signed != b_signed) {
        return b == NULL || a_signed;
    }
    if ((a->issued <= at) != (b->issued <= at)) {
        return a->issued <= at;
    }
    return a->issued > b->issued;
}

enum attest_status tdx_tcb_info_find(const struct attest_collateral *c, uint32_t tee_type,
                                     const struct sgx_pck *pck, int64_t at,
                                     struct tdx_tcb_info **out, struct attest_error *err)
{
    const struct attest_item *item;
    char fmspc[13];

    *out = NULL;
    for (size_t i = 0; (item = attest_collateral_item(c, i)) != NULL; i++) {
        struct tdx_tcb_info *t = item->obj;

        if (item->ops == &attest_item_tdx_tcb_info && t->tee_type == tee_type &&
            memcmp(t->fmspc, pck->fmspc, 6) == 0 && memcmp(t->pceid, pck->pceid, 2) == 0 &&
            better(&t->s, *out == NULL ? NULL : &(*out)->s, c, at)) {
            *out = t;
        }
    }
    if (*out == NULL) {
        return attest_fail(err, ATTEST_COLLATERAL_MISSING, "TCB info", "fmspc",
                           hex_encode(pck->fmspc, 6, fmspc), "no %s TCB info for it",
                           tee_type == TDX_TEE_TDX ? "TDX" : "SGX");
    }
    return ATTEST_OK;
}

enum attest_status tdx_identity_find(const struct attest_collateral *c, uint32_t tee_type,
                                     int64_t at, struct tdx_identity **out,
                                     struct attest_error *err)
{
    const char *name = tee_type == TDX_TEE_TDX ? "TD_QE" : "QE";
    const struct attest_item *item;

    *out = NULL;
    for (size_t i = 0; (item = attest_collateral_item(c, i)) != NULL; i++) {
        struct tdx_identity *id = item->obj;

        if (item->ops == &attest_item_tdx_identity && strcmp(id->id, name) == 0 &&
            better(&id->s, *out == NULL ? NULL : &(*out)->s, c, at)) {
            *out = id;
        }
    }
    if (*out == NULL) {
        return attest_fail(err, ATTEST_COLLATERAL_MISSING, "QE identity", "id", name, "none");
    }
    return ATTEST_OK;
}

static enum attest_status check_times(const struct tdx_signed *s, int64_t at,
                                      struct attest_error *err)
{
    char limit[24], now[24];

    attest_time_text(at, now);
    if (at > s->next_update) {
        return attest_fail(err, ATTEST_COLLATERAL_EXPIRED, s->object, "nextUpdate",
                           attest_time_text(s->next_update, limit), "%s", now);
    }
    if (at < s->issued) {
        return attest_fail(err, ATTEST_NOT_YET_VALID, s->object, "issueDate",
                           attest_time_text(s->issued, limit), "%s", now);
    }
    return ATTEST_OK;
}

enum attest_status tdx_signed_check(struct tdx_signed *s, const struct attest_collateral *c,
                                    const struct attest_cert *root, int64_t at,
                                    const struct tdx_times *times, struct attest_error *err)
{
    struct attest_chain chain;
    struct attest_cert *signer;
    enum attest_status st = find_signer(s, c, &signer, err);

    if (st == ATTEST_OK) {
        st = attest_chain_build(c, signer, NULL, 0, &chain, err);
    }
    if (st != ATTEST_OK) {
        return st;
    }
    if (memcmp(attest_cert_spki_sha256(chain.cert[chain.count - 1]), attest_cert_spki_sha256(root),
               32) != 0) {
        return attest_fail(err, ATTEST_ROOT_UNTRUSTED, s->object, "signing chain",
                           "the root of the PCK chain", "%.60s",
                           attest_cert_name(chain.cert[chain.count - 1]));
    }
    st = attest_chain_check_time(&chain, times->certificates, err);
    if (st == ATTEST_OK) {
        st = attest_chain_check_crls(c, &chain, times->crls, true, err);
    }
    return st == ATTEST_OK ? check_times(s, at, err) : st;
}
