/*
 * Opens a bundle: the shape of the blob first, with limits that keep everything after it linear
 * (libfdt looks up names by scanning), then every node by the rules of docs/bundle.md.
 *
 * Needs libfdt and the functions of hv/string.h, nothing else of the hypervisor.
 */
#include <libfdt.h>

#include "bundle_walk.h"
#include "hv/check.h"
#include "hv/string.h"
#include "text.h"

#define DTB_VERSION 17
#define HEADER_SIZE sizeof(struct fdt_header)
#define TAGS_MAX    32768u
#define STRINGS_MAX 4096u /* the format has two dozen property names */
#define DEPTH_MAX   8     /* the format has five; what hangs below is named as unknown */

static enum abi_status check_blocks(const struct walk *w, size_t len)
{
    uint64_t rsv = fdt_off_mem_rsvmap(w->fdt);
    uint64_t tree = fdt_off_dt_struct(w->fdt);
    uint64_t strings = fdt_off_dt_strings(w->fdt);
    uint64_t total = fdt_totalsize(w->fdt);

    if (total > len) {
        return walk_fail(w, "truncated: %zu bytes of %llu", len, (unsigned long long)total);
    }
    if (fdt_size_dt_strings(w->fdt) > STRINGS_MAX) {
        return walk_fail(w, "%u bytes of property names, limit %u", fdt_size_dt_strings(w->fdt),
                         STRINGS_MAX);
    }
    /* Devicetree Specification 0.4, 5.1: header, reservations, structure, strings. */
    if (rsv < HEADER_SIZE || rsv + sizeof(struct fdt_reserve_entry) > tree ||
        tree + fdt_size_dt_struct(w->fdt) > strings ||
        strings + fdt_size_dt_strings(w->fdt) > total) {
        return walk_fail(w, "its blocks overlap or are out of order");
    }
    return ABI_OK;
}

static enum abi_status check_header(const struct walk *w, size_t len)
{
    enum abi_status st;
    int e;

    if (len < HEADER_SIZE) {
        return walk_fail(w, "truncated: %zu bytes, less than a header", len);
    }
    if (!IS_ALIGNED((uintptr_t)w->fdt, 8)) {
        return walk_fail(w, "not at an address that is a multiple of 8");
    }
    if (fdt_magic(w->fdt) != FDT_MAGIC) {
        return walk_fail(w, "not a flattened Device Tree");
    }
    if (fdt_version(w->fdt) != DTB_VERSION) {
        return walk_fail(w, "version %u, not %u", fdt_version(w->fdt), DTB_VERSION);
    }
    st = check_blocks(w, len);
    if (st != ABI_OK) {
        return st;
    }
    e = fdt_check_header(w->fdt);
    if (e != 0) {
        return walk_fail(w, "bad header: %s", fdt_strerror(e));
    }
    if (fdt_num_mem_rsv(w->fdt) != 0) {
        return walk_fail(w, "has memory reservations, which mean nothing here");
    }
    return ABI_OK;
}

struct shape {
    int depth;
    bool after_node; /* the last thing at this depth was a node */
    bool root_done;
};

static enum abi_status begin_node(const struct walk *w, struct shape *s, size_t size)
{
    if (s->root_done) {
        return walk_fail(w, "more than one root node");
    }
    if (++s->depth > DEPTH_MAX) {
        return walk_fail(w, "nodes nest deeper than %d", DEPTH_MAX);
    }
    if (size > FDT_TAGSIZE + ALIGN_UP(NAME_MAX_LEN + 1, FDT_TAGSIZE)) {
        return walk_fail(w, "a node's name is longer than %u characters", NAME_MAX_LEN);
    }
    s->after_node = false;
    return ABI_OK;
}

static enum abi_status check_property(const struct walk *w, const struct shape *s, int at)
{
    const struct fdt_property *prop = fdt_offset_ptr(w->fdt, at, sizeof(*prop));

    /* libfdt before 1.7 adds a length near 4 GiB with a wrap, and then walks in a circle. */
    if (prop == NULL || fdt32_ld(&prop->len) > INT_MAX) {
        return walk_fail(w, "a property is longer than the bundle");
    }
    /* Neither is legal, and libfdt would not see such a property. */
    if (s->after_node || s->depth == 0) {
        return walk_fail(w, "a property outside the head of a node");
    }
    return ABI_OK;
}

static enum abi_status check_tag(const struct walk *w, struct shape *s, uint32_t tag, int at,
                                 int next)
{
    switch (tag) {
    case FDT_BEGIN_NODE:
        return begin_node(w, s, (size_t)(next - at));
    case FDT_END_NODE:
        if (s->depth == 0) {
            return walk_fail(w, "a node ends that did not begin");
        }
        s->root_done = --s->depth == 0;
        s->after_node = true;
        return ABI_OK;
    case FDT_PROP:
        return check_property(w, s, at);
    case FDT_END:
        return s->root_done ? ABI_OK : walk_fail(w, "ends inside a node");
    default: /* FDT_NOP: fdt_next_tag lets nothing else pass; versions differ on those outside */
        return s->depth != 0 ? ABI_OK : walk_fail(w, "a NOP outside the root node");
    }
}

/* Walks all tags once. What passes has at most TAGS_MAX of them. */
static enum abi_status check_tags(const struct walk *w)
{
    struct shape s = {0, false, false};
    int at = 0;

    for (unsigned int n = 0; n < TAGS_MAX; n++) {
        int next;
        uint32_t tag = fdt_next_tag(w->fdt, at, &next);
        enum abi_status st;

        if (next < 0) {
            return walk_fail(w, "broken at byte %d of its structure: %s", at, fdt_strerror(next));
        }
        st = check_tag(w, &s, tag, at, next);
        if (st != ABI_OK) {
            return st;
        }
        if (tag == FDT_END && (uint32_t)next != fdt_size_dt_struct(w->fdt)) {
            return walk_fail(w, "has bytes after its end");
        }
        if (tag == FDT_END) {
            return ABI_OK;
        }
        at = next;
    }
    return walk_fail(w, "more than %u nodes and properties", TAGS_MAX);
}

static enum abi_status check_shape(const struct walk *w, size_t len)
{
    enum abi_status st = check_header(w, len);
    int e;

    if (st == ABI_OK) {
        st = check_tags(w);
    }
    if (st != ABI_OK) {
        return st;
    }
    e = fdt_check_full(w->fdt, len);
    return e == 0 ? ABI_OK : walk_fail(w, "malformed: %s", fdt_strerror(e));
}

static enum abi_status find_roots(const struct walk *w, int *images, int *domains)
{
    int sub;

    *images = -1;
    *domains = -1;
    fdt_for_each_subnode (sub, w->fdt, 0) {
        const char *name = fdt_get_name(w->fdt, sub, NULL);
        int *slot = strcmp(name, "images") == 0    ? images
                    : strcmp(name, "domains") == 0 ? domains
                                                   : NULL;

        if (slot == NULL) {
            return walk_fail(w, "unknown node '%.31s'", name);
        }
        if (*slot >= 0) {
            return walk_fail(w, "node '%s': given twice", name);
        }
        *slot = sub;
    }
    if (*images < 0 || *domains < 0) {
        return walk_fail(w, "node '%s': is missing", *images < 0 ? "images" : "domains");
    }
    return ABI_OK;
}

static enum abi_status check_root(struct walk *w, int *domains)
{
    struct prop p = {"compatible", true, NULL, 0};
    const char *s = NULL;
    enum abi_status st;

    walk_path(w, "/");
    st = props_read(w, 0, &p, 1);
    if (st == ABI_OK) {
        st = prop_string(w, &p, NAME_MAX_LEN, &s);
    }
    if (st == ABI_OK && strcmp(s, "cloister,bundle-v1") != 0) {
        return walk_fail(w, "compatible: '%s' is not 'cloister,bundle-v1'", s);
    }
    return st == ABI_OK ? find_roots(w, &w->images, domains) : st;
}

static enum abi_status check_image(struct walk *w, int node)
{
    struct prop p = {"data", true, NULL, 0};
    enum abi_status st;

    walk_path(w, "images/%s", fdt_get_name(w->fdt, node, NULL));
    st = props_read(w, node, &p, 1);
    if (st == ABI_OK) {
        st = no_subnodes(w, node);
    }
    if (st == ABI_OK && p.len == 0) {
        return walk_fail(w, "data: is empty");
    }
    return st;
}

static enum abi_status check_images(struct walk *w)
{
    enum abi_status st;
    uint32_t count;
    int sub;

    walk_path(w, "images");
    st = props_read(w, w->images, NULL, 0);
    if (st == ABI_OK) {
        st = subnodes_check(w, w->images, BUNDLE_IMAGES_MAX, &count);
    }
    if (st != ABI_OK) {
        return st;
    }
    fdt_for_each_subnode (sub, w->fdt, w->images) {
        st = check_image(w, sub);
        if (st != ABI_OK) {
            return st;
        }
    }
    return ABI_OK;
}

static enum abi_status check_domains(struct walk *w, int domains, uint32_t *count)
{
    struct domain_config cfg;
    enum abi_status st;
    int sub;

    walk_path(w, "domains");
    st = props_read(w, domains, NULL, 0);
    if (st == ABI_OK) {
        st = subnodes_check(w, domains, BUNDLE_DOMAINS_MAX, count);
    }
    if (st != ABI_OK) {
        return st;
    }
    if (*count == 0) {
        return walk_fail(w, "there is none");
    }
    fdt_for_each_subnode (sub, w->fdt, domains) {
        st = domain_parse(w, sub, &cfg);
        if (st != ABI_OK) {
            return st;
        }
    }
    return ABI_OK;
}

enum abi_status bundle_open(struct bundle *b, const void *fdt, size_t len, char *err,
                            size_t err_size)
{
    struct walk w = {.fdt = fdt, .err = err, .err_size = err_size, .path = "bundle"};
    enum abi_status st = check_shape(&w, len);
    uint32_t count = 0;
    int domains;

    if (st == ABI_OK) {
        st = check_root(&w, &domains);
    }
    if (st == ABI_OK) {
        st = check_images(&w);
    }
    if (st == ABI_OK) {
        st = check_domains(&w, domains, &count);
    }
    if (st == ABI_OK) {
        *b = (struct bundle){.fdt = fdt, .len = len, .domains = count};
    }
    return st;
}

void bundle_domain(const struct bundle *b, uint32_t i, struct domain_config *cfg)
{
    char err[128];
    struct walk w = {.fdt = b->fdt, .err = err, .err_size = sizeof(err)};
    int domains, sub;

    REQUIRE(i < b->domains);
    CHECK(find_roots(&w, &w.images, &domains) == ABI_OK);
    sub = fdt_first_subnode(b->fdt, domains);
    while (i-- > 0) {
        sub = fdt_next_subnode(b->fdt, sub);
    }
    CHECK(domain_parse(&w, sub, cfg) == ABI_OK);
}
