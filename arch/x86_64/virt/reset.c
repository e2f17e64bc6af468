/* The states a vCPU starts in: INIT (APM Vol. 2, table 14-1), start-up, and a loaded kernel's. */
#include "arch_impl/svm.h"

#include "arch_impl/insn.h"
#include "hv/string.h"

#define PAT_RESET 0x0007040600070406ull

static const struct vmcb_segment real_data = {0, 0x93, 0xffff, 0};
static const struct vmcb_segment flat_data = {0x18, 0xc93, 0xffffffff, 0};

static void set_data_segments(struct vmcb *b, const struct vmcb_segment *s)
{
    b->ds = *s;
    b->es = *s;
    b->fs = *s;
    b->gs = *s;
    b->ss = *s;
}

void svm_reset_state(struct vcpu *v)
{
    struct vmcb *b = v->arch.vmcb;

    memset(&v->arch.regs, 0, sizeof(v->arch.regs));
    v->arch.regs.rdx = cpuid(1, 0).eax;
    set_data_segments(b, &real_data);
    b->cs = (struct vmcb_segment){0xf000, 0x9b, 0xffff, 0xffff0000};
    b->gdtr = (struct vmcb_segment){0, 0, 0xffff, 0};
    b->idtr = (struct vmcb_segment){0, 0, 0xffff, 0};
    b->ldtr = (struct vmcb_segment){0, 0x82, 0xffff, 0};
    b->tr = (struct vmcb_segment){0, 0x8b, 0xffff, 0};
    b->cpl = 0;
    b->efer = EFER_SVME;
    b->cr0 = CR0_ET;
    b->cr3 = 0;
    b->cr4 = 0;
    b->cr2 = 0;
    b->dr6 = 0xffff0ff0;
    b->dr7 = 0x400;
    b->rflags = 2;
    b->rip = 0xfff0;
    b->rsp = 0;
    b->rax = 0;
    b->g_pat = PAT_RESET;
    b->dbgctl = 0;
    b->int_state = 0;
    b->event_inj = 0;
    b->clean = 0;
    b->intercept1 &= (uint32_t)~ICPT_IRET;
    v->arch.reinject = 0;
    v->arch.nmi_pending = false;
    v->arch.nmi_masked = false;
    v->arch.nmi_returning = false;
    v->arch.nmi_step = false;
}

void svm_start_at(struct vcpu *v, uint8_t sipi_vector)
{
    struct vmcb *b = v->arch.vmcb;

    b->cs.selector = (uint16_t)(sipi_vector << 8);
    b->cs.base = (uint64_t)sipi_vector << 12;
    b->rip = 0;
    b->clean = 0;
    v->arch.wait = WAIT_NONE;
}

/* Documentation/arch/x86/boot.rst, "64-bit boot protocol". */
static void enter_linux64(struct vcpu *v, const struct vcpu_entry *e)
{
    struct vmcb *b = v->arch.vmcb;

    b->cr0 = CR0_PE | CR0_ET | CR0_NE | CR0_PG;
    b->cr4 = CR4_PAE;
    b->cr3 = e->page_tables;
    b->efer = EFER_SVME | EFER_LME | EFER_LMA;
    b->cs = (struct vmcb_segment){0x10, 0xa9b, 0xffffffff, 0};
    b->gdtr.base = e->gdt;
    b->gdtr.limit = 0x1f;
    v->arch.regs.rsi = e->boot_data;
    v->arch.regs.rdx = 0;
}

/* The PVH entry: 32-bit flat, no paging, EBX the start info. */
static void enter_pvh(struct vcpu *v, const struct vcpu_entry *e)
{
    struct vmcb *b = v->arch.vmcb;

    b->cr0 = CR0_PE | CR0_ET;
    b->cs = (struct vmcb_segment){0x10, 0xc9b, 0xffffffff, 0};
    b->tr = (struct vmcb_segment){0, 0x8b, 0x67, 0};
    v->arch.regs.rbx = e->boot_data;
}

void svm_entry_state(struct vcpu *v, const struct vcpu_entry *e)
{
    struct vmcb *b = v->arch.vmcb;

    svm_reset_state(v);
    set_data_segments(b, &flat_data);
    b->rip = e->rip;
    if (e->mode == ENTRY_LINUX64) {
        enter_linux64(v, e);
    } else {
        enter_pvh(v, e);
    }
}
