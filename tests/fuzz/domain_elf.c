/* Any bytes behind the magic number of an ELF file. */
#include "../lib/domain_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_kernel(data, size, 0, "\177ELF", 4);
    return 0;
}
