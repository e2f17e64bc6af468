/*
 * What the host may choose of a TD's CPUID, and does: the list is the module's, in its order, and
 * the rest is the module's own. ABI 3.6.1.
 */
#include "tdx_vm.h"

#define LEAF1_ECX_DEADLINE BIT(24)

/* Without the deadline a TD counts its timer by leaf 15h's crystal, which is not ours. */
static struct tdx_cpuid_value wanted(uint32_t leaf)
{
    return (struct tdx_cpuid_value){.ecx = leaf == 1 ? (uint32_t)LEAF1_ECX_DEADLINE : 0};
}

bool tdx_cpuid_fill(struct tdx_td_params *p)
{
    uint64_t leaf, low, high;

    for (uint32_t i = 0; i < tdx_platform.cpuid_configs; i++) {
        struct tdx_cpuid_value *v = &p->cpuid[i];

        if (!tdx_metadata(MD_CPUID_LEAVES + i, &leaf) ||
            !tdx_metadata(MD_CPUID_VALUES + 2 * i, &low) ||
            !tdx_metadata(MD_CPUID_VALUES + 2 * i + 1, &high)) {
            return false;
        }
        *v = wanted((uint32_t)leaf);
        v->eax &= (uint32_t)low;
        v->ebx &= (uint32_t)(low >> 32);
        v->ecx &= (uint32_t)high;
        v->edx &= (uint32_t)(high >> 32);
    }
    return true;
}
