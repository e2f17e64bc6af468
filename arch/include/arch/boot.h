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
/* Starts the other CPUs; each ends up in cpu_main(). */
void arch_start_cpus(void);

#include "arch_impl/boot.h"

#endif
