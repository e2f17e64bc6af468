/* The only path that creates a VM. */
#include "abi/abi.h"
#include "hv/cc.h"
#include "hv/device.h"
#include "hv/domain.h"
#include "hv/guest_abi.h"
#include "hv/layout.h"
#include "hv/log.h"
#include "hv/vm.h"
#include "text.h"

PRINTF(3, 4) static void say(char *err, size_t size, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    message_vformat(err, size, "", fmt, ap);
    va_end(ap);
}

static enum abi_status create_devices(struct vm *vm, const struct domain_config *cfg, char *err,
                                      size_t size)
{
    enum abi_status st = platform_create(vm);

    if (st == ABI_OK && layout_has_firmware(cfg)) {
        st = platform_add_chipset(vm);
    }
    if (st != ABI_OK) {
        say(err, size, "%s: no platform: %s", cfg->name, status_text(st));
        return st;
    }
    for (uint32_t i = 0; i < cfg->devices; i++) {
        st = device_create(vm, &cfg->device[i], i);
        if (st != ABI_OK) {
            say(err, size, "%s: no device %s: %s", cfg->name, cfg->device[i].name,
                status_text(st));
            return st;
        }
    }
    return ABI_OK;
}

/* What the description asks for, and who asks, against what there is. */
static enum abi_status check(const struct domain_config *cfg, char *err, size_t size)
{
    if (!cc_present(cfg->cc)) {
        say(err, size, "%s: %s: not built in this image", cfg->name, cc_name(cfg->cc));
        return ABI_NOT_BUILT;
    }
    if (!guest_abi_present(cfg->legacy_abi)) {
        say(err, size, "%s: abi %s: not built in this image", cfg->name, cfg->legacy_abi);
        return ABI_NOT_BUILT;
    }
    if (cfg->creator != NULL && (cfg->abi_features >> ABI_FEATURE_CONTROL & 1) != 0) {
        say(err, size, "%s: features: 'control' is for domains of the boot bundle", cfg->name);
        return ABI_DENIED;
    }
    return ABI_OK;
}

static enum abi_status create(struct domain_config *cfg, struct vm **vm, char *err, size_t size)
{
    enum abi_status st;

    config_hash(cfg, cfg->hash);
    cc_configure(cfg);
    cfg->building = true;
    st = vm_create(cfg, vm);
    if (st != ABI_OK) {
        say(err, size, "%s: cannot be created with %s of memory and %u vCPUs: %s", cfg->name,
            size_text(cfg->memory).s, cfg->vcpus, status_text(st));
    }
    return st;
}

/* All but the start. */
static enum abi_status build(const struct bundle *b, uint32_t i, struct vm **vm, char *err,
                             size_t size)
{
    struct domain_config cfg;
    enum abi_status st;

    err[0] = '\0';
    bundle_domain(b, i, &cfg);
    cfg.creator = b->creator;
    st = check(&cfg, err, size);
    st = st == ABI_OK ? create(&cfg, vm, err, size) : st;
    if (st != ABI_OK) {
        return st;
    }
    vm_dev_lock(*vm); /* it is in the table of VMs: somebody may write to its console already */
    st = create_devices(*vm, &cfg, err, size);
    if (st == ABI_OK) {
        st = guest_abi_adopt(*vm, &cfg);
    }
    vm_dev_unlock(*vm);
    if (st == ABI_OK) {
        st = domain_load(*vm, &cfg, err, size);
    }
    if (st != ABI_OK) {
        vm_destroy(*vm);
        return st;
    }
    vm_set_origin(*vm, b, i);
    return ABI_OK;
}

enum abi_status domain_create(const struct bundle *b, uint32_t i)
{
    char err[200];
    struct vm *vm;
    enum abi_status st = build(b, i, &vm, err, sizeof(err));

    if (st == ABI_OK) {
        vm_start(vm);
    } else if (err[0] != '\0') {
        log_error("%s", err);
    }
    return st;
}

enum abi_status domain_build(const struct bundle *b, uint32_t i, uint32_t *id, char *err,
                             size_t err_size)
{
    struct vm *vm;
    enum abi_status st = build(b, i, &vm, err, err_size);

    if (st == ABI_OK) {
        *id = vm_id(vm);
        vm_built(vm);
    }
    return st;
}
