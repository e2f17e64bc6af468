#include "cu.h"

#include <CUnit/Basic.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static unsigned int skipped;

void cu_skip(unsigned int cases, const char *why)
{
    skipped += cases;
    fprintf(stderr, "SKIPPED %u case(s): %s\n", cases, why);
}

void cu_says(const char *said, const char *text)
{
    CU_ASSERT_STRING_EQUAL(said, text);
    if (strcmp(said, text) != 0) {
        fprintf(stderr, "said: %s\nnot:  %s\n", said, text);
    }
}

const char *cu_vectors(void)
{
    const char *dir = getenv("CLOISTER_VECTORS");

    if (dir == NULL) {
        dir = "../shared/vectors";
    }
    return access(dir, R_OK) == 0 ? dir : NULL;
}

static char scratch[64];
static pid_t owner; /* of it: not what this program forks */

static void remove_scratch(void)
{
    char command[96];

    snprintf(command, sizeof(command), "rm -rf '%s'", scratch);
    if (getpid() == owner && system(command) != 0) {
        fprintf(stderr, "%s stays behind\n", scratch);
    }
}

/* A handler may call few functions, but it may become another program. */
static void on_end(int number)
{
    static const char *const names[] = {[SIGHUP] = "HUP", [SIGINT] = "INT", [SIGTERM] = "TERM"};
    sigset_t none;

    sigemptyset(&none);
    signal(number, SIG_DFL);
    if (getpid() == owner) {
        sigprocmask(SIG_SETMASK, &none, NULL);
        execl("/bin/sh", "sh", "-c", "rm -rf \"$1\"; kill -$2 $$", "sh", scratch, names[number],
              (char *)NULL);
    }
    raise(number);
}

const char *cu_scratch(void)
{
    static const int ends[] = {SIGHUP, SIGINT, SIGTERM};
    const char *where = getenv("TMPDIR");

    if (scratch[0] != '\0') {
        return scratch;
    }
    snprintf(scratch, sizeof(scratch), "%s/cloister-unit-XXXXXX",
             where != NULL && strlen(where) < 40 ? where : "/tmp"); /* sockets have short names */
    if (mkdtemp(scratch) == NULL) {
        perror(scratch);
        exit(2);
    }
    owner = getpid();
    atexit(remove_scratch);
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        if (signal(ends[i], on_end) == SIG_IGN) {
            signal(ends[i], SIG_IGN);
        }
    }
    return scratch;
}

static int wanted(const char *name, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strstr(name, argv[i]) != NULL) {
            return 1;
        }
    }
    return argc <= 1;
}

int cu_main(const char *suite, const struct cu_test *tests, int argc, char **argv)
{
    CU_pSuite s;
    unsigned int failed;

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (CU_initialize_registry() != CUE_SUCCESS) {
        return 2;
    }
    s = CU_add_suite(suite, NULL, NULL);
    if (s == NULL) {
        return 2;
    }
    for (; tests->name != NULL; tests++) {
        if (wanted(tests->name, argc, argv) && CU_add_test(s, tests->name, tests->fn) == NULL) {
            return 2;
        }
    }
    CU_basic_set_mode(CU_BRM_NORMAL);
    if (CU_basic_run_tests() != CUE_SUCCESS) {
        return 2;
    }
    failed = CU_get_number_of_tests_failed();
    printf("unit-%s: %u passed, %u failed, %u skipped\n", suite,
           CU_get_number_of_tests_run() - failed, failed, skipped);
    CU_cleanup_registry();
    return failed == 0 ? 0 : 1;
}
