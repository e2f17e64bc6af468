/* A process of the agent's that could not be started, or ended badly: never in silence. */
#include "agent.h"
#include "cu.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

static char said[512];
static int fork_error;

void say_failed(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(said, sizeof(said), format, args);
    va_end(args);
}

/* The C library's, but for a machine that is out of processes. */
pid_t fork(void)
{
    if (fork_error != 0) {
        errno = fork_error;
        return -1;
    }
    return (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}

static void a_process_that_cannot_be_started_is_told_and_is_no_success(void)
{
    pid_t child;

    fork_error = EAGAIN;
    said[0] = '\0';
    child = child_fork("/bin/x");
    fork_error = 0;
    CU_ASSERT_EQUAL(child, -1);
    cu_says(said, "/bin/x: no process can be started: Resource temporarily unavailable");
    said[0] = '\0';
    CU_ASSERT_FALSE(child_wait(child, "/bin/x"));
    CU_ASSERT_STRING_EQUAL(said, ""); /* once is enough */
}

static void one_that_does_well_is_not_told(void)
{
    pid_t child = child_fork("/bin/x");

    if (child == 0) {
        _exit(0);
    }
    said[0] = '\0';
    CU_ASSERT(child_wait(child, "/bin/x"));
    CU_ASSERT_STRING_EQUAL(said, "");
}

static void how_one_ended_is_told(void)
{
    pid_t child = child_fork("/bin/x");

    if (child == 0) {
        _exit(3);
    }
    CU_ASSERT_FALSE(child_wait(child, "/bin/x"));
    cu_says(said, "/bin/x: ended with exit status 3");
    child = child_fork("/bin/x");
    if (child == 0) {
        raise(SIGKILL);
    }
    CU_ASSERT_FALSE(child_wait(child, "/bin/x"));
    cu_says(said, "/bin/x: ended by signal 9");
    CU_ASSERT_FALSE(child_wait(child, "/bin/x"));
    cu_says(said, "/bin/x: cannot be waited for: No child processes");
}

static const struct cu_test tests[] = {
    CU(a_process_that_cannot_be_started_is_told_and_is_no_success),
    CU(one_that_does_well_is_not_told),
    CU(how_one_ended_is_told),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("agent_child", tests, argc, argv);
}
