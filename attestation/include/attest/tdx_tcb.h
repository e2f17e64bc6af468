/*
 * How a quote stands against its collateral. Source: Intel SGX PCS API v4, "Comparing TCB levels";
 * Intel SGX/TDX DCAP Quote Verification Library, sections 4.1.2.4.11 to 4.1.2.4.17.
 */
#ifndef ATTEST_TDX_TCB_H
#define ATTEST_TDX_TCB_H

#include <attest/tdx_collateral.h>

/* Each part's own standing, and what they come to. */
struct tdx_result {
    enum tdx_status platform; /* the level that all of the platform's SVNs reach */
    enum tdx_status sgx;      /* the level that the SGX SVNs alone reach */
    enum tdx_status module;   /* UpToDate where modules have no levels (version 0, SGX) */
    enum tdx_status qe;
    enum tdx_status status;            /* the outcome */
    const struct tdx_level *level;     /* NULL: none matches */
    const struct tdx_level *sgx_level; /* likewise */
    const struct tdx_svn_level *module_level;
    const struct tdx_svn_level *qe_level;
    const struct tdx_tcb_info *info;
    const struct tdx_identity *identity;
};

/* The QE report against its identity: IDENTITY when it is another enclave; sets qe, qe_level. */
enum attest_status tdx_check_qe_identity(const struct tdx_quote *q, const struct tdx_identity *id,
                                         struct tdx_result *r, struct attest_error *err);

/* MRSIGNERSEAM and SEAMATTRIBUTES of a TD report against the TCB info's module. */
enum attest_status tdx_check_module(const struct tdx_quote *q, const struct tdx_tcb_info *info,
                                    struct attest_error *err);

/* Fills the rest of r; qe must be set. Never fails: NotSupported is an outcome. */
void tdx_evaluate(const struct tdx_quote *q, const struct sgx_pck *pck,
                  const struct tdx_tcb_info *info, struct tdx_result *r);

/*
 * Which SVN keeps the platform below even the last level: "SGX component 8 is 3, not 5"; empty when
 * none does. buf has room for 64. Returns buf.
 */
const char *tdx_shortfall(const struct tdx_quote *q, const struct sgx_pck *pck,
                          const struct tdx_tcb_info *info, char buf[64]);

/* Calls fn for each advisory of the levels that apply, once each. */
void tdx_each_advisory(const struct tdx_result *r, void (*fn)(void *arg, const char *id),
                       void *arg);
/* The oldest tcbDate among the levels that apply; 0 when none does. */
int64_t tdx_tcb_date(const struct tdx_result *r);

#endif
