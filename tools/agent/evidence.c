/* Evidence by configfs-tsm: one interface of the kernel for all technologies, since Linux 6.7. */
#include "agent.h"
#include "attest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONFIG "/sys/kernel/config"
#define REPORT CONFIG "/tsm/report/cloister"
#define LOG    "/sys/firmware/acpi/tables/data/CCEL"

/* Reads to the end or to room; -1 when it cannot be read. */
static ssize_t read_bytes(const char *path, uint8_t *out, size_t room)
{
    size_t have = 0;
    ssize_t n = 1;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        return -1;
    }
    while (have < room && (n = read(fd, out + have, room - have)) > 0) {
        have += (size_t)n;
    }
    close(fd);
    return n < 0 ? -1 : (ssize_t)have;
}

static ssize_t read_attribute(const char *name, uint8_t *out, size_t room)
{
    char path[128];

    snprintf(path, sizeof(path), REPORT "/%s", name);
    return read_bytes(path, out, room);
}

static bool write_data(const uint8_t data[REPORT_DATA])
{
    int fd = open(REPORT "/inblob", O_WRONLY | O_CLOEXEC);
    bool ok = fd >= 0 && write(fd, data, REPORT_DATA) == (ssize_t)REPORT_DATA;

    if (fd >= 0 && close(fd) != 0) { /* the kernel takes the value on close */
        ok = false;
    }
    return ok;
}

static bool make_report(void)
{
    if (mount("configfs", CONFIG, "configfs", 0, NULL) != 0 && errno != EBUSY) {
        say_failed("this kernel has no configfs: %s", strerror(errno));
        return false;
    }
    if (mkdir(REPORT, 0700) != 0) {
        say_failed("this guest has no source of evidence (configfs-tsm): %s", strerror(errno));
        return false;
    }
    return true;
}

bool evidence_take(const uint8_t data[REPORT_DATA], uint8_t out[EVIDENCE_MAX], size_t *len)
{
    ssize_t report = -1;
    ssize_t table = 0;
    bool made = make_report();

    if (made && !write_data(data)) {
        say_failed("the kernel takes no report data: %s", strerror(errno));
    } else if (made) {
        report = read_attribute("outblob", out, EVIDENCE_MAX);
        if (report <= 0) {
            say_failed("the firmware gives no report: %s", strerror(errno));
        }
    }
    if (report > 0) { /* no table is no failure: the relying party may have the certificates */
        table = read_attribute("auxblob", out + report, EVIDENCE_MAX - (size_t)report);
    }
    if (made) {
        rmdir(REPORT);
    }
    *len = report > 0 ? (size_t)report + (size_t)(table > 0 ? table : 0) : 0;
    return report > 0;
}

size_t evidence_log(uint8_t out[EVIDENCE_MAX])
{
    ssize_t n = read_bytes(LOG, out, EVIDENCE_MAX);

    return n > 0 ? (size_t)n : 0;
}
