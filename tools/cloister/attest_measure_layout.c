/* cloister measure layout: the launch digest of a list of pages, as a direct boot has. */
#include "attest_common.h"
#include "attest_measure.h"
#include "cli.h"

#include <attest/hex.h>
#include <attest/measure_snp.h>
#include <attest/policy.h>

#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "Usage: cloister measure layout FILE\n"
    "\n"
    "FILE is JSON: a list of regions in launch order, each\n"
    "  {\"gpa\": \"0x200000\", \"type\": \"normal\", \"file\": \"kernel.bin\"}    padded to pages\n"
    "  {\"gpa\": \"0x1000\", \"type\": \"zero\", \"size\": 4096, \"perms\": [15, 0, 0]}\n"
    "Types: normal, vmsa, zero, unmeasured, secrets, cpuid; perms are those of VMPL 1, 2 and 3.\n"
    "A vmsa may leave out its gpa. Files are found beside FILE.";

static const struct opt table[] = {
    {NULL, NULL, NULL, OPT_FLAG, 0, 0, 0},
};

static const char *const type_names[] = {"",           "normal",  "vmsa", "zero",
                                         "unmeasured", "secrets", "cpuid"};

struct layout {
    const char *file;
    size_t count;
    struct snp_region *region;
};

static enum snp_page_type type_named(const char *name)
{
    for (size_t i = 1; i < sizeof(type_names) / sizeof(type_names[0]); i++) {
        if (name != NULL && strcmp(type_names[i], name) == 0) {
            return (enum snp_page_type)i;
        }
    }
    return 0;
}

/* Contents padded with zeros to whole pages. */
static bool load_contents(const char *layout, const char *name, struct snp_region *r)
{
    struct blob b;
    uint8_t *padded;

    if (!blob_load_beside(layout, name, IMAGE_MAX, &b)) {
        return false;
    }
    r->size = (b.len + SNP_PAGE_SIZE - 1) / SNP_PAGE_SIZE * SNP_PAGE_SIZE;
    padded = cli_alloc(r->size + 1);
    memcpy(padded, b.p, b.len);
    free(b.p);
    r->data = padded;
    return true;
}

static bool read_perms(const json_t *j, struct snp_region *r)
{
    const json_t *p = json_object_get(j, "perms");
    uint8_t *const out[3] = {&r->vmpl1_perms, &r->vmpl2_perms, &r->vmpl3_perms};

    for (size_t i = 0; i < 3 && p != NULL; i++) {
        json_int_t v = json_integer_value(json_array_get(p, i));

        if (json_array_size(p) != 3 || v < 0 || v > 15) {
            return false;
        }
        *out[i] = (uint8_t)v;
    }
    return true;
}

static int read_region(struct layout *l, const json_t *j, size_t index)
{
    static const char *const keys[] = {"gpa", "type", "file", "size", "perms", NULL};
    struct snp_region *r = &l->region[l->count++];
    struct attest_error err = {0};
    const char *type = NULL;
    const char *file = NULL;
    char path[32];

    snprintf(path, sizeof(path), "layout[%zu]", index);
    r->gpa = SNP_VMSA_GPA;
    if (pj_only_keys(j, path, keys, &err) != ATTEST_OK ||
        pj_string(j, path, "type", &type, &err) != ATTEST_OK ||
        pj_string(j, path, "file", &file, &err) != ATTEST_OK ||
        pj_uint(j, path, "gpa", INT64_MAX, &r->gpa, &err) != ATTEST_OK ||
        pj_uint(j, path, "size", IMAGE_MAX, &r->size, &err) != ATTEST_OK) {
        return attest_complain(&err);
    }
    r->type = type_named(type);
    if (r->type == 0 || !read_perms(j, r) ||
        (json_object_get(j, "gpa") == NULL && r->type != SNP_PAGE_VMSA)) {
        return cli_fail(CLI_USAGE, "%s: wants type, gpa and maybe perms; see --help", path);
    }
    return file == NULL || load_contents(l->file, file, r) ? CLI_OK : CLI_USAGE;
}

static int measure(struct layout *l, const json_t *list)
{
    struct attest_error err = {0};
    uint8_t ld[SNP_LD_SIZE];
    char hex[97];
    int rc = CLI_OK;

    for (size_t i = 0; i < json_array_size(list) && rc == CLI_OK; i++) {
        rc = read_region(l, json_array_get(list, i), i);
    }
    if (rc != CLI_OK) {
        return rc;
    }
    if (snp_launch_digest(l->region, l->count, 0, ld, &err) != ATTEST_OK) {
        return attest_complain(&err);
    }
    printf("%s\n", hex_encode(ld, sizeof(ld), hex));
    return CLI_OK;
}

int measure_layout(int argc, char **argv)
{
    struct layout l = {0};
    json_t *list;
    int rc;
    const char *file = opts_one(table, &l, argc, argv, usage, "measure layout wants a FILE", &rc);

    if (file == NULL) {
        return rc;
    }
    list = json_from_file(file);
    if (!json_is_array(list) || json_array_size(list) == 0) {
        rc = list == NULL ? CLI_USAGE : cli_fail(CLI_USAGE, "%s: not a list of regions", file);
        json_decref(list);
        return rc;
    }
    l.file = file;
    l.region = cli_alloc(json_array_size(list) * sizeof(*l.region));
    rc = measure(&l, list);
    for (size_t i = 0; i < l.count; i++) {
        free((void *)(uintptr_t)l.region[i].data);
    }
    free(l.region);
    json_decref(list);
    return rc;
}
