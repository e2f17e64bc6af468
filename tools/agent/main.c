/* PID 1 of the default ramdisk. */
#include "agent.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

static void mount_one(const char *type, const char *where)
{
    mkdir(where, 0755);
    if (mount(type, where, type, 0, NULL) != 0 && errno != EBUSY) {
        say_failed("cannot mount %s: %s", where, strerror(errno));
    }
}

static unsigned long long memory_bytes(void)
{
    return (unsigned long long)sysconf(_SC_PHYS_PAGES) * (unsigned long long)sysconf(_SC_PAGESIZE);
}

/* What the kernel has not accepted yet of a confidential guest's memory, in bytes. */
static unsigned long long unaccepted_bytes(void)
{
    char text[4096];
    unsigned long long kib = 0;
    const char *at;

    if (file_read("/proc/meminfo", text, sizeof(text))) {
        at = strstr(text, "Unaccepted:");
        if (at != NULL && sscanf(at, "Unaccepted: %llu kB", &kib) != 1) {
            say_failed("/proc/meminfo: Unaccepted is no number");
        }
    }
    return kib << 10;
}

static void say_userspace(void)
{
    struct utsname uts;
    char release[160];
    char uptime[32] = "0";
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);

    uname(&uts);
    file_read("/proc/uptime", uptime, sizeof(uptime));
    uptime[strcspn(uptime, " ")] = '\0';
    say("userspace: Linux %s, %ld CPUs, %llu MiB, up %s s", uts.release, cpus, memory_bytes() >> 20,
        uptime);
    say_event("userspace", "\"kernel\":\"%s\",\"cpus\":%ld,\"memory\":%llu,\"unaccepted\":%llu,"
              "\"page\":%ld,\"uptime\":%s",
              say_json(release, sizeof(release), uts.release), cpus, memory_bytes(),
              unaccepted_bytes(), sysconf(_SC_PAGESIZE), uptime);
}

int main(void)
{
    if (getpid() != 1) {
        fprintf(stderr, "this is the init of a Cloister guest: it must be PID 1\n");
        return 2;
    }
    mount_one("devtmpfs", "/dev");
    mount_one("proc", "/proc");
    mount_one("sysfs", "/sys");
    modules_load();
    say_open_console();
    say_open_channel();
    say_userspace();
    check_all();
    attest_if_asked();
    action_run();
    say_event("done", "\"failures\":%u", say_failures());
    say("power off, %u failures", say_failures());
    sync();
    reboot(RB_POWER_OFF);
    say_failed("power-off refused: %s", strerror(errno));
    for (;;) {
        pause();
    }
}
