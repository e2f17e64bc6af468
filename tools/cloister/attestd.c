/*
 * The verb attestd: the key broker. It is a program of its own, so that the command line tool needs
 * neither its libraries nor its rights; this hands over to the one beside it, else on the PATH.
 */
#include "cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int verb_attestd(int argc, char **argv)
{
    char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - sizeof("attestd"));
    char *slash;

    (void)argc; /* argv ends with NULL, as exec wants it */
    if (n > 0) {
        path[n] = '\0';
        slash = strrchr(path, '/');
        memcpy(slash + 1, "attestd", sizeof("attestd"));
        execv(path, argv);
    }
    if (n <= 0 || errno == ENOENT) {
        execvp("attestd", argv);
    }
    return errno == ENOENT
               ? cli_fail(CLI_MACHINE, "attestd is neither beside this program nor on the PATH: "
                                       "`make` makes it")
               : cli_fail(CLI_MACHINE, "attestd cannot be started: %s", strerror(errno));
}
