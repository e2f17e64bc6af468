/* Between the snp_*.c files: a report with the certificates that came with it. */
#ifndef SNP_EVIDENCE_H
#define SNP_EVIDENCE_H

#include <attest/evidence.h>
#include <attest/snp.h>

/* The certificate table of an extended guest request has at most VCEK, VLEK, ASK, ASVK, ARK. */
#define SNP_CERTS_MAX 8

struct snp_evidence {
    struct snp_report report;
    size_t blobs;
    struct {
        const uint8_t *p;
        size_t len;
    } blob[SNP_CERTS_MAX]; /* DER certificates of the table, borrowed */
    /* Filled by verify. */
    bool verified;
    enum snp_product product;
    struct snp_vek vek;
};

json_t *snp_claims(const void *ev);

extern const struct pj_section snp_policy_section;
void snp_appraise(const void *ev, const void *section, const struct attest_input *in,
                  struct attest_verdict *v);

#endif
