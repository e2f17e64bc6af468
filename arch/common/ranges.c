/* Lists of what the boot loader's memory map says: sorted, disjoint, what touches is one. */
#include "common.h"
#include "hv/string.h"

static uint64_t end_of(const struct boot_range *r)
{
    return r->base + r->len;
}

/* Entries [from, to) give way to one, or to none. */
static void replace(struct ranges l, unsigned int from, unsigned int to, unsigned int by)
{
    memmove(&l.range[from + by], &l.range[to], (*l.count - to) * sizeof(l.range[0]));
    *l.count = *l.count - (to - from) + by;
}

bool range_add(struct ranges l, uint64_t base, uint64_t end)
{
    unsigned int from = 0, to;

    if (base >= end) {
        return true;
    }
    while (from < *l.count && end_of(&l.range[from]) < base) {
        from++;
    }
    for (to = from; to < *l.count && l.range[to].base <= end; to++) {
        base = MIN(base, l.range[to].base);
        end = MAX(end, end_of(&l.range[to]));
    }
    if (from == to && *l.count == BOOT_RANGES_MAX) {
        return false;
    }
    replace(l, from, to, 1);
    l.range[from] = (struct boot_range){base, end - base};
    return true;
}

bool range_cut(struct ranges l, uint64_t base, uint64_t end)
{
    bool all = true;

    for (unsigned int i = 0; i < *l.count;) {
        struct boot_range r = l.range[i];

        if (base >= end_of(&r) || end <= r.base) {
            i++;
            continue;
        }
        replace(l, i, i + 1, 0);
        all = range_add(l, r.base, base) && range_add(l, end, end_of(&r)) && all;
    }
    return all;
}

uint64_t range_end(uint64_t base, uint64_t len)
{
    return len > RANGE_LAST - MIN(base, RANGE_LAST) ? RANGE_LAST : base + len;
}
