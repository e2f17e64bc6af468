/* platform_create for guests whose devices are memory-mapped. */
#include "platform_mmio.h"

#include "hv/device.h"

enum abi_status platform_create(struct vm *vm)
{
    struct platform *p = vm_alloc(vm, sizeof(*p));
    enum abi_status st;

    if (p == NULL) {
        return ABI_NO_MEMORY;
    }
    p->vm = vm;
    st = pl011_init(&p->uart, vm);
    if (st == ABI_OK) {
        st = pl031_init(&p->rtc, vm);
    }
    if (st == ABI_OK) {
        vm_set_platform(vm, p);
    }
    return st;
}

enum abi_status platform_add_chipset(struct vm *vm)
{
    (void)vm;
    return ABI_NOT_SUPPORTED;
}
