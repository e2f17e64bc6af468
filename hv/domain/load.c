/* Lays a domain out, and has it launched. */
#include "hv/domain.h"
#include "hv/io.h"
#include "hv/layout.h"
#include "hv/string.h"
#include "hv/vm.h"

enum abi_status domain_load(struct vm *vm, const struct domain_config *cfg, char *err,
                            size_t err_size)
{
    struct layout l;
    void *scratch = vm_alloc(vm, LAYOUT_SCRATCH_SIZE);
    enum abi_status st;

    if (scratch == NULL) {
        snprintf(err, err_size, "%s: no memory to load it with", cfg->name);
        return ABI_NO_MEMORY;
    }
    st = layout_domain(cfg, scratch, &l, err, err_size);
    return st == ABI_OK ? vm_launch(vm, &l) : st;
}
