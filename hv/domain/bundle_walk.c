/* Nodes and properties of a bundle whose shape bundle.c has checked. */
#include "bundle_walk.h"

#include <libfdt.h>

#include "hv/string.h"
#include "text.h"

enum abi_status walk_fail(const struct walk *w, const char *fmt, ...)
{
    char prefix[sizeof(w->path) + 2];
    va_list ap;

    snprintf(prefix, sizeof(prefix), "%s: ", w->path);
    va_start(ap, fmt);
    message_vformat(w->err, w->err_size, prefix, fmt, ap);
    va_end(ap);
    return ABI_BAD_FORMAT;
}

void walk_path(struct walk *w, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(w->path, sizeof(w->path), fmt, ap);
    va_end(ap);
}

static enum abi_status prop_take(const struct walk *w, int at, struct prop *p, size_t n)
{
    const char *name;
    int len;
    const uint8_t *data = fdt_getprop_by_offset(w->fdt, at, &name, &len);

    if (data == NULL) {
        return walk_fail(w, "unreadable property: %s", fdt_strerror(len));
    }
    for (size_t i = 0; i < n; i++) {
        if (strcmp(name, p[i].name) != 0) {
            continue;
        }
        if (p[i].data != NULL) {
            return walk_fail(w, "%s: given twice", name);
        }
        p[i].data = data;
        p[i].len = (size_t)len;
        return ABI_OK;
    }
    return walk_fail(w, "unknown property '%.31s'", name);
}

enum abi_status props_read(const struct walk *w, int node, struct prop *p, size_t n)
{
    int at;

    for (at = fdt_first_property_offset(w->fdt, node); at >= 0;
         at = fdt_next_property_offset(w->fdt, at)) {
        enum abi_status st = prop_take(w, at, p, n);

        if (st != ABI_OK) {
            return st;
        }
    }
    if (at != -FDT_ERR_NOTFOUND) {
        return walk_fail(w, "unreadable property: %s", fdt_strerror(at));
    }
    for (size_t i = 0; i < n; i++) {
        if (p[i].needed && p[i].data == NULL) {
            return walk_fail(w, "%s: is missing", p[i].name);
        }
    }
    return ABI_OK;
}

enum abi_status prop_string(const struct walk *w, const struct prop *p, size_t max, const char **v)
{
    const uint8_t *nul;

    if (p->data == NULL) {
        return ABI_OK;
    }
    nul = memchr(p->data, 0, MIN(p->len, max + 1));
    if (nul == NULL && p->len > max) {
        return walk_fail(w, "%s: longer than %zu characters", p->name, max);
    }
    if (nul == NULL) {
        return walk_fail(w, "%s: not an ended string", p->name);
    }
    if (nul != p->data + p->len - 1) {
        return walk_fail(w, "%s: more than one string", p->name);
    }
    *v = (const char *)p->data;
    return ABI_OK;
}

enum abi_status prop_u32(const struct walk *w, const struct prop *p, uint32_t min, uint32_t max,
                         uint32_t *v)
{
    uint32_t n;

    if (p->data == NULL) {
        return ABI_OK;
    }
    if (p->len != sizeof(n)) {
        return walk_fail(w, "%s: %zu bytes, not one cell", p->name, p->len);
    }
    n = fdt32_ld((const fdt32_t *)p->data);
    if (n < min || n > max) {
        return walk_fail(w, "%s: %u is not in %u to %u", p->name, n, min, max);
    }
    *v = n;
    return ABI_OK;
}

enum abi_status prop_u64(const struct walk *w, const struct prop *p, uint64_t *v)
{
    if (p->data == NULL) {
        return ABI_OK;
    }
    if (p->len != sizeof(*v)) {
        return walk_fail(w, "%s: %zu bytes, not two cells", p->name, p->len);
    }
    *v = fdt64_ld((const fdt64_t *)p->data);
    return ABI_OK;
}

enum abi_status prop_empty(const struct walk *w, const struct prop *p, bool *v)
{
    if (p->len != 0) {
        return walk_fail(w, "%s: has a value, but is only present or not", p->name);
    }
    *v = p->data != NULL;
    return ABI_OK;
}

bool name_is_valid(const char *name)
{
    size_t len = strnlen(name, NAME_MAX_LEN + 1);

    for (size_t i = 0; i < len; i++) {
        char c = name[i];

        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '.' && c != '_' &&
            c != '-') {
            return false;
        }
    }
    return len >= 1 && len <= NAME_MAX_LEN;
}

enum abi_status prop_name(const struct walk *w, const struct prop *p, const char **v)
{
    enum abi_status st = prop_string(w, p, NAME_MAX_LEN, v);

    if (st == ABI_OK && p->data != NULL && !name_is_valid(*v)) {
        return walk_fail(w, "%s: '%s': a name is 1 to 31 of [a-z0-9._-]", p->name, *v);
    }
    return st;
}

enum abi_status prop_image(const struct walk *w, const struct prop *p, struct blob *v)
{
    const char *name = NULL;
    enum abi_status st = prop_name(w, p, &name);
    int node, len;

    if (st != ABI_OK || name == NULL) {
        return st;
    }
    fdt_for_each_subnode (node, w->fdt, w->images) {
        if (strcmp(name, fdt_get_name(w->fdt, node, NULL)) == 0) {
            /* Checked already: `data` is an image's only property, and there. */
            v->data = fdt_getprop(w->fdt, node, "data", &len);
            v->len = (size_t)len;
            return ABI_OK;
        }
    }
    return walk_fail(w, "%s: there is no image '%s'", p->name, name);
}

enum abi_status prop_sized(const struct walk *w, const struct prop *p, size_t min, size_t max,
                           struct blob *v)
{
    enum abi_status st = prop_image(w, p, v);

    if (st != ABI_OK || p->data == NULL || (v->len >= min && v->len <= max)) {
        return st;
    }
    return min == max ? walk_fail(w, "%s: the image has %zu bytes, not %zu", p->name, v->len, min)
                      : walk_fail(w, "%s: the image has %zu bytes, not %zu to %zu", p->name,
                                  v->len, min, max);
}

enum abi_status props_only_for(const struct walk *w, const struct prop *p, size_t n, bool is_kind,
                               const char *text)
{
    for (size_t i = 0; i < n && !is_kind; i++) {
        if (p[i].data != NULL) {
            return walk_fail(w, "%s: only with cc = \"%s\"", p[i].name, text);
        }
    }
    return ABI_OK;
}

/* Is there an earlier sibling of that name? At most BUNDLE_IMAGES_MAX of them. */
static bool name_is_taken(const struct walk *w, int parent, int node)
{
    const char *name = fdt_get_name(w->fdt, node, NULL);
    int other;

    fdt_for_each_subnode (other, w->fdt, parent) {
        if (other == node) {
            return false;
        }
        if (strcmp(name, fdt_get_name(w->fdt, other, NULL)) == 0) {
            return true;
        }
    }
    return false;
}

enum abi_status subnodes_check(const struct walk *w, int node, uint32_t max, uint32_t *count)
{
    int sub;

    *count = 0;
    fdt_for_each_subnode (sub, w->fdt, node) {
        const char *name = fdt_get_name(w->fdt, sub, NULL);

        if (!name_is_valid(name)) {
            return walk_fail(w, "node '%.31s': a name is 1 to 31 of [a-z0-9._-]", name);
        }
        if (++*count > max) {
            return walk_fail(w, "more than %u nodes", max);
        }
        if (name_is_taken(w, node, sub)) {
            return walk_fail(w, "node '%s': given twice", name);
        }
    }
    return ABI_OK;
}

enum abi_status no_subnodes(const struct walk *w, int node)
{
    int sub = fdt_first_subnode(w->fdt, node);

    if (sub >= 0) {
        return walk_fail(w, "unknown node '%.31s'", fdt_get_name(w->fdt, sub, NULL));
    }
    return ABI_OK;
}
