/*
 * The CPUID page: ABI 8.17.2.6, and the processor's PPR, "CPUID Policy Enforcement". A hypervisor
 * may hide features from a guest; it may not promise what the processor does not have.
 */
#include "snp_psp.h"

#include "hv/string.h"

enum { EAX, EBX, ECX, EDX, REGS };
#define ANY_INDEX 0xffffffffu

/* Registers made of feature bits: a guest's must be a subset of the processor's, plus `extra`. */
static const struct rule {
    uint32_t function, index;
    uint8_t reg;
    uint32_t extra;
} subsets[] = {
    {0x00000001, ANY_INDEX, ECX, 1u << 31}, /* bit 31: a hypervisor is present */
    {0x00000001, ANY_INDEX, EDX, 0},
    {0x00000007, 0, EBX, 0},
    {0x00000007, 0, ECX, 0},
    {0x00000007, 0, EDX, 0},
    {0x00000007, 1, EAX, 0},
    {0x0000000d, 0, EAX, 0},
    {0x0000000d, 0, EDX, 0},
    {0x0000000d, 1, EAX, 0},
    {0x80000001, ANY_INDEX, ECX, 0},
    {0x80000001, ANY_INDEX, EDX, 0},
    {0x80000007, ANY_INDEX, EDX, 0},
    {0x80000008, ANY_INDEX, EBX, 0},
    {0x8000001f, ANY_INDEX, EAX, 0},
    {0x80000021, ANY_INDEX, EAX, 0},
};

/* Bits that follow CR4 and the APIC in a running processor, whatever the table says. */
#define OSXSAVE (1u << 27)

static uint32_t *reg_of(struct snp_cpuid_function *f, unsigned int reg)
{
    switch (reg) {
    case EAX:
        return &f->eax;
    case EBX:
        return &f->ebx;
    case ECX:
        return &f->ecx;
    default:
        return &f->edx;
    }
}

static bool subset(struct snp_cpuid_function *f, const struct rule *r)
{
    uint32_t have[REGS], allowed, *reg = reg_of(f, r->reg);

    emu_core_cpuid(f->eax_in, f->ecx_in, have);
    allowed = have[r->reg] | r->extra;
    if (f->eax_in == 1 && r->reg == ECX) {
        allowed |= OSXSAVE;
    }
    if ((*reg & ~allowed) == 0) {
        return true;
    }
    *reg &= allowed;
    return false;
}

/* XCR0 1 and no XSS: the legacy area and the header (APM Vol. 3, E.4.10). */
static bool xsave_size(struct snp_cpuid_function *f)
{
    if (f->eax_in != 0xd || f->ecx_in > 1 || f->xcr0_in > 1 || f->xss_in != 0 || f->ebx == 0x240) {
        return true;
    }
    f->ebx = 0x240;
    return false;
}

/* The guest's addresses are no wider than the processor's. */
static bool address_width(struct snp_cpuid_function *f)
{
    uint32_t have[REGS];

    if (f->eax_in != 0x80000008) {
        return true;
    }
    emu_core_cpuid(f->eax_in, 0, have);
    if ((f->eax & 0xff) <= (have[EAX] & 0xff)) {
        return true;
    }
    f->eax = (f->eax & ~0xffu) | (have[EAX] & 0xff);
    return false;
}

static bool function_ok(struct snp_cpuid_function *f)
{
    bool ok = xsave_size(f) && address_width(f);

    for (size_t i = 0; i < ARRAY_SIZE(subsets); i++) {
        const struct rule *r = &subsets[i];

        if (r->function == f->eax_in && (r->index == ANY_INDEX || r->index == f->ecx_in) &&
            !subset(f, r)) {
            ok = false;
        }
    }
    return ok;
}

/* Basic, extended and the hypervisor's functions only, and the defined part of the page only. */
static bool form_ok(const struct snp_cpuid_page *page)
{
    if (page->count > SNP_CPUID_MAX || page->reserved0 != 0 || page->reserved1 != 0) {
        return false;
    }
    for (uint32_t i = 0; i < page->count; i++) {
        uint32_t range = page->fn[i].eax_in >> 16;

        if ((range != 0 && range != 0x4000 && range != 0x8000) || page->fn[i].reserved != 0) {
            return false;
        }
    }
    return true;
}

uint32_t psp_cpuid_check(struct snp_cpuid_page *page)
{
    uint32_t r = SNP_SUCCESS;

    if (!form_ok(page)) {
        return SNP_INVALID_PARAM;
    }
    for (uint32_t i = 0; i < page->count; i++) {
        if (!function_ok(&page->fn[i])) {
            r = SNP_INVALID_PARAM;
        }
    }
    return r;
}
