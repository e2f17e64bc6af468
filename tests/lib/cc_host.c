#include "cc_host.h"

#include "../../cc/tdx/tdx_vm.h"
#include "arch/boot.h"
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
        return snp_psc_one(vm, at >> PAGE_SHIFT, private ? PSC_PRIVATE : PSC_SHARED, false);
    }
    if (tdx_map_gpa(vm, private ? at : at | TDX_SHARED, PAGE_SIZE, &next) != TDVMCALL_SUCCESS) {
        return false;
    }
    return !private ||
           tdx_fault(vm, at, EPT_VIOLATION_WRITE, TDX_EEQ_ACCEPT | (uint64_t)TDX_4K << 32);
}

bool cc_tds_pages_are_nobodys(void)
{
    for (unsigned int i = 0; i < boot_info.ram_count; i++) {
        const struct boot_range *r = &boot_info.ram[i];

        for (uint64_t at = r->base; at < r->base + r->len; at += PAGE_SIZE) {
            const struct tdx_pamt *e = tdx_pamt_of(at, TDX_4K);
            enum page_state s = page_state_of(pa(at));

            if (e != NULL && e->type > TDX_PT_RSVD && s != PAGE_CHIP && s != PAGE_PRIVATE) {
                return false;
            }
        }
    }
    return true;
}
