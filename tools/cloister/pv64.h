/* A Xen PV64 guest's images as the box of such guests takes them (include/cloister/pv64.h). */
#ifndef CLOISTER_PV64_PACK_H
#define CLOISTER_PV64_PACK_H

#include "bundle.h"

/* Whose kernel the box is: below the build folder. */
#define PV64_BOX "cloister-pv64.bin"

/*
 * Packs the kernel, an ELF file or a bzImage that has one, and the ramdisk (NULL: none) into a new
 * file; it and *archive, its path, live as long as the program.
 */
bool pv64_pack(const char *kernel, const char *ramdisk, char **archive, struct bundle_error *error);

#endif
