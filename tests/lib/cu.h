/*
 * One way to write a unit test program: a table of named tests, one CUnit suite, one closing line.
 *
 *   static void a_freed_page_is_scrubbed(void) { CU_ASSERT(...); }
 *   static const struct cu_test tests[] = { CU(a_freed_page_is_scrubbed), CU_END };
 *   int main(int argc, char **argv) { return cu_main("page", tests, argc, argv); }
 *
 * The program ends with the line "unit-page: N passed, N failed, N skipped" and exits 1 when a
 * test failed. With arguments it runs only the tests whose names contain one of them.
 */
#ifndef TESTS_LIB_CU_H
#define TESTS_LIB_CU_H

#include <CUnit/CUnit.h>

struct cu_test {
    const char *name;
    void (*fn)(void);
};

#define CU(fn)                                                                                     \
    {                                                                                              \
        #fn, fn                                                                                    \
    }
#define CU_END                                                                                     \
    {                                                                                              \
        NULL, NULL                                                                                 \
    }

/* Counts cases that could not run, and says why on stderr. */
void cu_skip(unsigned int cases, const char *why);

/* What was said must be that text; both are shown when it is not. */
void cu_says(const char *said, const char *text);

/* The folder of attestation vectors, or NULL: $CLOISTER_VECTORS, else ../shared/vectors. */
const char *cu_vectors(void);

/*
 * A folder for this program's files, in $TMPDIR or /tmp. It goes when the program ends, or is told
 * to end; a crash leaves it, to tests/run where that started the program.
 */
const char *cu_scratch(void);

int cu_main(const char *suite, const struct cu_test *tests, int argc, char **argv);

#endif
