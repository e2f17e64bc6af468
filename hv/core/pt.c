/* The one radix-tree walker. It walks tables that the hypervisor wrote; a guest's it never sees. */
#include "hv/pt.h"

#include "arch/boot.h"
#include "hv/check.h"
#include "hv/page.h"

static uint64_t level_size(unsigned int level)
{
    return BIT(PAGE_SHIFT + 9 * level);
}

static uint64_t *entry_of(pa_t table, uint64_t va, unsigned int level)
{
    uint64_t *entries = pa_to_hva(table);

    return &entries[(va >> (PAGE_SHIFT + 9 * level)) % PT_ENTRIES];
}

static bool new_table(struct pt *t, pa_t *table)
{
    if (!page_alloc(ORDER_4K, PAGE_TABLE, t->owner, table)) {
        return false;
    }
    t->pages++;
    return true;
}

bool pt_init(struct pt *t, uint16_t owner, unsigned int attr)
{
    t->owner = owner;
    t->attr = attr;
    t->pages = 0;
    return new_table(t, &t->root);
}

/* Depth is bounded by PT_LEVELS. */
static void destroy_table(struct pt *t, pa_t table, unsigned int level)
{
    uint64_t *entries = pa_to_hva(table);

    for (unsigned int i = 0; level > 0 && i < PT_ENTRIES; i++) {
        if (pte_present(entries[i]) && !pte_is_leaf(entries[i], level)) {
            destroy_table(t, pte_pa(entries[i]), level - 1);
        }
    }
    page_free(table, PAGE_TABLE, t->owner);
}

void pt_destroy(struct pt *t)
{
    destroy_table(t, t->root, PT_LEVELS - 1);
    t->root = pa(0);
}

/* Replaces a big leaf by a table of leaves that say the same. */
static bool split(struct pt *t, uint64_t *entry, unsigned int level)
{
    uint64_t old = *entry;
    uint64_t *entries;
    pa_t table;

    if (!new_table(t, &table)) {
        return false;
    }
    entries = pa_to_hva(table);
    for (unsigned int i = 0; i < PT_ENTRIES; i++) {
        entries[i] =
            pte_leaf(pa(pte_pa(old).v + i * level_size(level - 1)), level - 1, pte_attr(old));
    }
    __atomic_store_n(entry, pte_table(table, t->attr), __ATOMIC_RELEASE);
    return true;
}

static bool map_one(struct pt *t, uint64_t va, unsigned int leaf, uint64_t pte)
{
    pa_t table = t->root;
    uint64_t *entry;

    for (unsigned int level = PT_LEVELS - 1; level > leaf; level--) {
        entry = entry_of(table, va, level);
        if (!pte_present(*entry)) {
            if (!new_table(t, &table)) {
                return false;
            }
            __atomic_store_n(entry, pte_table(table, t->attr), __ATOMIC_RELEASE);
        }
        table = pte_pa(*entry);
    }
    __atomic_store_n(entry_of(table, va, leaf), pte, __ATOMIC_RELEASE);
    return true;
}

/* Is any of the leaf-sized piece at va mapped already? Tables count as mapped for bigger pieces. */
static bool occupied(const struct pt *t, uint64_t va, unsigned int leaf)
{
    pa_t table = t->root;

    for (unsigned int level = PT_LEVELS - 1;; level--) {
        uint64_t pte = *entry_of(table, va, level);

        if (!pte_present(pte)) {
            return false;
        }
        if (level == leaf || pte_is_leaf(pte, level)) {
            return true;
        }
        table = pte_pa(pte);
    }
}

static unsigned int best_leaf(const struct pt *t, uint64_t va, pa_t to, uint64_t len)
{
    unsigned int level = pte_max_leaf();

    while (level > 0 && (!IS_ALIGNED(va | to.v, level_size(level)) || len < level_size(level) ||
                         occupied(t, va, level))) {
        level--;
    }
    return level;
}

enum abi_status pt_map(struct pt *t, uint64_t va, pa_t to, uint64_t len, unsigned int attr)
{
    enum abi_status st = ABI_OK;
    uint64_t done = 0;

    REQUIRE(IS_ALIGNED(va | to.v | len, PAGE_SIZE));
    while (done < len) {
        pa_t at = pa(to.v + done);
        unsigned int leaf = best_leaf(t, va + done, at, len - done);

        if (occupied(t, va + done, leaf)) {
            st = ABI_EXISTS;
            break;
        }
        if (!map_one(t, va + done, leaf, pte_leaf(at, leaf, attr | t->attr))) {
            st = ABI_NO_MEMORY;
            break;
        }
        done += level_size(leaf);
    }
    if (st != ABI_OK && done > 0) {
        CHECK(pt_unmap(t, va, done)); /* whole leaves that were just made: no split */
    }
    return st;
}

enum abi_status pt_reserve(struct pt *t, uint64_t va, uint64_t len)
{
    for (uint64_t i = 0; i < len; i += PAGE_SIZE) {
        if (occupied(t, va + i, 0)) {
            return ABI_EXISTS;
        }
        if (!map_one(t, va + i, 0, 0)) {
            return ABI_NO_MEMORY;
        }
    }
    return ABI_OK;
}

/* The lowest entry that covers va: a leaf or a hole. */
static uint64_t *lowest(const struct pt *t, uint64_t va, unsigned int *level)
{
    uint64_t *entry;

    *level = PT_LEVELS - 1;
    entry = entry_of(t->root, va, *level);
    while (pte_present(*entry) && !pte_is_leaf(*entry, *level)) {
        (*level)--;
        entry = entry_of(pte_pa(*entry), va, *level);
    }
    return entry;
}

/* Makes va the beginning of a page, if it is mapped. */
static bool split_at(struct pt *t, uint64_t va)
{
    for (;;) {
        unsigned int level;
        uint64_t *entry = lowest(t, va, &level);

        if (!pte_present(*entry) || IS_ALIGNED(va, level_size(level))) {
            return true;
        }
        if (!split(t, entry, level)) {
            return false;
        }
    }
}

bool pt_unmap(struct pt *t, uint64_t va, uint64_t len)
{
    uint64_t end = va + len;

    REQUIRE(IS_ALIGNED(va | len, PAGE_SIZE));
    if (len == 0 || !split_at(t, va) || !split_at(t, end)) {
        return len == 0;
    }
    while (va < end) {
        unsigned int level;
        uint64_t *entry = lowest(t, va, &level);

        __atomic_store_n(entry, 0, __ATOMIC_RELEASE);
        va = ALIGN_DOWN(va, level_size(level)) + level_size(level);
    }
    return true;
}

bool pt_split(struct pt *t, uint64_t va)
{
    unsigned int level = PT_LEVELS - 1;
    uint64_t *entry = entry_of(t->root, va, level);

    while (level > 0 && pte_present(*entry)) {
        if (pte_is_leaf(*entry, level) && !split(t, entry, level)) {
            return false;
        }
        level--;
        entry = entry_of(pte_pa(*entry), va, level);
    }
    return true;
}

bool pt_lookup(const struct pt *t, uint64_t va, pa_t *to, unsigned int *attr, unsigned int *level)
{
    pa_t table = t->root;

    for (*level = PT_LEVELS - 1;; (*level)--) {
        uint64_t pte = *entry_of(table, va, *level);

        if (!pte_present(pte)) {
            return false;
        }
        if (pte_is_leaf(pte, *level)) {
            *to = pa(pte_pa(pte).v + va % level_size(*level));
            *attr = pte_attr(pte);
            return true;
        }
        table = pte_pa(pte);
    }
}
