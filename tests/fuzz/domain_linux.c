/* Any bytes behind the magic numbers of a bzImage (boot.rst: boot_flag to HdrS). */
#include "../lib/domain_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_kernel(data, size, 0x1fe, "\x55\xaa\xeb\x6aHdrS\x0f\x02", 10);
    return 0;
}
