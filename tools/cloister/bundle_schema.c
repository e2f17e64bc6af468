/* docs/bundle.md as tables. */
#include "bundle_schema.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const struct prop bundle_domain_props[] = {
    {.name = "compatible", .kind = PROP_FIXED, .needed = true, .text = "cloister,domain-v1"},
    {.name = "abi", .kind = PROP_CHOICE, .needed = true, .text = "1.0|1.1|1.2|xen"},
    {.name = "features",
     .kind = PROP_WORDS,
     .text = "core|buffers|events|sharing|console|time|evidence|control|create|"
             "control-port",
     .max = 10},
    {.name = "peers", .kind = PROP_WORDS, .max = 8},
    {.name = "create-memory", .kind = PROP_U64, .max = UINT64_MAX, .step = 1},
    {.name = "create-domains", .kind = PROP_U32, .max = 64},
    {.name = "cc", .kind = PROP_CHOICE, .text = "none|sev-snp|tdx|cca", .otherwise = "\"none\""},
    {.name = "memory",
     .kind = PROP_U64,
     .needed = true,
     .min = BUNDLE_MEMORY_STEP,
     .max = BUNDLE_MEMORY_MAX,
     .step = BUNDLE_MEMORY_STEP},
    {.name = "vcpus", .kind = PROP_U32, .otherwise = "1", .min = 1, .max = BUNDLE_VCPUS_MAX},
    {.name = "kernel", .kind = PROP_NAME, .needed = true},
    {.name = "ramdisk", .kind = PROP_NAME},
    {.name = "cmdline", .kind = PROP_STRING, .max = BUNDLE_CMDLINE_MAX},
    {.name = "weight", .kind = PROP_U32, .otherwise = "100", .min = 1, .max = 10000},
    {.name = "affinity", .kind = PROP_MASK},
    {.name = "prefault", .kind = PROP_EMPTY},
    {.name = "on-reboot",
     .kind = PROP_CHOICE,
     .text = "restart|destroy",
     .otherwise = "\"restart\""},
    {.name = "snp-policy", .kind = PROP_MASK},
    {.name = "snp-host-data", .kind = PROP_NAME},
    {.name = "snp-id-block", .kind = PROP_NAME},
    {.name = "snp-id-auth", .kind = PROP_NAME},
    {.name = "snp-author-key", .kind = PROP_EMPTY},
    {.name = "snp-certs", .kind = PROP_NAME},
    {.name = "tdx-mrconfigid", .kind = PROP_NAME},
    {.name = "tdx-mrowner", .kind = PROP_NAME},
    {.name = "tdx-mrownerconfig", .kind = PROP_NAME},
    {.name = "cca-rpv", .kind = PROP_NAME},
    {.name = "cca-hash", .kind = PROP_CHOICE, .text = "sha-512|sha-256"},
    {.name = NULL},
};

const struct sized_image bundle_sized_images[] = {
    {"snp-host-data", 32, 32},
    {"snp-id-block", 96, 96},
    {"snp-id-auth", 4096, 4096},
    {"snp-certs", 24, 256 << 10},
    {"tdx-mrconfigid", 48, 48},
    {"tdx-mrowner", 48, 48},
    {"tdx-mrownerconfig", 48, 48},
    {"cca-rpv", 64, 64},
    {NULL, 0, 0},
};

static const struct prop plain_props[] = {
    {.name = "type", .kind = PROP_STRING, .needed = true, .max = BUNDLE_NAME_MAX},
    {.name = NULL},
};

static const struct prop blk_props[] = {
    {.name = "type", .kind = PROP_STRING, .needed = true, .max = BUNDLE_NAME_MAX},
    {.name = "image", .kind = PROP_NAME},
    {.name = "size", .kind = PROP_U64, .min = 512, .max = BUNDLE_MEMORY_MAX, .step = 512},
    {.name = "writable", .kind = PROP_EMPTY},
    {.name = NULL},
};

static const struct prop net_props[] = {
    {.name = "type", .kind = PROP_STRING, .needed = true, .max = BUNDLE_NAME_MAX},
    {.name = "network", .kind = PROP_NAME, .needed = true},
    {.name = "mac", .kind = PROP_MAC},
    {.name = NULL},
};

static const struct {
    const char *type;
    const struct prop *props;
} device_types[] = {
    {"virtio-console", plain_props},
    {"virtio-blk", blk_props},
    {"virtio-rng", plain_props},
    {"virtio-net", net_props},
};

const struct prop *bundle_device_props(const char *type)
{
    for (size_t i = 0; i < sizeof(device_types) / sizeof(device_types[0]); i++) {
        if (strcmp(device_types[i].type, type) == 0) {
            return device_types[i].props;
        }
    }
    return NULL;
}

const struct prop *bundle_prop(const struct prop *table, const char *name)
{
    for (; table->name != NULL; table++) {
        if (strcmp(table->name, name) == 0) {
            return table;
        }
    }
    return NULL;
}

bool bundle_choice(const char *choices, const char *word)
{
    size_t length = strlen(word);

    while (*choices != '\0') {
        size_t n = strcspn(choices, "|");

        if (n == length && memcmp(choices, word, n) == 0) {
            return true;
        }
        choices += n + (choices[n] == '|');
    }
    return false;
}

bool bundle_name_ok(const char *name)
{
    size_t n = strlen(name);

    return n >= 1 && n <= BUNDLE_NAME_MAX &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-") == n;
}

bool bundle_fail(struct bundle_error *error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(error->text, sizeof(error->text), format, args);
    va_end(args);
    /* It may quote a stranger's bytes: none of them reaches a terminal as a control. */
    for (char *c = error->text; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20 || (unsigned char)*c > 0x7e) {
            *c = '?';
        }
    }
    return false;
}
