#include "run_child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void exec_words(const char *const words[], int in, int out)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(in, 0);
    dup2(out, 1);
    execv(words[0], (char **)(uintptr_t)words);
    fprintf(stderr, "cannot run %s: %s\n", words[0], strerror(errno));
    _exit(127);
}

bool child_start(struct child *c, const char *const words[])
{
    int in[2];
    int out[2];

    if (pipe2(in, O_CLOEXEC) != 0) {
        return false;
    }
    if (pipe2(out, O_CLOEXEC) != 0) {
        close(in[0]);
        close(in[1]);
        return false;
    }
    *c = (struct child){.pid = fork(), .to = in[1], .from = out[0]};
    if (c->pid == 0) {
        exec_words(words, in[0], out[1]);
    }
    close(in[0]);
    close(out[1]);
    if (c->pid < 0) {
        c->pid = 0;
        close(c->to);
        close(c->from);
    }
    return c->pid > 0;
}

void child_end(struct child *c)
{
    if (c->pid <= 0) {
        return;
    }
    close(c->to);
    close(c->from);
    kill(c->pid, SIGTERM);
    while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR) {
    }
    c->pid = 0;
}
