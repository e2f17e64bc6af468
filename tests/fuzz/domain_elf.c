/* Any bytes behind the magic number of an ELF file. */
#include <string.h>

#include "../lib/domain_fuzz.h"
#include "../lib/domain_host.h"

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static uint8_t good[1 + TINY_KERNEL_LEN];

    (void)argc;
    (void)argv;
    memcpy(good + 1, tiny_kernel, TINY_KERNEL_LEN);
    fuzz_good = good;
    fuzz_good_len = sizeof(good);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_kernel(data, size, 0, "\177ELF", 4);
    return 0;
}
