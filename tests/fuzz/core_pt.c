/* Sequences of pt_map, pt_unmap and pt_lookup, some without memory, against a flat model. */
#include <stdlib.h>
#include <string.h>

#include "core_host.h"
#include "core_ops.h"
#include "hv/page.h"
#include "hv/pt.h"

/* The window that is modelled: 3 GiB from a GiB boundary, by 4 KiB pages. */
#define BASE  GiB(64)
#define PAGES (3u << 18)

static uint64_t model[PAGES]; /* host address + 1 + attribute bit 1; 0: hole */
static struct pt t;

static void require(bool ok)
{
    if (!ok) {
        abort();
    }
}

static void check_at(uint64_t page)
{
    unsigned int attr, level;
    pa_t to;
    bool found = pt_lookup(&t, BASE + page * PAGE_SIZE + 5, &to, &attr, &level);

    require(found == (model[page] != 0));
    if (found) {
        require(to.v == (model[page] & PAGE_MASK) + 5);
        require((attr & PT_W) == (model[page] & PT_W));
        require((attr & PT_GUEST) != 0 && level <= 2);
    }
}

/* Around the ends, and some in the middle. */
static void check_near(uint64_t page, uint64_t count)
{
    for (uint64_t i = MAX(page, 3) - 3; i < MIN(page + 3, PAGES); i++) {
        check_at(i);
    }
    for (uint64_t i = MAX(page + count, 3) - 3; i < MIN(page + count + 3, PAGES); i++) {
        check_at(i);
    }
    for (uint64_t i = page; i < page + count; i += 1 + count / 13) {
        check_at(i);
    }
}

/* Lengths and places that sit on the boundaries of big pages, or near. */
static uint64_t place(struct ops *o)
{
    static const uint64_t unit[] = {1, 512, 1u << 18, 64};
    uint64_t u = unit[ops_take(o, 1) % 4];

    return (ops_take(o, 1) * u + (ops_take(o, 1) % 5 == 0 ? ops_take(o, 1) : 0)) % PAGES;
}

static void map(struct ops *o, uint64_t page, uint64_t count)
{
    uint64_t to = ops_take(o, 1) % 2 == 0 ? BASE + page * PAGE_SIZE : place(o) * PAGE_SIZE;
    unsigned int attr = ops_take(o, 1) % 2 == 0 ? PT_W : 0;
    bool free = true;
    enum abi_status st;

    if ((page - to / PAGE_SIZE) % PT_ENTRIES != 0) {
        count = MIN(count, 2000); /* by small pages */
    }
    for (uint64_t i = page; i < page + count && free; i++) {
        free = model[i] == 0;
    }
    st = pt_map(&t, BASE + page * PAGE_SIZE, pa(to), count * PAGE_SIZE, attr | PT_X);
    require(st == ABI_OK || st == ABI_EXISTS || st == ABI_NO_MEMORY);
    require(st != ABI_OK || free);
    require(st != ABI_EXISTS || !free);
    for (uint64_t i = 0; st == ABI_OK && i < count; i++) {
        model[page + i] = (to + i * PAGE_SIZE) | attr | PT_X;
    }
}

static void unmap(uint64_t page, uint64_t count)
{
    if (pt_unmap(&t, BASE + page * PAGE_SIZE, count * PAGE_SIZE)) {
        memset(&model[page], 0, count * sizeof(model[0]));
    }
}

static void boot(void)
{
    static bool booted;

    if (!booted) {
        core_boot(MiB(64), 1);
        booted = true;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ops o = {data, MIN(size, 400)};

    boot();
    fake_max_leaf(1 + (unsigned int)ops_take(&o, 1) % 2);
    require(pt_init(&t, 3, PT_GUEST));
    while (o.size > 0) {
        uint64_t page = place(&o);
        uint64_t most = place(&o);
        uint64_t count = MIN(most, PAGES - page);
        uint64_t op = ops_take(&o, 1);

        core_fail_alloc(op & 8 ? 1 + (unsigned int)(op >> 4) : 0, true);
        if (op % 2 == 0) {
            map(&o, page, count);
        } else {
            unmap(page, count);
        }
        core_fail_alloc(0, false);
        check_near(page, count);
    }
    pt_destroy(&t);
    memset(model, 0, sizeof(model));
    require(core_is_clean());
    return 0;
}
