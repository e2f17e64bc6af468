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

/* Covers physical memory [0, end). Table memory comes from the caller: emu_rmp_bytes(end). */
uint64_t emu_rmp_bytes(uint64_t end);
void emu_rmp_init(void *table, uint64_t end);
void emu_rmp_enable(void); /* SNP_EN: from now on entries are checked */

/* A copy of the entry that covers pa (a 2 MiB page's for each of its 4 KiB). False: none. */
bool emu_rmp_get(pa_t pa, struct emu_rmp *e);

uint32_t emu_rmpupdate(pa_t pa, const struct rmp_entry *e);
uint32_t emu_psmash(pa_t pa);
/* By the guest with that ASID at VMPL 0..3, the page translated to pa; *changed is what CF tells. */
uint32_t emu_pvalidate(pa_t pa, uint64_t gpa, uint32_t asid, unsigned int vmpl, unsigned int size,
                       bool validate, bool *changed);
uint32_t emu_rmpadjust(pa_t pa, uint64_t gpa, uint32_t asid, unsigned int vmpl, unsigned int size,
                       unsigned int target_vmpl, uint8_t perms, bool vmsa);
/* The firmware's own changes (launch, reclaim, context pages). REQUIREs a covered page. */
void emu_rmp_set(pa_t pa, const struct emu_rmp *e);

/*
 * Called, no lock held, before an entry's change takes effect elsewhere: every CPU forgets
 * translations of that guest page (asid, gpa, size), and none uses them when it returns.
 */
void emu_core_forget(uint32_t asid, uint64_t gpa, uint64_t size);
/* That page is no save area any more. */
void emu_core_forget_vmsa(uint64_t vmsa_pa);

/* ---- PSP (snp_psp*.c): SEV-SNP Firmware ABI ---- */

void emu_psp_init(void);
uint32_t emu_psp_read(uint32_t reg);
void emu_psp_write(uint32_t reg, uint32_t value);

/* ---- faults that tests inject (emu_fault.c); all off by default ---- */

/* The n-th firmware command from now (1: the next) answers that status. */
void emu_psp_fail_nth(unsigned int n, uint32_t status);
void emu_rmpupdate_fail_nth(unsigned int n, uint32_t result);

#endif
