/* What the boot code learnt, and how the core starts the other CPUs. */
#ifndef ARCH_BOOT_H
#define ARCH_BOOT_H

#include "hv/types.h"

#define BOOT_RANGES_MAX 128u

struct boot_range {
    uint64_t base;
    uint64_t len;
};

struct boot_info {
    char cmdline[512];
    struct boot_range ram[BOOT_RANGES_MAX]; /* usable RAM, sorted, page aligned, disjoint */
    unsigned int ram_count;
    /* x86: what the memory map lists as no RAM for us, page aligned; none of it is in ram[] */
    struct boot_range reserved[BOOT_RANGES_MAX];
    unsigned int reserved_count;
    struct boot_range image;  /* the hypervisor itself */
    struct boot_range bundle; /* the module; len 0: none */
    struct boot_range low;    /* a page below 1 MiB for the start of the other CPUs; len 0: none */
    uint64_t rsdp;            /* physical address; 0: look for it */
};

extern struct boot_info boot_info;

/* Builds the final mappings: the image with W^X, every page of RAM in the direct map. */
void arch_map_hypervisor(void);
/*
 * The direct map. Only pages that are RAM and not the image. arch_impl/boot.h also defines
 * IMAGE_BASE, where the image is linked less where it is loaded.
 */
static inline void *pa_to_hva(pa_t pa);
static inline pa_t hva_to_pa(const void *hva);
/*
 * Takes RAM out of the direct map, or brings it back; whole pages. Other CPUs may still have the
 * old translation until their next exit from a guest: the chip's own checks stand behind it.
 * False: there is no memory for smaller pages around it, and all is as before. To bring back needs
 * none: what went as one comes back as one, or arch_map_cut() was asked for its 2 MiB before. That
 * is the moment to fail: the chip has it still. False: there is no memory to show them in part.
 */
MUST_CHECK bool arch_map_hide(pa_t pa, uint64_t len);
MUST_CHECK bool arch_map_cut(pa_t pa);
void arch_map_show(pa_t pa, uint64_t len);
/* Pages that the hypervisor's own tables take; they grow by what is hidden, and never shrink. */
uint64_t arch_map_table_pages(void);

/* A second mapping of all RAM that nothing is ever hidden from; for the chips only. Its base. */
uint64_t arch_map_for_silicon(void);
void arch_map_more_for_silicon(pa_t at, uint64_t len);

/* The chips below the silicon line: before memory is handed out, and once it can be mapped. */
void silicon_early(void);
void silicon_late(void);
/* What they tell the host of themselves: a member of the link's JSON, passed on unread. */
const char *silicon_says(void);

/* The part of the image that never changes, as the file that was loaded begins: code, constants. */
void arch_image_constant(const void **at, size_t *len);

/* Starts the other CPUs; each ends up in cpu_main(). */
void arch_start_cpus(void);

#include "arch_impl/boot.h"

#endif
