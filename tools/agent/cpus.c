/* Each CPU but the first goes away and comes back; then an NMI reaches all of them. */
#include "agent.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <unistd.h>

#define ROUNDS 2
#define SYSLOG_READ_ALL 3 /* syslog(2) */

static bool put(long cpu, bool online)
{
    char path[64], now[8];

    snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%ld/online", cpu);
    return file_write(path, online ? "1" : "0") && file_read(path, now, sizeof(now)) &&
           strcmp(now, online ? "1" : "0") == 0;
}

/* In the kernel's log: a line of each CPU that took the NMI. */
static bool says(const char *what, long cpu)
{
    static char log[1 << 20];
    char text[64];
    int n = klogctl(SYSLOG_READ_ALL, log, sizeof(log) - 1);

    log[n > 0 ? n : 0] = '\0';
    snprintf(text, sizeof(text), "%s%ld", what, cpu);
    return strstr(log, text) != NULL;
}

static void interrupt_all(long cpus)
{
    if (!file_write("/proc/sys/kernel/sysrq", "1") || !file_write("/proc/sysrq-trigger", "l")) {
        say_failed("the kernel sends no NMI on demand");
        return;
    }
    for (long cpu = 0; cpu < cpus; cpu++) {
        if (!says("NMI backtrace for cpu ", cpu)) {
            say_failed("CPU %ld took no NMI", cpu);
        }
    }
}

void work_cpus(void)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);

    for (int i = 0; i < ROUNDS; i++) {
        for (long cpu = 1; cpu < cpus; cpu++) {
            if (!put(cpu, false)) {
                say_failed("CPU %ld does not go offline", cpu);
            } else if (says("Failed to hand over CPU ", cpu)) {
                say_failed("CPU %ld went offline and nowhere", cpu);
            } else if (!put(cpu, true)) {
                say_failed("CPU %ld does not come back", cpu);
            }
        }
    }
    interrupt_all(cpus);
    say("cpus: %ld away and back, %d times", cpus - 1, ROUNDS);
    say_event("cpus", "\"cpus\":%ld,\"rounds\":%d", sysconf(_SC_NPROCESSORS_ONLN), ROUNDS);
}
