/* cloister measure td-layout: the MRTD of a list of pages, as a direct boot has. */
#include "attest_common.h"
#include "attest_measure.h"
#include "cli.h"

#include <attest/hex.h>
#include <attest/measure_tdx.h>
#include <attest/policy.h>

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "Usage: cloister measure td-layout [--order page|region] FILE\n"
    "\n"
    "FILE is JSON: a list of regions in the order in which they are added, each\n"
    "  {\"gpa\": \"0x200000\", \"file\": \"kernel.bin\"}    measured, padded to pages with zeros\n"
    "  {\"gpa\": \"0x1000\", \"size\": 4096}              added without its contents\n"
    "\"size\" may also enlarge a file's region. Files are found beside FILE.";

struct options {
    const char *order;
};

static const struct opt table[] = {
    {"order", "ORDER", "page: add and extend page by page, as KVM does (default); region",
     OPT_STRING, offsetof(struct options, order), 0, 0},
    {NULL, NULL, NULL, OPT_FLAG, 0, 0, 0},
};

struct layout {
    const char *file;
    size_t count;
    struct tdx_region *region;
};

static bool load_contents(const char *layout, const char *name, struct tdx_region *r)
{
    struct blob b;
    bool ok = blob_load_beside(layout, name, IMAGE_MAX, &b);

    if (ok) {
        r->data = b.p;
        r->data_len = b.len;
        r->extend = true;
        if (r->size == 0) {
            r->size = (b.len + TDX_PAGE_SIZE - 1) / TDX_PAGE_SIZE * TDX_PAGE_SIZE;
        }
    }
    return ok;
}

static int read_region(struct layout *l, const json_t *j, size_t index)
{
    static const char *const keys[] = {"gpa", "file", "size", NULL};
    struct tdx_region *r = &l->region[l->count++];
    struct attest_error err = {0};
    const char *file = NULL;
    char path[32];

    snprintf(path, sizeof(path), "layout[%zu]", index);
    if (pj_only_keys(j, path, keys, &err) != ATTEST_OK ||
        pj_string(j, path, "file", &file, &err) != ATTEST_OK ||
        pj_uint(j, path, "gpa", INT64_MAX, &r->gpa, &err) != ATTEST_OK ||
        pj_uint(j, path, "size", IMAGE_MAX, &r->size, &err) != ATTEST_OK) {
        return attest_complain(&err);
    }
    if (json_object_get(j, "gpa") == NULL || (file == NULL && r->size == 0)) {
        return cli_fail(CLI_USAGE, "%s: wants gpa, and file or size; see --help", path);
    }
    return file == NULL || load_contents(l->file, file, r) ? CLI_OK : CLI_USAGE;
}

static int measure(struct layout *l, const json_t *list, enum tdx_build_order order)
{
    struct attest_error err = {0};
    uint8_t mrtd[MRTD_SIZE];
    char hex[2 * MRTD_SIZE + 1];
    int rc = CLI_OK;

    for (size_t i = 0; i < json_array_size(list) && rc == CLI_OK; i++) {
        rc = read_region(l, json_array_get(list, i), i);
    }
    if (rc != CLI_OK) {
        return rc;
    }
    if (tdx_mrtd(l->region, l->count, order, mrtd, &err) != ATTEST_OK) {
        return attest_complain(&err);
    }
    printf("%s\n", hex_encode(mrtd, sizeof(mrtd), hex));
    return CLI_OK;
}

static int measure_file(const char *file, enum tdx_build_order order)
{
    struct layout l = {.file = file};
    json_t *list = json_from_file(file);
    int rc;

    if (!json_is_array(list) || json_array_size(list) == 0) {
        rc = list == NULL ? CLI_USAGE : cli_fail(CLI_USAGE, "%s: not a list of regions", file);
        json_decref(list);
        return rc;
    }
    l.region = cli_alloc(json_array_size(list) * sizeof(*l.region));
    rc = measure(&l, list, order);
    for (size_t i = 0; i < l.count; i++) {
        free((void *)(uintptr_t)l.region[i].data);
    }
    free(l.region);
    json_decref(list);
    return rc;
}

int measure_td_layout(int argc, char **argv)
{
    struct options o = {0};
    int rc;
    const char *file =
        opts_one(table, &o, argc, argv, usage, "measure td-layout wants a FILE", &rc);

    if (file == NULL) {
        return rc;
    }
    if (o.order != NULL && strcmp(o.order, "page") != 0 && strcmp(o.order, "region") != 0) {
        return cli_fail(CLI_USAGE, "--order is page or region, not '%s'", o.order);
    }
    return measure_file(file, o.order != NULL && strcmp(o.order, "region") == 0 ? TDX_ORDER_REGION
                                                                                : TDX_ORDER_PAGE);
}
