/*
 * Intel's signed JSON: TCB info (version 3) and enclave identity (version 2), as the Provisioning
 * Certification Service v4 gives them. Source: PCS API v4, "Get TDX TCB Info", "Get QE Identity".
 */
#ifndef ATTEST_TDX_COLLATERAL_H
#define ATTEST_TDX_COLLATERAL_H

#include <attest/tdx.h>

#include <stdatomic.h>

/*
 * TCB statuses, one list: TDX_STATUS(name, "as in JSON"). The order is no scale. Those after
 * Revoked are never found in collateral: they are the outcome of comparing.
 */
#define TDX_STATUSES                                                                               \
    TDX_STATUS(UP_TO_DATE, "UpToDate")                                                             \
    TDX_STATUS(SW_HARDENING, "SWHardeningNeeded")                                                  \
    TDX_STATUS(CONFIGURATION, "ConfigurationNeeded")                                               \
    TDX_STATUS(CONFIGURATION_AND_SW, "ConfigurationAndSWHardeningNeeded")                          \
    TDX_STATUS(OUT_OF_DATE, "OutOfDate")                                                           \
    TDX_STATUS(OUT_OF_DATE_CONFIGURATION, "OutOfDateConfigurationNeeded")                          \
    TDX_STATUS(REVOKED, "Revoked")                                                                 \
    TDX_STATUS(RELAUNCH, "TDRelaunchAdvised")                                                      \
    TDX_STATUS(RELAUNCH_CONFIGURATION, "TDRelaunchAdvisedConfigurationNeeded")                     \
    TDX_STATUS(NOT_SUPPORTED, "NotSupported")

enum tdx_status {
#define TDX_STATUS(name, text) TDX_##name,
    TDX_STATUSES
#undef TDX_STATUS
    TDX_STATUS_COUNT
};

const char *tdx_status_name(enum tdx_status s);
/* NULL-terminated, by index: for policies. */
extern const char *const tdx_status_names[];

/* One level of a TDX module identity or an enclave identity. */
struct tdx_svn_level {
    uint32_t isvsvn;
    enum tdx_status status;
    int64_t date;
    const json_t *advisories; /* borrowed; NULL or an array of strings */
};

struct tdx_level {
    uint16_t sgx[SGX_TCB_COMPONENTS];
    uint16_t tdx[SGX_TCB_COMPONENTS];
    uint16_t pcesvn;
    enum tdx_status status;
    int64_t date;
    const json_t *advisories;
};

/* What is known of a TDX module: the unnamed one of version 0, or the identity of one version. */
struct tdx_module {
    uint8_t version; /* TEE_TCB_SVN[1] */
    uint8_t mrsigner[48];
    uint8_t attributes[8];
    uint8_t attributes_mask[8];
    size_t level_count;
    struct tdx_svn_level *level;
};

/* The part that both share: exact signed bytes, times, and who signed, once that is known. */
struct tdx_signed {
    const char *object; /* "TCB info" or "QE identity" */
    uint8_t *raw;
    size_t raw_len;
    uint8_t signature[64];
    int64_t issued;
    int64_t next_update;
    uint32_t evaluation; /* tcbEvaluationDataNumber */
    json_t *json;
    _Atomic(struct attest_cert *) signer; /* borrowed from the collateral that holds this item */
};

struct tdx_tcb_info {
    struct tdx_signed s;
    uint32_t tee_type;
    uint8_t fmspc[6];
    uint8_t pceid[2];
    bool has_module;
    struct tdx_module module; /* version 0, without levels */
    size_t identity_count;
    struct tdx_module *identity;
    size_t level_count;
    struct tdx_level *level;
};

struct tdx_identity {
    struct tdx_signed s;
    char id[8]; /* QE, QVE or TD_QE */
    uint8_t miscselect[4], miscselect_mask[4];
    uint8_t attributes[16], attributes_mask[16];
    uint8_t mrsigner[32];
    uint16_t isvprodid;
    size_t level_count;
    struct tdx_svn_level *level;
};

extern const struct attest_item_ops attest_item_tdx_tcb_info;
extern const struct attest_item_ops attest_item_tdx_identity;
extern const struct attest_item_ops attest_item_tdx_bundle;

/* raw: the signed object's exact bytes, which are copied. */
enum attest_status tdx_tcb_info_parse(const char *raw, size_t len, const uint8_t sig[64],
                                      struct tdx_tcb_info **out, struct attest_error *err);
void tdx_tcb_info_free(void *info);
enum attest_status tdx_identity_parse(const char *raw, size_t len, const uint8_t sig[64],
                                      struct tdx_identity **out, struct attest_error *err);
void tdx_identity_free(void *id);

/* The item for this quote that was the newest at that time: a signed one, else any. */
enum attest_status tdx_tcb_info_find(const struct attest_collateral *c, uint32_t tee_type,
                                     const struct sgx_pck *pck, int64_t at,
                                     struct tdx_tcb_info **out, struct attest_error *err);
enum attest_status tdx_identity_find(const struct attest_collateral *c, uint32_t tee_type,
                                     int64_t at, struct tdx_identity **out,
                                     struct attest_error *err);

/* When each sort of collateral is judged. */
struct tdx_times {
    int64_t certificates; /* PCK chain and signing chains */
    int64_t crls;
    int64_t tcb_info;
    int64_t identity;
};

/*
 * The signature by a "TCB Signing" certificate of the collateral whose chain ends in the same root
 * as the PCK chain, that chain's times and CRLs, and the item's own times.
 */
enum attest_status tdx_signed_check(struct tdx_signed *s, const struct attest_collateral *c,
                                    const struct attest_cert *root, int64_t at,
                                    const struct tdx_times *times, struct attest_error *err);

/* ---- strict members of signed JSON; field names in errors are "object: member" ---- */

enum attest_status tj_parse(const char *object, const char *raw, size_t len, json_t **out,
                            struct attest_error *err);
enum attest_status tj_hex(const json_t *o, const char *object, const char *key, uint8_t *out,
                          size_t len, struct attest_error *err);
enum attest_status tj_uint(const json_t *o, const char *object, const char *key, uint32_t max,
                           uint32_t *out, struct attest_error *err);
enum attest_status tj_array(const json_t *o, const char *object, const char *key,
                            const json_t **out, struct attest_error *err);
/* issueDate, nextUpdate and tcbEvaluationDataNumber. */
enum attest_status tj_signed(struct tdx_signed *s, const char *raw, size_t len,
                             const uint8_t sig[64], struct attest_error *err);
void tj_signed_free(struct tdx_signed *s);
/* tcbStatus, tcbDate and advisoryIDs of a level. */
enum attest_status tj_level(const json_t *o, const char *object, enum tdx_status *status,
                            int64_t *date, const json_t **advisories, struct attest_error *err);
/* "tcbLevels" with one isvsvn each; *out is malloc'ed. */
enum attest_status tj_svn_levels(const json_t *o, const char *object, struct tdx_svn_level **out,
                                 size_t *count, struct attest_error *err);

/*
 * The exact bytes of the value of a member of the top-level object, which jansson has accepted:
 * false when there is no such member.
 */
bool tj_extent(const char *p, size_t len, const char *key, const char **value, size_t *value_len);

#endif
