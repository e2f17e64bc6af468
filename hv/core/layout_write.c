/* A layout's pieces, written through the one way into guest memory. */
#include "hv/layout.h"

#include "hv/guestmem.h"
#include "hv/io.h"
#include "hv/log.h"

enum abi_status layout_write(struct vm *vm, const struct layout *l)
{
    for (uint32_t i = 0; i < l->pieces; i++) {
        const struct piece *q = &l->piece[i];
        enum abi_status st = q->len == 0 ? ABI_OK : guestmem_write(vm, gpa(q->at), q->data, q->len);

        if (st != ABI_OK) {
            log_error("%s: cannot load %lu bytes at %lx: status %u", vm_name(vm),
                      (unsigned long)q->len, (unsigned long)q->at, (unsigned int)st);
            return st;
        }
    }
    return ABI_OK;
}
