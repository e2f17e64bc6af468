/* The kinds of `cloister measure`: each reads its own options and returns an exit status. */
#ifndef CLOISTER_ATTEST_MEASURE_H
#define CLOISTER_ATTEST_MEASURE_H

#define MEASURE(name, function, summary) int function(int argc, char **argv);
#include "attest_measure.def"
#undef MEASURE

#include <attest/measure_snp.h>
#include <attest/measure_tdx.h>

#define EMULATED_C_BIT 39u
#define BUNDLE_SIZE_MAX ((size_t)1 << 30)

/* The launch digest of a domain of a bundle (domain may be NULL if it has one); false: see why. */
bool domain_digest(const void *bundle, size_t size, const char *domain, unsigned int c_bit,
                   uint8_t ld[SNP_LD_SIZE], char *why, size_t why_size);

/* MRTD and RTMRs of one, as a TD; likewise. */
struct td_measures {
    uint8_t mrtd[MRTD_SIZE];
    uint8_t rtmr[4][MRTD_SIZE];
};
bool td_measures(const void *bundle, size_t size, const char *domain, struct td_measures *out,
                 char *why, size_t why_size);

#endif
