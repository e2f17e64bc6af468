/* Small files, and the kernel command line. */
#include "agent.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool file_read(const char *path, char *out, size_t size)
{
    size_t n = 0;
    ssize_t got = 1;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        return false;
    }
    while (n < size - 1 && (got = read(fd, out + n, size - 1 - n)) > 0) {
        n += (size_t)got;
    }
    close(fd);
    out[n] = '\0';
    if (n > 0 && out[n - 1] == '\n') {
        out[n - 1] = '\0';
    }
    return got >= 0;
}

bool file_write(const char *path, const char *text)
{
    size_t length = strlen(text);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool ok;

    if (fd < 0) {
        return false;
    }
    ok = write(fd, text, length) == (ssize_t)length;
    close(fd);
    return ok;
}

bool cmdline_get(const char *key, char *out, size_t size)
{
    char line[4096];
    char *rest = line;
    char *word;
    size_t length = strlen(key);

    if (!file_read("/proc/cmdline", line, sizeof(line))) {
        return false;
    }
    while ((word = strsep(&rest, " \n")) != NULL) {
        if (strncmp(word, key, length) == 0 && word[length] == '=') {
            word += length + 1;
            if (strlen(word) >= size) {
                return false;
            }
            strcpy(out, word);
            return true;
        }
    }
    return false;
}

unsigned long cmdline_number(const char *key, unsigned long otherwise)
{
    char text[32];
    char *end;
    unsigned long value;

    if (!cmdline_get(key, text, sizeof(text))) {
        return otherwise;
    }
    errno = 0;
    value = strtoul(text, &end, 0);
    if (errno != 0 || end == text || *end != '\0' || text[0] == '-') {
        say_failed("%s=%s is not a number", key, text);
        return otherwise;
    }
    return value;
}
