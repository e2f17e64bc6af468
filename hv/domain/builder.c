/* The only path that creates a VM. */
#include "hv/cc.h"
#include "hv/device.h"
#include "hv/domain.h"
#include "hv/guest_abi.h"
#include "hv/log.h"
#include "hv/vm.h"
#include "text.h"

static enum abi_status create_devices(struct vm *vm, const struct domain_config *cfg)
{
    enum abi_status st = platform_create(vm);

    if (st != ABI_OK) {
        log_error("%s: no platform: %s", cfg->name, status_text(st));
        return st;
    }
    for (uint32_t i = 0; i < cfg->devices; i++) {
        st = device_create(vm, &cfg->device[i], i);
        if (st != ABI_OK) {
            log_error("%s: no device %s: %s", cfg->name, cfg->device[i].name, status_text(st));
            return st;
        }
    }
    return ABI_OK;
}

enum abi_status domain_create(const struct bundle *b, uint32_t i)
{
    struct domain_config cfg;
    struct vm *vm = NULL;
    enum abi_status st;

    bundle_domain(b, i, &cfg);
    if (!cc_present(cfg.cc)) {
        log_error("%s: %s: not built in this image", cfg.name, cc_name(cfg.cc));
        return ABI_NOT_BUILT;
    }
    if (!guest_abi_present(cfg.legacy_abi)) {
        log_error("%s: abi %s: not built in this image", cfg.name, cfg.legacy_abi);
        return ABI_NOT_BUILT;
    }
    config_hash(&cfg, cfg.hash);
    cc_configure(&cfg);
    st = vm_create(&cfg, &vm);
    if (st != ABI_OK) {
        log_error("%s: cannot be created with %s of memory and %u vCPUs: %s", cfg.name,
                  size_text(cfg.memory).s, cfg.vcpus, status_text(st));
        return st;
    }
    st = create_devices(vm, &cfg);
    if (st == ABI_OK) {
        st = guest_abi_adopt(vm, &cfg);
    }
    if (st == ABI_OK) {
        st = domain_load(vm, &cfg);
    }
    if (st != ABI_OK) {
        vm_destroy(vm);
        return st;
    }
    vm_set_origin(vm, b, i);
    vm_start(vm);
    return ABI_OK;
}
