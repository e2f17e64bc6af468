/*
 * Inside the reverse map table: entries and their locks. One lock covers the 512 entries of 2 MiB:
 * it is a bit of the first. A 2 MiB page has one state, in the first entry too.
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
#define E_LOCK      BIT(7)
#define E_BUSY_ALL  BIT(8) /* in the first: all 512, a 2 MiB page is changing */
#define E_GPA       0x000ffffffffff000ull
#define E_STATE     (E_ASSIGNED | E_2M | E_IMMUTABLE | E_VALIDATED | E_VMSA | E_IN_USE | E_GPA)

struct entry {
    uint64_t bits; /* E_*; atomic, because the lock and busy bits are */
    uint32_t asid;
    uint8_t perms[4];
};
_Static_assert(sizeof(struct entry) == 16, "as large as the chip's");

struct rmp_table {
    struct entry *e;
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

static inline void region_lock(struct entry *first)
{
    while ((__atomic_fetch_or(&first->bits, E_LOCK, __ATOMIC_ACQUIRE) & E_LOCK) != 0) {
        while ((bits(first) & E_LOCK) != 0) {
            __builtin_ia32_pause();
        }
    }
}

static inline void region_unlock(struct entry *first)
{
    clear_bits(first, E_LOCK);
}

/* The entry that rules pa: the region's first when that is a 2 MiB page. Lock held. */
static inline struct entry *ruling(struct entry *first, uint64_t at)
{
    return (bits(first) & E_2M) != 0 ? first : &emu_rmp_table.e[at / PAGE_SIZE];
}

/* The lock bit survives: it may sit in this very entry. */
static inline void put(struct entry *e, uint64_t lo, uint32_t asid, const uint8_t perms[4])
{
    __atomic_store_n(&e->asid, asid, __ATOMIC_RELAXED); /* emu_rmp_has_asid looks without locks */
    memcpy(e->perms, perms, sizeof(e->perms));
    __atomic_store_n(&e->bits, lo | (bits(e) & E_LOCK), __ATOMIC_RELAXED);
}

static inline uint64_t size_of(unsigned int page_size)
{
    return page_size == RMP_2M ? SIZE_2M : PAGE_SIZE;
}

#endif
