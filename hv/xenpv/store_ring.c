/* The xenstore's ring (public/io/xs_wire.h): a page of the guest's. */
#include "store.h"
#include "xenpv.h"

#include "hv/log.h"

static gpa_t at(uint32_t offset)
{
    return gpa(GPA_XEN_STORE + offset);
}

static bool load(void *vm, uint32_t offset, uint32_t *value)
{
    return guestmem_load32(vm, at(offset), value) == ABI_OK;
}

static bool store(void *vm, uint32_t offset, uint32_t value)
{
    return guestmem_store32(vm, at(offset), value) == ABI_OK;
}

static bool read_bytes(void *vm, uint32_t offset, void *to, uint32_t len)
{
    return guestmem_read(vm, at(offset), to, len) == ABI_OK;
}

static bool write_bytes(void *vm, uint32_t offset, const void *from, uint32_t len)
{
    return guestmem_write(vm, at(offset), from, len) == ABI_OK;
}

void xenpv_store_kick(struct xenpv *x)
{
    const struct store_io io = {x->vm, load, store, read_bytes, write_bytes};
    bool was_broken = x->store->broken;

    if (store_serve(x->store, &io)) {
        xenpv_port_raise(x, x->store_port);
    }
    if (x->store->broken && !was_broken) {
        log_vm(x->vm, LOG_WARN, "xenstore: a request that is too long: no more are served");
    }
}

enum abi_status xenpv_store_create(struct xenpv *x)
{
    x->store = vm_alloc(x->vm, sizeof(*x->store));
    if (x->store == NULL) {
        return ABI_NO_MEMORY;
    }
    nodes_init(&x->store->nodes, x->domid, vm_name(x->vm));
    return ABI_OK;
}
