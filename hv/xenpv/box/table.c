/*
 * Page tables of the guest. An entry that is present holds a reference to what it points to: an L1
 * entry to a frame, as writable if it says so; a higher one to a table of the next level down.
 */
#include "page.h"

#define ENTRIES 512u
/* Large pages are not offered, and global ones would survive the change of tables. */
#define FORBIDDEN (PTE_PS | PTE_G)

uint64_t table_reserved[RESERVED_SLOTS];

static enum use below(enum use level)
{
    return level == USE_L4 ? USE_L3 : level == USE_L3 ? USE_L2 : USE_L1;
}

static bool reserved_slot(enum use level, uint32_t index)
{
    return level == USE_L4 && index - RESERVED_SLOT < RESERVED_SLOTS;
}

/* A PML4 may show itself, read-only: its guest then reads all of its tables there. */
static bool shows_itself(uint64_t mfn, enum use level, uint64_t e)
{
    return level == USE_L4 && PTE_MFN(e) == mfn && (e & (PTE_RW | FORBIDDEN)) == 0;
}

/* Slots in which a PML4 ever showed itself. */
static uint64_t shown[ENTRIES / 64];

static bool is_shown(uint64_t va)
{
    return (__atomic_load_n(&shown[va >> 45 & 7], __ATOMIC_SEQ_CST) >> (va >> 39 & 63) & 1) != 0;
}

/*
 * There ring 3 sees its own tables; the box, if it followed a pointer, its own. It follows none
 * from here on: who may be at it holds no lock, but answers a flush when he is done.
 */
static void show(uint32_t index)
{
    if (!is_shown((uint64_t)index << 39)) {
        __atomic_fetch_or(&shown[index / 64], BIT(index % 64), __ATOMIC_SEQ_CST);
        flush_since(flush_clock());
    }
}

bool guest_range(uint64_t va, size_t n)
{
    uint64_t end = va + n;

    if (end < va || (end > RESERVED_START && va < RESERVED_END)) {
        return false;
    }
    return n == 0 || (!is_shown(va) && !is_shown(end - 1));
}

/* Makes an entry what the hardware may see; takes its reference. Bit 7 of an L1 entry is PAT. */
static int64_t take(uint64_t mfn, enum use level, uint32_t index, uint64_t *entry)
{
    uint64_t e = *entry;
    bool good;

    if ((e & PTE_P) == 0) {
        return 0;
    }
    if (level == USE_L1) {
        e &= ~PTE_G;
        good = (e & PTE_RW) != 0 ? page_use(PTE_MFN(e), USE_WRITABLE) : page_ref(PTE_MFN(e));
    } else if (shows_itself(mfn, level, e)) {
        show(index);
        good = page_ref(mfn);
    } else {
        good = (e & FORBIDDEN) == 0 && page_use(PTE_MFN(e), below(level));
    }
    *entry = e | PTE_US; /* all that it maps is ring 3's */
    return good ? 0 : -XEN_EINVAL;
}

static void give_back(uint64_t mfn, enum use level, uint64_t e)
{
    if ((e & PTE_P) == 0) {
        return;
    }
    if ((level == USE_L1 && (e & PTE_RW) == 0) || shows_itself(mfn, level, e)) {
        page_unref(PTE_MFN(e));
    } else {
        page_unuse(PTE_MFN(e));
    }
}

/* Nothing of ours stays in what may become anything. */
static void release_first(uint64_t mfn, enum use level, uint32_t count)
{
    uint64_t *t = page_data(mfn);

    for (uint32_t i = 0; i < count; i++) {
        if (reserved_slot(level, i)) {
            t[i] = 0;
        } else {
            give_back(mfn, level, t[i]);
        }
    }
}

bool table_check(uint64_t mfn, enum use level)
{
    uint64_t *t = page_data(mfn);

    for (uint32_t i = 0; i < ENTRIES; i++) {
        uint64_t e = t[i];

        if (reserved_slot(level, i)) {
            t[i] = table_reserved[i - RESERVED_SLOT];
        } else if (take(mfn, level, i, &e) != 0) {
            release_first(mfn, level, i);
            return false;
        } else {
            t[i] = e;
        }
    }
    return true;
}

void table_release(uint64_t mfn, enum use level)
{
    release_first(mfn, level, ENTRIES);
}

/* The processor sets accessed and dirty bits meanwhile. */
static uint64_t replace(uint64_t *entry, uint64_t value, bool keep)
{
    uint64_t old = __atomic_load_n(entry, __ATOMIC_RELAXED), to;

    do {
        to = keep ? value | (old & (PTE_A | PTE_D)) : value;
    } while (!__atomic_compare_exchange_n(entry, &old, to, false, __ATOMIC_SEQ_CST,
                                          __ATOMIC_RELAXED));
    return old;
}

int64_t table_set(uint64_t mfn, uint32_t index, uint64_t value, bool keep)
{
    struct page *p = page_of(mfn);
    uint64_t *t = page_data(mfn);
    enum use level = (enum use)p->use;
    int64_t rc;

    REQUIRE(index < ENTRIES && p->uses > 0 && level >= USE_L1 && level <= USE_L4);
    if (reserved_slot(level, index)) {
        return -XEN_EINVAL;
    }
    rc = take(mfn, level, index, &value);
    if (rc == 0) {
        give_back(mfn, level, replace(&t[index], value, keep));
    }
    return rc;
}

int64_t table_compare_set(uint64_t mfn, uint32_t index, uint64_t old, uint64_t value)
{
    uint64_t *entry = (uint64_t *)page_data(mfn) + index;
    int64_t rc = take(mfn, USE_L1, index, &value);

    if (rc != 0) {
        return rc;
    }
    if (!__atomic_compare_exchange_n(entry, &old, value, false, __ATOMIC_SEQ_CST,
                                     __ATOMIC_RELAXED)) {
        give_back(mfn, USE_L1, value);
        return -XEN_EBUSY;
    }
    give_back(mfn, USE_L1, old);
    return 0;
}

/* Level by level: not through an entry that shows tables as something else. */
bool table_walk(uint64_t top, uint64_t va, uint64_t *l1_mfn, uint32_t *index)
{
    uint64_t mfn = top;
    enum use level = USE_L4;

    if (!guest_place(va)) {
        return false;
    }
    for (unsigned int shift = 39; shift > 12; shift -= 9) {
        uint64_t e = ((const uint64_t *)page_data(mfn))[va >> shift & (ENTRIES - 1)];
        const struct page *p = page_of(PTE_MFN(e));

        level = below(level);
        if ((e & PTE_P) == 0 || p == NULL || p->use != level) {
            return false;
        }
        mfn = PTE_MFN(e);
    }
    *l1_mfn = mfn;
    *index = va >> 12 & (ENTRIES - 1);
    return true;
}
