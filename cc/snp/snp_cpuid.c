/*
 * The CPUID page (ABI 8.17.2.6): the same answers that a plain guest gets, less what an encrypted
 * one cannot have, plus the leaf that says it is encrypted. The firmware checks it at launch.
 */
#include "abi/const.h"
#include "arch/boot.h"
#include "hv/guestmem.h"
#include "hv/page.h"
#include "hv/string.h"
#include "snp.h"

/* XSAVE and all that needs it: the state in the save area is not switched for guests yet. */
#define BASIC_MAX   0xcu
/*
 * FMA XSAVE OSXSAVE AVX F16C. TSC-deadline: the firmware wants of this register a part of what the
 * chip has, and no AMD chip has that timer; guests count with the APIC's own.
 */
#define L1_ECX_HIDE (BIT(12) | BIT(24) | BIT(26) | BIT(27) | BIT(28) | BIT(29))
#define L7_EBX_KEEP (BIT(0) | BIT(3) | BIT(7) | BIT(8) | BIT(9) | BIT(18) | BIT(19) | BIT(20) |    \
                     BIT(23) | BIT(24) | BIT(29))
#define L7_ECX_KEEP (BIT(2) | BIT(22))
#define EXT_MAX     0x8000001fu

void snp_cpuid(struct vcpu *v, uint32_t leaf, uint32_t sub, uint32_t out[4])
{
    guest_cpuid(v, leaf, sub, out);
    switch (leaf) {
    case 0:
        out[0] = BASIC_MAX;
        break;
    case 1:
        out[2] &= (uint32_t)~L1_ECX_HIDE;
        break;
    case 7:
        out[1] &= (uint32_t)L7_EBX_KEEP;
        out[2] &= (uint32_t)L7_ECX_KEEP;
        break;
    case 0x80000000:
        out[0] = EXT_MAX;
        break;
    case SNP_CPUID_LEAF:
        snp_hw_cpuid(out);
        out[0] &= (uint32_t)(SNP_CPUID_SEV | SNP_CPUID_ES | SNP_CPUID_SNP);
        out[1] &= 0xfff; /* C-bit, and the address bits that it costs */
        out[2] = 0;
        out[3] = 0;
        break;
    default:
        break;
    }
}

static void add(struct snp_cpuid_page *p, struct vcpu *v, uint32_t leaf, uint32_t sub)
{
    struct snp_cpuid_function *f = &p->fn[p->count++];
    uint32_t out[4];

    snp_cpuid(v, leaf, sub, out);
    f->eax_in = leaf;
    f->ecx_in = sub;
    f->eax = out[0];
    f->ebx = out[1];
    f->ecx = out[2];
    f->edx = out[3];
}

static void fill(struct snp_cpuid_page *p, struct vcpu *v)
{
    static const struct {
        uint32_t leaf, sub;
    } leaves[] = {
        {0, 0},          {1, 0},          {6, 0},          {7, 0},          {0xb, 0},
        {0xb, 1},        {0x40000000, 0}, {0x40000001, 0}, {0x80000000, 0}, {0x80000001, 0},
        {0x80000002, 0}, {0x80000003, 0}, {0x80000004, 0}, {0x80000005, 0}, {0x80000006, 0},
        {0x80000007, 0}, {0x80000008, 0}, {SNP_CPUID_LEAF, 0},
        /* The firmware looks at no hypervisor's leaf; a guest asks nobody else for those. */
        {ABI_CPUID_BASE, 0}, {ABI_CPUID_VERSION, 0}, {ABI_CPUID_FEATURES, 0},
    };

    for (size_t i = 0; i < ARRAY_SIZE(leaves); i++) {
        add(p, v, leaves[i].leaf, leaves[i].sub);
    }
}

enum abi_status snp_cpuid_write(struct vm *vm, gpa_t page)
{
    struct snp_cpuid_page *p;
    enum abi_status st;
    pa_t at;

    if (!page_alloc(ORDER_4K, PAGE_HV, vm->id, &at)) {
        return ABI_NO_MEMORY;
    }
    p = pa_to_hva(at);
    fill(p, vm->vcpu[0]);
    st = guestmem_write(vm, page, p, sizeof(*p));
    page_free(at, PAGE_HV, vm->id);
    return st;
}
