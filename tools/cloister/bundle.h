/*
 * Bundles (docs/bundle.md) on the host side: JSON descriptions to Device Trees and back.
 *
 * A description looks like the tree, with files for images and JSON values for properties:
 *   {"images":  {"vmlinuz": "/boot/vmlinuz", "initrd": "initrd.img"},
 *    "domains": {"guest0": {"memory": "1G", "vcpus": 2, "kernel": "vmlinuz", "ramdisk": "initrd",
 *                "cmdline": "quiet", "devices": {"console": {"type": "virtio-console"}}}}}
 * `compatible` and `abi` are filled in. One schema (bundle_schema.c) drives both directions.
 */
#ifndef CLOISTER_BUNDLE_H
#define CLOISTER_BUNDLE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BUNDLE_NAME_MAX    31u
#define BUNDLE_CMDLINE_MAX 2047u
#define BUNDLE_DOMAINS_MAX 64u
#define BUNDLE_IMAGES_MAX  128u
#define BUNDLE_DEVICES_MAX 16u
#define BUNDLE_VCPUS_MAX   64u
#define BUNDLE_MEMORY_STEP (2ull << 20)
#define BUNDLE_MEMORY_MAX  (1ull << 40)
#define BUNDLE_IMAGES_SUM  (1ull << 30) /* bytes; a Device Tree has 31-bit offsets */

/* What was wrong: one sentence that names the node and the property. */
struct bundle_error {
    char text[320];
};

/* An image of a description that is in memory already. */
struct bundle_blob {
    void *data;
    size_t size;
};

/*
 * Writes a description as a Device Tree, reads it back and so checks it. Image paths are relative
 * to directory. On success *out is the bundle, to be freed by the caller.
 */
bool bundle_write(const json_t *description, const char *directory, struct bundle_blob *out,
                  struct bundle_error *error);

/*
 * Reads a Device Tree from a stranger. Returns a new description in which an image is
 * {"size": BYTES} and defaults are filled in, or NULL.
 */
json_t *bundle_read(const void *dtb, size_t size, struct bundle_error *error);

/*
 * Whole files. bundle_save writes to a new file beside it and renames that; what is no file (a
 * device, a pipe) is written to. Nothing but the file that was asked for stays behind, not even
 * when a signal ends the program.
 */
bool bundle_load(const char *path, struct bundle_blob *out, struct bundle_error *error);
bool bundle_save(const char *path, const struct bundle_blob *blob, struct bundle_error *error);
/*
 * Saves to a new file, for this user alone, in $TMPDIR or /tmp. Its path, or NULL; both live as
 * long as the program, the file longer if it is to be kept.
 */
char *bundle_save_temporary(const struct bundle_blob *blob, bool keep, struct bundle_error *error);

/* 1 to 31 characters of [a-z0-9._-]. */
bool bundle_name_ok(const char *name);

/* Is a file of that name a JSON description? Then these read it, and write what it became. */
bool bundle_is_description(const char *path);
json_t *bundle_description(const char *path, struct bundle_error *error);
bool bundle_from_description(const json_t *description, const char *path, struct bundle_blob *out,
                             struct bundle_error *error);

/* A JSON description file, or Device Tree source through dtc, to a checked bundle. */
bool bundle_from_file(const char *path, struct bundle_blob *out, struct bundle_error *error);

#endif
