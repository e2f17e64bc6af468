/*
 * THE SILICON LINE of Intel TDX: what the CPU and its module offer, and nothing else. One file
 * issues the instructions (tdx_hw_x86_64.c), one models the module (cc/emu); the link picks.
 */
#ifndef TDX_HW_H
#define TDX_HW_H

#include "hv/types.h"
#include "tdx_spec.h"

/*
 * Can SEAMCALL be issued here, is a module loaded? Everything below REQUIREs it. The key ids that
 * TDs may have, and where in a physical address a key id goes.
 */
struct tdx_hw_keys {
    uint32_t first, count;
    unsigned int shift;
};
MUST_CHECK bool tdx_hw_find(struct tdx_hw_keys *keys);

/*
 * SEAMCALL: all registers in and out, RAX is the status. Interrupts are off on a call that must
 * not move to another CPU; the module may answer INTERRUPTED_*. With RAX bit 63 it is the loader's:
 * one CPU at a time, and the CPU may have no current VMCS afterwards.
 */
uint64_t tdx_hw_seamcall(struct tdx_regs *r);

/*
 * SEAMCALL of VP.ENTER: interrupts are off before and after. What a guest shows in TDVMCALL is in
 * the registers; its FPU state never reaches us.
 */
uint64_t tdx_hw_vp_enter(struct tdx_regs *r);

/*
 * This CPU sends itself that interrupt; interrupts are off, and stay so until VP.ENTER. Pending
 * then, it is what makes the CPU look into the posted-interrupt descriptor, and nothing else does
 * (SDM Vol. 3, 30.6). If the TD does not run, the interrupt is the host's.
 */
void tdx_hw_notify(uint8_t vector);

/*
 * The NMI that VP.ENTER ended with is not pending any more: the host's handler has to be called,
 * and its IRET lets the next come (SDM Vol. 3, 28.3.3).
 */
void tdx_hw_take_nmi(void);

/*
 * INVEPT of all contexts: this CPU forgets what shared EPTs said (SDM Vol. 3, 29.4.3.1). The module
 * does so by itself only when a vCPU comes to a CPU, or enters a TD's next epoch (BASE 8.8).
 */
void tdx_hw_invept(void);

/* The package of this CPU: keys are configured, and caches written back, package by package. */
unsigned int tdx_hw_package(void);

/* Makes memory that the module had usable by us again, and zero: MOVDIR64B (BASE 7.3). */
void tdx_hw_clear_page(pa_t at);

/* Writes back and invalidates this CPU's caches: before memory becomes a PAMT (BASE 4.3). */
void tdx_hw_wbinvd(void);

#endif
