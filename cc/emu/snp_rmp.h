/*
 * Inside the reverse map table: entries, and regions of 2 MiB with 512 of them. A region has one
 * lock; a 2 MiB page has one state, in the region's first entry. While all entries of a region are
 * alike, as INIT left them, one byte says what they are, and they are written when the first of
 * them is to change: a table for much memory costs what is used of it.
 */
#ifndef SNP_RMP_H
#define SNP_RMP_H

#include "hv/string.h"

#include "snp_emu.h"

#define REGION_PAGES (SIZE_2M / PAGE_SIZE)

/* Entry bits below the guest page address (bits 51:12). */
#define E_ASSIGNED  BIT(0)
#define E_2M        BIT(1)
#define E_IMMUTABLE BIT(2)
#define E_VALIDATED BIT(3)
#define E_VMSA      BIT(4)
#define E_IN_USE    BIT(5)
#define E_BUSY      BIT(6)
#define E_GPA       0x000ffffffffff000ull
#define E_STATE     (E_ASSIGNED | E_2M | E_IMMUTABLE | E_VALIDATED | E_VMSA | E_IN_USE | E_GPA)

struct entry {
    uint64_t bits; /* E_*; atomic, because the busy bit is */
    uint32_t asid;
    uint8_t perms[4];
};
_Static_assert(sizeof(struct entry) == 16, "as large as the chip's");

#define R_WRITTEN BIT(7) /* in a region's state: ask its entries */
#define R_ALIKE   (E_ASSIGNED | E_IMMUTABLE) /* else all its entries are these bits */

struct region { /* atomic bytes */
    uint8_t lock;
    uint8_t busy; /* all of it: a 2 MiB page is changing */
    uint8_t state; /* R_*; as long as it is not R_WRITTEN the entries' memory means nothing */
    uint8_t reserved;
};

struct rmp_table {
    struct entry *e;
    struct region *region;
    uint64_t end;
    bool enabled;
};
extern struct rmp_table emu_rmp_table;

static inline bool covered(uint64_t at, uint64_t size)
{
    return emu_rmp_table.e != NULL && at < emu_rmp_table.end && size <= emu_rmp_table.end - at;
}

static inline struct entry *region_of(uint64_t at)
{
    return &emu_rmp_table.e[ALIGN_DOWN(at, SIZE_2M) / PAGE_SIZE];
}

static inline uint64_t bits(const struct entry *e)
{
    return __atomic_load_n(&e->bits, __ATOMIC_RELAXED);
}

static inline void set_bits(struct entry *e, uint64_t which)
{
    (void)__atomic_fetch_or(&e->bits, which, __ATOMIC_RELAXED);
}

static inline void clear_bits(struct entry *e, uint64_t which)
{
    (void)__atomic_fetch_and(&e->bits, ~which, __ATOMIC_RELEASE);
}

static inline struct region *region_with(const struct entry *first)
{
    return &emu_rmp_table.region[(uint64_t)(first - emu_rmp_table.e) / REGION_PAGES];
}

static inline void region_wait(struct region *r)
{
    while (__atomic_exchange_n(&r->lock, 1, __ATOMIC_ACQUIRE) != 0) {
        while (__atomic_load_n(&r->lock, __ATOMIC_RELAXED) != 0) {
            __builtin_ia32_pause();
        }
    }
}

static inline void region_leave(struct region *r)
{
    __atomic_store_n(&r->lock, 0, __ATOMIC_RELEASE);
}

static inline uint8_t region_state(const struct region *r)
{
    return __atomic_load_n(&r->state, __ATOMIC_ACQUIRE);
}

static inline void region_write(struct entry *first, uint64_t alike)
{
    memset(first, 0, REGION_PAGES * sizeof(*first));
    for (uint64_t i = 0; alike != 0 && i < REGION_PAGES; i++) {
        first[i].bits = alike;
    }
}

static inline void region_lock(struct entry *first)
{
    struct region *r = region_with(first);
    uint8_t state;

    region_wait(r);
    state = region_state(r);
    if ((state & R_WRITTEN) == 0) {
        region_write(first, state);
        __atomic_store_n(&r->state, R_WRITTEN, __ATOMIC_RELEASE);
    }
}

static inline void region_unlock(struct entry *first)
{
    region_leave(region_with(first));
}

/* The entry that rules pa: the region's first when that is a 2 MiB page. Lock held. */
static inline struct entry *ruling(struct entry *first, uint64_t at)
{
    return (bits(first) & E_2M) != 0 ? first : &emu_rmp_table.e[at / PAGE_SIZE];
}

static inline void put(struct entry *e, uint64_t lo, uint32_t asid, const uint8_t perms[4])
{
    __atomic_store_n(&e->asid, asid, __ATOMIC_RELAXED); /* emu_rmp_has_asid looks without locks */
    memcpy(e->perms, perms, sizeof(e->perms));
    __atomic_store_n(&e->bits, lo, __ATOMIC_RELAXED);
}

static inline uint64_t size_of(unsigned int page_size)
{
    return page_size == RMP_2M ? SIZE_2M : PAGE_SIZE;
}

#endif
