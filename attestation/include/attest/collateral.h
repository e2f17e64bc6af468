/*
 * Collateral: what a verifier must know besides the evidence, gathered beforehand and offline:
 * certificates, CRLs, TCB infos, identities, keys. Items are added as bytes; each registered kind
 * recognises its own. After attest_collateral_seal the object never changes and threads may share
 * it; a small bounded cache of certificates seen in evidence is guarded by its own lock.
 */
#ifndef ATTEST_COLLATERAL_H
#define ATTEST_COLLATERAL_H

#include <attest/cert.h>

struct attest_collateral;

/* An item of a kind that is neither certificate nor CRL (TCB info, QE identity, CPAK, ...). */
struct attest_item_ops {
    const char *kind; /* "tdx-tcb-info" */
    /* Cheap: could these bytes be mine? */
    bool (*detect)(const uint8_t *p, size_t len);
    /*
     * Parses one file, which may hold several items: each goes in through attest_collateral_put
     * (or _add for certificates and CRLs found inside). All or nothing is not needed: the caller
     * throws the collateral away on failure.
     */
    enum attest_status (*parse)(struct attest_collateral *c, const char *name, const uint8_t *p,
                                size_t len, struct attest_error *err);
    void (*free)(void *obj);
    /* For `cloister collateral`: one line about obj. */
    void (*describe)(const void *obj, char *buf, size_t size);
};

struct attest_item {
    const struct attest_item_ops *ops;
    char name[96];   /* file name or where it was found */
    void *obj;       /* the kind's own object, immutable */
    int64_t issued;  /* 0: not stated */
    int64_t expires; /* next update; 0: not stated */
};

struct attest_collateral *attest_collateral_new(void);
void attest_collateral_free(struct attest_collateral *c);

/*
 * Adds what the bytes hold: PEM (any number of certificates and CRLs), a DER certificate or CRL,
 * or an item of a registered kind.
 * UNRECOGNISED when nobody knows them. name appears in errors.
 */
enum attest_status attest_collateral_add(struct attest_collateral *c, const char *name,
                                         const uint8_t *p, size_t len, struct attest_error *err);
/* Takes obj over, also on failure. */
enum attest_status attest_collateral_put(struct attest_collateral *c,
                                         const struct attest_item *item, struct attest_error *err);
void attest_collateral_seal(struct attest_collateral *c);

/* What is inside, in the order of addition; NULL past the end. */
struct attest_cert *attest_collateral_cert(const struct attest_collateral *c, size_t i);
struct attest_crl *attest_collateral_crl(const struct attest_collateral *c, size_t i);
const struct attest_item *attest_collateral_item(const struct attest_collateral *c, size_t i);

/*
 * The certificate for DER bytes that came with evidence: from the cache when it was seen before.
 * The caller frees its reference.
 */
enum attest_status attest_collateral_intern(const struct attest_collateral *c, const uint8_t *der,
                                            size_t len, struct attest_cert **out,
                                            struct attest_error *err);

#define ATTEST_CHAIN_MAX 6

/* A chain, leaf first; the pointers are borrowed from the leaf's and the collateral's life. */
struct attest_chain {
    struct attest_cert *cert[ATTEST_CHAIN_MAX];
    size_t count;
};

/*
 * Builds the chain from leaf to a self-signed root out of the collateral and extra[0..n) (from
 * the evidence, may be NULL). Signatures, CA rights and path lengths are checked; times, CRLs and
 * trust are not: those are the next three calls.
 */
enum attest_status attest_chain_build(const struct attest_collateral *c, struct attest_cert *leaf,
                                      struct attest_cert *const *extra, size_t n,
                                      struct attest_chain *out, struct attest_error *err);
enum attest_status attest_chain_check_time(const struct attest_chain *chain, int64_t at,
                                           struct attest_error *err);
/*
 * Each certificate but the root must not be revoked by its issuer's newest CRL, which must not
 * have passed its next update at `at`. Without a CRL: COLLATERAL_MISSING when required, else good.
 */
enum attest_status attest_chain_check_crls(const struct attest_collateral *c,
                                           const struct attest_chain *chain, int64_t at,
                                           bool required, struct attest_error *err);

#endif
