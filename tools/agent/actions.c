/*
 * cloister.action=NAME on the kernel command line: what the guest does once it is checked.
 * cloister.after=SECONDS waits first; cloister.seconds=SECONDS bounds the endless ones.
 */
#include "agent.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

static void act_poweroff(unsigned int seconds)
{
    (void)seconds;
}

static void act_reboot(unsigned int seconds)
{
    (void)seconds;
    sync();
    reboot(RB_AUTOBOOT);
    say_failed("reboot refused: %s", strerror(errno));
}

static void act_halt(unsigned int seconds)
{
    (void)seconds;
    reboot(RB_HALT_SYSTEM);
    say_failed("halt refused: %s", strerror(errno));
}

static void act_panic(unsigned int seconds)
{
    (void)seconds;
    file_write("/proc/sys/kernel/sysrq", "1");
    file_write("/proc/sysrq-trigger", "c");
    say_failed("the kernel did not crash on demand");
}

static void act_exit(unsigned int seconds)
{
    (void)seconds;
    _exit(3); /* the kernel panics: "Attempted to kill init!" */
}

static void act_hang(unsigned int seconds)
{
    sleep(seconds == 0 ? ~0U : seconds);
}

static void act_memory(unsigned int seconds)
{
    (void)seconds;
    work_memory((unsigned int)cmdline_number("cloister.percent", 60));
}

static void act_bench(unsigned int seconds)
{
    (void)seconds;
    work_bench();
}

static void act_echo(unsigned int seconds)
{
    (void)seconds;
    work_echo();
}

static void act_cpus(unsigned int seconds)
{
    (void)seconds;
    work_cpus();
}

/* What is typed comes in lines, from a terminal that shows them: without an echo busybox reads them
 * as they are, and does not ask where the cursor is. */
static void take_lines(void)
{
    struct termios t;

    if (tcgetattr(0, &t) == 0) {
        t.c_lflag &= (tcflag_t)~ECHO;
        tcsetattr(0, TCSANOW, &t);
    }
}

static void act_shell(unsigned int seconds)
{
    pid_t child = child_fork("the shell");

    (void)seconds;
    if (child == 0) {
        setsid();
        ioctl(0, TIOCSCTTY, 1);
        take_lines();
        execl("/bin/busybox", "sh", "-c", "/bin/busybox --install -s /bin; exec sh -l",
              (char *)NULL);
        _exit(127);
    }
    while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR) {
    }
}

/* Its output is on the console. */
static void act_run(unsigned int seconds)
{
    char path[128] = "";
    pid_t child;

    (void)seconds;
    if (!cmdline_get("cloister.run", path, sizeof(path))) {
        say_failed("cloister.action=run: cloister.run=PROGRAM is missing");
        return;
    }
    child = child_fork(path);
    if (child == 0) {
        execl(path, path, (char *)NULL);
        say_failed("%s: %s", path, strerror(errno));
        _exit(127);
    }
    child_wait(child, path);
}

static const struct {
    const char *name;
    void (*run)(unsigned int seconds);
} actions[] = {
    {"poweroff", act_poweroff}, /* at once; the default */
    {"reboot", act_reboot},     /* with reboot=t on the command line: a triple fault */
    {"halt", act_halt},         /* every CPU stops with interrupts off */
    {"panic", act_panic},       /* the kernel crashes */
    {"exit", act_exit},         /* init exits, so the kernel panics */
    {"hang", act_hang},         /* idle for ever */
    {"spin", work_spin},        /* busy on every CPU, for ever */
    {"flood", work_flood},      /* console output without end */
    {"ipi", work_ipi},          /* inter-processor interrupts without end */
    {"memory", act_memory},     /* writes and verifies cloister.percent of memory, 60 by default */
    {"bench", act_bench},       /* a short CPU and memory benchmark */
    {"echo", act_echo},         /* returns each line of the channel, until "quit" */
    {"fpu", work_fpu},          /* several processes keep their SSE and AVX registers */
    {"cpus", act_cpus},         /* CPUs go offline and come back; all take an NMI */
    {"net", work_net},          /* frames to and from the other guests of its network */
    {"run", act_run},           /* a program of the ramdisk: cloister.run=/PATH */
    {"shell", act_shell},       /* a busybox shell on the console */
};

void action_run(void)
{
    char name[32] = "poweroff";
    unsigned int after = (unsigned int)cmdline_number("cloister.after", 0);
    unsigned int seconds = (unsigned int)cmdline_number("cloister.seconds", 0);

    cmdline_get("cloister.action", name, sizeof(name));
    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
        if (strcmp(actions[i].name, name) != 0) {
            continue;
        }
        while (after > 0) {
            after = sleep(after);
        }
        say("action %s", name);
        say_event("action", "\"name\":\"%s\"", actions[i].name);
        actions[i].run(seconds);
        return;
    }
    say_failed("cloister.action=%s is not an action", name);
}
