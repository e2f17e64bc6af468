#ifndef HV_DOMAIN_DT_ARM64_H
#define HV_DOMAIN_DT_ARM64_H

#include "hv/domain.h"

/*
 * Writes the Device Tree that an arm64 guest finds: memory, CPUs, PSCI, GICv3, timers, and the
 * devices of mmio_map.h. ramdisk: where it lies; 0: none. False when size is too small.
 */
MUST_CHECK bool dt_arm64_build(void *buf, size_t size, const struct domain_config *cfg,
                               uint64_t ramdisk);

#endif
