/* Processes beside PID 1: that one could not be started, or ended badly, is told. */
#include "agent.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

pid_t child_fork(const char *what)
{
    pid_t child = fork();

    if (child < 0) {
        say_failed("%s: no process can be started: %s", what, strerror(errno));
    }
    return child;
}

bool child_wait(pid_t child, const char *what)
{
    int status = 0;

    while (child >= 0 && waitpid(child, &status, 0) < 0) {
        if (errno != EINTR) {
            say_failed("%s: cannot be waited for: %s", what, strerror(errno));
            return false;
        }
    }
    if (WIFSIGNALED(status)) {
        say_failed("%s: ended by signal %d", what, WTERMSIG(status));
    } else if (WEXITSTATUS(status) != 0) {
        say_failed("%s: ended with exit status %d", what, WEXITSTATUS(status));
    }
    return child >= 0 && status == 0;
}
