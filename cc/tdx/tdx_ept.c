/*
 * The shared EPT, which the CPU walks for addresses with the SHARED bit: SDM Vol. 3, 29.3. What is
 * not mapped is an EPT violation and comes to us, not #VE: bit 63 of every empty entry says so.
 */
#include "tdx.h"

#include "hv/check.h"
#include "hv/page.h"

#define EPT_RWX         7ull
#define EPT_WB          (6ull << 3)
#define EPT_IGNORE_PAT  BIT(6)
#define EPT_SUPPRESS_VE BIT(63)
#define ENTRIES 512u
#define TOP 3u

static bool new_table(struct tdx_ept *t, pa_t *at)
{
    uint64_t *e;

    if (!page_alloc(ORDER_4K, PAGE_TABLE, t->owner, at)) {
        return false;
    }
    e = pa_to_hva(*at);
    for (unsigned int i = 0; i < ENTRIES; i++) {
        e[i] = EPT_SUPPRESS_VE;
    }
    return true;
}

bool tdx_ept_init(struct tdx_ept *t, uint16_t owner)
{
    t->owner = owner;
    return new_table(t, &t->root);
}

static void destroy(struct tdx_ept *t, pa_t table, unsigned int level)
{
    const uint64_t *e = pa_to_hva(table);

    for (unsigned int i = 0; level > 0 && i < ENTRIES; i++) {
        if ((e[i] & EPT_RWX) != 0) {
            destroy(t, pa(e[i] & PAGE_MASK & ~EPT_SUPPRESS_VE), level - 1);
        }
    }
    page_free(table, PAGE_TABLE, t->owner);
}

void tdx_ept_destroy(struct tdx_ept *t)
{
    if (t->root.v != 0) {
        destroy(t, t->root, TOP);
    }
    t->root = pa(0);
}

static uint64_t *entry(pa_t table, uint64_t gpa, unsigned int level)
{
    uint64_t *e = pa_to_hva(table);

    return &e[gpa >> (PAGE_SHIFT + 9 * level) & (ENTRIES - 1)];
}

enum abi_status tdx_ept_map(struct tdx_ept *t, uint64_t gpa, pa_t at)
{
    pa_t table = t->root;

    for (unsigned int level = TOP; level > 0; level--) {
        uint64_t *e = entry(table, gpa, level);

        if ((*e & EPT_RWX) == 0) {
            if (!new_table(t, &table)) {
                return ABI_NO_MEMORY;
            }
            store_release(e, table.v | EPT_RWX);
        }
        table = pa(*e & PAGE_MASK);
    }
    store_release(entry(table, gpa, 0), (at.v & PAGE_MASK) | EPT_RWX | EPT_WB | EPT_IGNORE_PAT);
    return ABI_OK;
}

bool tdx_ept_unmap(struct tdx_ept *t, uint64_t gpa)
{
    pa_t table = t->root;
    uint64_t *e;

    for (unsigned int level = TOP; level > 0; level--) {
        e = entry(table, gpa, level);
        if ((*e & EPT_RWX) == 0) {
            return false;
        }
        table = pa(*e & PAGE_MASK);
    }
    e = entry(table, gpa, 0);
    if ((*e & EPT_RWX) == 0) {
        return false;
    }
    store_release(e, EPT_SUPPRESS_VE);
    return true;
}
