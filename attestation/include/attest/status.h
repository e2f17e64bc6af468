/* The status that every fallible call returns; the list is status.def. */
#ifndef ATTEST_STATUS_H
#define ATTEST_STATUS_H

enum attest_status {
#define ATTEST_STATUS(name, class, text) ATTEST_##name,
#include <attest/status.def>
#undef ATTEST_STATUS
    ATTEST_STATUS_COUNT
};

#define ATTEST_MUST_CHECK __attribute__((warn_unused_result))

/* "TRUNCATED", ...; never NULL. */
const char *attest_status_name(enum attest_status st);

/* One line for people. */
const char *attest_status_text(enum attest_status st);

/* 0 good, 1 refused, 2 unusable input: the exit code of the verbs. */
int attest_status_class(enum attest_status st);

#endif
