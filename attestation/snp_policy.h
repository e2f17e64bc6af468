/* The compiled policy section "sev-snp"; for snp_policy.c and snp_appraise.c. */
#ifndef SNP_POLICY_H
#define SNP_POLICY_H

#include "snp_evidence.h"

struct snp_tcb_floor {
    bool present;
    bool has[SNP_PRODUCT_COUNT];
    struct snp_tcb tcb[SNP_PRODUCT_COUNT];
};

struct snp_policy {
    struct pj_values measurement; /* never empty */
    struct pj_values host_data;
    struct pj_values report_data;
    struct pj_values id_key_digest;
    struct pj_values author_key_digest;
    struct pj_values family_id;
    struct pj_values image_id;
    struct pj_values chip_id;
    char csp_id[SNP_CSP_ID_MAX];   /* "": any */
    struct snp_tcb_floor reported; /* always present; names the accepted products */
    struct snp_tcb_floor committed;
    struct snp_tcb_floor launch;
    uint32_t minimum_firmware; /* major << 16 | minor << 8 | build */
    uint64_t minimum_guest_svn;
    uint64_t policy_require;
    uint64_t policy_forbid;
    uint64_t platform_require;
    uint64_t platform_forbid;
    uint64_t launch_mitigations;
    uint64_t current_mitigations;
    uint64_t signer_mask; /* bit SNP_SIGNER_* */
    unsigned int vmpl_mask;
    bool debug;
    bool migration_agent;
    bool provisional;
    bool masked_chip_id;
};

#endif
