#ifndef ARCH_IMPL_BOOT_H
#define ARCH_IMPL_BOOT_H

#define IMAGE_BASE 0x0050000000000000ull

/* Both panic for what is not RAM, and for the image: the direct map holds neither. */
void *fake_hva(pa_t at);
pa_t fake_pa(const void *hva);

static inline void *pa_to_hva(pa_t pa)
{
    return fake_hva(pa);
}

static inline pa_t hva_to_pa(const void *hva)
{
    return fake_pa(hva);
}

#endif
