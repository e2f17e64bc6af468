/* What the guest was given, looked at from inside. */
#include "agent.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/wait.h>
#include <unistd.h>

#define SYSLOG_READ_ALL 3 /* syslog(2) */
#define RNG_BYTES 64

/* Runs busybox sha256sum, so that no digest code of our own is needed here. */
static bool sha256_of(const char *device, char digest[65])
{
    int fds[2];
    int status;
    ssize_t n;
    pid_t child;

    if (pipe(fds) != 0) {
        return false;
    }
    child = child_fork("sha256sum");
    if (child == 0) {
        dup2(fds[1], 1);
        close(fds[0]);
        execl("/bin/busybox", "sha256sum", device, (char *)NULL);
        _exit(127);
    }
    close(fds[1]);
    n = child < 0 ? -1 : read(fds[0], digest, 64);
    close(fds[0]);
    digest[64] = '\0';
    return child >= 0 && waitpid(child, &status, 0) == child && status == 0 && n == 64;
}

static void check_disk(const char *name)
{
    char device[300];
    char path[320];
    char sectors[32] = "0";
    char read_only[8] = "?";
    char digest[65];

    snprintf(device, sizeof(device), "/dev/%s", name);
    snprintf(path, sizeof(path), "/sys/block/%s/size", name);
    file_read(path, sectors, sizeof(sectors));
    snprintf(path, sizeof(path), "/sys/block/%s/ro", name);
    file_read(path, read_only, sizeof(read_only));
    if (!sha256_of(device, digest)) {
        say_failed("%s cannot be read to its end", device);
        return;
    }
    say("disk %s: %s sectors, ro %s, sha256 %s", name, sectors, read_only, digest);
    say_event("disk", "\"name\":\"%s\",\"bytes\":%llu,\"read_only\":%s,\"sha256\":\"%s\"", name,
              strtoull(sectors, NULL, 10) * 512, strcmp(read_only, "1") == 0 ? "true" : "false",
              digest);
}

/* Writes a pattern to the end of a writable disk, around the page cache, and reads it back. */
static void check_disk_write(const char *name)
{
    char path[320];
    static unsigned char block[4096] __attribute__((aligned(4096)));
    static unsigned char back[4096] __attribute__((aligned(4096)));
    off_t end;
    int fd;

    snprintf(path, sizeof(path), "/dev/%s", name);
    fd = open(path, O_RDWR | O_DIRECT | O_SYNC | O_CLOEXEC);
    if (fd < 0) {
        say_failed("%s: %s", path, strerror(errno));
        return;
    }
    end = lseek(fd, 0, SEEK_END) & ~(off_t)4095;
    for (int i = 0; i < 4096; i++) {
        block[i] = (unsigned char)(i * 7 + 3);
    }
    if (end < 4096) {
        say("disk %s: too small for the write check", name);
    } else if (pwrite(fd, block, 4096, end - 4096) != 4096 ||
               pread(fd, back, 4096, end - 4096) != 4096 || memcmp(block, back, 4096) != 0) {
        say_failed("%s does not keep what is written to it", path);
    } else {
        say("disk %s: written and read back", name);
        say_event("disk-write", "\"name\":\"%s\"", name);
    }
    close(fd);
}

static void check_disks(void)
{
    char ro[320];
    char flag[8];
    struct dirent *entry;
    DIR *blocks = opendir("/sys/block");

    while (blocks != NULL && (entry = readdir(blocks)) != NULL) {
        if (strncmp(entry->d_name, "vd", 2) != 0) {
            continue;
        }
        check_disk(entry->d_name);
        snprintf(ro, sizeof(ro), "/sys/block/%s/ro", entry->d_name);
        if (file_read(ro, flag, sizeof(flag)) && strcmp(flag, "0") == 0) {
            check_disk_write(entry->d_name);
        }
    }
    if (blocks != NULL) {
        closedir(blocks);
    }
}

static void check_rng(void)
{
    char source[64];
    unsigned char a[RNG_BYTES] = {0};
    unsigned char b[RNG_BYTES] = {0};
    int fd;

    if (!file_read("/sys/class/misc/hw_random/rng_current", source, sizeof(source)) ||
        strncmp(source, "virtio", 6) != 0) {
        return;
    }
    fd = open("/dev/hwrng", O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, a, sizeof(a)) <= 0 || read(fd, b, sizeof(b)) <= 0) {
        say_failed("%s delivers nothing: %s", source, strerror(errno));
    } else if (memcmp(a, b, sizeof(a)) == 0) {
        say_failed("%s delivers the same bytes twice", source);
    } else {
        say("rng %s delivers", source);
        say_event("rng", "\"source\":\"virtio\"");
    }
    if (fd >= 0) {
        close(fd);
    }
}

static void check_cpus(void)
{
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned long wanted = cmdline_number("cloister.cpus", (unsigned long)online);

    if ((unsigned long)online != wanted) {
        say_failed("%ld CPUs are online, %lu were expected", online, wanted);
    }
}

/* What the kernel says of its memory's encryption; plain guests say nothing. */
static void check_encryption(void)
{
    static const char words[] = "Memory Encryption Features active: ";
    static char log[1 << 20];
    int n = klogctl(SYSLOG_READ_ALL, log, sizeof(log) - 1);
    char *at;

    log[n > 0 ? n : 0] = '\0';
    at = strstr(log, words);
    if (at != NULL) {
        at += sizeof(words) - 1;
        at[strcspn(at, "\n\"\\")] = '\0';
        say("memory encryption: %s", at);
        say_event("memory-encryption", "\"features\":\"%s\"", at);
    }
}

/* Which clock the kernel settled on: it says whether the TSC and kvmclock convinced it. */
static void check_clocksource(void)
{
    char clocksource[64] = "?";

    file_read("/sys/devices/system/clocksource/clocksource0/current_clocksource", clocksource,
              sizeof(clocksource));
    say("clocksource %s", clocksource);
    say_event("clocksource", "\"name\":\"%s\"", clocksource);
}

void check_all(void)
{
    char wanted[16];

    if (cmdline_get("cloister.checks", wanted, sizeof(wanted)) && strcmp(wanted, "off") == 0) {
        return;
    }
    check_cpus();
    check_clocksource();
    check_encryption();
    check_rng();
    check_disks();
}
