/* The kinds of evidence that a run attests: a row each in attest_kind.c. */
#ifndef CLOISTER_ATTEST_KIND_H
#define CLOISTER_ATTEST_KIND_H

#include "run_attest.h"

#define ATTEST_FILES_MAX 7u

struct attest_kind {
    const char *cc; /* as a domain, evidence and a policy's section name it */
    /*
     * What a launch measures to, by the claims' names, which the broker's audit log has, too; ends
     * with NULL. The first is what --json calls predicted and launched.
     */
    const char *measure[ATTEST_MEASURES_MAX + 1];
    /* Predicts them for a domain of a bundle (NULL: its only one). False: `why` says why. */
    bool (*predict)(const void *bundle, size_t size, const char *domain, struct measures *out,
                    char *why, size_t why_size);
    /* The policy's section for evidence of just that launch on the emulated platform. */
    json_t *(*section)(const struct measures *predicted);
    /* Whom to trust in place of a maker: the emulated platform's root, by its key's SHA-256. */
    const char *root_name;
    const char *root;                         /* file below build/emu/ */
    const char *collateral[ATTEST_FILES_MAX]; /* more of them; NULL ends */
};

const struct attest_kind *attest_kind_of(const char *cc); /* or NULL: nothing attests it */

#endif
