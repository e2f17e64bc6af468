/* Confidential micro-guests, on x86: what lib/guest.h promises, inside an SEV-SNP guest or a TD. */
#ifndef GUEST_CC_H
#define GUEST_CC_H

#include "guest.h"

/* What the first vCPU of a bzImage starts with (start.S). */
struct bz_state {
    uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp, rsp, r8, r9, r10, r11, r12, r13, r14, r15;
    uint64_t cs, ds, es, fs, gs, ss;
    uint64_t cr0, cr2, cr3, cr4, cr8, dr6;
    uint64_t tr, ldtr, rflags;
    uint8_t gdtr[16], idtr[16]; /* limit, then base */
    uint64_t efer;
};
extern struct bz_state bz_state;

extern uint64_t private_pte; /* the C-bit, or 0 */
extern uint8_t shared_start[], shared_end[];
/* The same byte as private memory, though its page table says shared; until this vCPU's next. */
volatile void *as_private(uint64_t at);

/* snp.c, tdx.c: the first exit may come after it; nothing is shared before. */
void snp_begin(const uint8_t *boot_params);
void tdx_begin(void);

#endif
