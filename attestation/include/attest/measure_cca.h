/*
 * The Realm Initial Measurement, predicted. Source: RMM specification DEN0137, A7.1.1 "Realm Initial
 * Measurement", B4.3 (RMI_REALM_CREATE, RMI_DATA_CREATE, RMI_REC_CREATE, RMI_RTT_INIT_RIPAS) and
 * B4.4 (RmiRealmParams, RmiRecParams, RmmMeasurementDescriptor*).
 *
 * One call per RMI command that a host issues, in its order: the order is part of the measurement.
 */
#ifndef ATTEST_MEASURE_CCA_H
#define ATTEST_MEASURE_CCA_H

#include <attest/error.h>
#include <attest/hash.h>

#define CCA_GRANULE 4096
#define CCA_REC_GPRS 8

struct cca_rim {
    enum attest_hash hash; /* SHA-256, SHA-384 or SHA-512 */
    uint8_t value[ATTEST_HASH_MAX]; /* attest_hash_size(hash) bytes, zeros behind */
};

/* The members of RmiRealmParams that are measured; the rest count as zero. */
struct cca_realm_params {
    uint64_t flags;   /* LPA2, SVE, PMU, ... */
    uint8_t s2sz;     /* requested IPA width, 32 to 52 */
    uint8_t sve_vl;
    uint8_t num_bps;
    uint8_t num_wps;
    uint8_t pmu_num_ctrs;
    enum attest_hash hash;
};

/* RMI_REALM_CREATE. POLICY for a hash or an IPA width that no RMM has. */
enum attest_status cca_rim_create(const struct cca_realm_params *p, struct cca_rim *out,
                                  struct attest_error *err);

/*
 * RMI_DATA_CREATE of one granule at ipa (granule-aligned). measure: RMI_MEASURE_CONTENT; without it
 * the place is measured, the contents are not (content may be NULL then).
 */
enum attest_status cca_rim_data(struct cca_rim *rim, uint64_t ipa, bool measure,
                                const uint8_t *content, struct attest_error *err);
/* The same for len bytes from ipa on; the last granule is padded with zeros. */
enum attest_status cca_rim_image(struct cca_rim *rim, uint64_t ipa, bool measure,
                                 const uint8_t *p, size_t len, struct attest_error *err);

/* RMI_REC_CREATE; a REC that is not runnable is not measured. */
enum attest_status cca_rim_rec(struct cca_rim *rim, bool runnable, uint64_t pc,
                               const uint64_t gprs[CCA_REC_GPRS], struct attest_error *err);

/*
 * RMI_RTT_INIT_RIPAS of one RTT entry [base, top): RMM 1.x; 2.0 has no such command. The command
 * measures each entry that it passes, so a range takes as many calls as it has entries.
 */
enum attest_status cca_rim_ripas(struct cca_rim *rim, uint64_t base, uint64_t top,
                                 struct attest_error *err);
/*
 * The same for a range that the host covers with the largest entries that fit, none above
 * `largest` (4 KiB, 2 MiB, 1 GiB or 512 GiB): as KVM does.
 */
enum attest_status cca_rim_ripas_range(struct cca_rim *rim, uint64_t largest, uint64_t base,
                                       uint64_t top, struct attest_error *err);

/* A Realm Extensible Measurement: old (size bytes of the realm's hash) extended by a value. */
enum attest_status cca_rem_extend(enum attest_hash hash, const uint8_t *old, const void *value,
                                  size_t len, uint8_t *out, struct attest_error *err);

#endif
