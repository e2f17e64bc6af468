/*
 * AMD's world in miniature, minted in the test: ARK, ASK or ASVK, VCEK or VLEK, the ARK's CRL, and
 * reports. Keys are EC and fresh in each run; every knob has a good default.
 */
#ifndef TESTS_LIB_ATTEST_SNPPKI_H
#define TESTS_LIB_ATTEST_SNPPKI_H

#include <attest/snp.h>

/* Certificates that no knob moves are valid from 2026-01-01 to 2036-01-01. */
#define SNPPKI_NOW 1781481600 /* 2026-06-15 */

struct snppki;

/* Zeroed means good: a Milan VCEK. */
struct snppki_knobs {
    const char *product; /* productName of the certificate; default "Milan-B0" */
    bool fmc;            /* the product's TCB has an FMC, its hwID 8 bytes */
    bool vlek;
    bool revoke_ask, with_crl;
    const char *crl_until, *ask_until, *vek_until, *vek_from; /* dates */
    bool ask_not_ca;                                          /* the ASK lacks the right to sign */
    bool wrong_issuer;  /* the VEK is signed by another key than the ASK's */
    bool vek_by_ark;    /* the VEK is signed by the ARK itself */
    bool p256;          /* the VEK has a P-256 key */
    uint8_t policy_snp; /* minimum SNP component in the policy; default 8, which is met */
    bool reserved_spl;  /* SPL 4 is not zero */
    bool repeated;      /* one extension twice */
    bool ark_signs_no_crls;
    bool no_hwid, short_hwid, big_spl, no_ask, asvk_named_ask;
};

struct snppki *snppki_new(const struct snppki_knobs *k);
void snppki_free(struct snppki *p);
/* Sealed, with all certificates. Borrowed. */
const struct attest_collateral *snppki_collateral(const struct snppki *p);
struct attest_cert *snppki_vek(const struct snppki *p);
const uint8_t *snppki_root_spki(const struct snppki *p);

/* A CRL of the ARK: does it revoke the ASK, is it partial (a critical extension)? malloc'ed. */
uint8_t *snppki_crl(const struct snppki *p, bool revoke_ask, bool partial, const char *from,
                    const char *until, size_t *len);
/* The world's certificates in a new store that is not sealed yet. */
struct attest_collateral *snppki_store(const struct snppki *p);

/* A report that fits the VEK: version, chip, TCB, no debug; measurement all 11h. */
void snppki_report(const struct snppki *p, uint32_t version, uint8_t out[SNP_REPORT_SIZE]);
/* Signs it again after a change. */
void snppki_sign(const struct snppki *p, uint8_t report[SNP_REPORT_SIZE]);

/* A policy that takes it: trusts the root by name unless `no_root`, plus extra members. */
struct attest_policy *snppki_policy(const struct snppki *p, bool no_root, const char *extra_top,
                                    const char *extra);

#endif
