/* A Device Tree from a stranger, to a description. libfdt bounds every access; the rules are ours.
 */
#include "bundle_reader.h"

#include <libfdt.h>
#include <stdio.h>
#include <string.h>

/* What is needed must be there; what has a default gets it. */
static bool complete(struct reader *r, const struct prop *table, json_t *out)
{
    for (; table->name != NULL; table++) {
        if (json_object_get(out, table->name) != NULL) {
            continue;
        }
        if (table->needed) {
            return bundle_fail(r->error, "%s: %s: is missing", r->path, table->name);
        }
        if (table->otherwise != NULL) {
            json_object_set_new(out, table->name,
                                json_loads(table->otherwise, JSON_DECODE_ANY, NULL));
        }
    }
    return true;
}

static bool read_props(struct reader *r, int node, const struct prop *table, json_t *out)
{
    int at;

    fdt_for_each_property_offset(at, r->fdt, node)
    {
        const char *name = NULL;
        int length = 0;
        const void *data = fdt_getprop_by_offset(r->fdt, at, &name, &length);
        const struct prop *p;
        json_t *value;

        if (data == NULL || name == NULL) {
            return bundle_fail(r->error, "%s: a property cannot be read", r->path);
        }
        p = bundle_prop(table, name);
        if (p == NULL) {
            return bundle_fail(r->error, "%s: %.40s: is not a property of this node", r->path,
                               name);
        }
        if (json_object_get(out, name) != NULL) {
            return bundle_fail(r->error, "%s: %s: is given twice", r->path, name);
        }
        value = bundle_read_value(r, p, data, length);
        if (value == NULL) {
            return false;
        }
        json_object_set_new(out, name, value);
    }
    return complete(r, table, out);
}

static bool no_subnodes(struct reader *r, int node)
{
    int sub = fdt_first_subnode(r->fdt, node);

    if (sub >= 0) {
        const char *name = fdt_get_name(r->fdt, sub, NULL);

        return bundle_fail(r->error, "%s: %.40s: is not a node known here", r->path,
                           name ? name : "?");
    }
    return true;
}

/* Reads one subnode into a new object; false after an error. */
typedef bool read_node_fn(struct reader *r, int node, json_t *out);

static bool read_named(struct reader *r, int node, const char *parent, json_t *out,
                       read_node_fn *read)
{
    const char *name = fdt_get_name(r->fdt, node, NULL);
    const char *outer = r->path;
    char path[160];
    json_t *value;
    bool good;

    if (name == NULL || !bundle_name_ok(name)) {
        return bundle_fail(r->error, "%s: '%.40s' is not 1 to 31 characters of [a-z0-9._-]", parent,
                           name ? name : "?");
    }
    if (json_object_get(out, name) != NULL) {
        return bundle_fail(r->error, "%s/%s: is there twice", parent, name);
    }
    snprintf(path, sizeof(path), "%s/%s", parent, name);
    value = json_object();
    json_object_set_new(out, name, value);
    r->path = path;
    good = read(r, node, value);
    r->path = outer;
    return good;
}

/* All subnodes of a node that has nothing else but these. */
static bool read_all(struct reader *r, int node, unsigned int max, json_t *out, read_node_fn *read)
{
    const char *parent = r->path;
    int sub;

    fdt_for_each_subnode(sub, r->fdt, node)
    {
        if (json_object_size(out) == max) {
            return bundle_fail(r->error, "%s: has more than %u nodes", parent, max);
        }
        if (!read_named(r, sub, parent, out, read)) {
            return false;
        }
    }
    if (fdt_first_property_offset(r->fdt, node) >= 0) {
        return bundle_fail(r->error, "%s: has a property, and may have none", parent);
    }
    return true;
}

static bool read_image(struct reader *r, int node, json_t *out)
{
    int length = 0;
    const void *data = fdt_getprop(r->fdt, node, "data", &length);
    int first = fdt_first_property_offset(r->fdt, node);

    if (data == NULL || length < 1) {
        return bundle_fail(r->error, "%s: data: is missing or empty", r->path);
    }
    if (fdt_next_property_offset(r->fdt, first) >= 0) {
        return bundle_fail(r->error, "%s: has a property other than data", r->path);
    }
    json_object_set_new(out, "size", json_integer(length));
    return no_subnodes(r, node);
}

static bool image_exists(struct reader *r, const json_t *object, const char *property)
{
    const char *image = json_string_value(json_object_get(object, property));

    if (image != NULL && json_object_get(r->images, image) == NULL) {
        return bundle_fail(r->error, "%s: %s: there is no image '%s'", r->path, property, image);
    }
    return true;
}

static bool disk_image_whole(struct reader *r, const json_t *device)
{
    const char *image = json_string_value(json_object_get(device, "image"));
    json_int_t size =
        json_integer_value(json_object_get(json_object_get(r->images, image), "size"));

    return size % 512 == 0 || bundle_fail(r->error,
                                          "%s: image: '%s' has %lld bytes, no multiple of "
                                          "512",
                                          r->path, image, (long long)size);
}

/* A disk is an image or a size, never both; only an image can be writable or not. */
static bool disk_consistent(struct reader *r, const json_t *device)
{
    bool image = json_object_get(device, "image") != NULL;
    bool size = json_object_get(device, "size") != NULL;

    if (image == size) {
        return bundle_fail(r->error, "%s: needs an image or a size%s", r->path,
                           image ? ", not both" : "");
    }
    if (size && json_object_get(device, "writable") != NULL) {
        return bundle_fail(r->error, "%s: writable: goes with an image only", r->path);
    }
    return size || (image_exists(r, device, "image") && disk_image_whole(r, device));
}

static bool read_device(struct reader *r, int node, json_t *out)
{
    int length = 0;
    const char *type = fdt_getprop(r->fdt, node, "type", &length);
    const struct prop *table;

    if (type == NULL || length < 1 || type[length - 1] != '\0') {
        return bundle_fail(r->error, "%s: type: is missing or no string", r->path);
    }
    table = bundle_device_props(type);
    if (table == NULL) {
        return bundle_fail(r->error, "%s: type: '%.40s' is not a kind of device", r->path, type);
    }
    return read_props(r, node, table, out) && no_subnodes(r, node) &&
           (strcmp(type, "virtio-blk") != 0 || disk_consistent(r, out));
}

static bool one_console(struct reader *r, const json_t *devices)
{
    const char *name;
    json_t *device;
    int consoles = 0;

    json_object_foreach((json_t *)devices, name, device)
    {
        const char *type = json_string_value(json_object_get(device, "type"));

        consoles += strcmp(type, "virtio-console") == 0;
        if (consoles > 1) {
            return bundle_fail(r->error, "%s/%s: type: is the second console", r->path, name);
        }
    }
    return true;
}

static bool read_devices(struct reader *r, int domain, json_t *out)
{
    const char *outer = r->path;
    char path[160];
    int sub;
    bool seen = false;

    fdt_for_each_subnode(sub, r->fdt, domain)
    {
        const char *name = fdt_get_name(r->fdt, sub, NULL);
        json_t *devices = json_object();
        bool good;

        json_object_set_new(out, "devices", devices);
        if (name == NULL || strcmp(name, "devices") != 0 || seen) {
            return bundle_fail(r->error, "%s: %.40s: is not a node known here, or there twice",
                               outer, name ? name : "?");
        }
        seen = true;
        snprintf(path, sizeof(path), "%s/devices", outer);
        r->path = path;
        good =
            read_all(r, sub, BUNDLE_DEVICES_MAX, devices, read_device) && one_console(r, devices);
        r->path = outer;
        if (!good) {
            return false;
        }
    }
    return true;
}

/* Is it a property of one technology's domains, and this domain of another? */
static bool of_its_kind(struct reader *r, const json_t *domain, const char *property)
{
    static const char *const kinds[][2] = {{"snp-", "sev-snp"}, {"tdx-", "tdx"}, {"cca-", "cca"}};
    const char *cc = json_string_value(json_object_get(domain, "cc"));

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strncmp(property, kinds[i][0], strlen(kinds[i][0])) == 0 &&
            strcmp(cc, kinds[i][1]) != 0) {
            return bundle_fail(r->error, "%s: %s: goes with cc %s only", r->path, property,
                               kinds[i][1]);
        }
    }
    return true;
}

/* What a technology's firmware gets: hv/domain/bundle_snp.c, _tdx.c and _cca.c have the same. */
static bool firmware_consistent(struct reader *r, const json_t *domain)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)domain, name, value)
    {
        if (!of_its_kind(r, domain, name)) {
            return false;
        }
    }
    for (const struct sized_image *i = bundle_sized_images; i->property != NULL; i++) {
        const json_t *image = json_object_get(domain, i->property);
        json_int_t size = json_integer_value(
            json_object_get(json_object_get(r->images, json_string_value(image)), "size"));

        if (!image_exists(r, domain, i->property)) {
            return false;
        }
        if (image != NULL && (size < i->min || size > i->max)) {
            return i->min == i->max
                       ? bundle_fail(r->error, "%s: %s: the image has %lld bytes, not %lld",
                                     r->path, i->property, (long long)size, i->min)
                       : bundle_fail(r->error, "%s: %s: the image has %lld bytes, not %lld to %lld",
                                     r->path, i->property, (long long)size, i->min, i->max);
        }
    }
    return true;
}

static bool id_block_consistent(struct reader *r, const json_t *domain)
{
    if ((json_object_get(domain, "snp-id-block") != NULL) !=
        (json_object_get(domain, "snp-id-auth") != NULL)) {
        return bundle_fail(r->error, "%s: snp-id-block and snp-id-auth go together", r->path);
    }
    return json_object_get(domain, "snp-author-key") == NULL ||
           json_object_get(domain, "snp-id-auth") != NULL ||
           bundle_fail(r->error, "%s: snp-author-key: goes with snp-id-auth only", r->path);
}

/* hv/domain/bundle_domain.c has the same rule. */
static bool abi_consistent(struct reader *r, const json_t *domain)
{
    return strcmp(json_string_value(json_object_get(domain, "abi")), "xen") != 0 ||
           strcmp(json_string_value(json_object_get(domain, "cc")), "none") == 0 ||
           bundle_fail(r->error, "%s: abi: 'xen' is not for a confidential domain", r->path);
}

static bool read_domain(struct reader *r, int node, json_t *out)
{
    return read_props(r, node, bundle_domain_props, out) && read_devices(r, node, out) &&
           image_exists(r, out, "kernel") && image_exists(r, out, "ramdisk") &&
           firmware_consistent(r, out) && id_block_consistent(r, out) && abi_consistent(r, out);
}

static bool read_section(struct reader *r, int root, const char *name, unsigned int max,
                         json_t *out, read_node_fn *read)
{
    char path[16];
    int node = fdt_subnode_offset(r->fdt, root, name);
    const char *found = node < 0 ? NULL : fdt_get_name(r->fdt, node, NULL);

    if (found == NULL || strcmp(found, name) != 0) { /* libfdt also finds "images@1" */
        return bundle_fail(r->error, "/%s: is missing", name);
    }
    snprintf(path, sizeof(path), "/%s", name);
    r->path = path;
    return read_all(r, node, max, out, read);
}

static bool read_root(struct reader *r, json_t *out)
{
    static const struct prop root_props[] = {
        {.name = "compatible", .kind = PROP_FIXED, .needed = true, .text = "cloister,bundle-v1"},
        {.name = NULL},
    };
    json_t *own = json_object();
    json_t *domains = json_object();
    int sub;
    int nodes = 0;
    bool good;

    r->images = json_object();
    json_object_set_new(out, "images", r->images);
    json_object_set_new(out, "domains", domains);
    r->path = "/";
    good = read_props(r, 0, root_props, own);
    json_decref(own);
    fdt_for_each_subnode(sub, r->fdt, 0)
    {
        nodes++;
    }
    good = good && read_section(r, 0, "images", BUNDLE_IMAGES_MAX, r->images, read_image) &&
           read_section(r, 0, "domains", BUNDLE_DOMAINS_MAX, domains, read_domain);
    if (good && nodes != 2) {
        return bundle_fail(r->error, "/: has nodes other than images and domains");
    }
    if (good && json_object_size(domains) == 0) {
        return bundle_fail(r->error, "/domains: has no domain");
    }
    return good;
}

json_t *bundle_read(const void *dtb, size_t size, struct bundle_error *error)
{
    struct reader r = {.fdt = dtb, .error = error};
    json_t *out;
    int status;

    if (size < sizeof(struct fdt_header)) {
        bundle_fail(error, "%zu bytes are no Device Tree", size);
        return NULL;
    }
    status = fdt_check_full(dtb, size);
    if (status != 0) {
        bundle_fail(error, "not a sound Device Tree: %s", fdt_strerror(status));
        return NULL;
    }
    if (fdt_num_mem_rsv(dtb) != 0) {
        bundle_fail(error, "/: a bundle has no memory reservations");
        return NULL;
    }
    out = json_object();
    if (!read_root(&r, out)) {
        json_decref(out);
        return NULL;
    }
    return out;
}
