/*
 * Page-table entries of a four-level, 4 KiB-granule radix tree: the hypervisor's own tables and
 * the second stage. Level 0 maps 4 KiB, 1 maps 2 MiB, 2 maps 1 GiB; level 3 is the root.
 */
#ifndef ARCH_PTE_H
#define ARCH_PTE_H

#include "hv/types.h"

#define PT_LEVELS  4
#define PT_ENTRIES 512

enum pt_attr {
    PT_W = 1,      /* writable */
    PT_X = 2,      /* executable */
    PT_DEVICE = 4, /* uncached */
    PT_GUEST = 8,  /* an entry of the second stage */
    PT_SHARED = 16 /* second stage: memory the guest shares (technologies that mark it so) */
};

static inline uint64_t pte_leaf(pa_t pa, unsigned int level, unsigned int attr);
static inline uint64_t pte_table(pa_t table, unsigned int attr);
static inline bool pte_present(uint64_t pte);
/* Of entries that are present; attributes of leaves. */
static inline bool pte_is_leaf(uint64_t pte, unsigned int level);
static inline pa_t pte_pa(uint64_t pte);
static inline unsigned int pte_attr(uint64_t pte);
/* The biggest leaf level that this CPU supports: 1 or 2. */
unsigned int pte_max_leaf(void);

#include "arch_impl/pte.h"

#endif
