/*
 * What the host may choose of a TD's CPUID, and does: the list is the module's, in its order, and
 * the rest is the module's own. ABI 3.6.1.
 */
#include "tdx_vm.h"

#define LEAF1_ECX_DEADLINE BIT(24)

#define CORES_SHIFT 6u /* APIC ids of DOMAIN_VCPUS_MAX cores */
_Static_assert(DOMAIN_VCPUS_MAX <= 1u << CORES_SHIFT, "one package");

/* One thread a core, every vCPU a core of one package; as plain guests have it. */
static struct tdx_cpuid_value topology(uint32_t subleaf)
{
    if (subleaf == 0) {
        return (struct tdx_cpuid_value){.ebx = 1, .ecx = 1 << 8};
    }
    return (struct tdx_cpuid_value){
        .eax = CORES_SHIFT, .ebx = 1u << CORES_SHIFT, .ecx = 2 << 8 | 1};
}

/* Without the deadline a TD counts its timer by leaf 15h's crystal, which is not ours. */
static struct tdx_cpuid_value wanted(uint32_t leaf, uint32_t subleaf)
{
    switch (leaf) {
    case 1:
        return (struct tdx_cpuid_value){.ecx = (uint32_t)LEAF1_ECX_DEADLINE};
    case 0xb:
    case 0x1f:
        return topology(subleaf);
    default:
        return (struct tdx_cpuid_value){0};
    }
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
        *v = wanted((uint32_t)leaf, (uint32_t)(leaf >> 32));
        v->eax &= (uint32_t)low;
        v->ebx &= (uint32_t)(low >> 32);
        v->ecx &= (uint32_t)high;
        v->edx &= (uint32_t)(high >> 32);
    }
    return true;
}
