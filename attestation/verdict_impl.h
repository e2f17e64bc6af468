/* What a verdict is made of; for verdict*.c only. */
#ifndef VERDICT_IMPL_H
#define VERDICT_IMPL_H

#include <attest/evidence.h>

#define VERDICT_REFUSALS_MAX 32
#define VERDICT_NOTES_MAX    64

struct verdict_note {
    char key[32];
    char text[320];
};

struct attest_verdict {
    enum attest_status status;
    const struct attest_evidence_ops *ops;
    int64_t at;
    char policy_name[64];
    bool has_root;
    struct attest_root root;
    char root_name[64];
    size_t refusals; /* all of them; only the first 32 are kept */
    struct attest_error refusal[VERDICT_REFUSALS_MAX];
    size_t notes;
    struct verdict_note note[VERDICT_NOTES_MAX];
    json_t *claims;
};

#endif
