/* COM1: the hypervisor's lines and its guests'. All text is shown; little is understood. */
#include "run.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PANIC     "Kernel panic - not syncing: "
#define USERSPACE "CLOISTER: userspace"

const char *printable(char *out, size_t size, const char *text, size_t length)
{
    size_t n = 0;

    for (size_t i = 0; i < length && n + 5 < size; i++) {
        unsigned char c = (unsigned char)text[i];

        if ((c >= 0x20 && c < 0x7f) || c == '\t') {
            out[n++] = (char)c;
        } else {
            n += (size_t)snprintf(out + n, size - n, "\\x%02x", c);
        }
    }
    out[n] = '\0';
    return out;
}

static void print_line(struct run *run, const char *line)
{
    if (!run->opts->quiet) {
        printf("%s\n", line);
        fflush(stdout);
    }
    if (run->log != NULL) {
        fprintf(run->log, "%s\n", line);
        fflush(run->log);
    }
}

void run_step(struct run *run, const char *format, ...)
{
    char line[700];
    va_list args;
    int n = snprintf(line, sizeof(line), "== %8.3f s  ", machine_seconds(run));

    va_start(args, format);
    vsnprintf(line + n, sizeof(line) - (size_t)n, format, args);
    va_end(args);
    print_line(run, line);
}

/* "[SECONDS] cpuN error: NAME: why" is a line of the hypervisor's; no guest's begins so. */
static void note_refusal(struct run *run, const char *line)
{
    static const char mark[] = " error: ";
    const char *at = line[0] == '[' ? strstr(line, mark) : NULL;

    for (unsigned int i = 0; at != NULL && i < run->guests; i++) {
        struct guest *g = &run->guest[i];
        const char *name = at + strlen(mark);
        size_t n = strlen(g->name);

        if (strncmp(name, g->name, n) == 0 && strncmp(name + n, ": ", 2) == 0 &&
            g->running_at == 0 && g->refused[0] == '\0') {
            snprintf(g->refused, sizeof(g->refused), "%s", name + n + 2);
        }
    }
}

/* "NAME| text" is a line of that guest's console. */
static void understand(struct run *run, const char *line)
{
    char name[RUN_NAME_SIZE];
    const char *bar = strchr(line, '|');
    const char *panic;
    struct guest *g;

    if (bar == NULL || (size_t)(bar - line) >= sizeof(name)) {
        return;
    }
    memcpy(name, line, (size_t)(bar - line));
    name[bar - line] = '\0';
    g = guest_by_name(run, name);
    if (g == NULL) {
        return;
    }
    if (strncmp(bar + 1 + (bar[1] == ' '), USERSPACE, strlen(USERSPACE)) == 0) {
        guest_reached_userspace(run, g);
    }
    panic = strstr(bar, PANIC);
    if (panic != NULL && !g->panicked) {
        g->panicked = true;
        g->panicked_at = machine_seconds(run);
        guest_failed(run, g, "its kernel panicked: %s", panic + strlen(PANIC));
    }
}

/* What tells a terminal to paint or to answer is no text (ECMA-48, 5.4: ESC [, parameters, a final
 * byte): boot loaders and shells write little else. A piece of one is shown. */
static size_t drop_commands(char *text, size_t length)
{
    size_t n = 0;

    for (size_t i = 0; i < length; i++) {
        size_t end = i + 2;

        if (text[i] == 0x1b && end < length && text[i + 1] == '[') {
            while (end < length && text[end] >= 0x20 && text[end] < 0x40) {
                end++;
            }
            if (end < length && text[end] >= 0x40 && text[end] < 0x7f) {
                i = end;
                continue;
            }
        }
        text[n++] = text[i];
    }
    return n;
}

static void take_line(struct run *run, struct line_buffer *b, bool console)
{
    char line[RUN_LINE_MAX * 4 + 1];

    b->length = drop_commands(b->text, b->length);
    printable(line, sizeof(line), b->text, b->length);
    b->length = 0;
    if (console) {
        print_line(run, line);
        note_refusal(run, line);
        understand(run, line);
    } else if (strstr(line, "TCG doesn't support requested feature") == NULL && !run->told_end) {
        run_step(run, "qemu: %s", line);
    }
}

static void take(struct run *run, struct line_buffer *b, const char *bytes, size_t length,
                 bool console)
{
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] == '\r') {
            continue;
        }
        if (bytes[i] == '\n') {
            take_line(run, b, console);
            continue;
        }
        b->text[b->length++] = bytes[i];
        if (b->length == sizeof(b->text)) {
            take_line(run, b, console);
        }
    }
}

void console_take(struct run *run, const char *bytes, size_t length)
{
    take(run, &run->console, bytes, length, true);
}

void errors_take(struct run *run, const char *bytes, size_t length)
{
    take(run, &run->errors, bytes, length, false);
}
