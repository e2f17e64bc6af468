/*
 * Page frames: what each is used as, and by how many. What keeps a guest's hands off page tables
 * and descriptors: a frame has one use at a time, and writable is one.
 */
#ifndef XENPV_BOX_PAGE_H
#define XENPV_BOX_PAGE_H

#include "box.h"

enum use { USE_NONE, USE_WRITABLE, USE_L1, USE_L2, USE_L3, USE_L4, USE_DESCRIPTORS };

struct page {
    uint32_t refs;  /* entries that map it, tables that it is in, things of ours that point to it */
    uint32_t uses;  /* of those, how many as what `use` says */
    uint64_t freed; /* when it was last without a use */
    uint8_t use;
    bool guest;  /* the guest's to map; else the box's, or none at all */
    bool pinned;
    bool returned; /* it was the guest's, who gave it back */
};

extern struct page *pages; /* by frame number without the C-bit */
extern uint64_t pages_count;

/* The frame's entry; NULL: no such frame, or it is not the guest's. */
struct page *page_of(uint64_t mfn);
/* Its content, where the box maps it. */
void *page_data(uint64_t mfn);
uint64_t page_mfn(const void *data);

/* One more reference. */
MUST_CHECK bool page_ref(uint64_t mfn);
void page_unref(uint64_t mfn);
/* One more reference, as that: a table's or descriptor page's content is checked at the first. */
MUST_CHECK bool page_use(uint64_t mfn, enum use use);
void page_unuse(uint64_t mfn);

/* A flush of every vCPU's TLB that ran since that time (hardware: flush.c). */
void flush_since(uint64_t freed);
void flush_local(struct vcpu *v);
void flush_all(struct vcpu *v);
void flush_address(struct vcpu *v, uint64_t va, bool all);
uint64_t flush_clock(void);
void flush_if_wanted(struct vcpu *v);

/* table.c: page tables */
#define PTE_P   BIT(0)
#define PTE_RW  BIT(1)
#define PTE_US  BIT(2)
#define PTE_A   BIT(5)
#define PTE_D   BIT(6)
#define PTE_PS  BIT(7)
#define PTE_G   BIT(8)
#define PTE_NX  BIT(63)
#define PTE_MFN(e) (((e) & 0x000ffffffffff000ull) >> 12)

extern uint64_t table_reserved[RESERVED_SLOTS]; /* what every PML4 has there */
MUST_CHECK bool table_check(uint64_t mfn, enum use level);
void table_release(uint64_t mfn, enum use level);
/* Changes one entry of a table in use: 0 or an error. keep: accessed and dirty bits stay. */
int64_t table_set(uint64_t mfn, uint32_t index, uint64_t value, bool keep);
/* One of an L1 table, if it is still `old`: else -XEN_EBUSY. */
int64_t table_compare_set(uint64_t mfn, uint32_t index, uint64_t old, uint64_t value);
/* Where the L1 entry of that address is, by those tables. */
MUST_CHECK bool table_walk(uint64_t top, uint64_t va, uint64_t *l1_mfn, uint32_t *index);

/* descriptor.c */
MUST_CHECK bool descriptor_fix(uint64_t *d);
MUST_CHECK bool descriptors_check(uint64_t mfn);
/* cpu.c: shows a vCPU its GDT or LDT pages */
void gdt_map(struct vcpu *v);
void ldt_map(struct vcpu *v, uint32_t entries);

/* m2p */
extern uint64_t *m2p; /* by frame number without the C-bit */
extern uint64_t m2p_guest; /* where the guest sees entry 0 of machine frame 0 */

#endif
