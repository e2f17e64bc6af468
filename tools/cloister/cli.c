/* Errors, allocation and the build folder. */
#include "cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

__attribute__((format(printf, 1, 0))) static void print_error(const char *format, va_list args)
{
    fflush(stdout);
    fprintf(stderr, "cloister: ");
    vfprintf(stderr, format, args);
    fprintf(stderr, "\n");
}

void cli_error(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    print_error(format, args);
    va_end(args);
}

int cli_fail(enum cli_status status, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    print_error(format, args);
    va_end(args);
    return (int)status;
}

static void out_of_memory(void)
{
    cli_error("out of memory");
    exit(CLI_MACHINE);
}

void *cli_alloc(unsigned long size)
{
    void *p = calloc(1, size);

    if (p == NULL) {
        out_of_memory();
    }
    return p;
}

char *cli_format(const char *format, ...)
{
    char *text = NULL;
    va_list args;
    int n;

    va_start(args, format);
    n = vasprintf(&text, format, args);
    va_end(args);
    if (n < 0) {
        out_of_memory();
    }
    return text;
}

char *cli_built(const char *name)
{
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

    self[n < 0 ? 0 : n] = '\0';
    for (int up = 0; up < 2; up++) {
        char *slash = strrchr(self, '/');

        if (slash == NULL) {
            return cli_format("build/%s", name);
        }
        *slash = '\0';
    }
    return cli_format("%s/%s", self, name);
}

char *cli_temporary(void)
{
    const char *where = getenv("TMPDIR");

    return cli_format("%s/cloister-XXXXXX", where != NULL ? where : "/tmp");
}
