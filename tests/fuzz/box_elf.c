/* The PV kernel's file, as the box reads it. */
#include "../../hv/xenpv/box/boot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look(void *sum, uint64_t va, const uint8_t *bytes, uint64_t len, uint64_t zeros)
{
    (void)va;
    (void)zeros;
    for (uint64_t i = 0; i < len; i++) {
        *(uint8_t *)sum ^= bytes[i];
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pv_kernel k;
    static volatile uint8_t sum; /* every byte is read */

    if (elf_read(&k, data, size) == NULL) {
        elf_segments(&k, look, (void *)(uintptr_t)&sum);
    }
    return 0;
}
