/* cloister console: what a domain wrote to its console, and a line for it. */
#include "cli.h"
#include "control.h"
#include "opts.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#define FOLLOW_MS 200

static const struct control_bytes none = {NULL, 0};

static const struct opt options[] = {
    {"follow", NULL, "go on until the domain has ended", OPT_FLAG,
     offsetof(struct control_opts, follow), 0, 0},
    {"send", "TEXT", "type this line first", OPT_STRING, offsetof(struct control_opts, send), 0, 0},
    CONTROL_PORT_OPT,
    {NULL, NULL, NULL, OPT_FLAG, 0, 0, 0},
};

static const char usage[] =
    "Usage: cloister console DOMAIN [OPTION...]\n\n"
    "Prints what the domain wrote to its console, as far as it is kept: the last 8 KiB. Control\n"
    "characters are shown, not obeyed. DOMAIN is a name or an id. What a domain wrote goes when\n"
    "it goes: of one that powers itself off, the last moment may be missing.";

/* A stranger's bytes, for a terminal. */
static void show(const uint8_t *text, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        if ((text[i] >= 0x20 && text[i] <= 0x7e) || text[i] == '\n' || text[i] == '\t') {
            putchar(text[i]);
        } else if (text[i] != '\r') {
            printf("\\x%02x", text[i]);
        }
    }
    fflush(stdout);
}

/* CLI_OK: there is more to come, or was; else how to exit, after a message. */
static int print_some(struct control *c, uint32_t id, uint64_t *from, bool *more)
{
    struct abi_console_part part = {.at = *from};

    if (!control_ask(c, ABI_CONTROL_CONSOLE_OUTPUT, id, (struct control_bytes){&part, sizeof(part)},
                     none)) {
        return CLI_MACHINE;
    }
    if (c->answer.status != ABI_OK || c->answer.length < sizeof(part)) {
        return CLI_FAILED;
    }
    memcpy(&part, c->data, sizeof(part));
    if (part.at > *from) {
        printf("[%llu bytes are not kept]\n", (unsigned long long)(part.at - *from));
    }
    show(c->data + sizeof(part), c->answer.length - (uint32_t)sizeof(part));
    *from = part.at + c->answer.length - sizeof(part);
    *more = c->answer.length > sizeof(part);
    return CLI_OK;
}

static int type_line(struct control *c, uint32_t id, const char *line)
{
    size_t n = strlen(line);

    if (n > 1024) {
        return cli_fail(CLI_USAGE, "console: --send: a line has at most 1024 bytes");
    }
    return control_done(c, "console",
                        control_ask(c, ABI_CONTROL_CONSOLE, id,
                                    (struct control_bytes){line, (uint32_t)n},
                                    (struct control_bytes){"\n", 1}));
}

/* Gone, or stopped and kept: it writes no more. */
static bool has_ended(struct control *c, uint32_t id)
{
    struct abi_control_domain d;

    if (!control_ask(c, ABI_CONTROL_STATISTICS, id, none, none) || c->answer.status != ABI_OK ||
        c->answer.length != sizeof(d)) {
        return true;
    }
    memcpy(&d, c->data, sizeof(d));
    return d.state == 3;
}

static int print(struct control *c, uint32_t id, bool follow)
{
    uint64_t from = 0;
    bool more = true, last = !follow;
    int status;

    do {
        if (!more) {
            poll(NULL, 0, FOLLOW_MS);
            last = has_ended(c, id); /* what it wrote until then comes once more */
        }
        status = print_some(c, id, &from, &more);
    } while (status == CLI_OK && (more || !last));
    if (status == CLI_FAILED && follow && c->answer.status == ABI_NOT_FOUND) {
        return CLI_OK; /* it is gone: that was all */
    }
    if (status == CLI_FAILED) {
        control_explain(c, "console");
    }
    return status;
}

int verb_console(int argc, char **argv)
{
    static struct control c;
    struct control_opts o = {0};
    struct abi_control_domain d;
    const char *word = NULL;
    int status;

    if (!control_verb(options, usage, "a domain", argc, argv, &o, &word, &c, &status)) {
        return status;
    }
    if (control_find(&c, argv[0], word, &d, &status)) {
        status = o.send != NULL ? type_line(&c, d.id, o.send) : CLI_OK;
        status = status == CLI_OK ? print(&c, d.id, o.follow) : status;
    }
    control_close(&c);
    return status;
}
