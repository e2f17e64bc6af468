/* The agent's voice: the console for people, the channel for programs. */
#include "agent.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CHANNEL_NAME   "cloister.host"
#define PORTS          "/sys/class/virtio-ports"
#define LINE_MAX_BYTES 900

static int console = 1;
static int channel = -1;
static unsigned int failures;

static void write_all(int fd, const char *text, size_t length)
{
    while (length > 0) {
        ssize_t n = write(fd, text, length);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return;
        }
        text += n;
        length -= (size_t)n;
    }
}

/* A console whose driver is a module (6.1) exists only after the modules: open it by then. */
void say_open_console(void)
{
    int fd = open("/dev/console", O_RDWR | O_NOCTTY);

    if (fd < 0) {
        fd = open("/dev/hvc0", O_RDWR | O_NOCTTY);
    }
    if (fd < 0) {
        return;
    }
    console = fd;
    for (int i = 0; i <= 2; i++) {
        dup2(fd, i);
    }
}

void say_open_channel(void)
{
    char path[320];
    char name[64];
    struct dirent *entry;
    DIR *ports = opendir(PORTS);

    if (ports == NULL) {
        return;
    }
    while (channel < 0 && (entry = readdir(ports)) != NULL) {
        snprintf(path, sizeof(path), PORTS "/%s/name", entry->d_name);
        if (file_read(path, name, sizeof(name)) && strcmp(name, CHANNEL_NAME) == 0) {
            snprintf(path, sizeof(path), "/dev/%s", entry->d_name);
            channel = open(path, O_RDWR | O_CLOEXEC);
        }
    }
    closedir(ports);
}

int say_channel(void)
{
    return channel;
}

static void say_line(int fd, const char *prefix, const char *format, va_list args)
{
    char line[LINE_MAX_BYTES];
    int n = snprintf(line, sizeof(line), "%s", prefix);
    int m = vsnprintf(line + n, sizeof(line) - (size_t)n - 1, format, args);

    if (m < 0) {
        return;
    }
    n = (int)strlen(line);
    line[n] = '\n';
    write_all(fd, line, (size_t)n + 1);
}

void say(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say_line(console, "CLOISTER: ", format, args);
    va_end(args);
}

void say_event(const char *event, const char *members, ...)
{
    char format[LINE_MAX_BYTES];
    char prefix[64];
    va_list args;

    if (channel < 0) {
        return;
    }
    snprintf(prefix, sizeof(prefix), "{\"event\":\"%s\"%s", event, members[0] ? "," : "");
    va_start(args, members);
    vsnprintf(format, sizeof(format) - 1, members, args);
    va_end(args);
    strncat(format, "}\n", sizeof(format) - strlen(format) - 1);
    write_all(channel, prefix, strlen(prefix));
    write_all(channel, format, strlen(format));
}

void say_failed(const char *format, ...)
{
    char text[LINE_MAX_BYTES / 2];
    char quoted[LINE_MAX_BYTES - 64];
    va_list args;

    failures++;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    say("FAILED %s", text);
    say_event("failed", "\"detail\":\"%s\"", say_json(quoted, sizeof(quoted), text));
}

unsigned int say_failures(void)
{
    return failures;
}

const char *say_json(char *out, size_t size, const char *text)
{
    size_t n = 0;

    for (; *text != '\0' && n + 2 < size; text++) {
        unsigned char c = (unsigned char)*text;

        if (c == '"' || c == '\\') {
            out[n++] = '\\';
        }
        out[n++] = (char)(c < 0x20 || c > 0x7e ? '?' : c);
    }
    out[n] = '\0';
    return out;
}
