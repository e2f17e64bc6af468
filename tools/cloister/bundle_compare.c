/* How one bundle differs from another: the image or the property, and the first byte. */
#include "run_attest.h"

#include <libfdt.h>
#include <stdio.h>
#include <string.h>

struct span {
    const uint8_t *p;
    int length; /* negative: not there */
};

static struct span property(const void *fdt, const char *path, const char *name)
{
    struct span s = {NULL, -1};
    int node = fdt_path_offset(fdt, path);

    s.p = node < 0 ? NULL : fdt_getprop(fdt, node, name, &s.length);
    s.length = s.p == NULL ? -1 : s.length;
    return s;
}

/* Tells of a difference, and says whether there is one. */
static bool differ(struct span a, struct span b, const char *what, char *out, size_t size)
{
    unsigned int bits = 0;
    int first = -1;

    if (a.length != b.length && (a.length < 0 || b.length < 0)) {
        snprintf(out, size, "%s %s", what, a.length < 0 ? "was not there" : "is missing");
        return true;
    }
    if (a.length != b.length) {
        snprintf(out, size, "%s is another: %d bytes in place of %d", what, b.length, a.length);
        return true;
    }
    for (int i = 0; i < a.length; i++) {
        if (a.p[i] != b.p[i]) {
            first = first < 0 ? i : first;
            bits += (unsigned int)__builtin_popcount(a.p[i] ^ b.p[i]);
        }
    }
    if (first >= 0) {
        snprintf(out, size, "%s differs in %u bit%s, first at byte %d of %d", what, bits,
                 bits == 1 ? "" : "s", first, a.length);
    }
    return first >= 0;
}

/* The image that a domain names in that property; those of disks are not measured. */
static bool image_differs(const void *a, const void *b, const char *domain, const char *role,
                          char *out, size_t size)
{
    char path[80];
    char what[80];
    struct span name;

    snprintf(path, sizeof(path), "/domains/%s", domain);
    name = property(a, path, role);
    if (name.length < 1 || name.length > (int)BUNDLE_NAME_MAX + 1) {
        return false;
    }
    snprintf(path, sizeof(path), "/images/%.*s", name.length, (const char *)name.p);
    snprintf(what, sizeof(what), "the %s (image '%.*s')", role, name.length - 1,
             (const char *)name.p);
    return differ(property(a, path, "data"), property(b, path, "data"), what, out, size);
}

void bundle_compare(const void *a, size_t a_size, const void *b, size_t b_size, const char *domain,
                    char *out, size_t size)
{
    static const char *const words[] = {"cmdline", "kernel",   "ramdisk", "memory",
                                        "vcpus",   "prefault", "cca-rpv", "cca-hash"};
    static const char *const roles[] = {"ramdisk", "kernel", "cca-rpv"};
    char path[80];
    char what[40];

    snprintf(out, size, "the bundles are alike, so the launch was another one");
    if (a_size > INT32_MAX || b_size > INT32_MAX || fdt_check_full(a, a_size) != 0 ||
        fdt_check_full(b, b_size) != 0) {
        snprintf(out, size, "what was booted is no bundle");
        return;
    }
    snprintf(path, sizeof(path), "/domains/%s", domain);
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        snprintf(what, sizeof(what), "its %s", words[i]);
        if (differ(property(a, path, words[i]), property(b, path, words[i]), what, out, size)) {
            return;
        }
    }
    for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
        if (image_differs(a, b, domain, roles[i], out, size)) {
            return;
        }
    }
}
