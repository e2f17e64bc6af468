/* arch/guest_abi.h on AMD SVM: only in an image with such a module. */
#include "arch/guest_abi.h"

#include "../cpu/x86.h"
#include "arch_impl/insn.h"
#include "arch_impl/svm.h"

#define CS_LONG   BIT(9)  /* vmcb.h: the descriptor's bit 53 */
#define RFLAGS_AC BIT(18)

void arch_vcpu_paging(const struct vcpu *v, struct arch_paging *p)
{
    const struct vmcb *b = v->arch.vmcb;

    *p = (struct arch_paging){
        .cr0 = b->cr0,
        .cr3 = b->cr3,
        .cr4 = b->cr4,
        .code64 = (b->efer & EFER_LMA) != 0 && (b->cs.attributes & CS_LONG) != 0,
        .user = b->cpl != 0,
        .user_allowed = (b->rflags & RFLAGS_AC) != 0,
    };
}

void arch_vcpu_interrupt(struct vcpu *v, uint8_t vector)
{
    vlapic_set(v, vector);
}

void arch_vm_no_eoi(struct vm *vm, uint8_t vector)
{
    store_once(&vm->arch.no_eoi, vector);
}

void arch_vcpu_halt(struct vcpu *v)
{
    v->arch.wait = WAIT_HLT;
    v->arch.events = true;
}
