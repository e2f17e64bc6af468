/*
 * What the box's ramdisk is: this header, the PV kernel (an ELF file), the ramdisk for it. The
 * command line makes it (tools/cloister); all of it is measured with the domain.
 */
#ifndef XENPV_BOX_ARCHIVE_H
#define XENPV_BOX_ARCHIVE_H

#include <stdint.h>

#define BOX_ARCHIVE_MAGIC "CLOISTERPV64BOX"
struct box_archive {
    char magic[16];
    uint64_t kernel_len;
    uint64_t ramdisk_len; /* 0: none; it begins at the next multiple of 4096 after the kernel */
    uint8_t reserved[4064];
};
_Static_assert(sizeof(struct box_archive) == 4096, "a page: the kernel begins on the next");

#endif
