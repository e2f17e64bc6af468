/* The TDX driver's files, to each other. What stands above "---- vm ----" knows no struct vm. */
#ifndef TDX_TDX_H
#define TDX_TDX_H

#include "arch/boot.h"
#include "arch/lock.h"
#include "hv/types.h"
#include "tdx_hw.h"

/* ---- calls: tdx_call.c, tdx_status.c ---- */

/* SEAMCALL; tries again while the module is busy, short of entropy or interrupted (ABI 4.2). */
uint64_t tdx_call(enum tdh_leaf leaf, struct tdx_regs *r);
uint64_t tdx_call2(enum tdh_leaf leaf, uint64_t rcx, uint64_t rdx);
const char *tdx_status_text(uint64_t rax);
/* What a status is to us; logs it when it is an error. `who` may be a TD's name. */
MUST_CHECK enum abi_status tdx_fail(const char *who, enum tdh_leaf leaf, uint64_t rax);
MUST_CHECK bool tdx_metadata(uint64_t field, uint64_t *value);

/* ---- the platform: tdx_tdmr.c, tdx_platform.c ---- */
#define TDX_TDMRS 16u
struct tdx_pamt_block {
    uint64_t base, size;
};
/*
 * TDMRs for that memory: [base, size) in whole GiB, each with room for its holes and some PAMTs
 * among `areas` reserved ones. How many; 0: more than `max`, or a GiB has too many holes.
 */
unsigned int tdx_tdmr_ranges(const struct boot_range *ram, unsigned int count, unsigned int areas,
                             unsigned int max, struct tdx_tdmr_info *out);
/* What of a TDMR is not RAM, or a PAMT, becomes reserved. False: more than `areas` are. */
MUST_CHECK bool tdx_tdmr_reserve(const struct boot_range *ram, unsigned int count,
                                 const struct tdx_pamt_block *pamt, unsigned int pamts,
                                 unsigned int areas, struct tdx_tdmr_info *t);

extern struct tdx_platform {
    struct tdx_hw_keys keys;
    uint64_t version_major, version_minor;
    uint64_t attributes0, attributes1, xfam0, xfam1;
    uint32_t tdcs_pages, tdvps_pages, cpuid_configs;
    uint32_t tsc_khz;
} tdx_platform;
/* False, with a line in the log that says why. */
MUST_CHECK bool tdx_platform_start(void);
/* tdx_seamldr.c: the same, of the loader and of the module as it has it; before SYS.INIT. */
MUST_CHECK bool tdx_seamldr_check(void);
/* No TD is left, nor will be: the module takes no calls any more. */
void tdx_platform_stop(void);
MUST_CHECK bool tdx_key_take(uint32_t *key);
void tdx_key_give(uint32_t key);
/* Writes back the caches of every package for key ids that are done with. */
MUST_CHECK enum abi_status tdx_write_back(const char *who);

/* ---- a TD: tdx_td.c (life), tdx_sept.c (memory) ---- */
#define TDX_PAGE_LIST 510u
struct tdx_page_list {
    struct tdx_page_list *next;
    uint64_t count;
    uint64_t pa[TDX_PAGE_LIST];
};
_Static_assert(sizeof(struct tdx_page_list) == PAGE_SIZE, "a page");

struct tdx_td {
    const char *name;
    uint16_t owner; /* of its pages */
    uint32_t key;
    bool has_key, created, dead;
    pa_t tdr;
    struct tdx_page_list *pages; /* the module's, but for TDR: tables, control pages */
    struct lock lock;            /* its secure EPT */
};

/* MNG.CREATE to MNG.INIT. On failure tdx_td_destroy still has to be called. */
MUST_CHECK enum abi_status tdx_td_create(struct tdx_td *td, const struct tdx_td_params *p);
/* A page of the hypervisor's becomes the module's, and is noted. */
MUST_CHECK enum abi_status tdx_td_page(struct tdx_td *td, pa_t *at);
/* The module did not take it: it is the hypervisor's again, and free. */
void tdx_td_page_undo(struct tdx_td *td, pa_t at);
/* A vCPU: its pages; then VP.INIT with what it finds in RCX, on the CPU it is flushed on later. */
MUST_CHECK enum abi_status tdx_td_vcpu(struct tdx_td *td, pa_t *tdvpr);
MUST_CHECK enum abi_status tdx_td_vcpu_init(struct tdx_td *td, pa_t tdvpr, uint64_t rcx);
MUST_CHECK enum abi_status tdx_td_finalize(struct tdx_td *td);
/* No vCPU belongs to a CPU any more: its key is given up. Then RAM pages can be reclaimed. */
MUST_CHECK enum abi_status tdx_td_kill(struct tdx_td *td);
/* A page of RAM of a TD that is dead: nobody's again. It holds noise. */
MUST_CHECK enum abi_status tdx_td_reclaim(struct tdx_td *td, pa_t at);
/* Everything but RAM goes back to the hypervisor, TDR last. */
void tdx_td_destroy(struct tdx_td *td);

/*
 * Secure EPT; pages are the caller's to own. The lock is held. Tables are added as needed.
 * tdx_sept_add: a copy of `source`, which is the host's; MRTD gets its address (PAGE.ADD).
 * tdx_sept_measure: MRTD gets its contents, too (16 MR.EXTENDs).
 * ABI_EXISTS: something is there, of this or of another size.
 */
MUST_CHECK enum abi_status tdx_sept_add(struct tdx_td *td, uint64_t gpa, pa_t at, pa_t source);
MUST_CHECK enum abi_status tdx_sept_measure(struct tdx_td *td, uint64_t gpa);
MUST_CHECK enum abi_status tdx_sept_aug(struct tdx_td *td, uint64_t gpa, pa_t at,
                                        enum tdx_level level);
/* The TD cannot make translations to it any more. */
MUST_CHECK enum abi_status tdx_sept_block(struct tdx_td *td, uint64_t gpa, enum tdx_level level);
/* A new epoch: what was blocked before ends when every vCPU has left once. */
MUST_CHECK enum abi_status tdx_sept_track(struct tdx_td *td);
/* Of a blocked one; waits until every CPU has left the old epoch. */
MUST_CHECK enum abi_status tdx_sept_remove(struct tdx_td *td, uint64_t gpa, enum tdx_level level);
MUST_CHECK enum abi_status tdx_sept_unblock(struct tdx_td *td, uint64_t gpa, enum tdx_level level);
/* Makes a blocked 2 MiB page 512 pages that are not blocked. */
MUST_CHECK enum abi_status tdx_sept_split(struct tdx_td *td, uint64_t gpa);

/* ---- the shared EPT: tdx_ept.c; SDM Vol. 3, 29.3 ---- */
struct tdx_ept {
    pa_t root;
    uint16_t owner;
};
MUST_CHECK bool tdx_ept_init(struct tdx_ept *t, uint16_t owner);
void tdx_ept_destroy(struct tdx_ept *t);
/* One page; gpa has the SHARED bit. */
MUST_CHECK enum abi_status tdx_ept_map(struct tdx_ept *t, uint64_t gpa, pa_t at);
/* True when something was mapped. */
bool tdx_ept_unmap(struct tdx_ept *t, uint64_t gpa);

#endif
