/* One constructor for each kind of device; device_create picks. */
#ifndef HV_DEV_DEVICE_TYPES_H
#define HV_DEV_DEVICE_TYPES_H

#include "hv/device.h"

MUST_CHECK enum abi_status virtio_console_create(struct vm *vm, const struct device_config *cfg,
                                                 unsigned int slot);
MUST_CHECK enum abi_status virtio_blk_create(struct vm *vm, const struct device_config *cfg,
                                             unsigned int slot);
MUST_CHECK enum abi_status virtio_rng_create(struct vm *vm, const struct device_config *cfg,
                                             unsigned int slot);
MUST_CHECK enum abi_status virtio_net_create(struct vm *vm, const struct device_config *cfg,
                                             unsigned int slot);

#endif
