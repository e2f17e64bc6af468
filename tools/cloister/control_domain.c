/* Domains by name and number; why a request failed, and what to do. */
#include "control.h"

#include "cli.h"
#include "opts.h"

#include <stdio.h>
#include <string.h>

static const struct control_bytes none = {NULL, 0};

static const char *meaning_of(uint32_t status)
{
    static const char *const meanings[] = {
#define ABI_STATUS(name, number, meaning) [number] = meaning,
#include "abi/status.def"
    };

    return status < sizeof(meanings) / sizeof(meanings[0]) ? meanings[status] : "unknown status";
}

/* What helps; empty: nothing that one could say here. */
static const char *advice(uint32_t status, uint32_t operation)
{
    switch (status) {
    case ABI_NOT_FOUND:
        return "; `cloister list` shows who is there";
    case ABI_DENIED:
        return operation >= ABI_CONTROL_STAGE && operation != ABI_CONTROL_CONSOLE_OUTPUT
                   ? "; this domain's description lacks the feature create, or the new one asks "
                     "for control, which only a boot bundle gives"
                   : "; no domain controls itself";
    case ABI_EXISTS:
        return "; a domain of that name lives: destroy it first, or choose another name";
    case ABI_NO_MEMORY:
        return "; destroy a domain, or give the new one less";
    case ABI_LIMIT:
        return "; this domain's description limits what it may create (create-memory, "
               "create-domains): destroy one of its domains first";
    case ABI_BAD_STATE:
        return operation == ABI_CONTROL_START ? "; it was started before: `cloister resume`?" : "";
    case ABI_NOT_BUILT:
        return "; the hypervisor's image lacks what the bundle asks for";
    default:
        return "";
    }
}

/* The reason is the hypervisor's, which may quote a bundle: it reaches a terminal as plain text. */
void control_explain(const struct control *c, const char *verb)
{
    char why[256];
    uint32_t n = c->answer.length < sizeof(why) - 1 ? c->answer.length : (uint32_t)sizeof(why) - 1;

    for (uint32_t i = 0; i < n; i++) {
        why[i] = (char)(c->data[i] < 0x20 || c->data[i] > 0x7e ? '?' : c->data[i]);
    }
    why[n] = '\0';
    cli_error("%s: %s%s%s%s", verb, meaning_of(c->answer.status), n > 0 ? ": " : "", why,
              advice(c->answer.status, c->answer.operation));
}

int control_done(const struct control *c, const char *verb, bool answered)
{
    if (!answered) {
        return CLI_MACHINE;
    }
    if (c->answer.status != ABI_OK) {
        control_explain(c, verb);
        return CLI_FAILED;
    }
    return CLI_OK;
}

/* Domains that come with ids below the last one told are not looked for again: none does. */
bool control_list(struct control *c, control_domain_fn *fn, void *arg)
{
    struct abi_control_domain d = {.id = 0};
    uint32_t count;

    do {
        if (!control_ask(c, ABI_CONTROL_LIST, d.id, none, none)) {
            return false;
        }
        if (c->answer.status != ABI_OK) {
            control_explain(c, "list");
            return false;
        }
        if (c->answer.length % sizeof(d) != 0) {
            cli_error("the control port's answer is no list of domains");
            return false;
        }
        count = c->answer.length / (uint32_t)sizeof(d);
        for (uint32_t i = 0; i < count; i++) {
            memcpy(&d, c->data + i * sizeof(d), sizeof(d));
            d.name[sizeof(d.name) - 1] = '\0';
            fn(&d, arg);
        }
    } while (count == CONTROL_DATA_MAX / sizeof(d));
    return true;
}

struct wanted {
    const char *name;
    uint64_t id;
    struct abi_control_domain *d;
    bool by_name, by_id;
};

/* Of several with a name, one is restarting: the latest is it. A name may be a number. */
static void look(const struct abi_control_domain *d, void *arg)
{
    struct wanted *w = arg;
    bool name = strcmp((const char *)d->name, w->name) == 0;
    bool id = d->id == w->id;

    if (name || (id && !w->by_name)) {
        *w->d = *d;
    }
    w->by_name = w->by_name || name;
    w->by_id = w->by_id || id;
}

bool control_find(struct control *c, const char *verb, const char *word,
                  struct abi_control_domain *d, int *status)
{
    struct wanted w = {.name = word, .d = d};

    if (!opts_number(word, &w.id)) {
        w.id = 0;
    }
    if (!control_list(c, look, &w)) {
        *status = CLI_MACHINE;
        return false;
    }
    if (!w.by_name && !w.by_id) {
        *status = cli_fail(CLI_FAILED, "%s: there is no domain '%.40s'; `cloister list` shows who "
                           "is there", verb, word);
    }
    return w.by_name || w.by_id;
}

bool control_verb(const struct opt *table, const char *usage, const char *what, int argc,
                  char **argv, struct control_opts *o, const char **word, struct control *c,
                  int *status)
{
    int n = opts_parse(table, o, argc, argv, word, what != NULL);

    if (n == -2) {
        opts_help(table, usage);
        *status = CLI_OK;
        return false;
    }
    if (n < 0 || (n == 0 && what != NULL)) {
        *status = n < 0 ? CLI_USAGE
                        : cli_fail(CLI_USAGE, "%s: name %s; --help tells more", argv[0], what);
        return false;
    }
    *status = CLI_MACHINE;
    return control_open(c, o->port);
}
