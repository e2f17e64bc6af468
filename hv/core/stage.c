/* Bundles that are handed over at run time: a block of memory each, its first page for us. */
#include "arch/boot.h"
#include "hv/check.h"
#include "hv/control.h"
#include "hv/page.h"

_Static_assert(sizeof(struct stage) <= PAGE_SIZE, "the first page");
_Static_assert(ABI_MAX_STAGE_BYTES + PAGE_SIZE <= (uint64_t)PAGE_SIZE << PAGE_ORDER_MAX,
               "in one piece");

static unsigned int order_of(uint64_t bytes)
{
    unsigned int order = 0;

    while ((uint64_t)PAGE_SIZE << order < bytes) {
        order++;
    }
    return order;
}

static void give_from(pa_t at, uint64_t from, uint64_t to)
{
    for (; from < to; from += SIZE_2M) {
        page_free(pa(at.v + from), PAGE_HV, 0);
    }
}

/* Bigger ones keep no more than the 2 MiB blocks that they need. */
static uint64_t taken_by(uint64_t bytes)
{
    return bytes > SIZE_2M ? ALIGN_UP(bytes, SIZE_2M) : (uint64_t)PAGE_SIZE << order_of(bytes);
}

static bool take(uint64_t bytes, pa_t *at)
{
    unsigned int order = order_of(bytes);

    if (!page_alloc(order, PAGE_HV, 0, at)) {
        return false;
    }
    if (bytes > SIZE_2M) {
        page_split(*at, ORDER_2M);
        give_from(*at, taken_by(bytes), (uint64_t)PAGE_SIZE << order);
    }
    return true;
}

static void give(pa_t at, uint64_t taken)
{
    if (taken <= SIZE_2M) {
        page_free(at, PAGE_HV, 0);
    } else {
        give_from(at, 0, taken);
    }
}

enum abi_status stage_create(struct controller *by, uint64_t bytes, struct stage **s)
{
    uint64_t taken = taken_by(bytes + PAGE_SIZE);
    pa_t at;

    REQUIRE(by != NULL && bytes >= 1 && bytes <= ABI_MAX_STAGE_BYTES);
    if (controller_take(by, taken, 0) != ABI_OK) {
        return ABI_LIMIT;
    }
    if (!take(bytes + PAGE_SIZE, &at)) {
        controller_give(by, taken, 0);
        return ABI_NO_MEMORY;
    }
    *s = pa_to_hva(at); /* cleared */
    (*s)->bundle.creator = by;
    (*s)->bytes = bytes;
    (*s)->taken = taken;
    (*s)->uses = 1;
    return ABI_OK;
}

uint8_t *stage_data(struct stage *s)
{
    return (uint8_t *)s + PAGE_SIZE;
}

static struct stage *stage_of(const struct bundle *b)
{
    return b == NULL || b->creator == NULL
               ? NULL
               : (struct stage *)((uintptr_t)b - offsetof(struct stage, bundle));
}

void bundle_hold(const struct bundle *b)
{
    struct stage *s = stage_of(b);

    if (s != NULL) {
        (void)atomic_add(&s->uses, 1u);
    }
}

void bundle_drop(const struct bundle *b)
{
    struct stage *s = stage_of(b);

    if (s != NULL && atomic_sub(&s->uses, 1u) == 1) {
        controller_give(s->bundle.creator, s->taken, 0);
        give(hva_to_pa(s), s->taken);
    }
}
