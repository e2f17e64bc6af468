/*
 * Chains. The path is chosen here by trying signatures, so that two authorities of one name (a
 * vendor's and a test root's) cannot hide each other; OpenSSL then validates exactly that path.
 */
#include "collateral_impl.h"

#include <openssl/x509_vfy.h>
#include <stdio.h>
#include <string.h>

static const char *cert_object(const struct attest_cert *c, char buf[80])
{
    snprintf(buf, 80, "certificate %s", attest_cert_name(c));
    return buf;
}

/* c's issuer among extra and the collateral; sets *named when one has the right name only. */
static struct attest_cert *find_issuer(const struct attest_collateral *col, struct attest_cert *c,
                                       struct attest_cert *const *extra, size_t n, bool *named)
{
    struct attest_cert *cand;

    for (size_t i = 0; i < n; i++) {
        if (attest_cert_issued_by(c, extra[i])) {
            return extra[i];
        }
        *named = *named || strcmp(attest_cert_name(extra[i]), attest_cert_issuer(c)) == 0;
    }
    for (size_t i = 0; (cand = attest_collateral_cert(col, i)) != NULL; i++) {
        if (attest_cert_issued_by(c, cand)) {
            return cand;
        }
        *named = *named || strcmp(attest_cert_name(cand), attest_cert_issuer(c)) == 0;
    }
    return NULL;
}

/* Runs OpenSSL over the chosen path with its root as the only anchor; times are checked apart. */
static int run_openssl(const struct attest_chain *chain, X509_STORE_CTX *ctx, X509_STORE *store,
                       STACK_OF(X509) * between)
{
    X509_VERIFY_PARAM *param;

    for (size_t i = 1; i + 1 < chain->count; i++) {
        if (sk_X509_push(between, attest_cert_x509(chain->cert[i])) == 0) {
            return X509_V_ERR_OUT_OF_MEM;
        }
    }
    if (X509_STORE_add_cert(store, attest_cert_x509(chain->cert[chain->count - 1])) != 1 ||
        X509_STORE_CTX_init(ctx, store, attest_cert_x509(chain->cert[0]), between) != 1) {
        return X509_V_ERR_OUT_OF_MEM;
    }
    param = X509_STORE_CTX_get0_param(ctx);
    X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_NO_CHECK_TIME | X509_V_FLAG_CHECK_SS_SIGNATURE);
    X509_VERIFY_PARAM_set_depth(param, ATTEST_CHAIN_MAX);
    /* 112 bits of security (SP 800-57): no signature with SHA-1 or MD5, no RSA below 2048 bits. */
    X509_VERIFY_PARAM_set_auth_level(param, 2);
    return X509_verify_cert(ctx) == 1 ? X509_V_OK : X509_STORE_CTX_get_error(ctx);
}

static bool path_name(const struct attest_chain *chain, uint8_t out[32])
{
    struct attest_span spans[ATTEST_CHAIN_MAX];

    for (size_t i = 0; i < chain->count; i++) {
        spans[i] = (struct attest_span){attest_cert_sha256(chain->cert[i]), 32};
    }
    return attest_hash(ATTEST_SHA256, spans, chain->count, out);
}

static enum attest_status validate(const struct attest_chain *chain, struct attest_error *err)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    STACK_OF(X509) *between = sk_X509_new_null();
    int rc = X509_V_ERR_OUT_OF_MEM;
    enum attest_status st = ATTEST_OK;
    size_t depth = 0;
    char object[80];

    if (store != NULL && ctx != NULL && between != NULL) {
        rc = run_openssl(chain, ctx, store, between);
        depth = (size_t)X509_STORE_CTX_get_error_depth(ctx);
    }
    if (rc == X509_V_ERR_OUT_OF_MEM) {
        st = attest_no_memory(err, "certificate chain");
    } else if (rc != X509_V_OK) {
        st = attest_fail(err, ATTEST_CHAIN,
                         cert_object(chain->cert[depth < chain->count ? depth : 0], object),
                         "chain", NULL, "%s", X509_verify_cert_error_string(rc));
    }
    sk_X509_free(between);
    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    return st;
}

static enum attest_status validate_once(const struct attest_collateral *c,
                                        const struct attest_chain *chain, struct attest_error *err)
{
    uint8_t path[32];
    enum attest_status st;

    if (!path_name(chain, path)) {
        return attest_fail(err, ATTEST_INTERNAL, "certificate chain", "SHA-256", NULL, NULL);
    }
    if (collateral_path_known(c, path)) {
        return ATTEST_OK;
    }
    st = validate(chain, err);
    if (st == ATTEST_OK) {
        collateral_path_remember(c, path);
    }
    return st;
}

enum attest_status attest_chain_build(const struct attest_collateral *c, struct attest_cert *leaf,
                                      struct attest_cert *const *extra, size_t n,
                                      struct attest_chain *out, struct attest_error *err)
{
    struct attest_cert *at = leaf;
    char object[80];

    out->count = 0;
    for (;;) {
        bool named = false;

        out->cert[out->count++] = at;
        if (attest_cert_is_self_issued(at)) {
            return validate_once(c, out, err);
        }
        if (out->count == ATTEST_CHAIN_MAX) {
            return attest_fail(err, ATTEST_CHAIN, cert_object(leaf, object), "chain length",
                               "at most 6 certificates", "more");
        }
        at = find_issuer(c, at, extra, n, &named);
        if (at == NULL) {
            at = out->cert[out->count - 1];
            return attest_fail(err, named ? ATTEST_CHAIN : ATTEST_COLLATERAL_MISSING,
                               cert_object(at, object), "issuer", attest_cert_issuer(at),
                               named ? "a certificate of that name that did not sign it"
                                     : "no certificate of that name");
        }
    }
}

enum attest_status attest_chain_check_time(const struct attest_chain *chain, int64_t at,
                                           struct attest_error *err)
{
    enum attest_status st = ATTEST_OK;

    for (size_t i = 0; i < chain->count && st == ATTEST_OK; i++) {
        st = attest_cert_check_time(chain->cert[i], at, err);
    }
    return st;
}

/* The issuer's newest CRL that was issued by `at`, or NULL. */
static struct attest_crl *newest_crl(const struct attest_collateral *c, struct attest_cert *issuer,
                                     int64_t at)
{
    struct attest_crl *best = NULL;
    struct attest_crl *crl;

    for (size_t i = 0; (crl = attest_collateral_crl(c, i)) != NULL; i++) {
        if (attest_crl_this_update(crl) <= at && attest_crl_issued_by(crl, issuer) &&
            (best == NULL || attest_crl_this_update(crl) > attest_crl_this_update(best))) {
            best = crl;
        }
    }
    return best;
}

static enum attest_status check_crl(const struct attest_collateral *c, struct attest_cert *cert,
                                    struct attest_cert *issuer, int64_t at, bool required,
                                    struct attest_error *err)
{
    struct attest_crl *crl = newest_crl(c, issuer, at);
    char object[80];
    char limit[24];
    char now[24];

    if (crl == NULL) {
        return !required ? ATTEST_OK
                         : attest_fail(err, ATTEST_COLLATERAL_MISSING, cert_object(cert, object),
                                       "CRL", attest_cert_name(issuer), "none valid at that time");
    }
    if (attest_crl_revokes(crl, cert)) {
        return attest_fail(err, ATTEST_REVOKED, cert_object(cert, object), "serialNumber",
                           "not in the issuer's CRL", "revoked by %s", attest_cert_name(issuer));
    }
    if (at > attest_crl_next_update(crl)) {
        snprintf(object, sizeof(object), "CRL of %s", attest_crl_issuer(crl));
        attest_time_text(attest_crl_next_update(crl), limit);
        return attest_fail(err, ATTEST_COLLATERAL_EXPIRED, object, "nextUpdate", limit, "%s",
                           attest_time_text(at, now));
    }
    return ATTEST_OK;
}

enum attest_status attest_chain_check_crls(const struct attest_collateral *c,
                                           const struct attest_chain *chain, int64_t at,
                                           bool required, struct attest_error *err)
{
    enum attest_status st = ATTEST_OK;

    for (size_t i = 0; i + 1 < chain->count && st == ATTEST_OK; i++) {
        st = check_crl(c, chain->cert[i], chain->cert[i + 1], at, required, err);
    }
    return st;
}
