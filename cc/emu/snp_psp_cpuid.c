/*
 * The CPUID page: ABI 8.17.2.6 and the processors' PPR, "CPUID policy enforcement". A hypervisor
 * may hide features from a guest; it may not promise what the processor does not have. The
 * reference is what this chip's processors answer.
 */
#include "snp_psp.h"

#include "hv/string.h"

enum { EAX, EBX, ECX, EDX, REGS };

/*
 * For each register: - anything; = the processor's value; m no bit that it lacks; < at most its
 * value; b the same for each byte; f the same for family, model, stepping; x the size of an XSAVE
 * area. A function that is not listed answers zeros.
 */
static const struct rule {
    uint32_t function, index;
    char rules[REGS + 1];
} rules[] = {
    {0x00000000, 0, "<---"},   {0x00000001, 0, "f=mm"},   {0x00000002, 0, "----"},
    {0x00000004, 0, "----"},   {0x00000005, 0, "----"},   {0x00000006, 0, "m=m="},
    {0x00000007, 0, "<mmm"},   {0x00000007, 1, "m==="},   {0x0000000b, 0, "----"},
    {0x0000000b, 1, "----"},   {0x0000000b, 2, "----"},   {0x0000000d, 0, "mx-="},
    {0x0000000d, 1, "mxmm"},   {0x0000000d, 2, "===="},   {0x0000000d, 5, "==m="},
    {0x0000000d, 6, "==m="},   {0x0000000d, 7, "==m="},   {0x0000000d, 9, "===="},
    {0x0000000d, 0xb, "===="}, {0x0000000d, 0xc, "===="}, {0x0000000f, 0, "=-=-"},
    {0x0000000f, 1, "----"},   {0x00000010, 0, "=-=="},   {0x00000010, 1, "----"},
    {0x80000000, 0, "<---"},   {0x80000001, 0, "f-mm"},   {0x80000002, 0, "----"},
    {0x80000003, 0, "----"},   {0x80000004, 0, "----"},   {0x80000005, 0, "----"},
    {0x80000006, 0, "----"},   {0x80000007, 0, "=m-m"},   {0x80000008, 0, "bm-b"},
    {0x8000000a, 0, "--=m"},   {0x80000019, 0, "--=="},   {0x8000001a, 0, "-==="},
    {0x8000001b, 0, "m==="},   {0x8000001d, 0, "----"},   {0x8000001d, 1, "----"},
    {0x8000001d, 2, "----"},   {0x8000001d, 3, "----"},   {0x8000001d, 4, "-=-="},
    {0x8000001e, 0, "----"},   {0x8000001f, 0, "m=--"},   {0x80000020, 0, "=-=="},
    {0x80000020, 1, "-==-"},   {0x80000020, 2, "-==-"},   {0x80000020, 3, "=-m="},
    {0x80000021, 0, "m-=="},   {0x80000022, 0, "m-mm"},   {0x80000023, 0, "m-=="},
    {0x80000024, 0, "<mm="},   {0x80000024, 1, "m==="},   {0x80000026, 0, "----"},
    {0x80000026, 1, "----"},   {0x80000026, 2, "----"},   {0x80000026, 3, "----"},
};

/* Bits that nobody checks in a register that is otherwise checked. */
static uint32_t unchecked(uint32_t function, unsigned int reg)
{
    switch (function) {
    case 1: /* EBX: only the CLFLUSH size counts; ECX: OSXSAVE, and the hypervisor's own bit */
        return reg == EBX ? ~0xff00u : reg == ECX ? 1u << 27 | 1u << 31 : 0;
    case 7: /* OSPKE */
        return reg == ECX ? 1u << 4 : 0;
    case 0x8000001f: /* reduced address bits, VMPLs */
        return reg == EBX ? 0xffc0u : 0;
    default:
        return 0;
    }
}

/* Of the components of XCR0 and XSS, as this chip has them: APM Vol. 2, 11.5. */
static uint32_t xsave_size(const struct snp_cpuid_function *f)
{
    uint64_t held = f->xcr0_in | (f->ecx_in == 1 ? f->xss_in : 0);
    uint32_t size = 0x240, have[REGS];

    for (unsigned int i = 2; i < 63; i++) {
        if ((held & BIT(i)) == 0) {
            continue;
        }
        emu_core_cpuid(0xd, i, have);
        if (f->ecx_in == 1) {
            size = ((have[ECX] & 2) != 0 ? ALIGN_UP(size, 64u) : size) + have[EAX];
        } else {
            size = MAX(size, have[EBX] + have[EAX]);
        }
    }
    return size;
}

static uint32_t bytewise(uint32_t value, uint32_t limit)
{
    uint32_t out = 0;

    for (unsigned int i = 0; i < 32; i += 8) {
        out |= MIN(value >> i & 0xff, limit >> i & 0xff) << i;
    }
    return out;
}

/* Family (with its extension), model, stepping, so that they compare in this order. */
static uint32_t age(uint32_t fms)
{
    uint32_t family = (fms >> 8 & 0xf) + (fms >> 20 & 0xff);
    uint32_t model = (fms >> 4 & 0xf) | (fms >> 12 & 0xf0);

    return family << 12 | model << 4 | (fms & 0xf);
}

/* The nearest value that the rule allows; `have` is the processor's. */
static uint32_t allowed(const struct snp_cpuid_function *f, char rule, uint32_t value,
                        uint32_t have)
{
    switch (rule) {
    case '=':
        return have;
    case 'm':
        return value & have;
    case '<':
        return MIN(value, have);
    case 'b':
        return bytewise(value, have);
    case 'f':
        return age(value) <= age(have) ? value : have;
    case 'x':
        return xsave_size(f);
    default:
        return value;
    }
}

/* An SNP chip has the extended functions that tell of it, whatever its processors are modelled on.
 */
static void reference(const struct snp_cpuid_function *f, uint32_t have[REGS])
{
    emu_core_cpuid(f->eax_in, f->ecx_in, have);
    if (f->eax_in == 0x80000000) {
        have[EAX] = MAX(have[EAX], 0x80000026u);
    }
}

static const struct rule *rule_for(const struct snp_cpuid_function *f)
{
    static const struct rule zeros = {0, 0, "0000"};

    for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
        if (rules[i].function == f->eax_in && rules[i].index == f->ecx_in) {
            return &rules[i];
        }
    }
    return &zeros;
}

static bool function_ok(struct snp_cpuid_function *f)
{
    uint32_t *const reg[REGS] = {&f->eax, &f->ebx, &f->ecx, &f->edx};
    const struct rule *r = rule_for(f);
    uint32_t have[REGS];
    bool ok = f->reserved == 0;

    reference(f, have);
    for (unsigned int i = 0; i < REGS; i++) {
        uint32_t free = unchecked(f->eax_in, i);
        uint32_t want = r->rules[i] == '0' ? 0 : allowed(f, r->rules[i], *reg[i], have[i]);

        want = (want & ~free) | (*reg[i] & free);
        ok = ok && want == *reg[i];
        *reg[i] = want;
    }
    return ok;
}

/* Other ranges are between the hypervisor and the guest. */
static bool architectural(uint32_t function)
{
    return function >> 16 == 0 || function >> 16 == 0x8000;
}

uint32_t psp_cpuid_check(struct snp_cpuid_page *page)
{
    uint32_t r = SNP_SUCCESS;

    if (page->count > SNP_CPUID_MAX || page->reserved0 != 0 || page->reserved1 != 0) {
        return SNP_INVALID_PARAM;
    }
    for (uint32_t i = 0; i < page->count; i++) {
        if (architectural(page->fn[i].eax_in) && !function_ok(&page->fn[i])) {
            r = SNP_INVALID_PARAM;
        }
    }
    return r;
}
