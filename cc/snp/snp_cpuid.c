/*
 * The CPUID page (ABI 8.17.2.6): the same answers that a plain guest gets, less what an encrypted
 * one cannot have, plus the leaf that says it is encrypted. The firmware checks it at launch.
 */
#include "arch/boot.h"
#include "hv/guestmem.h"
#include "hv/page.h"
#include "hv/string.h"
#include "snp.h"

/* XSAVE and all that needs it: the state in the save area is not switched for guests yet. */
#define BASIC_MAX   0xcu
#define L1_ECX_HIDE (BIT(12) | BIT(26) | BIT(27) | BIT(28) | BIT(29)) /* FMA XSAVE OSXSAVE AVX F16C */
#define L7_EBX_KEEP (BIT(0) | BIT(3) | BIT(7) | BIT(8) | BIT(9) | BIT(18) | BIT(19) | BIT(20) |    \
                     BIT(23) | BIT(24) | BIT(29))
#define L7_ECX_KEEP (BIT(2) | BIT(22))
#define EXT_MAX     0x8000001fu

static void add(struct snp_cpuid_page *p, struct vcpu *v, uint32_t leaf, uint32_t sub)
{
    struct snp_cpuid_function *f = &p->fn[p->count++];
    uint32_t out[4];

    guest_cpuid(v, leaf, sub, out);
    f->eax_in = leaf;
    f->ecx_in = sub;
    f->eax = out[0];
    f->ebx = out[1];
    f->ecx = out[2];
    f->edx = out[3];
}

static struct snp_cpuid_function *last(struct snp_cpuid_page *p)
{
    return &p->fn[p->count - 1];
}

static void add_basic(struct snp_cpuid_page *p, struct vcpu *v)
{
    add(p, v, 0, 0);
    last(p)->eax = BASIC_MAX;
    add(p, v, 1, 0);
    last(p)->ecx &= (uint32_t)~L1_ECX_HIDE;
    add(p, v, 6, 0);
    add(p, v, 7, 0);
    last(p)->ebx &= (uint32_t)L7_EBX_KEEP;
    last(p)->ecx &= (uint32_t)L7_ECX_KEEP;
    add(p, v, 0xb, 0);
    add(p, v, 0xb, 1);
}

static void add_extended(struct snp_cpuid_page *p, struct vcpu *v)
{
    uint32_t sev[4];

    for (uint32_t leaf = 0x80000000; leaf <= 0x80000008; leaf++) {
        add(p, v, leaf, 0);
    }
    p->fn[p->count - 9].eax = EXT_MAX;
    snp_hw_cpuid(sev);
    add(p, v, SNP_CPUID_LEAF, 0);
    last(p)->eax = sev[0] & (uint32_t)(SNP_CPUID_SEV | SNP_CPUID_ES | SNP_CPUID_SNP);
    last(p)->ebx = sev[1] & 0xfff;
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
    add_basic(p, vm->vcpu[0]);
    add(p, vm->vcpu[0], 0x40000000, 0);
    add(p, vm->vcpu[0], 0x40000001, 0);
    add_extended(p, vm->vcpu[0]);
    st = guestmem_write(vm, page, p, sizeof(*p));
    page_free(at, PAGE_HV, vm->id);
    return st;
}
