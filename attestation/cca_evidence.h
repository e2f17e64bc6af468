/* Between the cca_*.c files: the compiled policy section "cca". */
#ifndef CCA_EVIDENCE_H
#define CCA_EVIDENCE_H

#include <attest/cca.h>
#include <attest/evidence.h>

/* Digests of 32, 48 or 64 bytes in one list. */
struct cca_digests {
    size_t count;
    struct {
        size_t len;
        uint8_t v[ATTEST_HASH_MAX];
    } *v;
};

/* A platform software component that the policy accepts; empty members accept anything. */
struct cca_reference {
    const char *type;    /* borrowed from the policy's JSON */
    const char *version; /* likewise */
    size_t measurement_len;
    uint8_t measurement[ATTEST_HASH_MAX];
    size_t signer_len;
    uint8_t signer[ATTEST_HASH_MAX];
};

struct cca_policy {
    struct cca_digests rim; /* never empty */
    struct cca_digests rem[CCA_REMS];
    struct pj_values personalization;
    struct pj_values challenge;
    size_t references; /* never 0 */
    struct cca_reference *reference;
    struct pj_values implementation_id;
    struct pj_values instance_id;
    struct pj_values trusted_keys; /* SHA-256 of SPKI */
    uint8_t *config;               /* the platform configuration; NULL: any */
    size_t config_len;
    uint64_t lifecycles; /* by index in cca_lifecycle_names */
};

extern const struct pj_section cca_policy_section;
void cca_appraise(const void *ev, const void *section, const struct attest_input *in,
                  struct attest_verdict *v);
bool cca_digests_contain(const struct cca_digests *d, const struct attest_span *s);

#endif
