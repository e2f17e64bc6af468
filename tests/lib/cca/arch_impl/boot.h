#ifndef TESTS_CCA_BOOT_H
#define TESTS_CCA_BOOT_H

#define IMAGE_BASE 0x0050000000000000ull

/* tests/lib/cca_driver.c: memory of tests/lib/cca_host.c */
void *test_hva(uint64_t at);
uint64_t test_pa(const void *hva);

static inline void *pa_to_hva(pa_t at)
{
    return test_hva(at.v);
}

static inline pa_t hva_to_pa(const void *hva)
{
    return pa(test_pa(hva));
}

#endif
