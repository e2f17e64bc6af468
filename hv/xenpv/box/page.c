/*
 * Frames and their uses. A frame whose last use went may still be in some TLB as what it was: so
 * when it becomes something else, every vCPU whose TLB was not flushed since then is.
 */
#include "page.h"

struct page *pages;
uint64_t pages_count;

static uint64_t index_of(uint64_t mfn)
{
    return mfn & ~box.c_mfn;
}

struct page *page_of(uint64_t mfn)
{
    if ((mfn & box.c_mfn) != box.c_mfn || index_of(mfn) >= pages_count ||
        !pages[index_of(mfn)].guest) {
        return NULL;
    }
    return &pages[index_of(mfn)];
}

bool page_ref(uint64_t mfn)
{
    struct page *p = page_of(mfn);

    if (p == NULL || p->refs == UINT32_MAX) {
        return false;
    }
    p->refs++;
    return true;
}

void page_unref(uint64_t mfn)
{
    struct page *p = page_of(mfn);

    CHECK(p != NULL && p->refs > 0);
    p->refs--;
}

static bool check(uint64_t mfn, enum use use)
{
    switch (use) {
    case USE_NONE:
    case USE_WRITABLE:
        return true;
    case USE_DESCRIPTORS:
        return descriptors_check(mfn);
    case USE_L1:
    case USE_L2:
    case USE_L3:
    case USE_L4:
        return table_check(mfn, use);
    }
    return false;
}

bool page_use(uint64_t mfn, enum use use)
{
    struct page *p = page_of(mfn);

    if (p == NULL || p->refs == UINT32_MAX || (p->uses != 0 && p->use != use)) {
        return false;
    }
    if (p->uses == 0) {
        if (p->use != use) {
            flush_since(p->freed);
        }
        p->use = (uint8_t)use;
        p->uses = 1; /* while it is checked, it cannot become anything else */
        if (!check(mfn, use)) {
            p->uses = 0;
            p->freed = flush_clock();
            return false;
        }
    } else {
        p->uses++;
    }
    p->refs++;
    return true;
}

void page_unuse(uint64_t mfn)
{
    struct page *p = page_of(mfn);

    CHECK(p != NULL && p->refs > 0 && p->uses > 0);
    p->refs--;
    if (--p->uses == 0) {
        p->freed = flush_clock();
        if (p->use >= USE_L1 && p->use <= USE_L4) {
            table_release(mfn, (enum use)p->use);
        }
    }
}
