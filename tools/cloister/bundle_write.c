/* A description to a Device Tree, by the same tables that read it. */
#include "bundle_schema.h"

#include "cli.h"
#include "opts.h"

#include <errno.h>
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct writer {
    void *fdt;
    const char *directory;
    struct bundle_error *error;
    int status; /* the first error of libfdt */
};

static void keep(struct writer *w, int status)
{
    if (w->status == 0) {
        w->status = status;
    }
}

/* Numbers may be JSON numbers, or text: a size with a suffix, or a mask in hex. */
static bool number_of(const struct prop *p, const json_t *value, uint64_t *out)
{
    const char *text = json_string_value(value);
    char *end;

    if (json_is_integer(value)) {
        *out = (uint64_t)json_integer_value(value);
        return json_integer_value(value) >= 0;
    }
    if (text == NULL) {
        return false;
    }
    if (p->kind == PROP_MASK && strncmp(text, "0x", 2) == 0 && strlen(text) <= 18) {
        *out = strtoull(text + 2, &end, 16);
        return text[2] != '\0' && text[2] != '-' && text[2] != '+' && *end == '\0';
    }
    return opts_size(text, out);
}

static bool write_number(struct writer *w, const struct prop *p, const json_t *value)
{
    uint64_t v;

    if (!number_of(p, value, &v) || (p->kind == PROP_U32 && v > UINT32_MAX)) {
        return false;
    }
    keep(w, p->kind == PROP_U32 ? fdt_property_u32(w->fdt, p->name, (uint32_t)v)
                                : fdt_property_u64(w->fdt, p->name, v));
    return true;
}

static bool write_mac(struct writer *w, const struct prop *p, const json_t *value)
{
    const char *text = json_string_value(value);
    unsigned char mac[6];
    int used = 0;

    if (text == NULL || strlen(text) != 17 || strspn(text, "0123456789abcdefABCDEF:") != 17 ||
        sscanf(text, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n", &mac[0], &mac[1], &mac[2], &mac[3],
               &mac[4], &mac[5], &used) != 6 ||
        used != 17) {
        return false;
    }
    keep(w, fdt_property(w->fdt, p->name, mac, sizeof(mac)));
    return true;
}

/* An array of words that have no NUL in them: what they may be is for the reader. */
static bool write_words(struct writer *w, const struct prop *p, const json_t *value)
{
    size_t i, used = 0;
    json_t *word;
    char list[512];

    if (!json_is_array(value) || json_array_size(value) > p->max) {
        return false;
    }
    json_array_foreach((json_t *)value, i, word)
    {
        const char *text = json_string_value(word);

        if (text == NULL || strlen(text) > BUNDLE_NAME_MAX) {
            return false;
        }
        memcpy(list + used, text, strlen(text) + 1);
        used += strlen(text) + 1;
    }
    keep(w, fdt_property(w->fdt, p->name, list, (int)used));
    return true;
}

static bool write_value(struct writer *w, const struct prop *p, const json_t *value)
{
    switch (p->kind) {
    case PROP_U32:
    case PROP_U64:
    case PROP_MASK:
        return write_number(w, p, value);
    case PROP_EMPTY:
        if (json_is_true(value)) {
            keep(w, fdt_property(w->fdt, p->name, NULL, 0));
        }
        return json_is_boolean(value);
    case PROP_MAC:
        return write_mac(w, p, value);
    case PROP_WORDS:
        return write_words(w, p, value);
    case PROP_FIXED:
    case PROP_CHOICE:
    case PROP_STRING:
    case PROP_NAME:
        if (json_is_string(value)) {
            keep(w, fdt_property_string(w->fdt, p->name, json_string_value(value)));
        }
        return json_is_string(value);
    }
    return false;
}

/* A fixed text, or the first choice where one is needed: a description may leave them out. */
static void write_given(struct writer *w, const struct prop *p)
{
    if (p->kind == PROP_FIXED || (p->kind == PROP_CHOICE && p->needed)) {
        char text[32];

        snprintf(text, sizeof(text), "%.*s", (int)strcspn(p->text, "|"), p->text);
        keep(w, fdt_property_string(w->fdt, p->name, text));
    }
}

static bool write_props(struct writer *w, const char *path, const struct prop *table,
                        const json_t *node)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)node, name, value)
    {
        const struct prop *p = bundle_prop(table, name);

        if (strcmp(name, "devices") == 0 && table == bundle_domain_props) {
            continue;
        }
        if (p == NULL) {
            return bundle_fail(w->error, "%s: %.40s: is not a property of this node", path, name);
        }
        if (!write_value(w, p, value)) {
            return bundle_fail(w->error, "%s: %s: has an impossible value", path, name);
        }
    }
    for (; table->name != NULL; table++) {
        if (json_object_get(node, table->name) == NULL) {
            write_given(w, table);
        }
    }
    return true;
}

typedef bool write_node_fn(struct writer *w, const char *path, const json_t *node);

static bool write_all(struct writer *w, const char *parent, const json_t *nodes,
                      write_node_fn *write)
{
    const char *name;
    json_t *node;
    char path[160];

    if (!json_is_object(nodes)) {
        return bundle_fail(w->error, "%s: is missing or no object", parent);
    }
    json_object_foreach((json_t *)nodes, name, node)
    {
        if (!bundle_name_ok(name)) {
            return bundle_fail(w->error, "%s: '%.40s' is not 1 to 31 characters of [a-z0-9._-]",
                               parent, name);
        }
        snprintf(path, sizeof(path), "%s/%s", parent, name);
        keep(w, fdt_begin_node(w->fdt, name));
        if (!write(w, path, node)) {
            return false;
        }
        keep(w, fdt_end_node(w->fdt));
    }
    return true;
}

static bool write_device(struct writer *w, const char *path, const json_t *node)
{
    const char *type = json_string_value(json_object_get(node, "type"));
    const struct prop *table = type ? bundle_device_props(type) : NULL;

    if (table == NULL) {
        return bundle_fail(w->error, "%s: type: '%.40s' is not a kind of device", path,
                           type ? type : "");
    }
    return write_props(w, path, table, node);
}

static bool write_domain(struct writer *w, const char *path, const json_t *node)
{
    const json_t *devices = json_object_get(node, "devices");
    char below[200];

    if (!json_is_object(node)) {
        return bundle_fail(w->error, "%s: is no object", path);
    }
    if (!write_props(w, path, bundle_domain_props, node)) {
        return false;
    }
    if (devices != NULL) {
        snprintf(below, sizeof(below), "%s/devices", path);
        keep(w, fdt_begin_node(w->fdt, "devices"));
        if (!write_all(w, below, devices, write_device)) {
            return false;
        }
        keep(w, fdt_end_node(w->fdt));
    }
    return true;
}

static char *image_path(struct writer *w, const json_t *image)
{
    const char *file = json_string_value(image);

    if (file == NULL) {
        return NULL;
    }
    return file[0] == '/' ? cli_format("%s", file) : cli_format("%s/%s", w->directory, file);
}

static bool write_image(struct writer *w, const char *path, const json_t *image)
{
    struct bundle_blob blob;
    char *file = image_path(w, image);
    bool good;

    if (file == NULL) {
        return bundle_fail(w->error, "%s: must be the path of a file", path);
    }
    good = bundle_load(file, &blob, w->error);
    free(file);
    if (!good) {
        return false;
    }
    keep(w, fdt_property(w->fdt, "data", blob.data, (int)blob.size));
    free(blob.data);
    return true;
}

static bool write_tree(struct writer *w, const json_t *description)
{
    keep(w, fdt_finish_reservemap(w->fdt));
    keep(w, fdt_begin_node(w->fdt, ""));
    keep(w, fdt_property_string(w->fdt, "compatible", "cloister,bundle-v1"));
    keep(w, fdt_begin_node(w->fdt, "images"));
    if (!write_all(w, "/images", json_object_get(description, "images"), write_image)) {
        return false;
    }
    keep(w, fdt_end_node(w->fdt));
    keep(w, fdt_begin_node(w->fdt, "domains"));
    if (!write_all(w, "/domains", json_object_get(description, "domains"), write_domain)) {
        return false;
    }
    keep(w, fdt_end_node(w->fdt));
    keep(w, fdt_end_node(w->fdt));
    keep(w, fdt_finish(w->fdt));
    return w->status == 0 ||
           bundle_fail(w->error, "cannot write the Device Tree: %s", fdt_strerror(w->status));
}

/* Bytes of an image's file; -1 after an error. */
static off_t image_size(struct writer *w, const char *name, const json_t *image)
{
    char *file = image_path(w, image);
    struct stat st;
    off_t size = -1;

    if (file == NULL) {
        bundle_fail(w->error, "/images/%.40s: must be the path of a file", name);
    } else if (stat(file, &st) != 0 || access(file, R_OK) != 0) {
        bundle_fail(w->error, "/images/%.40s: %.200s: %s", name, file, strerror(errno));
    } else if (!S_ISREG(st.st_mode)) {
        bundle_fail(w->error, "/images/%.40s: %.200s is no file", name, file);
    } else {
        size = st.st_size;
    }
    free(file);
    return size;
}

/* Bytes that the images will need; 0 after an error. */
static uint64_t images_sum(struct writer *w, const json_t *images)
{
    uint64_t sum = 1 << 20; /* descriptions: 64 domains of 2 KiB command line and 16 devices */
    const char *name;
    json_t *image;

    json_object_foreach((json_t *)images, name, image)
    {
        off_t size = image_size(w, name, image);

        if (size < 0) {
            return 0;
        }
        if ((uint64_t)size > BUNDLE_IMAGES_SUM || sum + (uint64_t)size > BUNDLE_IMAGES_SUM) {
            bundle_fail(w->error, "/images/%.40s: with it, images are over 1 GiB in all", name);
            return 0;
        }
        sum += (uint64_t)size + 64;
    }
    return sum;
}

bool bundle_write(const json_t *description, const char *directory, struct bundle_blob *out,
                  struct bundle_error *error)
{
    struct writer w = {.directory = directory, .error = error};
    uint64_t room = images_sum(&w, json_object_get(description, "images"));
    json_t *back;

    if (room == 0) {
        return false;
    }
    w.fdt = cli_alloc(room);
    keep(&w, fdt_create(w.fdt, (int)room));
    if (!write_tree(&w, description)) {
        free(w.fdt);
        return false;
    }
    out->data = w.fdt;
    out->size = fdt_totalsize(w.fdt);
    back = bundle_read(out->data, out->size, error);
    if (back == NULL) {
        free(w.fdt);
        return false;
    }
    json_decref(back);
    return true;
}
