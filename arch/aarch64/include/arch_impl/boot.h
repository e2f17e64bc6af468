#ifndef ARCH_IMPL_BOOT_H
#define ARCH_IMPL_BOOT_H

/*
 * Virtual memory, 48 bits in one range: the page that switches the MMU at its own physical address,
 * then stacks, device registers, the image, the direct map. The image is linked at IMAGE_VA and
 * loaded anywhere.
 */
#define STACK_BASE  0x0000400000000000ull
#define DEVICE_BASE 0x0000500000000000ull
#define IMAGE_VA    0x0000600000000000ull /* link.ld knows */
#define DIRECT_BASE 0x0000800000000000ull

extern uint64_t aarch64_image_base; /* IMAGE_VA less where the image was loaded */
#define IMAGE_BASE aarch64_image_base

static inline void *pa_to_hva(pa_t pa)
{
    return (void *)(DIRECT_BASE + pa.v);
}

static inline pa_t hva_to_pa(const void *hva)
{
    uint64_t va = (uint64_t)hva;

    return pa(va >= DIRECT_BASE ? va - DIRECT_BASE : va - IMAGE_BASE);
}

/* Device registers, uncached: maps len bytes at pa and returns where. Boot only. */
void *arch_map_device(pa_t at, uint64_t len);

#endif
