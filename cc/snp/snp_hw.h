/*
 * THE SILICON LINE of SEV-SNP: what the chip and its firmware offer, and nothing else. One file
 * issues the instructions (snp_hw_x86_64.c), one models the chip (cc/emu); the link picks.
 */
#ifndef SNP_HW_H
#define SNP_HW_H

#include "hv/types.h"
#include "snp_spec.h"

struct guest_regs;

/* What the chip's CPUID says; out is EAX, EBX, ECX, EDX, zero where there is no such leaf. */
void snp_hw_cpuid(uint32_t leaf, uint32_t sub, uint32_t out[4]);

/* SYSCFG, RMP_BASE, RMP_END, RMP_CFG, VM_HSAVE_PA of this CPU. */
uint64_t snp_hw_rdmsr(uint32_t msr);
void snp_hw_wrmsr(uint32_t msr, uint64_t value);

/* APM Vol. 3. Results are enum rmp_result; FAIL_INUSE and FAIL_OVERLAP may be tried again. */
MUST_CHECK uint32_t snp_hw_rmpupdate(pa_t pa, const struct rmp_entry *e);
MUST_CHECK uint32_t snp_hw_psmash(pa_t pa);
/* False when the page has no entry. */
MUST_CHECK bool snp_hw_rmpread(pa_t pa, struct rmp_entry *e);

/* Zeroes the table, before SNP is enabled on any CPU; no cache is written back. */
void snp_hw_rmp_clear(void);

/* The PSP's registers (snp_spec.h). snp_hw_psp_find: false when there is none. */
MUST_CHECK bool snp_hw_psp_find(void);
uint32_t snp_hw_psp_read(uint32_t reg);
void snp_hw_psp_write(uint32_t reg, uint32_t value);

/* snp_vmrun.S */
void snp_vmrun(uint64_t vmcb_pa, uint64_t host_vmcb);

/* Writes back and invalidates this CPU's caches. */
void snp_hw_wbinvd(void);

/*
 * VMRUN of an SEV-ES guest: its registers come from and go to the save area that the VMCB names.
 * Interrupts are off before and after. host_vmcb is the hypervisor's VMLOAD state.
 */
void snp_hw_vmrun(struct vmcb *vmcb, uint64_t vmcb_pa, uint64_t host_vmcb);

#endif
