/*
 * Prediction of MRTD. Source: Intel TDX module base architecture specification, "TD measurement"
 * (TDH.MEM.PAGE.ADD, TDH.MR.EXTEND, TDH.MR.FINALIZE); Intel TDX Virtual Firmware Design Guide,
 * chapter 11 (metadata).
 */
#ifndef ATTEST_MEASURE_TDX_H
#define ATTEST_MEASURE_TDX_H

#include <attest/error.h>

#include <stdbool.h>

enum { MRTD_SIZE = 48, TDX_PAGE_SIZE = 4096, TDVF_SECTIONS_MAX = 64 };

/* In which order a VMM issues the two calls; the digest depends on it. */
enum tdx_build_order {
    TDX_ORDER_PAGE,   /* each page is added, then extended: KVM */
    TDX_ORDER_REGION, /* a region's pages are all added, then all extended: older VMMs */
};

/* Pages in a row that are added alike, in the order of the build. */
struct tdx_region {
    uint64_t gpa;  /* multiple of 4096 */
    uint64_t size; /* bytes, multiple of 4096, not 0 */
    const uint8_t *data; /* data_len bytes, then zeros up to size; may be NULL */
    uint64_t data_len;
    bool extend; /* are the contents measured, or only the addresses? */
};

enum attest_status tdx_mrtd(const struct tdx_region *regions, size_t count,
                            enum tdx_build_order order, uint8_t mrtd[MRTD_SIZE],
                            struct attest_error *err);

enum tdvf_type {
    TDVF_BFV = 0, /* boot firmware volume */
    TDVF_CFV,     /* configuration firmware volume */
    TDVF_TD_HOB,
    TDVF_TEMP_MEM,
    TDVF_PERM_MEM,
    TDVF_PAYLOAD,
    TDVF_PAYLOAD_PARAM,
    TDVF_TD_INFO,
    TDVF_TD_PARAMS
};
enum { TDVF_MR_EXTEND = 1, TDVF_PAGE_AUG = 2 };

struct tdvf_section {
    uint32_t offset; /* in the file */
    uint32_t raw_size;
    uint64_t gpa;
    uint64_t size;
    uint32_t type;
    uint32_t attributes; /* TDVF_MR_EXTEND, TDVF_PAGE_AUG */
};

struct tdvf {
    const uint8_t *fw; /* borrowed */
    size_t len;
    size_t sections;
    struct tdvf_section section[TDVF_SECTIONS_MAX];
};

/* Finds the metadata through the GUIDed table at the file's end, or the older pointer there. */
enum attest_status tdvf_parse(const uint8_t *fw, size_t len, struct tdvf *out,
                              struct attest_error *err);
const char *tdvf_type_name(uint32_t type);
/*
 * The regions that a VMM adds, in table order; sections with PAGE_AUG are accepted by the TD later
 * and measured by nobody. regions has room for TDVF_SECTIONS_MAX; returns their number.
 */
size_t tdvf_regions(const struct tdvf *tdvf, struct tdx_region *regions);

#endif
