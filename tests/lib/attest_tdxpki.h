/*
 * Intel's world in miniature, minted in the test: root, platform CA, PCK certificate, TCB signer,
 * CRLs, TCB info, QE identity, quotes. Keys are fresh in each run; every knob has a good default.
 */
#ifndef TESTS_LIB_ATTEST_TDXPKI_H
#define TESTS_LIB_ATTEST_TDXPKI_H

#include <attest/tdx_collateral.h>

/* All certificates but those that a knob moves are valid from 2026-01-01 to 2036-01-01. */
#define TDXPKI_NOW "2026-06-15"

struct tdxpki;

/* Knobs of the minted world; zeroed means good. */
struct tdxpki_knobs {
    /* tcbStatus of the level that the platform reaches, of the module's and of the QE's level. */
    const char *level;
    const char *module;
    const char *qe;
    const char *newest;      /* status of the newest level; its SGX SVNs are reached, too, if set */
    const char *advisories;  /* JSON list of the reached level, "" for none */
    bool revoke_pck, revoke_ca, revoke_signer;
    bool no_pck_crl, no_root_crl, no_tcb_info, no_identity;
    bool identity_signature_broken, tcb_info_signature_broken;
    const char *pck_until, *signer_until, *pck_from; /* dates, NULL: as above */
    const char *crl_until, *root_crl_until, *tcb_info_until, *identity_until, *tcb_info_from;
    const char *fmspc, *pceid; /* of the TCB info */
    int pcesvn;    /* of both levels; 0: 10 */
    int tdx_first; /* SVN of TDX component 0 in the reached level; 0: 3 */
    const char *mrsigner_qe; /* 64 hex digits, of the QE identity */
    const char *seam_mask;   /* of the module identity, "FF..." by default */
    const char *pck_name;    /* subject of the PCK certificate */
    bool no_sgx_extension;
    bool foreign_signer; /* the TCB signer's chain ends in another root */
    bool forged_tcb_info; /* one more, newer, that says UpToDate, with a bad signature */
    bool sgx; /* TCB info and identity for SGX quotes in place of TDX */
};

struct tdxpki *tdxpki_new(const struct tdxpki_knobs *k);
void tdxpki_free(struct tdxpki *p);
/* Sealed, with everything but what the quote brings. Borrowed. */
const struct attest_collateral *tdxpki_collateral(const struct tdxpki *p);
/* ",\"test-roots\":[...]" for the minted root, kinds tdx and sgx. Borrowed. */
const char *tdxpki_top(const struct tdxpki *p);

/* Knobs of a quote; zeroed: version 4, TD report 1.0, no debug, SVNs {3,1,5,5,...}. */
struct tdxpki_quote {
    int version;
    enum tdx_body body;
    uint64_t attributes;  /* besides SEPT_VE_DISABLE */
    bool sept_ve;         /* SEPT_VE_DISABLE clear */
    uint8_t svn[16], svn2[16]; /* all zero: the default */
    uint8_t cert_type;         /* 0: 5; else 4, or 1-3 for a PPID, for which no chain is sent */
    uint8_t seam_attributes;
    bool sgx_debug;
    bool wrong_binding;
    bool padded;
    uint16_t qe_isvsvn; /* 0: 2 */
    /* Bytes in which bit 1 is flipped before signing; 0: none. */
    size_t qe_twist, td_twist;
};
/* A signed quote; malloc'ed. */
uint8_t *tdxpki_quote(const struct tdxpki *p, const struct tdxpki_quote *k, size_t *len);

#endif
