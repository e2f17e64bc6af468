/*
 * The emulated TDX module, seen from outside: from the silicon line, from the core that runs TDs,
 * from tests. Start with tdx_module.h for the inside.
 */
#ifndef TDX_EMU_H
#define TDX_EMU_H

#include "../tdx/tdx_spec.h"
#include "emu.h"

struct tdx_vp;

/* Physical addresses have 46 bits, the upper six a key id; 0..31 are for anybody, the rest TDs'. */
#define EMU_TDX_PA_BITS    46u
#define EMU_TDX_KEY_SHIFT  40u
#define EMU_TDX_KEYS       64u
#define EMU_TDX_KEY_FIRST  32u
#define EMU_TDX_LPS        64u
#define EMU_TDX_CMRS       32u

/* The machine, as its firmware told the module. */
struct emu_tdx_machine {
    unsigned int lps, packages;
    unsigned int cmrs;
    struct {
        uint64_t base, size; /* memory that can be a TD's: whole pages, in order, no overlap */
    } cmr[EMU_TDX_CMRS];
};
void emu_tdx_reset(const struct emu_tdx_machine *m);

/* SEAMCALL on this CPU, to the module or to P-SEAMLDR. RAX comes back in the registers and as the
 * result. */
uint64_t emu_tdx_seamcall(struct tdx_regs *r);
/* What SEAMLDR.INFO tells, until the next reset: tests change it. */
struct tdx_seamldr_info *emu_seamldr(void);

/* ---- what the module wants of the CPU's core, or of a test ---- */

/* This logical processor: 0..lps-1, and the package it is in. */
unsigned int emu_tdx_lp(void);
unsigned int emu_tdx_package(unsigned int lp);
/* Does an interrupt wait that the host must take? Long leaves stop for it. */
bool emu_tdx_interrupt(void);
/* What the CPUs answer; TDs see a part of it. */
void emu_tdx_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[4]);
/* No new translation of that private range may be made from cached ones; used ones may linger. */
void emu_tdx_forget(uint64_t tdr_pa, uint64_t gpa, uint64_t size);
/* INVEPT on this CPU, before a vCPU enters: nothing cached survives. */
void emu_tdx_flush(struct tdx_vp *vp);
/* The CPUs' time stamp; a TD's starts at 0. */
uint64_t emu_tdx_tsc(void);
/* Has the vCPU's virtual APIC an interrupt that it could take? What is only posted is not there. */
bool emu_tdx_interruptible(struct tdx_vp *vp);
/* That TD is no more. */
void emu_tdx_gone(uint64_t tdr_pa);
/* Runs the vCPU until a TD exit: tdx_exit_async() or tdx_tdcall() said which. */
void emu_tdx_run(struct tdx_vp *vp);

/* ---- faults that tests inject (tdx_fault.c); all off by default ---- */

/* The n-th SEAMCALL from now (1: the next) answers that and does nothing. */
void emu_tdx_fail_nth(unsigned int n, uint64_t status);
/* The n-th call of that leaf. */
void emu_tdx_fail_leaf(enum tdh_leaf leaf, unsigned int n, uint64_t status);
/* SEAMCALLs since the last reset of this counter. */
unsigned int emu_tdx_calls(void);
void emu_tdx_fault_reset(void);
/* For the module and its loader: TDX_SUCCESS unless a fault is due now. RAX names the leaf. */
uint64_t emu_tdx_fault(uint64_t rax);

#endif
