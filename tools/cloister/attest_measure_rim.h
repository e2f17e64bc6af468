/* What a domain of a bundle measures to as a realm. */
#ifndef CLOISTER_ATTEST_MEASURE_RIM_H
#define CLOISTER_ATTEST_MEASURE_RIM_H

#include <attest/measure_cca.h>

struct realm_measures {
    struct cca_rim rim;
    uint8_t personalization[64]; /* tokens have it beside the RIM, which does not cover it */
};

/* domain may be NULL if the bundle has one; false: see why. */
bool domain_rim(const void *bundle, size_t size, const char *domain, struct realm_measures *out,
                char *why, size_t why_size);

#endif
