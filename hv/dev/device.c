#include "device_types.h"
#include "hv/check.h"
#include "hv/io.h"

enum abi_status device_create(struct vm *vm, const struct device_config *cfg, unsigned int slot)
{
    REQUIRE(vm_platform(vm) != NULL);
    if (slot >= DEVICE_SLOTS) {
        return ABI_BAD_ARG;
    }
    switch (cfg->type) {
    case DEV_VIRTIO_CONSOLE:
        return virtio_console_create(vm, cfg, slot + 1);
    case DEV_VIRTIO_BLK:
        return virtio_blk_create(vm, cfg, slot + 1);
    case DEV_VIRTIO_RNG:
        return virtio_rng_create(vm, cfg, slot + 1);
    case DEV_VIRTIO_NET:
        return virtio_net_create(vm, cfg, slot + 1);
    }
    return ABI_BAD_ARG;
}
