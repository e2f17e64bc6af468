/* Any bytes as TDVF: its metadata, and what it measures to when it is small. */
#include <attest/measure_tdx.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size == 0 ? 1 : size), mrtd[MRTD_SIZE];
    struct tdx_region regions[TDVF_SECTIONS_MAX];
    struct attest_error err;
    uint64_t bytes = 0;
    struct tdvf t;

    memcpy(copy, data, size);
    if (tdvf_parse(copy, size, &t, &err) == ATTEST_OK) {
        size_t n = tdvf_regions(&t, regions);

        for (size_t i = 0; i < n; i++) {
            bytes = regions[i].size > 1 << 20 ? UINT64_MAX / 2 : bytes + regions[i].size;
        }
        if (bytes < 1 << 20 && tdx_mrtd(regions, n, TDX_ORDER_PAGE, mrtd, &err) == ATTEST_OK &&
            n > t.sections) {
            abort();
        }
    }
    free(copy);
    return 0;
}
