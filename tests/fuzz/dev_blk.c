/* The first byte picks the kind of disk: an image, a private copy of it, or zeroes. */
#include "dev_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const uint8_t image[9000] = {1, 2, 3};
    struct device_config cfg = {.image = image, .size = sizeof(image)};

    if (len == 0) {
        return 0;
    }
    cfg.writable = (data[0] & 1) != 0;
    if ((data[0] & 2) != 0) {
        cfg.image = NULL;
        cfg.size = 0x123456;
    }
    dev_fuzz(DEV_VIRTIO_BLK, &cfg, 1, data + 1, len - 1);
    return 0;
}
