/*
 * What a launch and its prediction share: the types of pages, and the save area that a directly
 * booted guest starts with. It is measured: the same bytes must come out wherever this is compiled.
 */
#include "snp_vmsa.h"

#include "hv/string.h"

#define CR0_PE  BIT(0)
#define CR0_ET  BIT(4)
#define CR0_NE  BIT(5)
#define CR0_PG  BIT(31)
#define CR4_PAE BIT(5)
#define EFER_LME  BIT(8)
#define EFER_LMA  BIT(10)
#define EFER_SVME BIT(12) /* an SEV-ES guest's EFER has it: APM 15.35.2 */

enum snp_page_type snp_piece_type(enum piece_kind kind)
{
    return kind == PIECE_SECRETS ? SNP_PAGE_SECRETS
           : kind == PIECE_CPUID ? SNP_PAGE_CPUID
           : kind == PIECE_ZERO  ? SNP_PAGE_ZERO
                                 : SNP_PAGE_NORMAL;
}

/* Documentation/arch/x86/boot.rst, "64-bit boot protocol": CS 10h, data 18h, flat. */
void snp_direct_vmsa(struct vmsa *v, const struct vcpu_entry *e, uint64_t features)
{
    const struct vmcb_segment data = {0x18, 0xc93, 0xffffffff, 0};

    memset(v, 0, sizeof(*v));
    v->es = data;
    v->ss = data;
    v->ds = data;
    v->fs = data;
    v->gs = data;
    v->cs = (struct vmcb_segment){0x10, 0xa9b, 0xffffffff, 0};
    v->gdtr = (struct vmcb_segment){0, 0, 0x1f, e->gdt};
    v->idtr = (struct vmcb_segment){0, 0, 0, 0};
    v->ldtr = (struct vmcb_segment){0, 0x82, 0, 0};
    v->tr = (struct vmcb_segment){0, 0x8b, 0x67, 0};
    v->efer = EFER_LME | EFER_LMA | EFER_SVME;
    v->cr4 = CR4_PAE;
    v->cr3 = e->page_tables;
    v->cr0 = CR0_PE | CR0_ET | CR0_NE | CR0_PG;
    v->dr7 = 0x400;
    v->dr6 = 0xffff0ff0;
    v->rflags = 2;
    v->rip = e->rip;
    v->g_pat = 0x0007040600070406ull;
    v->rsi = e->boot_data;
    v->sev_features = features;
    v->xcr0 = 1;
    v->mxcsr = 0x1f80;
    v->x87_fcw = 0x37f;
}
