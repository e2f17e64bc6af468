/*
 * The emulated SNP chip as a host program: its memory is an array, its processors are the test.
 * Pages are handed out upwards and never come back; emu_host_reset starts over.
 */
#ifndef TESTS_LIB_EMU_HOST_H
#define TESTS_LIB_EMU_HOST_H

#include "../../cc/emu/snp_emu.h"

#include <setjmp.h>

#define HOST_MEMORY MiB(32)

/* Memory zeroed, RMP empty and enabled, PSP after reset, no page handed out. */
void emu_host_reset(void);
/* A fresh page; 2 MiB for RMP_2M. */
uint64_t host_page(unsigned int size);
void *host_at(uint64_t at);

/* This thread's calls of emu_core_forget since the last reset, and the last one's arguments. */
struct host_forgotten {
    unsigned int calls;
    uint32_t asid;
    uint64_t gpa, size;
};
extern _Thread_local struct host_forgotten host_forgotten;
/* The last page that emu_core_forget_vmsa was told of; 0: none. */
extern _Thread_local uint64_t host_forgotten_vmsa;
/* Runs inside the next emu_core_forget: another processor's view of that moment. */
extern _Thread_local void (*host_during_forget)(void);

/* Has a processor a host save area? Not after a reset. */
extern bool host_save_area;

/* What emu_core_cpuid answers for every leaf. */
extern uint32_t host_cpuid[4];

/* Pauses, for threads, are real locks; fpu sections must balance. */
bool host_fpu_balanced(void);

/* ---- the PSP as a driver uses it ---- */

/* Rings the mailbox with that buffer (NULL: none) and gives the status. */
uint32_t psp_do(uint32_t id, const void *cmd, size_t len);
uint32_t psp_do_addr(uint32_t id, uint64_t at);
/* RMPUPDATE of a page; ASID 0 and immutable makes it the firmware's. */
uint32_t host_assign(uint64_t at, unsigned int size, uint64_t gpa, uint32_t asid, bool immutable);
/* A fresh firmware page. */
uint64_t host_firmware_page(void);
/* INIT_EX with INIT_RMP, WBINVD, DF_FLUSH; the status of the first that fails. */
uint32_t host_init(void);

#define HOST_POLICY 0x30000ull

struct host_guest {
    uint64_t gctx;
    uint32_t asid;
};
/* GCTX_CREATE, LAUNCH_START, ACTIVATE. */
uint32_t host_start_guest(struct host_guest *g, uint32_t asid, uint64_t policy);
/* A fresh pre-guest page with those contents (NULL: zero), and LAUNCH_UPDATE. *at may be NULL. */
uint32_t host_load(const struct host_guest *g, enum snp_page_type type, uint64_t gpa,
                   const void *contents, uint64_t *at);
uint32_t host_finish(const struct host_guest *g);
/* Started, one page, secrets and finished; *secrets has the page's copy. */
uint32_t host_run_guest(struct host_guest *g, struct snp_secrets_page *secrets);

/* ---- panics ---- */
extern jmp_buf host_panic;
extern bool host_panic_expected;
#define ASSERT_PANICS(stmt)                                                                        \
    do {                                                                                           \
        host_panic_expected = true;                                                                \
        if (setjmp(host_panic) == 0) {                                                             \
            stmt;                                                                                  \
            CU_FAIL("no panic: " #stmt);                                                           \
        }                                                                                          \
        host_panic_expected = false;                                                               \
    } while (0)

#endif
