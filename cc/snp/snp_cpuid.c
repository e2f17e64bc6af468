/*
 * The CPUID page (ABI 8.17.2.6): the same answers that a plain guest gets, less what an encrypted
 * one cannot have, plus the leaf that says it is encrypted, and all of XSAVE: its state is in the
 * save area, so the chip switches it. The firmware checks the page at launch.
 */
#include "abi/const.h"
#include "arch/boot.h"
#include "hv/guestmem.h"
#include "hv/page.h"
#include "hv/string.h"
#include "snp.h"

/* TSC-deadline: the firmware wants of this register a part of what the chip has, and no AMD chip
 * has that timer; guests count with the APIC's own. */
#define L1_ECX_HIDE BIT(24)
/* Where the chip has no XSAVE: FMA XSAVE OSXSAVE AVX F16C, and what of leaf 7 does without. */
#define BASIC_MAX_NO_XSAVE   0xcu
#define L1_ECX_XSAVE         (BIT(12) | BIT(26) | BIT(27) | BIT(28) | BIT(29))
#define L7_EBX_KEEP_NO_XSAVE (BIT(0) | BIT(3) | BIT(7) | BIT(8) | BIT(9) | BIT(18) | BIT(19) |    \
                              BIT(20) | BIT(23) | BIT(24) | BIT(29))
#define L7_ECX_KEEP_NO_XSAVE (BIT(2) | BIT(22))
#define EXT_MAX     0x8000001fu

/* XCR0: what the firmware has rules for: x87, SSE, AVX, AVX-512 (three), protection keys. */
#define XCR0_KNOWN  0x2e7ull
#define XSAVE_BASE  0x240u /* legacy area and header */
#define XSAVE_ALIGN BIT(1) /* ECX of a component's leaf: it is aligned in the compacted form */

static uint64_t features(struct vcpu *v)
{
    uint32_t out[4];

    guest_cpuid(v, 0xd, 0, out);
    return out[0] & XCR0_KNOWN;
}

/* Bytes of an area with those components: APM Vol. 2, 11.5.2 and 11.5.3. */
static uint32_t xsave_size(uint64_t xcr0, bool compacted)
{
    uint32_t size = XSAVE_BASE, out[4];

    for (unsigned int i = 2; i < 64; i++) {
        if ((xcr0 & BIT(i)) == 0) {
            continue;
        }
        snp_hw_cpuid(0xd, i, out);
        if (compacted) {
            size = (out[2] & XSAVE_ALIGN) != 0 ? ALIGN_UP(size, 64u) + out[0] : size + out[0];
        } else {
            size = MAX(size, out[1] + out[0]);
        }
    }
    return size;
}

/* Subleaves 0 and 1 answer for the XCR0 that the guest has; XSS is always 0. */
__attribute__((noinline)) static void xsave_leaf(struct vcpu *v, uint32_t sub, uint64_t xcr0,
                                                 uint32_t out[4])
{
    uint64_t all = features(v);
    bool exists = sub < 2 || (sub < 64 && (all & BIT(sub)) != 0);

    memset(out, 0, 4 * sizeof(out[0]));
    if (!snp_platform.xsave || !exists) {
        return;
    }
    snp_hw_cpuid(0xd, sub, out);
    if (sub == 0) {
        out[0] = (uint32_t)all;
        out[1] = xsave_size(xcr0 & all, false);
        out[2] = xsave_size(all, false);
    } else if (sub == 1) {
        out[0] &= XSAVE_ALL;
        out[1] = xsave_size(xcr0 & all, true);
        out[2] = out[3] = 0;
    }
}

static void encryption_leaf(uint32_t out[4])
{
    snp_hw_cpuid(SNP_CPUID_LEAF, 0, out);
    out[0] &= (uint32_t)(SNP_CPUID_SEV | SNP_CPUID_ES | SNP_CPUID_SNP);
    out[1] &= 0xfff; /* C-bit, and the address bits that it costs */
    out[2] = 0;
    out[3] = 0;
}

void snp_cpuid(struct vcpu *v, uint32_t leaf, uint32_t sub, uint64_t xcr0, uint32_t out[4])
{
    if (UNLIKELY(leaf == 0xd)) {
        xsave_leaf(v, sub, xcr0, out);
        return;
    }
    guest_cpuid(v, leaf, sub, out);
    switch (leaf) {
    case 0:
        out[0] = snp_platform.xsave ? out[0] : BASIC_MAX_NO_XSAVE;
        break;
    case 1:
        out[2] &= (uint32_t)~(snp_platform.xsave ? L1_ECX_HIDE : L1_ECX_HIDE | L1_ECX_XSAVE);
        break;
    case 7:
        out[1] &= snp_platform.xsave ? UINT32_MAX : (uint32_t)L7_EBX_KEEP_NO_XSAVE;
        out[2] &= snp_platform.xsave ? UINT32_MAX : (uint32_t)L7_ECX_KEEP_NO_XSAVE;
        break;
    case 0x80000000:
        out[0] = EXT_MAX;
        break;
    case SNP_CPUID_LEAF:
        encryption_leaf(out);
        break;
    default:
        break;
    }
}

#define XCR0_RESET 1u

static void add(struct snp_cpuid_page *p, struct vcpu *v, uint32_t leaf, uint32_t sub)
{
    struct snp_cpuid_function *f = &p->fn[p->count++];
    uint32_t out[4];

    snp_cpuid(v, leaf, sub, XCR0_RESET, out);
    f->eax_in = leaf;
    f->ecx_in = sub;
    f->xcr0_in = leaf == 0xd && sub < 2 ? XCR0_RESET : 0;
    f->eax = out[0];
    f->ebx = out[1];
    f->ecx = out[2];
    f->edx = out[3];
}

/* Guests add up the sizes of the components that they enable. */
static void add_xsave(struct snp_cpuid_page *p, struct vcpu *v)
{
    uint64_t all = features(v);

    for (unsigned int i = 0; i < 64; i++) {
        if (i < 2 || (all & BIT(i)) != 0) {
            add(p, v, 0xd, i);
        }
    }
}

void snp_cpuid_fill(struct vcpu *v, struct snp_cpuid_page *p)
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
    if (snp_platform.xsave) {
        add_xsave(p, v);
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
    snp_cpuid_fill(vm->vcpu[0], p);
    st = guestmem_write(vm, page, p, sizeof(*p));
    page_free(at, PAGE_HV, vm->id);
    return st;
}
