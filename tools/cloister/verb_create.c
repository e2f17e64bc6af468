/* cloister create: a domain from a bundle, handed over in parts. */
#include "cli.h"
#include "control.h"
#include "opts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct control_bytes none = {NULL, 0};

static const struct opt options[] = {
    {"start", NULL, "let it run at once", OPT_FLAG, offsetof(struct control_opts, start), 0, 0},
    {"json", NULL, "print JSON: its name and id", OPT_FLAG, offsetof(struct control_opts, json), 0,
     0},
    CONTROL_PORT_OPT,
    {NULL, NULL, NULL, OPT_FLAG, 0, 0, 0},
};

static const char usage[] =
    "Usage: cloister create BUNDLE [OPTION...]\n\n"
    "BUNDLE is a file with one domain, as `cloister bundle make` writes it (docs/bundle.md). The\n"
    "domain is built, and waits for `cloister start`.";

static int did(struct control *c, bool answered)
{
    return control_done(c, "create", answered);
}

static int stage(struct control *c, uint64_t bytes)
{
    struct abi_bundle_stage s = {.bytes = bytes};

    return did(c, control_ask(c, ABI_CONTROL_STAGE, 0,
                              (struct control_bytes){&s, sizeof(s)}, none));
}

static int fill(struct control *c, int file, const char *path, uint64_t bytes)
{
    static uint8_t part[CONTROL_DATA_MAX - sizeof(struct abi_bundle_part)];
    struct abi_bundle_part p = {.to = 0};
    int status = CLI_OK;

    while (status == CLI_OK && p.to < bytes) {
        uint64_t left = bytes - p.to;
        ssize_t n = read(file, part, left < sizeof(part) ? (size_t)left : sizeof(part));

        if (n <= 0) {
            return cli_fail(CLI_USAGE, "create: %s: %s", path,
                            n < 0 ? strerror(errno) : "it became shorter");
        }
        status = did(c, control_ask(c, ABI_CONTROL_FILL, 0, (struct control_bytes){&p, sizeof(p)},
                                    (struct control_bytes){part, (uint32_t)n}));
        p.to += (uint64_t)n;
    }
    return status;
}

static int build(struct control *c, struct abi_control_domain *made)
{
    int status = did(c, control_ask(c, ABI_CONTROL_BUILD, 0, none, none));

    if (status == CLI_OK && c->answer.length != sizeof(*made)) {
        return cli_fail(CLI_MACHINE, "create: the hypervisor did not say what it built");
    }
    if (status == CLI_OK) {
        memcpy(made, c->data, sizeof(*made));
        made->name[sizeof(made->name) - 1] = '\0';
    }
    return status;
}

static int create(struct control *c, int file, const char *path, const struct control_opts *o)
{
    struct abi_control_domain made;
    struct stat st;
    int status;

    if (fstat(file, &st) != 0 || !S_ISREG(st.st_mode)) {
        return cli_fail(CLI_USAGE, "create: %s: not a file", path);
    }
    status = stage(c, (uint64_t)st.st_size);
    status = status == CLI_OK ? fill(c, file, path, (uint64_t)st.st_size) : status;
    status = status == CLI_OK ? build(c, &made) : status;
    if (status == CLI_OK && o->start) {
        status = did(c, control_ask(c, ABI_CONTROL_START, made.id, none, none));
    }
    if (status == CLI_OK) {
        printf(o->json ? "{\"name\": \"%s\", \"id\": %u}\n" : "%s: id %u\n",
               (const char *)made.name, made.id);
    }
    return status;
}

int verb_create(int argc, char **argv)
{
    static struct control c;
    struct control_opts o = {0};
    const char *path = NULL;
    int file, status;

    if (!control_verb(options, usage, "a bundle", argc, argv, &o, &path, &c, &status)) {
        return status;
    }
    file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        status = cli_fail(CLI_USAGE, "create: %s: %s", path, strerror(errno));
    } else {
        status = create(&c, file, path, &o);
        close(file);
    }
    control_close(&c);
    return status;
}
