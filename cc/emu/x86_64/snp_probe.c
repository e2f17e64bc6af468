/*
 * Does this CPU raise #UD for the instructions that snp_xsave.c stands in for? Debian 12's QEMU,
 * 10.0.2, passes over 0Fh C7h with an operand in memory, and does nothing (its issue 3172): guests
 * would lose their registers, so the chip has no XSAVES then, and what needs it is hidden from
 * them. Asked inside a VMRUN of the hypervisor's own address space, where an exception is an exit.
 */
#include "snp_core.h"

#include "arch_impl/insn.h"
#include "hv/cpu.h"
#include "hv/log.h"

#define FLAT_DATA 0xc93
#define FLAT_CODE 0xa9b

extern const uint8_t emu_probe[];
__asm__(".pushsection .text\n"
        "emu_probe: xsavec (%rdi)\n"
        "vmmcall\n"
        ".popsection\n");

static void set_up(struct vmcb *b)
{
    static const struct vmcb_segment data = {0x10, FLAT_DATA, 0xffffffff, 0};

    b->intercept1 = (uint32_t)(ICPT_INTR | ICPT_NMI | ICPT_SMI | ICPT_SHUTDOWN);
    b->intercept2 = ICPT2_SVM;
    b->exceptions = UINT32_MAX;
    b->vintr = VINTR_MASKING;
    b->asid = 1;
    b->tlb_control = TLB_FLUSH_ALL;
    b->es = b->ss = b->ds = b->fs = b->gs = data;
    b->cs = (struct vmcb_segment){8, FLAT_CODE, 0xffffffff, 0};
    b->tr = (struct vmcb_segment){0, 0x8b, 0x67, 0};
    b->ldtr = (struct vmcb_segment){0, 0x82, 0, 0};
    b->efer = rdmsr(MSR_EFER);
    b->cr0 = read_cr0();
    b->cr3 = read_cr3();
    b->cr4 = read_cr4();
    b->dr6 = 0xffff0ff0;
    b->dr7 = 0x400;
    b->rflags = 2;
    b->rip = (uint64_t)emu_probe;
}

bool emu_core_xsave(void)
{
    static enum { UNKNOWN, NO, YES } known; /* the boot CPU asks first */
    struct guest_regs regs = {0};
    struct vmcb *b;
    pa_t area, page;

    if (known != UNKNOWN || !emu_page_take(&page) || !emu_page_take(&area)) {
        return known == YES;
    }
    b = emu_mem(page);
    set_up(b);
    regs.rdi = (uint64_t)emu_mem(area);
    do {
        svm_enter(&regs, page.v, this_cpu()->arch.host_vmcb);
    } while (b->exit_code >= EXIT_INTR && b->exit_code <= EXIT_SMI);
    known = b->exit_code == EXIT_EXCEPTION + VEC_UD ? YES : NO;
    emu_page_give(area);
    emu_page_give(page);
    if (known == NO) {
        log_info("EMULATED: QEMU passes over XSAVES (issue 3172, mended in Debian 13's): "
                 "encrypted guests have no XSAVE");
    }
    return known == YES;
}
