/* cloister measure snp: a guest that a VMM launches from a firmware image. */
#include "attest_common.h"
#include "attest_measure.h"
#include "cli.h"

#include <attest/hex.h>
#include <attest/measure_snp.h>

#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "Usage: cloister measure snp --firmware FILE [OPTION...]\n"
    "\n"
    "Prints the launch digest that a report will show as MEASUREMENT. With --id-key, also an ID\n"
    "block and its authentication (base64), and the key digests that the report will show.\n"
    "With --digest instead of --firmware, that is for a digest that something else predicted,\n"
    "such as cloister measure domain.";

struct options {
    const char *firmware;
    const char *digest;
    const char *mode;
    const char *vmm;
    const char *cpu;
    const char *signature;
    uint32_t vcpus;
    const char *features;
    const char *kernel;
    const char *initrd;
    const char *append;
    const char *svsm;
    uint64_t vars;
    uint32_t threads;
    const char *id_key;
    const char *author_key;
    const char *family_id;
    const char *image_id;
    uint32_t guest_svn;
    const char *policy;
    bool json;
};

#define TEXT(name, arg, help, field)                                                               \
    {                                                                                              \
        name, arg, help, OPT_STRING, offsetof(struct options, field), 0, 0                         \
    }
#define COUNT(name, help, field, min, max)                                                         \
    {                                                                                              \
        name, "N", help, OPT_COUNT, offsetof(struct options, field), min, max                      \
    }

static const struct opt table[] = {
    TEXT("firmware", "FILE", "OVMF or another image with a GUIDed table (required)", firmware),
    TEXT("digest", "HEX", "or: the launch digest, for an ID block", digest),
    TEXT("mode", "MODE", "snp (default), sev-es or sev", mode),
    TEXT("vmm", "VMM", "qemu (default), ec2, gce or krun", vmm),
    COUNT("vcpus", "number of vCPUs; default 1", vcpus, 1, 4096),
    TEXT("cpu", "TYPE", "QEMU's CPU type; default EPYC-v4", cpu),
    TEXT("signature", "HEX", "CPUID 1 EAX instead of a CPU type", signature),
    TEXT("features", "HEX", "SEV_FEATURES of the VMSAs; default 1", features),
    TEXT("kernel", "FILE", "kernel whose hash the firmware checks", kernel),
    TEXT("initrd", "FILE", "its ramdisk", initrd),
    TEXT("append", "TEXT", "its command line", append),
    TEXT("svsm", "FILE", "SVSM image that the guest starts in", svsm),
    {"vars-size", "SIZE", "bytes of firmware variables below the firmware (with --svsm)", OPT_SIZE,
     offsetof(struct options, vars), 0, 0x40000000},
    COUNT("threads", "threads that hash; default: all processors", threads, 1, 64),
    TEXT("id-key", "PEM", "EC P-384 key: make an ID block", id_key),
    TEXT("author-key", "PEM", "EC P-384 key that signs the ID key", author_key),
    TEXT("family-id", "HEX", "16 bytes for the ID block; default zeros", family_id),
    TEXT("image-id", "HEX", "16 bytes for the ID block; default zeros", image_id),
    COUNT("guest-svn", "for the ID block; default 0", guest_svn, 0, UINT32_MAX),
    TEXT("guest-policy", "HEX", "POLICY for the ID block; default 30000", policy),
    {"json", NULL, "print JSON", OPT_FLAG, offsetof(struct options, json), 0, 0},
    {NULL, NULL, NULL, OPT_FLAG, 0, 0, 0},
};

static bool number(const char *name, const char *text, uint64_t *out)
{
    char *end;

    if (text == NULL) {
        return true;
    }
    *out = strtoull(text, &end, 16);
    if (*text == '\0' || *text == '-' || *end != '\0') {
        cli_error("--%s: '%s' is no hexadecimal number", name, text);
        return false;
    }
    return true;
}

struct files {
    struct blob firmware;
    struct blob kernel;
    struct blob initrd;
    struct blob svsm;
};

static bool load_optional(const char *path, struct blob *b)
{
    return path == NULL || blob_load(path, IMAGE_MAX, b);
}

static bool read_words(const struct options *o, struct snp_guest *g)
{
    const char *mode = o->mode != NULL ? o->mode : "snp";
    uint64_t signature = 0;

    g->mode = strcmp(mode, "sev") == 0      ? SNP_MODE_SEV
              : strcmp(mode, "sev-es") == 0 ? SNP_MODE_SEV_ES
                                            : SNP_MODE_SNP;
    if (g->mode == SNP_MODE_SNP && strcmp(mode, "snp") != 0) {
        cli_error("--mode: '%s' is none of snp, sev-es, sev", mode);
        return false;
    }
    if (!snp_vmm_named(o->vmm != NULL ? o->vmm : "qemu", &g->vmm)) {
        cli_error("--vmm: '%s' is none of qemu, ec2, gce, krun", o->vmm);
        return false;
    }
    if (!snp_cpu_named(o->cpu != NULL ? o->cpu : "EPYC-v4", &g->signature)) {
        cli_error("--cpu: '%s' is no CPU type that QEMU has for SEV; use --signature", o->cpu);
        return false;
    }
    if (!number("signature", o->signature, &signature) || signature > UINT32_MAX) {
        return false;
    }
    g->signature = o->signature != NULL ? (uint32_t)signature : g->signature;
    g->guest_features = 1;
    return number("features", o->features, &g->guest_features);
}

static bool read_guest(const struct options *o, struct snp_guest *g, struct files *f)
{
    if (!read_words(o, g) || !load_optional(o->firmware, &f->firmware) ||
        !load_optional(o->kernel, &f->kernel) || !load_optional(o->initrd, &f->initrd) ||
        !load_optional(o->svsm, &f->svsm)) {
        return false;
    }
    if (o->kernel == NULL && (o->initrd != NULL || o->append != NULL)) {
        cli_error("--initrd and --append mean nothing without --kernel");
        return false;
    }
    g->firmware = f->firmware.p;
    g->firmware_len = f->firmware.len;
    g->kernel = f->kernel.p;
    g->kernel_len = f->kernel.len;
    g->initrd = f->initrd.p;
    g->initrd_len = f->initrd.len;
    g->svsm = f->svsm.p;
    g->svsm_len = f->svsm.len;
    g->vars_size = (uint32_t)o->vars;
    g->cmdline = o->append;
    g->vcpus = o->vcpus;
    g->threads = o->threads;
    return true;
}

static void add_base64(json_t *j, const char *key, const uint8_t *p, size_t len)
{
    char *text = cli_alloc(4 * ((len + 2) / 3) + 1);

    base64_encode(p, len, false, text);
    json_object_set_new(j, key, json_string(text));
    free(text);
}

static void add_hex(json_t *j, const char *key, const uint8_t *p, size_t len)
{
    char text[97];

    json_object_set_new(j, key, json_string(hex_encode(p, len, text)));
}

static bool read_id(const struct options *o, const uint8_t ld[48], struct snp_id *id)
{
    *id = (struct snp_id){.guest_svn = o->guest_svn, .policy = 0x30000};
    memcpy(id->ld, ld, sizeof(id->ld));
    return number("guest-policy", o->policy, &id->policy) &&
           (o->family_id == NULL ||
            hex_option_exact("family-id", o->family_id, id->family_id, 16)) &&
           (o->image_id == NULL || hex_option_exact("image-id", o->image_id, id->image_id, 16));
}

static int add_id_block(const struct options *o, const uint8_t ld[48], json_t *j)
{
    EVP_PKEY *id_key = key_load(o->id_key);
    EVP_PKEY *author = o->author_key != NULL ? key_load(o->author_key) : NULL;
    struct snp_id_result *out = cli_alloc(sizeof(*out));
    struct attest_error err = {0};
    struct snp_id id;
    int rc = CLI_USAGE;

    if (id_key != NULL && (author != NULL || o->author_key == NULL) && read_id(o, ld, &id)) {
        rc = snp_id_sign(&id, id_key, author, out, &err) == ATTEST_OK ? CLI_OK
                                                                      : attest_complain(&err);
    }
    if (rc == CLI_OK) {
        add_base64(j, "id-block", out->block, sizeof(out->block));
        add_base64(j, "id-auth", out->auth, sizeof(out->auth));
        add_hex(j, "id-key-digest", out->id_key_digest, 48);
        if (author != NULL) {
            add_hex(j, "author-key-digest", out->author_key_digest, 48);
        }
    }
    EVP_PKEY_free(id_key);
    EVP_PKEY_free(author);
    free(out);
    return rc;
}

static int tell(const struct options *o, const uint8_t digest[48], size_t size)
{
    json_t *j = json_object();
    int rc = CLI_OK;

    add_hex(j, "measurement", digest, size);
    if (o->id_key != NULL) {
        rc = add_id_block(o, digest, j);
    }
    if (rc == CLI_OK && o->json) {
        print_json(stdout, j);
    } else if (rc == CLI_OK && o->id_key == NULL) {
        printf("%s\n", json_string_value(json_object_get(j, "measurement")));
    } else if (rc == CLI_OK) {
        print_tree(stdout, j, 0);
    }
    json_decref(j);
    return rc;
}

static int measure(const struct options *o, const struct snp_guest *g)
{
    struct attest_error err = {0};
    uint8_t digest[48];

    return snp_guest_measure(g, digest, &err) == ATTEST_OK
               ? tell(o, digest, snp_guest_digest_size(g->mode))
               : attest_complain(&err);
}

static int with_digest(const struct options *o)
{
    uint8_t digest[48];

    if (o->firmware != NULL) {
        return cli_fail(CLI_USAGE, "measure snp wants --firmware or --digest, not both");
    }
    return hex_option_exact("digest", o->digest, digest, sizeof(digest))
               ? tell(o, digest, sizeof(digest))
               : CLI_USAGE;
}

int measure_snp(int argc, char **argv)
{
    struct options o = {.vcpus = 1};
    struct files f = {0};
    struct snp_guest g = {0};
    int n = opts_parse(table, &o, argc, argv, NULL, 0);
    int rc = CLI_USAGE;

    if (n == -2) {
        opts_help(table, usage);
        return CLI_OK;
    }
    if (n < 0) {
        return CLI_USAGE;
    }
    if (o.digest != NULL) {
        return with_digest(&o);
    }
    if (o.firmware == NULL) {
        return cli_fail(CLI_USAGE, "measure snp wants --firmware; see --help");
    }
    if (read_guest(&o, &g, &f)) {
        rc = measure(&o, &g);
    }
    free(f.firmware.p);
    free(f.kernel.p);
    free(f.initrd.p);
    free(f.svsm.p);
    return rc;
}
