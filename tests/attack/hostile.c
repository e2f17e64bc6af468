/* A hypervisor that attacks its SEV-SNP guests, at their request. */
#include "attack.h"

#include "../../cc/snp/snp.h"
#include "arch/boot.h"
#include "hv/check.h"
#include "hv/log.h"
#include "hv/page.h"

#define REFUSALS 100u /* faults of one page after which the attack has failed */

void __wrap_snp_vmgexit_msr(struct vcpu *v, uint64_t msr);
void __real_snp_vmgexit_msr(struct vcpu *v, uint64_t msr);
enum abi_status __wrap_snp_fault(struct vcpu *v, gpa_t at, uint64_t info);
enum abi_status __real_snp_fault(struct vcpu *v, gpa_t at, uint64_t info);

static struct vm *swapped;
static uint64_t swapped_at, refusals;

static uint32_t rmp(pa_t at, uint64_t to, uint32_t asid)
{
    const struct rmp_entry e = {.gpa = to, .assigned = asid != 0, .asid = asid};

    return snp_hw_rmpupdate(at, &e);
}

/* The page's state in the RMP must be 4 KiB for what follows. */
static pa_t page_of(struct vm *vm, gpa_t at)
{
    pa_t to = pa(0);

    if (vm_mem_populate(vm, at, &to) == ABI_OK && snp_smash(vm, at, to) != ABI_OK) {
        log_error("hostile: PSMASH fails");
    }
    return to;
}

static uint64_t swap(struct vm *vm, gpa_t at)
{
    pa_t next = page_of(vm, gpa(at.v + PAGE_SIZE));
    bool ok;

    lock(&vm->mem_lock);
    ok = pt_unmap(&vm->stage2, at.v, PAGE_SIZE) &&
         pt_map(&vm->stage2, at.v, next, PAGE_SIZE, PT_W | PT_X) == ABI_OK;
    unlock(&vm->mem_lock);
    swapped = vm;
    swapped_at = at.v;
    arch_vm_flush(vm);
    return !ok;
}

/* The hypervisor can write to it while it has it, and nobody runs it ever after. */
static uint64_t tamper(struct vcpu *v)
{
    pa_t at = pa(v->arch.vmcb->vmsa);
    uint32_t r = rmp(at, 0, 0);

    CHECK(arch_map_cut(at));
    arch_map_show(at, PAGE_SIZE);
    ((struct vmsa *)pa_to_hva(at))->rip += 0x100;
    CHECK(arch_map_hide(at, PAGE_SIZE));
    return r != 0 ? r : rmp(at, SNP_VMSA_GPA, snp_of(v->vm)->asid);
}

static uint64_t attack(struct vcpu *v, unsigned int what, gpa_t at)
{
    struct vm *vm = v->vm;
    pa_t page = page_of(vm, at);
    uint32_t r;

    switch (what) {
    case ATTACK_REPLAY:
        r = rmp(page, 0, 0);
        return r != 0 ? r : rmp(page, at.v, snp_of(vm)->asid);
    case ATTACK_SWAP:
        return swap(vm, at);
    case ATTACK_VMSA:
        return tamper(v);
    case ATTACK_WRITE:
        *(volatile uint64_t *)pa_to_hva(page) = 0xbad;
        return 0;
    case ATTACK_FIRMWARE:
        return snp_psp(SNP_CMD_PLATFORM_STATUS, &page.v, sizeof(page.v));
    case ATTACK_SHARE:
        return snp_make_shared(vm, page, false) != ABI_OK;
    default:
        return ~0ull >> 12;
    }
}

void __wrap_snp_vmgexit_msr(struct vcpu *v, uint64_t msr)
{
    if (GHCB_INFO(msr) != ATTACK_REQ) {
        __real_snp_vmgexit_msr(v, msr);
        return;
    }
    log_vm(v->vm, LOG_INFO, "attack %u", (unsigned int)(msr >> 52));
    v->arch.vmcb->ghcb_gpa =
        attack(v, (unsigned int)(msr >> 52), gpa(msr & 0x000ffffffffff000ull)) << 12 | ATTACK_RESP;
}

/* An access that the chip refuses is tried again for ever: that is the end of it. */
enum abi_status __wrap_snp_fault(struct vcpu *v, gpa_t at, uint64_t info)
{
    if (v->vm == swapped && ALIGN_DOWN(at.v, PAGE_SIZE) == swapped_at && (info & NPF_RMP) != 0 &&
        ++refusals > REFUSALS) {
        vcpu_end(v, "attack met: the RMP refuses the page at %lx", (unsigned long)at.v);
        return ABI_OK;
    }
    return __real_snp_fault(v, at, info);
}
