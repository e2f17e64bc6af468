/* What memory a boot shim has to take: all RAM that the launch does not put in place itself. */
#include "hv/shim.h"
#include "plan_x86.h"

bool shim_next_launched(const struct layout *l, uint64_t at, uint64_t *start, uint64_t *end)
{
    bool found = false;

    for (uint32_t i = 0; i < l->pieces; i++) {
        uint64_t from = ALIGN_DOWN(l->piece[i].at, PAGE_SIZE);
        uint64_t to = piece_launched_end(&l->piece[i]);

        if (to > at && to > from && (!found || from < *start)) {
            *start = from;
            *end = to;
            found = true;
        }
    }
    return found;
}

enum abi_status shim_add_range(struct plan *p, struct shim_table *t, uint64_t from, uint64_t to)
{
    if (from >= to) {
        return ABI_OK;
    }
    if (t->count != 0 && t->range[t->count - 1].end == from) {
        t->range[t->count - 1].end = to;
        return ABI_OK;
    }
    if (t->count == SHIM_RANGES_MAX) {
        return plan_fail(p, ABI_LIMIT, "kernel has too many pieces for an encrypted guest");
    }
    t->range[t->count].start = from;
    t->range[t->count].end = to;
    t->count++;
    return ABI_OK;
}

enum abi_status shim_ranges(struct plan *p, struct shim_table *t)
{
    uint64_t high = p->cfg->memory - p->ram_end;
    uint64_t at = 0, start = 0, end = 0;
    enum abi_status st = ABI_OK;

    while (st == ABI_OK && shim_next_launched(p->l, at, &start, &end) && start < p->ram_end) {
        st = shim_add_range(p, t, at, start);
        at = end;
    }
    st = st == ABI_OK ? shim_add_range(p, t, at, p->ram_end) : st;
    return st == ABI_OK ? shim_add_range(p, t, GiB(4), GiB(4) + high) : st;
}
