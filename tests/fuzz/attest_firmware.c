/* Any bytes as a firmware image: its table and metadata, then a measurement of it as a guest. */
#include <attest/measure_snp.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t pages = size / 4096 + 1;
    uint8_t *image = calloc(pages, 4096);
    struct snp_guest g = {.mode = SNP_MODE_SNP,
                          .firmware = image,
                          .firmware_len = pages * 4096,
                          .vcpus = 2,
                          .guest_features = 1,
                          .kernel = data,
                          .kernel_len = size,
                          .threads = 1};
    struct snp_firmware fw;
    struct attest_error err;
    uint8_t digest[48];

    /* The table lies at the end, so that is where the fuzzer's bytes go. */
    memcpy(image + pages * 4096 - size, data, size);
    if (snp_firmware_parse(image, pages * 4096, &fw, &err) == ATTEST_OK &&
        fw.sections > SNP_SECTIONS_MAX) {
        abort();
    }
    for (unsigned int vmm = 0; vmm < SNP_VMM_COUNT; vmm++) {
        g.vmm = (enum snp_vmm)vmm;
        g.kernel = vmm % 2 == 0 ? data : NULL;
        if (snp_guest_measure(&g, digest, &err) == ATTEST_OK && fw.sections == 0 &&
            g.kernel != NULL) {
            abort();
        }
    }
    free(image);
    return 0;
}
