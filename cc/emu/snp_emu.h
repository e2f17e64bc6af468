/* The emulated SNP chip's parts: RMP, PSP, core. */
#ifndef SNP_EMU_H
#define SNP_EMU_H

#include "../snp/snp_spec.h"
#include "emu.h"

/* ---- RMP (snp_rmp.c): APM 15.36.3 ---- */

/* One page's full state; what RMPREAD shows is a part of it. */
struct emu_rmp {
    uint64_t gpa;
    uint32_t asid; /* 0 with assigned: firmware owns it */
    bool assigned, validated, immutable, vmsa, in_use;
    uint8_t page_size; /* RMP_4K, RMP_2M */
    uint8_t perms[4];  /* VMPL 0-3: bit 0 read, 1 write, 2 user execute, 3 supervisor execute */
};

#define EMU_PERM_READ  0x01u
#define EMU_PERM_WRITE 0x02u
#define EMU_PERM_USER  0x04u /* execute at CPL 3 */
#define EMU_PERM_EXEC  0x08u /* execute below */
#define EMU_PERM_ALL   0x0fu
#define EMU_VMPLS      4u
/* SNP guests have the ASIDs 1..EMU_SNP_ASIDS (CPUID 8000001Fh ECX). */
#define EMU_SNP_ASIDS 64u

/* What PVALIDATE and RMPADJUST can meet besides enum rmp_result: no result, but an event. */
enum emu_rmp_event {
    EMU_RMP_AGAIN = 0x100,       /* the entry is being changed: enter at the same RIP again */
    EMU_RMP_FAULT = 0x101,       /* #NPF, RMP bit (31): not this guest's page at this address */
    EMU_RMP_FAULT_SIZE = 0x102,  /* #NPF, RMP and SIZEM bits (31, 35): a 2 MiB entry, 4 KiB asked */
    EMU_RMP_UNVALIDATED = 0x103, /* RMPADJUST only: #VC, page not validated */
    EMU_RMP_FAULT_VMPL = 0x104,  /* an access: #NPF, RMP and VMPL bits (31, 36) */
};

/* Covers physical memory [0, end). Table memory comes from the caller: emu_rmp_bytes(end). */
uint64_t emu_rmp_bytes(uint64_t end);
void emu_rmp_init(void *table, uint64_t end);
void emu_rmp_enable(void); /* SNP_EN: from now on entries are checked */
void emu_rmp_disable(void);
bool emu_rmp_enabled(void);
uint64_t emu_rmp_end(void);
/* INIT_RMP: every page is the hypervisor's. No other CPU uses the table. */
void emu_rmp_clear(void);
/* And then, whatever they were: pages of 4 KiB, as far as the table reaches. REQUIREs of the entry
 * that it is at most assigned and immutable. */
void emu_rmp_fill(uint64_t from, uint64_t to, const struct emu_rmp *e);

/* A copy of the entry that covers pa (a 2 MiB page's for each of its 4 KiB). False: none. */
bool emu_rmp_get(pa_t pa, struct emu_rmp *e);

uint32_t emu_rmpupdate(pa_t pa, const struct rmp_entry *e);
uint32_t emu_psmash(pa_t pa);
/*
 * By the guest with that ASID at VMPL 0..3, the page translated to pa. Answers enum rmp_result or
 * enum emu_rmp_event. *changed is the opposite of what CF tells.
 */
uint32_t emu_pvalidate(pa_t pa, uint64_t gpa, uint32_t asid, unsigned int vmpl, unsigned int size,
                       bool validate, bool *changed);
uint32_t emu_rmpadjust(pa_t pa, uint64_t gpa, uint32_t asid, unsigned int vmpl, unsigned int size,
                       unsigned int target_vmpl, uint8_t perms, bool vmsa);
/*
 * May a guest touch the page translated to pa at that address, as private memory or as shared, at
 * that VMPL (0..3), with those rights (EMU_PERM_*)? RMP_OK, EMU_RMP_FAULT, EMU_RMP_UNVALIDATED or
 * EMU_RMP_FAULT_VMPL; *e is the entry.
 */
struct emu_touch {
    uint64_t gpa;
    uint32_t asid;
    bool private;
    uint8_t vmpl, need;
};
uint32_t emu_rmp_access(pa_t pa, const struct emu_touch *t, struct emu_rmp *e);
/* Is a page assigned to that guest? A look without locks: for when nobody may assign any. */
bool emu_rmp_has_asid(uint32_t asid);
/* The firmware's own changes (launch, reclaim, context pages). REQUIREs a covered page. */
void emu_rmp_set(pa_t pa, const struct emu_rmp *e);

/* VMRUN claims its save area: a validated VMSA page of that guest that no other CPU runs. */
MUST_CHECK bool emu_rmp_use(pa_t pa, uint32_t asid);
void emu_rmp_unuse(pa_t pa);

/*
 * Called, no lock held, before the instruction that changed an entry ends: every CPU forgets
 * translations of that guest page (asid, gpa, size), and none uses them when it returns. The
 * entry already shows its new state, and no instruction changes it again until then.
 */
void emu_core_forget(uint32_t asid, uint64_t gpa, uint64_t size);
/* That page is no save area any more. */
void emu_core_forget_vmsa(uint64_t vmsa_pa);

/* ---- PSP (snp_psp*.c): SEV-SNP Firmware ABI ---- */

/* The chip after reset: no guests, no fault armed, report version 2, one CPU. */
void emu_psp_init(void);
/* How many CPUs must have written back their caches before DF_FLUSH (1..64). */
void emu_psp_cpus(unsigned int count);
/* WBINVD on that CPU. */
void emu_psp_wbinvd(unsigned int cpu);
/* Where RMP_BASE and RMP_END put the table: INIT_RMP makes these pages the firmware's. */
void emu_psp_rmp_area(pa_t base, uint64_t size);
/* ATTESTATION_REPORT version 2, 3 or 5. */
void emu_psp_report_version(uint32_t version);
/* Older firmware: RING_BUFFER is no command. Outlasts a reset. */
void emu_psp_lacks_ring(bool lacks);
/* By the core: has any processor a host save area, in VM_HSAVE_PA? */
bool emu_core_has_save_area(void);
/* By the core: what this chip's processors answer; CPUID pages are checked against it. */
void emu_core_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[4]);
uint32_t emu_psp_read(uint32_t reg);
void emu_psp_write(uint32_t reg, uint32_t value);

/* ---- faults that tests inject (emu_fault.c); all off by default ---- */

/* The n-th firmware command from now (1: the next) answers that status. */
void emu_psp_fail_nth(unsigned int n, uint32_t status);
void emu_rmpupdate_fail_nth(unsigned int n, uint32_t result);
/* Every later command shows its response, or that it left the ring, only after that many reads of
 * the register. */
void emu_psp_answer_after(unsigned int reads);
/*
 * Memory lies to the n-th page of 4 KiB that LAUNCH_UPDATE takes as it is, before it is measured:
 * a bit of it flips; it has the contents of the one that was taken before it; the two have each
 * other's. Not for the first one after a reset but CORRUPT.
 */
enum emu_page_fault { EMU_PAGE_CORRUPT = 1, EMU_PAGE_REPLAY, EMU_PAGE_SWAP };
void emu_page_fault_nth(unsigned int n, enum emu_page_fault fault);
void emu_fault_reset(void);
bool emu_fault_armed(void); /* an n-th event has not come yet */
/* For the chip's parts: SNP_SUCCESS or RMP_OK unless a fault is due now. */
uint32_t emu_fault_command(void);
uint32_t emu_fault_rmpupdate(void);
unsigned int emu_fault_delay(void);
void emu_fault_page(uint8_t *page); /* under the mailbox's lock */

#endif
