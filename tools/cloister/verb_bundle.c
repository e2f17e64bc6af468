/* cloister bundle: make, check and list what the hypervisor boots. */
#include "bundle.h"
#include "cli.h"
#include "domain_opts.h"
#include "opts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct bundle_opts {
    struct domain_opts domain;
    const char *output;
    const char *from;
    bool json;
};

static const struct opt options[] = {
    {"output", "FILE", "make: where the bundle goes", OPT_STRING,
     offsetof(struct bundle_opts, output), 0, 0},
    {"from", "FILE", "make: a description, .json or .dts, in place of the options below",
     OPT_STRING, offsetof(struct bundle_opts, from), 0, 0},
    {"json", NULL, "list: print the description as JSON", OPT_FLAG,
     offsetof(struct bundle_opts, json), 0, 0},
#define DOMAIN_OPT(member, name, argument, kind, least, most, help)                                \
    {name, argument, help, kind, offsetof(struct bundle_opts, domain.member), least, most},
#include "domain_opts.def"
#undef DOMAIN_OPT
    {NULL, NULL, NULL, OPT_FLAG, 0, 0, 0},
};

static const char usage[] =
    "Usage: cloister bundle make --output FILE [--from FILE | OPTION...]\n"
    "       cloister bundle check FILE\n"
    "       cloister bundle list [--json] FILE\n\n"
    "A bundle is one Device Tree with domain descriptions and their images (docs/bundle.md).\n"
    "`check` and `list` exit 1 for a bundle with an error, and name the node and the property.";

static int make(struct bundle_opts *o)
{
    struct bundle_blob blob;
    struct bundle_error error;
    json_t *description;
    bool good;

    if (o->json) {
        return cli_fail(CLI_USAGE, "bundle make: --json goes with list");
    }
    if (o->output == NULL) {
        return cli_fail(CLI_USAGE, "bundle make: --output is missing");
    }
    if (o->from != NULL && domain_opts_given(&o->domain)) {
        return cli_fail(CLI_USAGE, "bundle make: --from and options of a guest exclude each other");
    }
    if (!domain_opts_good(&o->domain, &error) || !domain_opts_prepare(&o->domain, &error)) {
        return cli_fail(CLI_USAGE, "bundle make: %s", error.text);
    }
    if (o->from != NULL) {
        good = bundle_from_file(o->from, &blob, &error);
    } else {
        description = domain_opts_describe(&o->domain);
        good = bundle_write(description, ".", &blob, &error);
        json_decref(description);
    }
    if (!good) {
        return cli_fail(CLI_USAGE, "%s", error.text);
    }
    good = bundle_save(o->output, &blob, &error);
    if (good) {
        printf("%s: %zu bytes\n", o->output, blob.size);
    }
    free(blob.data);
    return good ? CLI_OK : cli_fail(CLI_MACHINE, "%s", error.text);
}

/* NULL after an error message; *status is then how to exit. */
static json_t *load(const char *path, int *status)
{
    struct bundle_blob blob;
    struct bundle_error error;
    json_t *description;

    if (!bundle_load(path, &blob, &error)) {
        *status = cli_fail(access(path, R_OK) == 0 ? CLI_FAILED : CLI_USAGE, "%s", error.text);
        return NULL;
    }
    description = bundle_read(blob.data, blob.size, &error);
    free(blob.data);
    if (description == NULL) {
        *status = cli_fail(CLI_FAILED, "%s: %s", path, error.text);
    }
    return description;
}

static void list_domain(const char *name, const json_t *domain)
{
    const json_t *devices = json_object_get(domain, "devices");
    const char *cmdline = json_string_value(json_object_get(domain, "cmdline"));
    const char *ramdisk = json_string_value(json_object_get(domain, "ramdisk"));
    const char *device;
    json_t *value;

    printf("%s: cc %s, %lld MiB, %lld vCPUs, kernel %s, ramdisk %s\n", name,
           json_string_value(json_object_get(domain, "cc")),
           (long long)json_integer_value(json_object_get(domain, "memory")) >> 20,
           (long long)json_integer_value(json_object_get(domain, "vcpus")),
           json_string_value(json_object_get(domain, "kernel")), ramdisk ? ramdisk : "none");
    printf("    command line: %s\n", cmdline ? cmdline : "");
    json_object_foreach((json_t *)devices, device, value)
    {
        const char *image = json_string_value(json_object_get(value, "image"));

        printf("    %s: %s%s%s\n", device, json_string_value(json_object_get(value, "type")),
               image ? ", image " : "", image ? image : "");
    }
}

static int list(const char *path, bool as_json)
{
    int status = CLI_OK;
    json_t *description = load(path, &status);
    const char *name;
    json_t *value;

    if (description == NULL) {
        return status;
    }
    if (as_json) {
        json_dumpf(description, stdout, JSON_INDENT(2));
        printf("\n");
    } else {
        json_object_foreach(json_object_get(description, "images"), name, value)
        {
            printf("image %s: %lld bytes\n", name,
                   (long long)json_integer_value(json_object_get(value, "size")));
        }
        json_object_foreach(json_object_get(description, "domains"), name, value)
        {
            list_domain(name, value);
        }
    }
    json_decref(description);
    return CLI_OK;
}

/* What is of `make` alone. */
static bool reads_only(const char *command, const struct bundle_opts *o)
{
    bool good = o->output == NULL && o->from == NULL && o->domain.arch == NULL &&
                !domain_opts_given(&o->domain) && (!o->json || strcmp(command, "list") == 0);

    if (!good) {
        cli_error("bundle %s FILE takes no option%s", command,
                  strcmp(command, "list") == 0 ? " but --json" : "");
    }
    return good;
}

static int check(const char *path)
{
    int status = CLI_OK;
    json_t *description = load(path, &status);

    if (description == NULL) {
        return status;
    }
    printf("%s: %zu domains, %zu images, no error\n", path,
           json_object_size(json_object_get(description, "domains")),
           json_object_size(json_object_get(description, "images")));
    json_decref(description);
    return CLI_OK;
}

int verb_bundle(int argc, char **argv)
{
    struct bundle_opts o = {0};
    const char *words[2];
    int n = opts_parse(options, &o, argc, argv, words, 2);

    if (n == -2) {
        opts_help(options, usage);
        return CLI_OK;
    }
    if (n < 0) {
        return CLI_USAGE;
    }
    if (n == 1 && strcmp(words[0], "make") == 0) {
        return make(&o);
    }
    if (n == 2 && strcmp(words[0], "list") == 0) {
        return reads_only(words[0], &o) ? list(words[1], o.json) : CLI_USAGE;
    }
    if (n == 2 && strcmp(words[0], "check") == 0) {
        return reads_only(words[0], &o) ? check(words[1]) : CLI_USAGE;
    }
    return cli_fail(CLI_USAGE, "bundle: say make, or check FILE, or list FILE; --help tells more");
}
