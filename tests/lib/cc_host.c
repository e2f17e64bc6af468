#include "cc_host.h"

#include <CUnit/CUnit.h>
#include <stdio.h>

#include "arch/boot.h"
#include "hv/check.h"
#include "hv/cpu.h"
#include "hv/page.h"

const struct cc_ops *const cc_registry[] = {&cc_none_ops, &cc_snp_ops, &cc_tdx_ops};
const unsigned int cc_registry_count = ARRAY_SIZE(cc_registry);

/* Each boot is a module after reset. */
bool tdx_hw_find(struct tdx_hw_keys *keys)
{
    struct emu_tdx_machine m = {.lps = cpu_count(), .packages = (cpu_count() + 1) / 2};

    for (unsigned int i = 0; i < boot_info.ram_count; i++) {
        m.cmr[m.cmrs].base = boot_info.ram[i].base;
        m.cmr[m.cmrs++].size = boot_info.ram[i].len;
    }
    emu_tdx_reset(&m);
    *keys = (struct tdx_hw_keys){EMU_TDX_KEY_FIRST, EMU_TDX_KEYS - EMU_TDX_KEY_FIRST,
                                 EMU_TDX_KEY_SHIFT};
    return true;
}

uint64_t tsc_hz(void)
{
    return 2000000000;
}

void vlapic_take_back(struct vcpu *v, uint8_t vector)
{
    v->arch.apic.irr[vector / 64] |= BIT(vector % 64);
}

bool cc_convert(struct vm *vm, uint64_t at, bool private)
{
    uint64_t next;

    if (vm->cc == CC_NONE) {
        return true;
    }
    if (vm->cc == CC_SEV_SNP) {
        return snp_psc_one(vm, at >> PAGE_SHIFT, private ? PSC_PRIVATE : PSC_SHARED);
    }
    if (tdx_map_gpa(vm, private ? at : at | TDX_SHARED, PAGE_SIZE, &next) != TDVMCALL_SUCCESS) {
        return false;
    }
    return !private || tdx_fault(vm, at, TDX_EEQ_ACCEPT | (uint64_t)TDX_4K << 32);
}

/* ---- a TD's own side ---- */

#define ENTRIES 8u /* until it is done with something: more is a loop */

static struct tdx_regs want;
static uint64_t answer;

static void calls(struct tdx_vp *vp)
{
    vp->regs = want;
    vp->regs.rax = TDG_VP_VMCALL;
    vp->regs.rcx = 0xffcc; /* shown are RDX, RBX, RSI to R15 */
    REQUIRE(tdx_tdcall(vp) == TDX_TD_EXIT);
}

static void halts(struct tdx_vp *vp, uint64_t with)
{
    answer = with;
    want = (struct tdx_regs){.r11 = TDX_EXIT_HLT};
    calls(vp);
}

static void accepts(struct tdx_vp *vp)
{
    vp->regs.rax = TDG_MEM_PAGE_ACCEPT;
    vp->regs.rcx = want.rcx;
    if (tdx_tdcall(vp) == TDX_RESUME) {
        halts(vp, vp->regs.rax);
    }
}

static void touches(struct tdx_vp *vp)
{
    uint64_t at;

    if (tdx_cpu_reaches(vp, want.rcx, &at)) {
        halts(vp, at);
    }
}

static uint64_t run(struct vcpu *v, void (*code)(struct tdx_vp *), uint64_t rcx)
{
    answer = CC_NEVER;
    want = (struct tdx_regs){.rcx = rcx};
    tdx_cpu_code = code;
    for (unsigned int i = 0; i < ENTRIES && answer == CC_NEVER && !v->vm->end_asked; i++) {
        snp_run(v);
    }
    tdx_cpu_code = NULL;
    v->arch.wait = WAIT_NONE;
    return answer;
}

void cc_tdx_call(struct vcpu *v, const struct tdx_regs *r)
{
    want = *r;
    tdx_cpu_code = calls;
    snp_run(v);
    tdx_cpu_code = NULL;
    v->arch.wait = WAIT_NONE;
}

uint64_t cc_tdx_accept(struct vcpu *v, uint64_t gpa, enum tdx_level level)
{
    return run(v, accepts, TDX_PAGE(gpa, level));
}

uint64_t cc_tdx_reaches(struct vcpu *v, uint64_t gpa)
{
    return run(v, touches, gpa);
}

bool cc_tdx_touch(struct vcpu *v, uint64_t gpa)
{
    return cc_tdx_reaches(v, gpa) != CC_NEVER;
}

static bool page_agrees(const struct vm *vm, pa_t at)
{
    const struct tdx_pamt *big = tdx_pamt_of(at.v, TDX_2M), *small = tdx_pamt_of(at.v, TDX_4K);
    const struct tdx_pamt *e = big->type != TDX_PT_NDA ? big : small;

    if (page_owner_of(at) != vm->id) {
        return false;
    }
    if (e->type == TDX_PT_NDA) {
        return page_state_of(at) == PAGE_GUEST;
    }
    return page_state_of(at) == PAGE_PRIVATE && e->type == TDX_PT_REG &&
           tdx_owner_of(e) == tdx_of(vm)->td.tdr.v;
}

bool cc_tdx_agrees(struct vm *vm)
{
    for (uint64_t i = 0; i < vm_memory(vm); i += PAGE_SIZE) {
        uint32_t entry = vm->chunks[i / SIZE_2M];
        pa_t at = pa(((uint64_t)(entry & ~CHUNK_FLAGS) << PAGE_SHIFT) + i % SIZE_2M);

        if (!page_agrees(vm, at)) {
            fprintf(stderr, "%s: the page at %lx has no single owner\n", vm->name,
                    (unsigned long)i);
            return false;
        }
    }
    return true;
}

static void says_which_and_halts(struct tdx_vp *vp)
{
    CU_ASSERT_EQUAL(vp->regs.rsi, vp->index); /* BASE 13.3 */
    halts(vp, TDX_SUCCESS);
}

void cc_tdx_halt_all(struct vm *vm)
{
    tdx_cpu_code = says_which_and_halts;
    for (uint32_t i = 0; i < vm->vcpus; i++) {
        snp_run(vm->vcpu[i]);
        CU_ASSERT_EQUAL(vm->vcpu[i]->arch.wait, WAIT_HLT);
        vm->vcpu[i]->arch.wait = WAIT_NONE;
    }
    tdx_cpu_code = NULL;
}
