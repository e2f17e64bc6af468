/*
 * Who takes the RAM that the launch does not put in place itself: the boot shim, or the kernel when
 * it first uses it.
 */
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

static enum abi_status add_range(struct plan *p, struct shim_table *t, uint64_t from, uint64_t to)
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

static bool is_later(const struct unaccepted *u, uint64_t at)
{
    return at / SIZE_2M < u->count && (at < u->start || at >= u->end);
}

/* [from, to): whole 2 MiB to the kernel's bitmap, the rest to the shim. */
static enum abi_status sort_range(struct plan *p, struct shim_table *t, struct unaccepted *later,
                                  uint64_t from, uint64_t to)
{
    enum abi_status st = ABI_OK;

    for (uint64_t at = from, next; at < to && st == ABI_OK; at = next) {
        uint64_t bit = at / SIZE_2M;

        next = MIN(ALIGN_DOWN(at, SIZE_2M) + SIZE_2M, to);
        if (next - at == SIZE_2M && is_later(later, at)) {
            later->bits[bit / 8] |= (uint8_t)(1u << bit % 8);
        } else {
            st = add_range(p, t, at, next);
        }
    }
    return st;
}

enum abi_status shim_sort_ram(struct plan *p, struct shim_table *t, struct unaccepted *later)
{
    uint64_t high = p->cfg->memory - p->ram_end;
    uint64_t at = 0, start = 0, end = 0;
    enum abi_status st = ABI_OK;

    while (st == ABI_OK && shim_next_launched(p->l, at, &start, &end) && start < p->ram_end) {
        st = sort_range(p, t, later, at, start);
        at = end;
    }
    st = st == ABI_OK ? sort_range(p, t, later, at, p->ram_end) : st;
    return st == ABI_OK ? sort_range(p, t, later, GiB(4), GiB(4) + high) : st;
}
