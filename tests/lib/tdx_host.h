/*
 * The emulated TDX module as a host program: its memory is an array, its CPUs are the test, a TD's
 * code is a function. Pages are handed out upwards and never come back; tdx_host_reset starts over.
 */
#ifndef TESTS_LIB_TDX_HOST_H
#define TESTS_LIB_TDX_HOST_H

#include "../../cc/emu/tdx_module.h"

#include <setjmp.h>

#define HOST_MEMORY GiB(3)
#define HOST_PAMT   SIZE_1G /* where the PAMTs of the one TDMR, [0, 1 GiB), go */
#define HOST_KEY    40u     /* the first TD's */

/* Memory zeroed, module after reset: 4 CPUs, 2 packages, all memory convertible. */
void tdx_host_reset(void);
/* All leaves from SYS.INIT to a ready module with one TDMR. */
void tdx_host_ready(void);
/* Which CPU the test is; which is in which package: two and two. */
extern _Thread_local unsigned int host_lp;
/* An interrupt is pending the next n times that somebody asks. */
extern _Thread_local unsigned int host_interrupts;

uint64_t host_page(void);    /* 4 KiB inside the TDMR */
uint64_t host_page_2m(void); /* 2 MiB */
void *host_at(uint64_t at);

/* SEAMCALL with up to five operands; the registers that came back are in host_regs. */
extern _Thread_local struct tdx_regs host_regs;
uint64_t host_call(enum tdh_leaf leaf, uint64_t rcx, uint64_t rdx, uint64_t r8, uint64_t r9);
#define ST(name, operand) tdx_error(TDX_##name, operand)

/* The module as it asks its core: counted. */
struct host_core {
    unsigned int forgets, flushes;
    uint64_t forgot_gpa, forgot_size;
};
extern struct host_core host_core;
/* What a vCPU does when it is entered; NULL: it exits for an interrupt. */
extern void (*host_td_code)(struct tdx_vp *vp);
/* CPUID 1 EAX of the test's CPU. */
#define HOST_CPUID_1_EAX 0x000806f8u

struct host_td {
    uint64_t tdr, tdcx[TDX_TDCS_PAGES], tdvpr[4];
    unsigned int vcpus;
    struct tdx_td_params params;
};
/* Valid parameters; a test may change them before host_td_init. */
void host_params(struct tdx_td_params *p);
/* MNG.CREATE, KEY.CONFIG on both packages, ADDCX. Each step aborts the test when it fails. */
void host_td_create(struct host_td *td, unsigned int key);
uint64_t host_td_init(struct host_td *td); /* MNG.INIT with td->params */
/* VP.CREATE, ADDCX, INIT with that RCX. */
void host_td_vcpu(struct host_td *td, uint64_t rcx);
/* Secure EPT pages for the GiB that gpa is in, down to where 4 KiB (or 2 MiB) pages go. */
void host_td_tables(struct host_td *td, uint64_t gpa, unsigned int leaf);
/* PAGE.ADD of those bytes, zeros behind, and all 16 MR.EXTENDs. The page's place. */
uint64_t host_td_add(struct host_td *td, uint64_t gpa, const void *contents, size_t len);
/* Created, initialised, one vCPU, tables at 0, and finalised if asked. */
void host_td_make(struct host_td *td, unsigned int key, bool finalize);
struct tdx_vp *host_vp(const struct host_td *td, unsigned int i);
uint64_t host_enter(const struct host_td *td, unsigned int i);
/* VP.FLUSH, VPFLUSHDONE, CACHE.WB on both packages, FREEID. */
uint64_t host_td_kill(struct host_td *td);

#endif
