/* Lays a domain out, and has it launched. */
#include "hv/domain.h"
#include "hv/io.h"
#include "hv/layout.h"
#include "hv/log.h"
#include "hv/vm.h"

enum abi_status domain_load(struct vm *vm, const struct domain_config *cfg)
{
    struct layout l;
    char err[200];
    void *scratch = vm_alloc(vm, LAYOUT_SCRATCH_SIZE);
    enum abi_status st;

    if (scratch == NULL) {
        log_error("%s: no memory to load it with", cfg->name);
        return ABI_NO_MEMORY;
    }
    st = layout_domain(cfg, scratch, &l, err, sizeof(err));
    if (st != ABI_OK) {
        log_error("%s", err);
        return st;
    }
    return vm_launch(vm, &l);
}
