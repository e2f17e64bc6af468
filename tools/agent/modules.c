/* Kernel modules: the ramdisk lists them in an order that satisfies what each needs. */
#include "agent.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

static void load_one(const char *directory, const char *name)
{
    char path[512];
    int fd;

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        say_failed("%s: %s", path, strerror(errno));
        return;
    }
    /* ENODEV: a driver for a technology that this guest does not have. */
    if (syscall(SYS_finit_module, fd, "", 0) != 0 && errno != EEXIST && errno != ENODEV) {
        say_failed("%s does not load: %s", path, strerror(errno));
    }
    close(fd);
}

void modules_load(void)
{
    char directory[128];
    char path[160];
    char list[4096];
    char *rest = list;
    char *name;
    struct utsname uts;

    uname(&uts);
    snprintf(directory, sizeof(directory), "/lib/modules/%s", uts.release);
    snprintf(path, sizeof(path), "%s/list", directory);
    if (!file_read(path, list, sizeof(list))) {
        say("the ramdisk has no modules for Linux %s", uts.release);
        return;
    }
    while ((name = strsep(&rest, "\n")) != NULL) {
        if (name[0] != '\0') {
            load_one(directory, name);
        }
    }
}
