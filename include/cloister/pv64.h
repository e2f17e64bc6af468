/*
 * The ramdisk of a domain whose kernel is the box of Xen PV64 guests (hv/xenpv/box): this header,
 * the PV kernel (an ELF file), the ramdisk for it. All of it is measured with the domain.
 */
#ifndef CLOISTER_PV64_H
#define CLOISTER_PV64_H

#include <stdint.h>

#define PV64_MAGIC "CLOISTERPV64BOX"
struct pv64_archive {
    char magic[16];
    uint64_t kernel_len;
    uint64_t ramdisk_len; /* 0: none; it begins at the next multiple of 4096 after the kernel */
    uint8_t reserved[4064];
};
_Static_assert(sizeof(struct pv64_archive) == 4096, "a page: the kernel begins on the next");

#endif
