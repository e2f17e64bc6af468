/* Writes a domain's layout into its memory. */
#include "hv/domain.h"
#include "hv/guestmem.h"
#include "hv/io.h"
#include "hv/layout.h"
#include "hv/log.h"
#include "text.h"

/* New memory is zero, so a piece's tail needs no write. */
static enum abi_status write_pieces(struct vm *vm, const struct domain_config *cfg,
                                    const struct layout *l)
{
    for (uint32_t i = 0; i < l->pieces; i++) {
        const struct piece *q = &l->piece[i];
        enum abi_status st = q->len == 0 ? ABI_OK : guestmem_write(vm, gpa(q->at), q->data, q->len);

        if (st != ABI_OK) {
            log_error("%s: cannot load %s at %llx: %s", cfg->name, size_text(q->len).s,
                      (unsigned long long)q->at, status_text(st));
            return st;
        }
    }
    return ABI_OK;
}

enum abi_status domain_load(struct vm *vm, const struct domain_config *cfg,
                            struct vcpu_entry *entry)
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
    *entry = l.entry;
    return write_pieces(vm, cfg, &l);
}
