/* The ELF kernel inside a bzImage: what the PVH boot protocol of Xen guests wants. */
#ifndef CLOISTER_VMLINUX_H
#define CLOISTER_VMLINUX_H

#include "bundle.h"

/*
 * Unpacks a bzImage to a new file; it and *unpacked, its path, live as long as the program. NULL,
 * and true, when the file is no bzImage. False: it cannot be read or unpacked.
 */
bool vmlinux_unpack(const char *path, char **unpacked, struct bundle_error *error);

/* The same in memory: out is allocated. False, with an error, when the image is none or broken. */
bool vmlinux_is_bzimage(const struct bundle_blob *image);
bool vmlinux_from(const struct bundle_blob *image, struct bundle_blob *out,
                  struct bundle_error *error);

#endif
