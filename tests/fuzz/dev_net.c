/* A hostile guest on a network, and a good one that listens and must live. */
#include "dev_fuzz.h"

#include <string.h>

#include "hv/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void listen(struct drv *d)
{
    struct device_config cfg = {.network = "lan"};

    drv_probe(d, drv_vm_sized(DEV_VIRTIO_NET, &cfg, 0x80000), 1, 0x10000);
    drv_start(d, 0, 2);
    for (unsigned int i = 0; i < DRV_QUEUE_SIZE - 1; i++) {
        struct drv_buf b = {0x40000 + i * 2048, 2048, true};

        drv_add(d, 0, &b, 1);
    }
    drv_kick(d, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct device_config cfg = {.network = "lan"};
    uint32_t id, used;
    struct drv good;

    listen(&good);
    dev_fuzz(DEV_VIRTIO_NET, &cfg, 2, data, len);
    fake_poll(good.vm);
    while (drv_used(&good, 0, &id, &used)) {
        CHECK(used >= 12 + 14 && used <= 12 + 1518);
    }
    CHECK(drv_status(&good) == 0xf);
    fake_vm_free(good.vm);
    return 0;
}
