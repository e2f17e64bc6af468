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

/* How often the kernel's log has that of a CPU. */
static int times(const char *what, long cpu)
{
    static char log[1 << 20];
    char text[64];
    int n = klogctl(SYSLOG_READ_ALL, log, sizeof(log) - 1), found = 0;

    log[n > 0 ? n : 0] = '\0';
    snprintf(text, sizeof(text), "%s%ld", what, cpu);
    for (const char *at = log; (at = strstr(at, text)) != NULL; at++) {
        found++;
    }
    return found;
}

/* More than once: each must end as it began, or the next does not come. */
static void interrupt_all(long cpus)
{
    for (int i = 1; i <= ROUNDS; i++) {
        if (!file_write("/proc/sys/kernel/sysrq", "1") ||
            !file_write("/proc/sysrq-trigger", "l")) {
            say_failed("the kernel sends no NMI on demand");
            return;
        }
        for (long cpu = 0; cpu < cpus; cpu++) {
            if (times("NMI backtrace for cpu ", cpu) < i) {
                say_failed("CPU %ld did not take NMI %d", cpu, i);
            }
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
            } else if (times("Failed to hand over CPU ", cpu) > 0) {
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
