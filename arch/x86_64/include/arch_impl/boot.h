#ifndef ARCH_IMPL_BOOT_H
#define ARCH_IMPL_BOOT_H

/* Virtual memory: direct map, stacks, device registers, image. The image is linked at its load
 * address plus IMAGE_BASE; all of it lies in the last 2 GiB (-mcmodel=kernel). */
#define DIRECT_BASE 0xffff800000000000ull
#define STACK_BASE  0xffffc00000000000ull
#define DEVICE_BASE 0xffffd00000000000ull
#define IMAGE_BASE  0xffffffff80000000ull

static inline void *pa_to_hva(pa_t pa)
{
    return (void *)(DIRECT_BASE + pa.v);
}

static inline pa_t hva_to_pa(const void *hva)
{
    uint64_t va = (uint64_t)hva;

    return pa(va >= IMAGE_BASE ? va - IMAGE_BASE : va - DIRECT_BASE);
}

/* Device registers, uncached: maps len bytes at pa and returns where. Boot only. */
void *arch_map_device(pa_t at, uint64_t len);

#endif
