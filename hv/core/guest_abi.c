/* The guest ABIs that are in this image beside ours (guest_abi.h). */
#include "hv/guest_abi.h"

#include "hv/check.h"
#include "hv/log.h"
#include "hv/string.h"
#include "hv/vm_priv.h"

/* The linker's names for the section; an image without modules has none. */
extern const struct guest_abi *const __start_guest_abis[] __attribute__((weak));
extern const struct guest_abi *const __stop_guest_abis[] __attribute__((weak));

static const struct guest_abi *find(const char *name)
{
    for (const struct guest_abi *const *at = __start_guest_abis; at < __stop_guest_abis; at++) {
        if (strcmp((*at)->name, name) == 0) {
            return *at;
        }
    }
    return NULL;
}

bool guest_abi_present(const char *name)
{
    return name == NULL || find(name) != NULL;
}

enum abi_status guest_abi_adopt(struct vm *vm, const struct domain_config *cfg)
{
    const struct guest_abi *abi;

    if (cfg->legacy_abi == NULL) {
        return ABI_OK;
    }
    abi = find(cfg->legacy_abi);
    if (abi == NULL) {
        return ABI_NOT_BUILT;
    }
    if (vm->cc != CC_NONE) { /* such a module may touch all of its guest's memory */
        log_error("%s: abi %s: not for a confidential domain", vm->name, cfg->legacy_abi);
        return ABI_NOT_SUPPORTED;
    }
    vm->legacy_abi = abi;
    return abi->create(vm, cfg);
}
