/*
 * Why something was not accepted: which object, which field in it, what was expected and what was
 * found. The caller owns the object; it is plain memory, filled at most once per failing call.
 */
#ifndef ATTEST_ERROR_H
#define ATTEST_ERROR_H

#include <attest/status.h>

#include <stddef.h>
#include <stdint.h>

struct attest_error {
    enum attest_status status;
    char object[80];    /* "SNP report", "certificate SEV-VCEK", "policy" */
    char field[80];     /* the specification's name: "REPORTED_TCB", "tcbInfo.nextUpdate" */
    char expected[136]; /* may be empty; long byte strings are shortened */
    char found[136];    /* may be empty */
};

/*
 * Fills err (which may be NULL) and returns st, so that a failure is one statement:
 *   return attest_fail(err, ATTEST_MALFORMED, "SNP report", "VMPL", "0..3", "%u", vmpl);
 * expected may be NULL; found_fmt may be NULL, else it is a printf format.
 */
enum attest_status attest_fail(struct attest_error *err, enum attest_status st, const char *object,
                               const char *field, const char *expected, const char *found_fmt, ...)
    __attribute__((format(printf, 6, 7)));

/* The same for two byte strings, shown in hex (either may be NULL). */
enum attest_status attest_fail_bytes(struct attest_error *err, enum attest_status st,
                                     const char *object, const char *field, const uint8_t *expected,
                                     size_t expected_len, const uint8_t *found, size_t found_len);

/* Out of memory while handling object. */
enum attest_status attest_no_memory(struct attest_error *err, const char *object);

/* "SNP report: REPORTED_TCB: ... (expected X, found Y)"; returns buf, always terminated. */
const char *attest_error_text(const struct attest_error *err, char *buf, size_t size);

#endif
