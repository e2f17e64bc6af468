/* Sequences of page_alloc, page_split and page_free against a model: who has which page. */
#include <stdlib.h>

#include "core_host.h"
#include "core_ops.h"
#include "hv/page.h"

#define PAGES 8192u /* 32 MiB */
#define HELD  256u

struct block {
    uint64_t number;
    unsigned int order;
    enum page_state state;
    uint16_t owner;
};

static struct block held[HELD];
static unsigned int n;
static uint8_t taken[PAGES]; /* by the model */

static void require(bool ok)
{
    if (!ok) {
        abort();
    }
}

static void mark(const struct block *b, uint8_t as)
{
    for (uint64_t i = b->number; i < b->number + BIT(b->order); i++) {
        require(i < PAGES && taken[i] != as);
        taken[i] = as;
        require(page_state_of(pa(i << PAGE_SHIFT)) == (as != 0 ? b->state : PAGE_FREE));
        require(page_owner_of(pa(i << PAGE_SHIFT)) == (as != 0 ? b->owner : 0));
    }
}

static void take(struct ops *o)
{
    struct block b = {.order = (unsigned int)ops_take(o, 1) % 12,
                      .state = (enum page_state)(PAGE_HV + ops_take(o, 1) % 3),
                      .owner = (uint16_t)ops_take(o, 1)};
    pa_t at;

    if (n < HELD && page_alloc(b.order, b.state, b.owner, &at)) {
        b.number = at.v >> PAGE_SHIFT;
        require(IS_ALIGNED(b.number, BIT(b.order)));
        mark(&b, 1);
        held[n++] = b;
    }
}

static void give(unsigned int i)
{
    struct block b = held[i];

    page_free(pa(b.number << PAGE_SHIFT), b.state, b.owner);
    mark(&b, 0);
    held[i] = held[--n];
}

static void split(struct ops *o)
{
    struct block *b = &held[ops_take(o, 1) % n];
    unsigned int to = (unsigned int)ops_take(o, 1) % (b->order + 1);

    if (n + BIT(b->order - to) > HELD) {
        return;
    }
    page_split(pa(b->number << PAGE_SHIFT), to);
    for (uint64_t i = 1; i < BIT(b->order - to); i++) {
        held[n] = *b;
        held[n].order = to;
        held[n++].number = b->number + i * BIT(to);
    }
    b->order = to;
}

/* Frees that must panic: what is not a head, not that state, not that owner's. */
static void wrong_free(struct ops *o)
{
    uint64_t number = ops_take(o, 2) % (PAGES + 100);
    enum page_state as = (enum page_state)(ops_take(o, 1) % 6);
    uint16_t owner = (uint16_t)ops_take(o, 1);

    for (unsigned int i = 0; i < n; i++) {
        if (held[i].number == number && held[i].state == as && held[i].owner == owner) {
            return;
        }
    }
    require(PANICS(page_free(pa(number << PAGE_SHIFT), as, owner)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ops o = {data, size};
    static bool booted;
    uint64_t free, sum = 0;

    if (!booted) {
        core_boot((uint64_t)PAGES << PAGE_SHIFT, 1);
        booted = true;
    }
    free = page_count_free();
    while (o.size > 0) {
        switch (ops_take(&o, 1) % 8) {
        case 0:
            wrong_free(&o);
            break;
        case 1:
        case 2:
        case 3:
            if (n > 0) {
                give((unsigned int)ops_take(&o, 1) % n);
            }
            break;
        case 4:
            if (n > 0) {
                split(&o);
            }
            break;
        default:
            take(&o);
        }
    }
    for (unsigned int i = 0; i < n; i++) {
        sum += BIT(held[i].order);
    }
    require(page_count_free() == free - sum);
    while (n > 0) {
        give(n - 1);
    }
    require(core_is_clean());
    return 0;
}
