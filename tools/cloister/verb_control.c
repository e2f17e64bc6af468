/* cloister list, start, pause, resume, stop, destroy, stats: domains, from a control domain. */
#include "cli.h"
#include "control.h"
#include "opts.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

static const struct control_bytes none = {NULL, 0};
static const char *const states[] = {"created", "running", "paused", "ended"};
static const char *const kinds[] = {"none", "sev-snp", "tdx", "cca"};

#define NAME_OF(table, i) ((i) < sizeof(table) / sizeof((table)[0]) ? (table)[i] : "?")

static const struct opt plain_options[] = {
    CONTROL_PORT_OPT,
    {NULL, NULL, NULL, OPT_FLAG, 0, 0, 0},
};

static const struct opt options[] = {
    {"json", NULL, "print JSON", OPT_FLAG, offsetof(struct control_opts, json), 0, 0},
    CONTROL_PORT_OPT,
    {NULL, NULL, NULL, OPT_FLAG, 0, 0, 0},
};

static json_t *as_json(const struct abi_control_domain *d)
{
    return json_pack("{s:i, s:s%, s:s, s:s, s:i, s:I, s:I, s:I}", "id", (int)d->id, "name",
                     (const char *)d->name, strlen((const char *)d->name), "state",
                     NAME_OF(states, d->state), "cc", NAME_OF(kinds, d->kind), "vcpus",
                     (int)d->vcpus, "memory", (json_int_t)d->memory, "ran_ns", (json_int_t)d->ran,
                     "exits", (json_int_t)d->exits);
}

static void print_json(json_t *value)
{
    json_dumpf(value, stdout, JSON_INDENT(2));
    printf("\n");
    json_decref(value);
}

static void add_row(const struct abi_control_domain *d, void *arg)
{
    json_t *all = arg;

    if (all != NULL) {
        json_array_append_new(all, as_json(d));
    } else {
        printf("%5u  %-31s %-8s %-8s %5u %8llu %10.3f\n", d->id, (const char *)d->name,
               NAME_OF(states, d->state), NAME_OF(kinds, d->kind), d->vcpus,
               (unsigned long long)d->memory >> 20, (double)d->ran / 1e9);
    }
}

int verb_list(int argc, char **argv)
{
    static struct control c;
    struct control_opts o = {0};
    json_t *all = NULL;
    int status;
    bool good;

    if (!control_verb(options, "Usage: cloister list [OPTION...]\n\n"
                      "Prints the domains, each with its state, its technology and what it has.",
                      NULL, argc, argv, &o, NULL, &c, &status)) {
        return status;
    }
    if (o.json) {
        all = json_array();
    } else {
        printf("%5s  %-31s %-8s %-8s %5s %8s %10s\n", "ID", "NAME", "STATE", "CC", "VCPUS", "MIB",
               "CPU SECONDS");
    }
    good = control_list(&c, add_row, all);
    if (o.json && good) {
        print_json(all);
    }
    control_close(&c);
    return good ? CLI_OK : CLI_MACHINE;
}

int verb_stats(int argc, char **argv)
{
    static struct control c;
    struct control_opts o = {0};
    struct abi_control_domain d;
    const char *word = NULL;
    int status;

    if (!control_verb(options, "Usage: cloister stats DOMAIN [OPTION...]\n\n"
                      "Prints what it has, and the CPU time and exits that it has used so far.\n"
                      "DOMAIN is a name or an id.", "a domain", argc, argv, &o, &word, &c,
                      &status)) {
        return status;
    }
    status = CLI_OK;
    if (control_find(&c, argv[0], word, &d, &status)) {
        if (o.json) {
            print_json(as_json(&d));
        } else {
            printf("%s: id %u, %s, cc %s, %u vCPUs, %llu MiB, ran %.6f s, %llu exits\n",
                   (const char *)d.name, d.id, NAME_OF(states, d.state), NAME_OF(kinds, d.kind),
                   d.vcpus, (unsigned long long)d.memory >> 20, (double)d.ran / 1e9,
                   (unsigned long long)d.exits);
        }
    }
    control_close(&c);
    return status;
}

/* One operation on one domain. */
static int simple(int argc, char **argv, uint32_t operation, const char *usage)
{
    static struct control c;
    struct control_opts o = {0};
    struct abi_control_domain d;
    const char *word = NULL;
    int status;

    if (!control_verb(plain_options, usage, "a domain", argc, argv, &o, &word, &c, &status)) {
        return status;
    }
    if (control_find(&c, argv[0], word, &d, &status)) {
        status = control_done(&c, argv[0], control_ask(&c, operation, d.id, none, none));
    }
    control_close(&c);
    return status;
}

#define SIMPLE(verb, operation, text)                                                              \
    int verb_##verb(int argc, char **argv)                                                         \
    {                                                                                              \
        return simple(argc, argv, ABI_CONTROL_##operation,                                         \
                      "Usage: cloister " #verb " DOMAIN [--port PATH]\n\n"                         \
                      "DOMAIN is a name or an id. " text);                                         \
    }
SIMPLE(start, START, "One that `create` built runs; that happens once.")
SIMPLE(pause, PAUSE, "Its vCPUs stop soon. No effect when it does not run.")
SIMPLE(resume, RESUME, "It runs again. No effect when it does.")
SIMPLE(stop, STOP, "It ends, but keeps its memory and its name until it is destroyed.")
SIMPLE(destroy, DESTROY, "It ends, and all its memory is given back.")
