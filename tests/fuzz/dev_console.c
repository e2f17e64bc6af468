#include "dev_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct device_config cfg = {0};

    dev_fuzz(DEV_VIRTIO_CONSOLE, &cfg, 8, data, len);
    return 0;
}
