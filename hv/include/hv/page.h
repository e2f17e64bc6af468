/*
 * Who owns each page of the machine. One entry a page, 16 bytes; every page of RAM is in exactly
 * one state, and moves along these edges only:
 *
 *   NONE            not RAM, or the firmware's: never moves
 *   IMAGE           the hypervisor, its bundle, this table: never moves
 *   FREE  -> HV     page_alloc                    HV    -> FREE   page_free
 *   FREE  -> TABLE  page_alloc (second stage)     TABLE -> FREE   page_free
 *   FREE  -> GUEST  page_alloc                    GUEST -> FREE   page_free
 *   GUEST -> PRIVATE                              PRIVATE -> RETURNING -> GUEST
 *   HV    -> CHIP                                 CHIP    -> RETURNING -> HV
 *
 * PRIVATE pages are a confidential guest's own, CHIP pages the firmware's: the hypervisor cannot
 * reach either. A PRIVATE page comes back cleared, a CHIP page with what the firmware wrote there:
 * RETURNING, inside page_move, it is nobody's until that is done.
 *
 * Nobody sees what a former owner left: HV and TABLE pages are cleared when they are taken, GUEST
 * pages before they are first mapped (vm_mem.c), once. A block that is PRIVATE before it is mapped
 * needs that only if it had an owner since the machine started: what was there before, the chip
 * decrypts with a key that did not encrypt it.
 */
#ifndef HV_PAGE_H
#define HV_PAGE_H

#include "hv/types.h"

#define PAGE_ORDER_MAX 18u /* 1 GiB */
#define ORDER_4K       0u
#define ORDER_2M       9u
#define ORDER_1G       18u

enum page_state {
    PAGE_NONE,
    PAGE_IMAGE,
    PAGE_FREE,
    PAGE_HV,
    PAGE_TABLE,
    PAGE_GUEST,
    PAGE_PRIVATE,
    PAGE_CHIP,
    PAGE_RETURNING
};

struct page {
    uint8_t state;  /* enum page_state */
    uint8_t order;  /* of the block that starts here; FREE heads and allocated heads */
    uint16_t owner; /* VM id; 0: the hypervisor */
    uint32_t next;  /* FREE heads: page numbers; 0 ends */
    uint32_t prev;
    uint16_t pins; /* registered buffers that touch a GUEST page, which stays GUEST so long */
    bool used;     /* somebody has given it back */
    uint8_t reserved;
};
_Static_assert(sizeof(struct page) == 16, "0.4% of memory");

/*
 * Builds the table from the boot memory map and fills the pool with what lies below 4 GiB, which
 * is all that the boot mappings reach; the rest follows when the direct map stands. Boot CPU only.
 */
void page_init(void);
void page_init_high(void);

/*
 * Takes a block of 2^order pages, naturally aligned, for that owner. False when there is none.
 * HV and TABLE blocks come cleared.
 */
MUST_CHECK bool page_alloc(unsigned int order, enum page_state as, uint16_t owner, pa_t *pa);

/* Gives a block back. REQUIREs that it is the head of one that was taken so. */
void page_free(pa_t pa, enum page_state was, uint16_t owner);

/* Makes a taken block of 2^order pages into blocks of 2^to, which are given back one by one. */
void page_split(pa_t pa, unsigned int to);

/*
 * Moves 2^order pages, all in state `from` and of that owner, along an edge to PRIVATE or CHIP, or
 * back. ABI_BAD_STATE when one is in another state, or pinned; then none has moved. Pages that
 * leave are taken out of the hypervisor's mappings (ABI_NO_MEMORY: there is none to cut these so
 * small, and none has moved), pages that come back are mapped again: those of a block that left as
 * one only after arch_map_cut().
 */
MUST_CHECK enum abi_status page_move(pa_t pa, unsigned int order, enum page_state from,
                                     enum page_state to, uint16_t owner);

/* PRIVATE to GUEST, uncleared: for pages of a guest that has ended, which are given back next. */
MUST_CHECK enum abi_status page_return(pa_t pa, unsigned int order, uint16_t owner);

/* Has any of 2^order pages been given back since the machine started? */
bool page_used(pa_t pa, unsigned int order);

/* Pins one page that is GUEST and of that owner, or says no. REQUIREs of unpinning that it is. */
MUST_CHECK bool page_pin(pa_t pa, uint16_t owner);
void page_unpin(pa_t pa, uint16_t owner);

enum page_state page_state_of(pa_t pa);
uint16_t page_owner_of(pa_t pa);

/* Pages in state FREE; pages of RAM that the table knows. */
uint64_t page_count_free(void);
uint64_t page_count_total(void);

#endif
